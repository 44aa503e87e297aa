"""The endpoint that knows its caller: who asked is written down before a machine is started, and nobody else is."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.errors import InvalidInput, NotAllowed, NothingToRollBack, Throttled
from candlefish.release.payloads import ReleaseRequest, RollbackContext, TrainRequest
from candlefish.release.request_release import ReleaseCommand, Started, request_release
from candlefish.release.restore_traffic import restore_traffic, take_back
from candlefish.release.who_asked import find_requester
from candlefish.requester import Requester, digest_of
from candlefish.service.model import RollbackRequest
from candlefish.service.record import intend_weight
from tests.support.release_world import World
from tests.support.service import image

DEVELOPER = "arn:aws:iam::333333333333:user/developer"
LEAD = "arn:aws:iam::333333333333:user/platform-lead"
RELEASE = {"service": "backend-api", "image": image(2), "reason": "faster search"}
EVENTS = Path(__file__).parents[3] / "events"


def ask(
    world: World, start: str = "release", name: str = "r2", signed: str = DEVELOPER, **given: Any
) -> Started:
    return request_release(
        ReleaseCommand(start, name, {**RELEASE, **given} if start == "release" else given),  # type: ignore[arg-type]
        principal=signed,
        environment="production",
        catalog=world.catalog,
        requesters=world.requesters,
        executions=world.executions,
        take_back=partial(take_back, rules=world.rules, now=world.clock),
        records=world.records,
        now=world.clock,
    )


def asked(world: World, start: str, name: str, request: msgspec.Struct) -> Requester | None:
    return find_requester(request, start, name, requesters=world.requesters)


def test_who_signed_the_call_is_who_asked(world: World) -> None:
    started = ask(world)
    assert (started.name, started.requested_by) == ("r2", "developer")
    ((machine, name, payload),) = world.executions.started
    assert (machine, name) == ("release", "r2")
    given = msgspec.convert(payload, ReleaseRequest)
    assert asked(world, "release", "r2", given) == Requester("developer", {"principal": DEVELOPER})
    assert DEVELOPER not in json.dumps(payload)


def test_the_sample_is_what_a_person_posts(world: World) -> None:
    command = msgspec.json.decode((EVENTS / "command.json").read_bytes(), type=ReleaseCommand)
    assert ask(world, command.start, command.name, **command.input).requested_by == "developer"


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:sts::999999999999:assumed-role/AnyRole/developer",
        "arn:aws:sts::333333333333:assumed-role/AnyRole/developer",
        "arn:aws:iam::999999999999:user/developer",
        "arn:aws:iam::333333333333:user/mallory",
        "arn:aws:sts::333333333333:assumed-role/candlefish-production-github/developer",
        "",
    ],
)
def test_whom_the_catalog_does_not_know_starts_nothing(world: World, principal: str) -> None:
    with pytest.raises(NotAllowed, match=r"is nobody in catalog/people\.yaml"):
        ask(world, signed=principal)
    assert world.executions.started == []
    assert world.requesters.asked == {}


def test_asking_twice_is_asking_once(world: World) -> None:
    assert ask(world) == ask(world)


@pytest.mark.parametrize("again", [{"signed": LEAD}, {"reason": "something else"}, {"image": image(3)}])
def test_a_name_that_somebody_took_is_not_given_away(world: World, again: dict[str, Any]) -> None:
    ask(world)
    with pytest.raises(InvalidInput, match="was asked for by developer before; take another name"):
        ask(world, **again)
    assert len(world.executions.started) == 1


@pytest.mark.parametrize(
    ("start", "given", "words"),
    [
        ("release", {"requested_by": "platform-lead"}, "unknown field `requested_by`"),
        ("release", {"image": 5}, "Expected `str`"),
        ("release", {"environment": "staging"}, "the input names 'staging'"),
        ("release", {"token": "a.b.c"}, '"token" is for GitHub workflows'),
        ("train", {"reason": "x"}, "missing required field `releases`"),
        ("rollback", {"reason": "x"}, "missing required field `service`"),
        ("rollback", {"service": "backend-api", "reason": "x", "environment": "staging"}, "'staging'"),
    ],
)
def test_an_input_that_no_machine_takes_starts_nothing(
    world: World, start: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        ask(world, start, "x1", **given)
    assert world.executions.started == []
    assert world.requesters.asked == {}


@pytest.mark.parametrize("name", ["", "a b", "x" * 61, "a/b", "é", "a\n"])
def test_a_name_that_is_none_is_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidInput, match='"name" must be'):
        ask(world, name=name)


def test_a_rollback_is_asked_for_by_who_signed_whatever_it_says(world: World) -> None:
    shifting(world)
    ask(world, "rollback", "rb", LEAD, service="backend-api", reason="errors", by="release", id="other")
    payload = next(said for machine, _, said in world.executions.started if machine == "rollback")
    request = msgspec.convert(payload, RollbackRequest)
    assert (request.id, request.by, request.environment) == ("rb", "platform-lead", "production")
    assert asked(world, "rollback", "rb", request) == Requester("platform-lead", {"principal": LEAD})


def shifting(world: World) -> World:
    """r2 is under way and has a tenth of the users."""
    begun = world.begin()
    record = world.records.update(
        "backend-api", lambda r: intend_weight(r, generation=begun.generation, slot="blue", weight=10)
    )
    world.rules.write(record.rule, record.weights_by_target_group())
    return world


def roll_back(world: World, name: str = "rb", **given: Any) -> Started:
    return ask(world, "rollback", name, LEAD, service="backend-api", reason="errors", **given)


def machine_restores(world: World, name: str = "rb") -> RollbackContext:
    """What the rollback machine does first."""
    payload = next(
        sent for machine, each, sent in world.executions.started if (machine, each) == ("rollback", name)
    )
    return restore_traffic(
        msgspec.convert(payload, RollbackRequest),
        execution=f"arn:rollback:{name}",
        environment="production",
        writers_live=20,
        records=world.records,
        rules=world.rules,
        requesters=world.requesters,
        journal=world.journal,
        now=world.clock,
    )


def test_users_are_back_before_the_rollbacks_machine_begins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = shifting(world).record.slots
    start = world.executions.start

    def started(machine: str, name: str, payload: Any) -> str:
        weights = world.rules.weights[world.record.rule]
        assert weights == {good["green"].target_group: 100, good["blue"].target_group: 0}
        return start(machine, name, payload)

    monkeypatch.setattr(world.executions, "start", started)
    roll_back(world)
    assert world.record.rollback and world.record.rollback.id == "rb"
    assert world.record.holder and world.record.holder.execution == "arn:rollback:rb"


def test_the_machine_finds_it_begun_and_says_who_asked(world: World) -> None:
    roll_back(shifting(world))
    before = world.record
    machine_restores(world)
    assert world.record == before
    (entry,) = (each for each in world.journal.entries("r2") if each.kind == "rolling_back")
    assert entry.by == "platform-lead"


def test_asked_again_it_takes_back_nothing_that_came_since(world: World) -> None:
    roll_back(shifting(world))
    world.finish(machine_restores(world))
    world.begin("r3", image=image(3))
    before = world.record
    roll_back(world)
    assert world.record == before, "the name was asked for before: its machine is through"


def test_what_the_load_balancer_refuses_is_left_to_the_machine(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifting(world)
    write = world.rules.write

    def refuses(*_: Any) -> None:
        raise Throttled("slow down")

    monkeypatch.setattr(world.rules, "write", refuses)
    assert roll_back(world).name == "rb"
    monkeypatch.setattr(world.rules, "write", write)
    machine_restores(world)
    assert world.rules.weights[world.record.rule] == world.record.weights_by_target_group()


def test_where_there_is_nothing_to_roll_back_who_asks_is_told_so_at_once(world: World) -> None:
    before = world.record
    with pytest.raises(NothingToRollBack, match="release the version you want instead"):
        roll_back(world)
    assert world.record == before and world.executions.started == []


def test_a_release_takes_nobody_back(world: World) -> None:
    shifting(world)
    before = world.record
    ask(world, name="r3")
    assert world.record == before


def test_a_train_is_asked_for_as_a_whole(world: World) -> None:
    car = {"service": "backend-api", "image": image(2)}
    ask(world, "train", "t1", LEAD, releases=[car], reason="a protocol")
    ((_, _, payload),) = world.executions.started
    assert asked(world, "train", "t1", msgspec.convert(payload, TrainRequest)) is not None


# --- what was written down counts for one execution with one input


@pytest.mark.parametrize(
    "change", [{"image": image(3)}, {"reason": "mine"}, {"allow_bad": True}, {"break_glass": "now"}]
)
def test_an_execution_of_that_name_with_another_input_was_asked_for_by_nobody(
    world: World, change: dict[str, Any]
) -> None:
    ask(world)
    assert asked(world, "release", "r2", msgspec.convert({**RELEASE, **change}, ReleaseRequest)) is None
    assert asked(world, "release", "r3", msgspec.convert(RELEASE, ReleaseRequest)) is None
    assert asked(world, "train", "r2", msgspec.convert(RELEASE, ReleaseRequest)) is None


def test_a_digest_survives_how_a_machine_writes_numbers() -> None:
    one = msgspec.convert({**RELEASE, "keep_for": 7200.0}, ReleaseRequest)
    passed = msgspec.convert({**RELEASE, "keep_for": 7200}, ReleaseRequest)
    assert digest_of(one) == digest_of(passed)
    assert digest_of(one) != digest_of(msgspec.structs.replace(one, keep_for=7300.0))
    assert digest_of(one) == digest_of(msgspec.structs.replace(one, token="a.b.c"))
