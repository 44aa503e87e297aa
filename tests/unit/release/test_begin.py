"""Beginning a release: what is refused, with which reason, and that a refusal changes nothing."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.errors import (
    EnvironmentAsleep,
    Frozen,
    InvalidInput,
    Misconfigured,
    NotOnboarded,
    Permanent,
    ServiceBusy,
    Unavailable,
    UnknownService,
)
from candlefish.release.model import Release
from candlefish.release.request import require_short_name
from candlefish.traffic.shares import rule_name
from tests.support.release_world import World
from tests.support.service import V1, image


def test_a_release_takes_the_service_and_fixes_its_plan(world: World) -> None:
    begun = world.begin()
    assert begun.slot == "blue"
    release = world.journal.read("r2")
    assert [str(step) for step in release.plan] == [
        "deploy",
        "ready",
        "smoke",
        "scale 10%",
        "ready",
        "shift 10%",
        "judge",
        "approve",
        "scale 50%",
        "ready",
        "shift 50%",
        "judge",
        "scale 100%",
        "ready",
        "shift 100%",
        "bake",
    ]
    assert world.journal.kinds("r2") == ["started"]
    assert "takes over from v1: faster search" in world.journal.timeline["r2"][0].reason


def test_beginning_again_is_the_same_beginning(world: World) -> None:
    assert world.begin() == world.begin()


REFUSALS = [
    ({"service": "backend-apy"}, UnknownService, "backend-api"),
    ({"service": "website"}, InvalidInput, "website"),
    ({"environment": "staging"}, InvalidInput, "deploys to production"),
    ({"image": "ghcr.io/example-org/backend-api:latest"}, InvalidInput, "by digest"),
    ({"image": image(2).replace("backend-api", "website")}, InvalidInput, "runs images of"),
    ({"image": "x" * 1_000}, InvalidInput, "by digest"),
    ({"reason": "\n"}, InvalidInput, "reason"),
    ({"bundle": "s3://bundles/one"}, InvalidInput, "bundle_digest"),
    ({"bundle": "https://x/y", "bundle_digest": "0" * 64}, InvalidInput, "S3 URI"),
]


@pytest.mark.parametrize(("fields", "error", "words"), REFUSALS, ids=[str(list(f[0])) for f in REFUSALS])
def test_a_request_that_cannot_be_taken_says_why_and_changes_nothing(
    world: World, fields: dict[str, object], error: type[Permanent], words: str
) -> None:
    before = world.record
    with pytest.raises(error, match=words):
        world.begin(**fields)  # type: ignore[arg-type]
    assert world.record == before
    assert world.rules.calls == []
    assert world.journal.read("r2").status == "refused"
    assert world.journal.kinds("r2") == ["refused"]


def test_a_service_that_was_never_onboarded_is_refused(world: World) -> None:
    del world.records.stored["backend-api"]
    with pytest.raises(NotOnboarded):
        world.begin()


def test_a_service_whose_kind_was_changed_in_the_catalog_alone_is_refused(world: World) -> None:
    before = msgspec.structs.replace(world.record, rule=rule_name("stateful", "shop", "backend-api"))
    world.records.stored["backend-api"] = before
    with pytest.raises(Misconfigured, match="onboarded as stateful, and the catalog says web"):
        world.begin()
    assert world.record == before


def test_a_service_that_is_held_is_refused_with_its_holder(world: World) -> None:
    world.begin("r2")
    with pytest.raises(ServiceBusy, match="release r2"):
        world.begin("r3", image=image(3))
    assert world.journal.read("r3").status == "refused"


def test_a_freeze_stops_a_release_unless_somebody_breaks_the_glass(world: World) -> None:
    world.clock.at = 1798185600.0  # 2026-12-25 in Los Angeles
    with pytest.raises(Frozen, match="year-end"):
        world.begin("r2")
    world.begin("r3", break_glass="the payment provider changes its certificate tonight")
    assert world.journal.read("r3").break_glass.startswith("the payment provider")
    assert "break_glass" in world.journal.timeline["r3"][0].evidence


def test_an_environment_that_is_asleep_takes_nothing(world: World) -> None:
    before = world.record

    def asleep(**_: object) -> None:
        raise EnvironmentAsleep("release r2 is queued: the environment sleeps until 07:00")

    with pytest.raises(EnvironmentAsleep):
        world.begin(admit=asleep)
    assert world.record == before
    assert world.journal.read("r2").status == "refused"


def test_a_name_must_leave_room_for_the_executions_named_after_it() -> None:
    assert require_short_name("r" * 60)
    with pytest.raises(InvalidInput, match="at most 60"):
        require_short_name("r" * 61)


def test_a_promoted_release_whose_window_is_closed_by_the_next_one_is_told(world: World) -> None:
    """Its status stays; who reads its timeline knows why there is no way back any more."""
    world.journal.open(
        Release("r1", "production", "backend-api", V1, "developer", "why", 1.0, status="promoted")
    )
    world.records.update(
        "backend-api", lambda r: msgspec.structs.replace(r, window_until=world.clock.at + 60.0)
    )
    world.begin()
    world.begin()
    assert world.journal.kinds("r1") == ["superseded"]
    assert world.journal.published.count(("r1", "superseded")) == 1
    assert world.journal.read("r1").status == "promoted"


def test_a_window_that_has_closed_by_itself_is_nobodys_news(world: World) -> None:
    world.begin()
    assert world.journal.kinds("r1") == []


def test_what_was_refused_once_stays_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refusal could not be written down, Step Functions tries again, and the service is free by then."""
    free = world.record
    world.begin("r3")
    with monkeypatch.context() as patch, pytest.raises(Unavailable):
        patch.setattr(world.journal.store, "append", down)
        world.begin()
    world.records.update("backend-api", lambda _: free)
    with pytest.raises(InvalidInput, match="was refused a moment ago; start it again"):
        world.begin()
    assert world.record.holder is None
    assert world.journal.published[-1] == ("r2", "refused")


def down(*_: object) -> None:
    raise Unavailable("the table did not answer")
