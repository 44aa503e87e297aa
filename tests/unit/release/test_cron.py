"""CronJobs beside a service: one each, always those of what is stable, whoever dies or comes late."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.catalog.model import Cron
from candlefish.errors import ClusterRefused, StaleGeneration
from candlefish.release.keep_cron import keep_cron
from candlefish.release.model import Manifest
from candlefish.release.payloads import CronKept, ReleaseContext, WatchContext
from candlefish.release.promote_release import promote_release
from candlefish.release.reconcile_cluster import ClusterRepair, reconcile_cluster
from candlefish.release.shift_weights import shift_weights
from lab.memory.events import MemoryEvents
from lab.memory.release import MemoryBundles
from tests.support.analysis import FakeWindows
from tests.support.cluster import CRON_JOB
from tests.support.release_world import CLUSTER_WRITERS_LIVE, World, roll_back
from tests.support.service import fresh, image

REPORT = Cron(name="report", schedule="30 3 * * *", timezone="Europe/Berlin", args=("--report",))
TIDY = Cron(name="tidy", schedule="@hourly", command=("tidy",))
NAME, OTHER = "backend-api-report", "backend-api-tidy"


@pytest.fixture
def daily() -> World:
    """A service with a report, of which nothing was released yet."""
    world = World(fresh())
    has(world, REPORT)
    return world


def has(world: World, *cron: Cron) -> None:
    """What the catalog says from now on."""
    services = dict(world.catalog.services)
    services["backend-api"] = msgspec.structs.replace(services["backend-api"], cron=cron)
    world.catalog = msgspec.structs.replace(world.catalog, services=services)


def begun(world: World, digit: int) -> ReleaseContext:
    """A release whose version runs beside what is stable, and has all traffic."""
    run = world.begin(f"r{digit}", image=image(digit))
    world.deploy(run)
    shift_weights(
        world.step(run, "shift", weight=100),
        records=world.records,
        rules=world.rules,
        journal=world.journal,
        now=world.clock,
    )
    return run


def promoted(world: World, run: ReleaseContext) -> WatchContext:
    return promote_release(
        run, records=world.records, rules=world.rules, journal=world.journal, now=world.clock
    )


def move(world: World, run: ReleaseContext) -> CronKept:
    return keep_cron(
        run,
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        journal=world.journal,
        now=world.clock,
    )


def released(world: World, digit: int) -> ReleaseContext:
    run = begun(world, digit)
    assert promoted(world, run).cron
    move(world, run)
    return run


def look(world: World) -> list[ClusterRepair]:
    world.rules.weights[world.record.rule] = world.record.weights_by_target_group()
    return reconcile_cluster(
        environment="production",
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        rules=world.rules,
        switchboard=world.switchboard,
        asleep=lambda: "",
        journal=world.journal,
        events=MemoryEvents(),
        cluster_writers_live=CLUSTER_WRITERS_LIVE,
        now=world.clock,
    )


def cron_jobs(world: World) -> dict[str, Manifest]:
    return {name: each for (kind, name), each in world.cluster.objects.items() if kind == CRON_JOB}


def container(cron_job: Manifest) -> Any:
    return cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


def runs(world: World) -> dict[str, str]:
    """Which image each CronJob runs; those that rest are not among them."""
    return {
        name: container(each)["image"]
        for name, each in cron_jobs(world).items()
        if not each["spec"].get("suspend")
    }


def back(world: World) -> None:
    """A rollback, up to and with its look at the cluster."""
    restored = roll_back(world)
    world.clock.at += CLUSTER_WRITERS_LIVE + 1
    world.retire(restored, FakeWindows([]))


def test_there_is_none_before_something_is_stable(daily: World) -> None:
    run = begun(daily, 1)
    assert (cron_jobs(daily), look(daily)) == ({}, [])
    promoted(daily, run)
    assert move(daily, run).differed == (f"CronJob {NAME} is missing",)
    assert runs(daily) == {NAME: image(1)}
    spec = cron_jobs(daily)[NAME]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("30 3 * * *", "Europe/Berlin")
    assert (spec["concurrencyPolicy"], "suspend" in spec) == ("Forbid", False)
    assert container(cron_jobs(daily)[NAME])["args"] == ["--report"]
    assert "v1 run" not in daily.journal.reason("r1", "cron_moved")


def test_there_is_one_and_it_follows_what_is_stable(daily: World) -> None:
    released(daily, 1)
    run = begun(daily, 2)
    assert runs(daily) == {NAME: image(1)}, "all traffic is on the candidate, and it is not stable yet"
    promoted(daily, run)
    move(daily, run)
    assert runs(daily) == {NAME: image(2)}
    assert move(daily, run).differed == (), "said again it changes nothing"
    assert "backend-api run" in daily.journal.reason("r2", "cron_moved")


def test_a_rollback_in_the_window_puts_it_back(daily: World) -> None:
    released(daily, 1)
    late = released(daily, 2)
    back(daily)
    assert runs(daily) == {NAME: image(1)}
    with pytest.raises(StaleGeneration):
        move(daily, late)
    assert runs(daily) == {NAME: image(1)}


def test_a_rollback_before_promotion_leaves_it(daily: World) -> None:
    released(daily, 1)
    begun(daily, 2)
    back(daily)
    assert runs(daily) == {NAME: image(1)}


def test_a_late_writer_of_what_was_taken_back_is_refused_by_the_cluster(daily: World) -> None:
    """Its record was read before the rollback; what it sends arrives after it."""
    released(daily, 1)
    run = begun(daily, 2)
    promoted(daily, run)
    sent = World(daily.record)
    sent.catalog, sent.cluster, sent.journal = daily.catalog, daily.cluster, daily.journal
    back(daily)
    with pytest.raises(StaleGeneration):
        move(sent, run)
    assert runs(daily) == {NAME: image(1)}


def test_who_dies_between_promotion_and_the_move_leaves_it_to_the_reconciler(daily: World) -> None:
    released(daily, 1)
    promoted(daily, begun(daily, 2))
    assert runs(daily) == {NAME: image(1)}
    (repair,) = look(daily)
    assert (repair.kind, repair.slot) == ("cron", daily.record.stable)
    assert repair.reason == f"CronJob {NAME} runs {image(1)} instead of {image(2)} ({image(2)[-64:-52]})"
    assert runs(daily) == {NAME: image(2)}
    assert look(daily) == []
    assert daily.journal.entries("r2")[-1].evidence["differed"] == [repair.reason]


def test_who_dies_in_a_rollback_leaves_it_to_the_reconciler(daily: World) -> None:
    """The rollback's own look at the cluster was refused; it ends all the same."""
    released(daily, 1)
    released(daily, 2)
    restored = roll_back(daily)
    daily.clock.at += CLUSTER_WRITERS_LIVE + 1
    apply = daily.cluster.apply

    def refuses(objects: Any, **how: Any) -> Any:
        raise ClusterRefused("CronJob: a webhook says no")

    daily.cluster.apply = refuses  # type: ignore[method-assign]
    said = daily.retire(restored, FakeWindows([]))
    assert "a webhook says no" in said.reason
    daily.cluster.apply = apply  # type: ignore[method-assign]
    daily.finish(restored)
    assert [each.kind for each in look(daily)] == ["cron"]
    assert runs(daily) == {NAME: image(1)}


