"""Who claims a rollback takes users back itself: before anything else, and to the end whoever dies in between."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from candlefish.errors import Unavailable
from candlefish.release.restore_traffic import restore_traffic, take_back
from candlefish.release.traffic_facts import TrafficFacts
from candlefish.release.traffic_repairs import needed_repairs
from candlefish.service.model import RollbackRequest, all_to
from candlefish.service.record import ServiceRecord
from candlefish.signals.act_on_signal import act_on_signal
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery
from candlefish.signals.payloads import SignalResponse
from lab.memory.requesters import MemoryRequesters
from tests.support.signal_world import World, alert, delivery
from tests.support.traffic import FakeRules

SERVICE = "backend-api"


class Killed(BaseException):
    """The function was killed."""


class TakingBack(World):
    """A control plane whose handler may write weights."""

    def __init__(self) -> None:
        super().__init__()
        self.promoted()
        self.rules = FakeRules(self.record)
        self.order: list[str] = []
        self.ports = msgspec.structs.replace(
            self.ports, take_back=partial(take_back, rules=self.rules, now=self.clock)
        )

    @property
    def record(self) -> ServiceRecord:
        return self.records.stored[SERVICE]

    @property
    def is_back(self) -> bool:
        weights = {group: weight for group, weight in self.rules.weights[self.record.rule].items() if weight}
        return weights == {self.record.slots["green"].target_group: 100} and self.record.desired == all_to(
            "green"
        )

    def responses(self) -> list[SignalResponse]:
        started = self.executions.started
        return [
            msgspec.convert(payload, SignalResponse)
            for machine, _, payload in started
            if machine == "respond"
        ]


@pytest.fixture
def world() -> TakingBack:
    return TakingBack()


def fire(world: TakingBack, message: str = "m1", what: Delivery | None = None) -> None:
    handle_signal(what or down(world), message=message, ports=world.ports)


def down(world: TakingBack) -> Delivery:
    return delivery(alert("ServiceDown", at=world.clock()), at=world.clock())


def machine_restores(world: TakingBack, response: SignalResponse) -> None:
    """What the rollback machine does first."""
    act_on_signal(response, ports=world.ports)
    _, name, payload = next(each for each in world.executions.started if each[0] == "rollback")
    restore_traffic(
        msgspec.convert(payload, RollbackRequest),
        execution=f"arn:rollback:{name}",
        environment="production",
        writers_live=20,
        records=world.records,
        rules=world.rules,
        requesters=MemoryRequesters(),
        journal=world.journal,
        now=world.clock,
    )


def test_users_are_back_before_any_machine_begins(world: TakingBack, monkeypatch: pytest.MonkeyPatch) -> None:
    start = world.executions.start

    def started(machine: str, name: str, payload: Any) -> str:
        assert world.is_back, f"{machine} began before users were back"
        return start(machine, name, payload)

    monkeypatch.setattr(world.executions, "start", started)
    fire(world)
    (response,) = world.responses()
    assert world.record.rollback and world.record.rollback.id == response.id
    assert world.record.holder and world.record.holder.execution == f"arn:rollback:{response.id}-1"


def test_the_machine_finds_its_rollback_begun_and_changes_nothing_but_the_timeline(world: TakingBack) -> None:
    fire(world)
    (response,) = world.responses()
    before = world.record
    machine_restores(world, response)
    assert world.record == before
    said = [entry.kind for entry in world.journal.entries(response.release)]
    assert said.count("rolling_back") == 1
    assert world.is_back


DEATHS = ("rules.write", "rules.read", "rules.health", "executions.start", "bus.publish", "log.append")


@pytest.mark.parametrize("where", DEATHS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whoever_dies_in_between_is_finished_by_the_next_delivery(
    world: TakingBack, monkeypatch: pytest.MonkeyPatch, where: str, after: bool
) -> None:
    owner, method = where.split(".")
    original = getattr(getattr(world, owner), method)

    def die(*args: Any, **more: Any) -> None:
        if after:
            original(*args, **more)
        raise Killed

    what = down(world)
    with monkeypatch.context() as dying:
        dying.setattr(getattr(world, owner), method, die)
        with pytest.raises(Killed):
            fire(world, what=what)
    generation = world.record.generation
    world.clock.forward(60)
    fire(world, what=what)
    assert world.is_back
    assert len({response.id for response in world.responses()}) == 1
    assert world.record.generation == generation, "it was decided once"
    machine_restores(world, world.responses()[0])
    assert world.is_back


def test_what_fails_is_left_to_the_machine(world: TakingBack, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise Unavailable("the load balancer does not answer")

    with monkeypatch.context() as failing:
        failing.setattr(world.rules, "write", refuse)
        fire(world)
    (response,) = world.responses()
    assert not world.is_back
    machine_restores(world, response)
    assert world.is_back


def test_what_began_is_finished_although_automation_was_switched_off_since(world: TakingBack) -> None:
    fire(world)
    world.switchboard.tag = "off"
    (response,) = world.responses()
    acted = act_on_signal(response, ports=world.ports)
    assert not acted.moot
    assert [machine for machine, _, _ in world.executions.started] == ["respond", "rollback"]


def test_where_nobody_comes_again_the_reconciler_starts_what_finishes_it(
    world: TakingBack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: Any, **more: Any) -> None:
        raise Killed

    monkeypatch.setattr(world.executions, "start", die)
    with pytest.raises(Killed):
        fire(world)
    record = world.record
    assert record.holder
    facts = TrafficFacts(
        weights=record.weights_by_target_group(), holder=world.executions.status(record.holder.execution)
    )
    assert needed_repairs(record, facts, world.clock()) == []
    (repair,) = needed_repairs(record, facts, world.clock() + 61)
    assert (repair.kind, repair.machine, repair.payload["id"]) == (
        "resume_rollback",
        "rollback",
        record.holder.release,
    )


def test_an_alert_of_another_firing_does_not_begin_it_again(world: TakingBack) -> None:
    fire(world)
    world.clock.forward(30)
    fire(world, "m2", delivery(alert("ErrorRateCritical", at=world.clock()), at=world.clock()))
    assert len(world.responses()) == 1


def test_a_hold_moves_no_traffic() -> None:
    world = TakingBack()
    world.releasing()
    world.rules.calls.clear()
    fire(world, what=delivery(alert("LatencyHigh", at=world.clock()), at=world.clock()))
    assert world.rules.calls == []
