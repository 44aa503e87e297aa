"""Trains: dependencies first, everything checked before anything starts, all taken back together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.errors import EnvironmentAsleep, InvalidInput, UnknownService
from candlefish.release.end_train import close_windows, promoted_by
from candlefish.release.payloads import ReleaseRequest, TrainRequest, TrainStart
from candlefish.release.plan_train import plan_train
from candlefish.release.train import train_order
from candlefish.requester import Asked, Requester, digest_of
from candlefish.service.model import name_of_car
from lab.memory.service import MemoryRecords
from tests.support.release_world import CATALOG, World
from tests.support.service import V1, fresh, image, released
from tests.support.traffic import FakeRules

SERVICES = ("website", "api-gateway", "backend-api")


@pytest.fixture
def station(world: World) -> World:
    records = [released(fresh(name), f"old-{name}", V1, window=0) for name in SERVICES]
    world.records, world.rules = MemoryRecords(*records), FakeRules(*records)
    return world


def proven(token: str, services: list[str], *, execution: str) -> Requester:
    """What a workflow's token says."""
    return Requester("github:octocat", {"token": token, "for": f"{execution} {' '.join(services)}"})


def plan(
    world: World, *services: str, train: str = "t1", admit: Any = lambda **_: None, **fields: Any
) -> list[dict[str, Any]]:
    """The requests as the machine gets them."""
    releases = [{"service": s, "image": image(2).replace("backend-api", s)} for s in services]
    request = {"releases": releases, "reason": "new protocol", **fields}
    planned = plan_train(
        TrainStart(train, f"arn:train:{train}", msgspec.convert(request, TrainRequest)),
        environment="production",
        catalog=world.catalog,
        records=world.records,
        freezes=world.freezes,
        requesters=world.requesters,
        proven=proven,
        now=world.clock,
        admit=admit,
    )
    assert [one.name for one in planned] == [name_of_car(train, one.request.service) for one in planned]
    requests: list[dict[str, Any]] = [msgspec.to_builtins(one.request) for one in planned]
    return requests


def test_dependencies_go_first(station: World) -> None:
    assert [r["service"] for r in plan(station, *SERVICES)] == ["backend-api", "api-gateway", "website"]


def test_order_follows_dependencies_through_services_that_are_not_on_the_train() -> None:
    assert train_order(["website", "backend-api"], CATALOG) == ["backend-api", "website"]


def test_early_releases_keep_their_predecessor_until_the_last_one_must_have_ended(station: World) -> None:
    kept = [r.get("keep_for", 0.0) for r in plan(station, *SERVICES)]
    assert kept[0] == 2 * kept[1] > 0
    assert kept[2] == 0


def test_a_service_that_already_runs_the_version_stays_at_home(station: World) -> None:
    record = station.records.stored["website"]
    here = msgspec.structs.replace(
        record.slots["green"],
        version=msgspec.structs.replace(V1, image=image(2).replace("backend-api", "website")),
    )
    station.records.stored["website"] = msgspec.structs.replace(record, slots={**record.slots, "green": here})
    assert [r["service"] for r in plan(station, *SERVICES)] == ["backend-api", "api-gateway"]


def test_one_bad_request_keeps_the_whole_train_in_the_station(station: World) -> None:
    with pytest.raises(UnknownService):
        plan(station, "backend-api", "nonsense")
    with pytest.raises(InvalidInput, match="each of another service"):
        plan(station, "backend-api", "backend-api")
    with pytest.raises(InvalidInput, match="1 to 40"):
        plan(station)


def test_releases_of_a_train_with_a_long_name_have_names_of_their_own(station: World) -> None:
    """What the command line calls a train leaves 33 characters of 60: services may have 40."""
    plan(station, *SERVICES, train="t" * 60)
    names = {name for kind, name in station.requesters.asked if kind == "release"}
    assert len(names) == 3 and all(len(name) <= 60 for name in names)