def test_what_the_cluster_refuses_is_said_and_the_version_stays_promoted(daily: World) -> None:
    released(daily, 1)
    run = begun(daily, 2)
    promoted(daily, run)

    def refuses(objects: Any, **how: Any) -> Any:
        raise ClusterRefused("CronJob: a webhook says no")

    daily.cluster.apply = refuses  # type: ignore[method-assign]
    assert move(daily, run).differed == ()
    assert "a webhook says no" in daily.journal.reason("r2", "cron_left")


def test_one_that_the_next_version_has_not_rests_and_comes_back_with_a_rollback(daily: World) -> None:
    has(daily, REPORT, TIDY)
    released(daily, 1)
    has(daily, REPORT)
    released(daily, 2)
    assert runs(daily) == {NAME: image(2)}
    assert look(daily) == [], "it rests, and is no repair"
    back(daily)
    assert runs(daily) == {NAME: image(1), OTHER: image(1)}


def test_the_configuration_is_the_stable_versions_whatever_the_catalog_says_by_now(daily: World) -> None:
    released(daily, 1)
    has(daily, msgspec.structs.replace(REPORT, schedule="0 5 * * *"))
    assert look(daily) == []
    assert cron_jobs(daily)[NAME]["spec"]["schedule"] == "30 3 * * *"
    released(daily, 2)
    assert cron_jobs(daily)[NAME]["spec"]["schedule"] == "0 5 * * *"


def test_one_that_somebody_deleted_or_changed_is_put_back(daily: World) -> None:
    released(daily, 1)
    ours = daily.cluster.objects.pop((CRON_JOB, NAME))
    assert look(daily)[0].reason == f"CronJob {NAME} is missing"
    other = msgspec.json.decode(msgspec.json.encode(ours))
    container(other)["image"] = image(9)
    daily.cluster.objects[CRON_JOB, NAME] = other
    assert [each.kind for each in look(daily)] == ["cron"]
    assert runs(daily) == {NAME: image(1)}


def test_one_that_sleeps_or_that_somebody_suspended_stays_suspended(daily: World) -> None:
    released(daily, 1)
    ours = cron_jobs(daily)[NAME]
    daily.cluster.objects[CRON_JOB, NAME] = {**ours, "spec": {**ours["spec"], "suspend": True}}
    assert look(daily) == []
    released(daily, 2)
    assert container(cron_jobs(daily)[NAME])["image"] == image(2)
    assert runs(daily) == {}, "applying does not wake it"


def test_in_place_it_follows_the_promotion_too(daily: World) -> None:
    """One slot, whose Pods are replaced before the promotion, and put back after a rollback."""
    daily.environment = "development"
    daily.records.stored["backend-api"] = fresh(environment="development")
    released(daily, 1)
    run = begun(daily, 2)
    assert daily.record.slots[run.slot].incoming, "it is an update in place"
    assert runs(daily) == {NAME: image(1)}
    promoted(daily, run)
    move(daily, run)
    assert runs(daily) == {NAME: image(2)}
