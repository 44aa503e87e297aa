"""CronJobs of a service: applied and rested on API servers, fenced like everything else."""

from __future__ import annotations

import pytest

from candlefish.adapters.kubernetes.messages import MERGE
from candlefish.catalog.model import Cron
from candlefish.errors import ClusterRefused, StaleGeneration
from candlefish.release.manifests import cron_objects, render
from candlefish.release.model import CronSeen
from tests.support.kubernetes.samples import service, workload
from tests.support.kubernetes.servers import World

pytestmark = pytest.mark.enable_socket

CRON = (
    Cron(name="report", schedule="30 3 * * 1-5", timezone="Europe/Berlin", args=("--report",)),
    Cron(name="tidy", schedule="@hourly", command=("tidy",)),
)
NAME = "api-report"


def apply(world: World, tag: str, generation: int, *, force: bool = False) -> None:
    of = workload(world.namespace, tag, generation=generation, service=service(cron=CRON))
    world.cluster.apply(cron_objects(render(of), of), generation=generation, force=force)


def seen(world: World) -> dict[str, CronSeen]:
    return {each.name: each for each in world.cluster.cron_jobs(world.namespace, "api")}


def rest(world: World, rests: bool, generation: int) -> None:
    world.cluster.rest_cron_job(world.namespace, NAME, rests, generation=generation)


def by_hand(world: World, **spec: object) -> None:
    path = f"{world.group('cronjobs')}/namespaces/{world.namespace}/cronjobs/{NAME}?fieldManager=somebody"
    world.admin.must("PATCH", path, {"spec": spec}, MERGE)


def test_they_are_made_and_moved(world: World) -> None:
    assert seen(world) == {}
    apply(world, "v1", 1)
    assert sorted(seen(world)) == [NAME, "api-tidy"]
    assert seen(world)[NAME] == CronSeen(NAME, workload(world.namespace, "v1").image, generation=1)
    spec = world.get("cronjobs", NAME)["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"], spec["suspend"]) == (
        "30 3 * * 1-5",
        "Forbid",
        False,
    )
    apply(world, "v2", 2)
    assert seen(world)[NAME].image == workload(world.namespace, "v2").image
    assert world.cluster.cron_jobs(world.namespace, "other") == ()


def test_an_older_generation_moves_none_back(world: World) -> None:
    apply(world, "v2", 2)
    for late in (lambda: apply(world, "v1", 1), lambda: rest(world, True, 1)):
        with pytest.raises(StaleGeneration):
            late()
    assert seen(world)[NAME] == CronSeen(NAME, workload(world.namespace, "v2").image, generation=2)


def test_one_that_rests_is_suspended_until_it_is_let_go_on(world: World) -> None:
    apply(world, "v1", 1)
    rest(world, True, 2)
    assert (seen(world)[NAME].suspended, seen(world)[NAME].resting, seen(world)[NAME].generation) == (
        True,
        True,
        2,
    )
    apply(world, "v1", 3)
    assert (seen(world)[NAME].suspended, seen(world)[NAME].resting) == (True, True), (
        "applying leaves that alone"
    )
    rest(world, False, 3)
    assert (seen(world)[NAME].suspended, seen(world)[NAME].resting) == (False, False)
    world.cluster.rest_cron_job(world.namespace, "api-gone", True, generation=3)


def test_what_sleeps_or_was_suspended_by_hand_is_not_woken_by_an_apply(world: World) -> None:
    apply(world, "v1", 1)
    by_hand(world, suspend=True)
    apply(world, "v2", 2)
    assert (seen(world)[NAME].suspended, seen(world)[NAME].resting) == (True, False)


def test_what_somebody_set_by_hand_is_theirs_until_it_is_forced(world: World) -> None:
    apply(world, "v1", 1)
    by_hand(world, schedule="0 0 * * *")
    with pytest.raises(ClusterRefused):
        apply(world, "v2", 2)
    apply(world, "v2", 2, force=True)
    assert world.get("cronjobs", NAME)["spec"]["schedule"] == "30 3 * * 1-5"
