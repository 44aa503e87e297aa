"""P1 on a service in a release leads to an experiment where one can tell whose fault it is; else it holds, as ever."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from candlefish.release.model import PlanStep, Release
from candlefish.service.model import Hold, Weights
from candlefish.service.record import add_hold, answer_holds
from candlefish.signals.act_on_signal import act_on_signal
from candlefish.signals.decide import SignalFacts, decide_signal
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery, SignalDecision
from candlefish.signals.payloads import ActionResult, SignalResponse
from candlefish.signals.record import GuardRecord
from candlefish.signals.verify_response import verify_response
from tests.support.catalogs import catalog
from tests.support.signal_world import World, alert, signal_of
from tests.support.traffic import FakeRules

NOW = 1_800_000_000.0
JUDGE, EXPERIMENT = PlanStep(kind="judge", policy="default"), PlanStep(kind="experiment", policy="default")
PLAN = (PlanStep(kind="shift", weight=10), JUDGE)


def releasing(
    *, plan: tuple[PlanStep, ...] = PLAN, status: str = "running", weights: Weights | None = None
) -> World:
    world = World().releasing()
    record = world.records.stored["backend-api"]
    if weights:
        world.records.stored["backend-api"] = msgspec.structs.replace(record, desired=weights)
    known = world.journal.releases["backend-api-2"]
    world.journal.releases["backend-api-2"] = msgspec.structs.replace(
        known, plan=plan, status=status, slot="blue"
    )
    return world


def ask(world: World, *holds: Hold, experiments: bool = True) -> SignalDecision:
    record, release = world.records.stored["backend-api"], world.journal.releases["backend-api-2"]
    for hold in holds:
        record = add_hold(record, hold)
    signal = signal_of(alert("LatencyHigh", at=NOW - 10), at=NOW)
    facts = SignalFacts("production", GuardRecord(), record=record, release=release, experiments=experiments)
    return decide_signal(signal, facts, policy=catalog().responses.guard, now=NOW)


def test_where_one_can_be_made_the_hold_may_be_answered() -> None:
    decision = ask(releasing())
    assert (decision.action, decision.trial) == ("hold", True)
    assert "an experiment shows" in decision.reason


def test_one_that_is_being_made_answers_as_well() -> None:
    made = (PlanStep(kind="shift", weight=0), EXPERIMENT, *PLAN)
    assert ask(releasing(plan=made, weights={"blue": 0, "green": 100})).trial


CANNOT: dict[str, dict[str, Any]] = {
    "before the first weight": {"weights": {"blue": 0, "green": 100}},
    "with all traffic": {"weights": {"blue": 100, "green": 0}},
    "twice made": {"plan": (EXPERIMENT, EXPERIMENT, JUDGE)},
    "a person is asked": {"status": "awaiting_approval"},
    "held": {"status": "held"},
}


@pytest.mark.parametrize("world", CANNOT.values(), ids=CANNOT)
def test_where_none_can_be_made_it_is_a_hold_as_ever(world: dict[str, Any]) -> None:
    decision = ask(releasing(**world))
    assert (decision.action, decision.trial) == ("hold", False)
    assert "experiment" not in decision.reason


def test_a_policy_that_makes_none_and_a_persons_hold_are_respected() -> None:
    assert not ask(releasing(), experiments=False).trial
    assert not ask(releasing(), Hold("person:lead", "demo", NOW, "lead")).trial


def test_another_alert_joins_what_may_be_answered_and_begins_anew_after_an_answer() -> None:
    wanted = Hold("signal:other", "slow", NOW, "signal", trial="wanted")
    joined = ask(releasing(), wanted)
    assert (joined.action, joined.trial) == ("join", True)
    fresh = ask(releasing(), msgspec.structs.replace(wanted, trial="answered"))
    assert (fresh.action, fresh.trial, fresh.notify) == ("hold", True, True)


# --- acted upon -----------------------------------------------------------------------------------


def take(world: World, *, status: str = "firing", at: float = 0.0) -> SignalDecision:
    began = at or world.clock()
    ended = world.clock() if status == "resolved" else 0.0
    each = alert("LatencyHigh", at=began, status=status, ended=ended)
    told = Delivery("alertmanager", (each,), world.clock(), world.clock(), 1)
    return handle_signal(told, message=f"m{world.clock()}", ports=world.ports)[0].decision


def response(world: World) -> SignalResponse:
    ((_, _, started),) = world.executions.started
    return msgspec.convert(started, SignalResponse)


def test_the_hold_says_that_it_may_be_answered_and_shows_when_it_was() -> None:
    world = releasing()
    assert take(world).trial
    asked = response(world)
    acted = act_on_signal(asked, ports=world.ports)
    assert "experiment" in acted.reason
    (hold,) = world.records.stored["backend-api"].holds
    assert hold.trial == "wanted"
    generation = world.records.stored["backend-api"].generation
    world.records.update("backend-api", lambda r: answer_holds(r, generation=generation))
    seen: ActionResult = acted
    assert verify_response(asked, seen, ports=world.ports, rules=FakeRules()).state == "done"


def test_the_end_of_what_was_answered_is_told() -> None:
    world = releasing()
    began = world.clock()
    take(world)
    act_on_signal(response(world), ports=world.ports)
    generation = world.records.stored["backend-api"].generation
    world.records.update("backend-api", lambda r: answer_holds(r, generation=generation))
    world.clock.forward(700)
    decision = take(world, status="resolved", at=began)
    assert (decision.action, decision.notify) == ("lift", True)
    assert world.records.stored["backend-api"].holds == ()


def test_the_catalogs_policy_says_whether_experiments_are_made() -> None:
    world = releasing(plan=(msgspec.structs.replace(JUDGE, policy="gone"),))
    assert not take(world).trial
    assert isinstance(world.journal.releases["backend-api-2"], Release)
