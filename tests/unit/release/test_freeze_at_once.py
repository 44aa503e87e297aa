"""A freeze that a person asks for: who, until when, what it stops, and what it never stops."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.errors import Frozen, InvalidInput, NotAllowed, UnknownService
from candlefish.release.freeze import LONGEST_FREEZE, FreezeCommand, FreezesInForce, freeze, open_freeze
from candlefish.release.model import AskedFreeze
from candlefish.release.next_step import next_step
from candlefish.release.payloads import Instruction, NextStepInput, ReleaseContext
from candlefish.release.record import FREEZES_KEPT, MOST_FREEZES, AskedFreezes, add_freeze, lift_freeze
from candlefish.service.record import intend_weight
from tests.support.release_world import World, roll_back

DEVELOPER = "arn:aws:iam::333333333333:user/developer"
HOUR = 3600.0


def ask(world: World, who: str = DEVELOPER, **fields: Any) -> FreezesInForce:
    command = {"until": "2h", "reason": "an incident", **fields}
    return freeze(
        msgspec.convert(command, FreezeCommand),
        principal=who,
        environment=world.environment,
        catalog=world.catalog,
        freezes=world.freezes,
        records=world.records,
        events=world.journal.bus,
        now=world.clock,
    )


def next_of(world: World, begun: ReleaseContext, index: int) -> Instruction:
    return next_step(
        NextStepInput(**msgspec.structs.asdict(begun), index=index),
        catalog=world.catalog,
        records=world.records,
        freezes=world.freezes,
        journal=world.journal,
        now=world.clock,
    )


def told(world: World) -> list[str]:
    return [kind for kind, _ in world.journal.bus.published if kind.startswith("freeze.")]


@pytest.mark.parametrize("service", ["", "backend-api"])
def test_no_release_begins_while_it_is_frozen(world: World, service: str) -> None:
    said = ask(world, service=service)
    assert "is frozen until" in said.says and len(said.freezes) == 1
    with pytest.raises(Frozen, match=r"by developer \(an incident\)"):
        world.begin()
    assert world.journal.read("r2").status == "refused" and world.record.holder is None
    assert told(world) == ["freeze.asked"]


def test_another_services_freeze_stops_nothing(world: World) -> None:
    ask(world, service="website")
    assert world.begin()


def test_a_freeze_ends_by_itself(world: World) -> None:
    ask(world)
    world.clock.at += 2 * HOUR
    assert world.begin()


def test_break_glass_passes_and_is_written_down(world: World) -> None:
    ask(world)
    begun = world.begin(break_glass="this is the mend")
    assert world.journal.timeline["r2"][-1].evidence["break_glass"] == "this is the mend"
    assert next_of(world, begun, 0).kind == "deploy"


def test_what_no_user_has_seen_ends_at_its_next_step(world: World) -> None:
    begun = world.begin()
    said = ask(world)
    assert said.going_on == ("r2",) and "pause or abort it" in said.says
    for index in (0, 2, 4):
        with pytest.raises(Frozen):
            next_of(world, begun, index)
    ask(world, action="lift")
    assert next_of(world, begun, 0).kind == "deploy"


def test_what_users_see_goes_on(world: World) -> None:
    begun = world.begin()
    world.records.update(
        "backend-api", lambda r: intend_weight(r, generation=begun.generation, slot=begun.slot, weight=10)
    )
    ask(world)
    assert next_of(world, begun, 6).step


def test_a_begin_that_is_tried_again_does_not_refuse_what_it_has_taken(world: World) -> None:
    begun = world.begin()
    ask(world)
    assert world.begin() == begun
    assert world.journal.read("r2").status == "running"


def test_rollbacks_are_never_frozen(world: World) -> None:
    world.begin()
    ask(world)
    assert roll_back(world).release == "r2"
    assert world.record.rollback


def test_whoever_asks_twice_asked_once_and_the_newest_word_holds(world: World) -> None:
    ask(world)
    ask(world)
    assert told(world) == ["freeze.asked"]
    later = ask(world, until="5h")
    (only,) = later.freezes
    assert only.until - world.clock.at == 5 * HOUR


def test_it_is_lifted_by_whoever_may_release(world: World) -> None:
    ask(world)
    ask(world, service="website", until="3h")
    said = ask(world, action="lift", until="")
    assert said.says.startswith("the freeze of every service in production is lifted; still frozen: website")
    assert world.begin()
    assert "nobody froze every service" in ask(world, action="lift").says
    assert told(world) == ["freeze.asked", "freeze.asked", "freeze.lifted"]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"reason": " "}, InvalidInput, "reason"),
        ({"until": ""}, InvalidInput, "lasts for ever"),
        ({"until": "yesterday"}, InvalidInput, "is no time"),
        ({"until": "1999-01-01T00:00"}, InvalidInput, "over already"),
        ({"until": "31d"}, InvalidInput, "30d at most"),
        ({"until": 5.0}, InvalidInput, "30d at most"),
        ({"until": 1e300}, InvalidInput, "30d at most"),
        ({"service": "nothing"}, UnknownService, "nothing"),
        ({"who": "arn:aws:iam::333333333333:user/mallory"}, NotAllowed, "nobody in catalog"),
    ],
)
def test_what_is_refused(world: World, fields: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ask(world, **fields)
    assert world.freezes.get().freezes == () and told(world) == []


def test_a_moment_may_be_epoch_seconds(world: World) -> None:
    (only,) = ask(world, until=world.clock.at + LONGEST_FREEZE).freezes
    assert only.until == world.clock.at + LONGEST_FREEZE


def test_what_is_over_makes_room_and_what_holds_never_goes() -> None:
    record = AskedFreezes("production")
    for n in range(200):
        record = add_freeze(record, AskedFreeze(f"s{n}", "why", "ada", float(n), n + 30.0))
        assert len(record.freezes) <= FREEZES_KEPT
        assert len(record.in_force(float(n))) == min(n + 1, 30)
    record = AskedFreezes("production")
    for n in range(MOST_FREEZES):
        record = add_freeze(record, AskedFreeze(f"s{n}", "why", "ada", float(n), 1e6))
    with pytest.raises(InvalidInput, match="freeze the whole environment"):
        add_freeze(record, AskedFreeze("more", "why", "ada", 100.0, 1e6))
    assert add_freeze(record, record.freezes[0]) is record
    assert lift_freeze(record, "other", by="eve", now=100.0) is record


def test_the_longest_of_those_that_hold_is_named() -> None:
    record = AskedFreezes(
        "production", 0, (AskedFreeze("", "a", "ada", 0.0, 10.0), AskedFreeze("shop", "b", "ada", 0.0, 20.0))
    )
    assert [each.reason for each in record.in_force(5.0, "shop")] == ["b", "a"]
    assert [each.reason for each in record.in_force(5.0, "website")] == ["a"]
    assert record.in_force(25.0) == ()
    assert open_freeze((), "UTC", 5.0) is None