class Door:
    """An environment's door: counts who asks, and is shut when told so."""

    def __init__(self, *, shut: bool = False) -> None:
        self.asked = 0
        self.shut = shut

    def __call__(self, **_: Any) -> None:
        self.asked += 1
        if self.shut:
            raise EnvironmentAsleep("train t1 is queued: the environment sleeps until 07:00")


def test_a_train_asks_once_whether_it_may_come_in(station: World) -> None:
    door = Door()
    assert len(plan(station, *SERVICES, admit=door)) == 3
    assert door.asked == 1


def test_a_train_that_finds_the_environment_asleep_changes_nothing(station: World) -> None:
    before = dict(station.records.stored)
    with pytest.raises(EnvironmentAsleep):
        plan(station, *SERVICES, admit=Door(shut=True))
    assert station.records.stored == before


def test_a_train_that_could_not_run_is_refused_and_does_not_wait_for_the_morning(station: World) -> None:
    door = Door(shut=True)
    with pytest.raises(UnknownService):
        plan(station, "backend-api", "nonsense", admit=door)
    assert door.asked == 0


def test_a_train_with_nothing_to_do_wakes_nobody(station: World) -> None:
    for name in SERVICES:
        version = msgspec.structs.replace(V1, image=image(2).replace("backend-api", name))
        station.records.stored[name] = released(fresh(name), f"new-{name}", version, window=0)
    door = Door(shut=True)
    assert plan(station, *SERVICES, admit=door) == []
    assert door.asked == 0


def test_what_the_train_promoted_is_taken_back_last_first(station: World) -> None:
    for at, name in enumerate(("backend-api", "api-gateway")):
        version = msgspec.structs.replace(V1, image=image(2))
        station.records.stored[name] = released(
            station.records.stored[name], f"t1-{name}", version, now=station.clock.at + at, window=3600
        )
    requests = promoted_by("t1", "production", "website failed", records=station.records)
    assert [r.service for r in requests] == ["api-gateway", "backend-api"]
    assert promoted_by("t", "production", "no such train", records=station.records) == []


def test_windows_of_a_train_that_arrived_end_when_the_strategy_says(station: World) -> None:
    version = msgspec.structs.replace(V1, image=image(2))
    station.records.stored["backend-api"] = released(
        station.records.stored["backend-api"], "t1-backend-api", version, now=station.clock.at, window=86400
    )
    assert close_windows("t1", 60, records=station.records, now=station.clock) == ["backend-api"]
    assert station.records.stored["backend-api"].window_until == station.clock.at + 60


# --- who asked for a train asked for its releases


def written(world: World, service: str, train: str = "t1") -> Asked:
    found = world.requesters.find("release", f"{train}-{service}")
    assert found is not None
    return found


def test_who_asked_for_the_train_is_written_down_for_each_release_with_just_its_input(station: World) -> None:
    asked = {"releases": [{"service": "website", "image": image(2).replace("backend-api", "website")}]}
    request = msgspec.convert({**asked, "reason": "new protocol"}, TrainRequest)
    station.requesters.keep("train", "t1", Asked(Requester("developer"), digest_of(request), 1.0))
    (one,) = plan(station, "website")
    found = written(station, "website")
    assert found.requester == Requester("developer")
    assert found.digest == digest_of(msgspec.convert(one, ReleaseRequest))


def test_a_train_that_nobody_is_known_to_have_asked_for_has_unknown_releases(station: World) -> None:
    plan(station, *SERVICES)
    assert {written(station, service).requester.by for service in SERVICES} == {"unknown"}


def test_a_workflows_token_counts_for_all_of_a_train_and_goes_no_further(station: World) -> None:
    admitted: list[dict[str, Any]] = []
    planned = plan(station, *SERVICES, token="a.b.c", admit=lambda **asked: admitted.append(asked))
    assert written(station, "website").requester.by == "github:octocat"
    assert written(station, "website").requester.proof["for"] == f"arn:train:t1 {' '.join(SERVICES)}"
    assert all("token" not in each for each in planned)
    assert "token" not in admitted[0]["payload"]
    assert admitted[0]["asked"].requester.by == "github:octocat"
