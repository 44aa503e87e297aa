"""Carrying out responses: act, verify, settle."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.release.restore_traffic import restore_traffic
from candlefish.service.model import RollbackRequest
from candlefish.service.record import ServiceRecord, begin_rollback
from candlefish.signals.act_on_signal import act_on_signal
from candlefish.signals.close_response import close_response
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.payloads import ResponseEnding, SignalResponse
from candlefish.signals.settle_hold import settle_hold
from candlefish.signals.verify_response import verify_response
from lab.memory.requesters import MemoryRequesters
from tests.support.signal_world import World, alert, delivery
from tests.support.traffic import FakeRules


def started(world: World, name: str = "ServiceDown", **labels: Any) -> SignalResponse:
    """The response that an alert leads to."""
    handle_signal(
        delivery(alert(name, at=world.clock(), **labels), at=world.clock()), message="m1", ports=world.ports
    )
    machine, _, payload = world.executions.started[-1]
    assert machine == "respond"
    return msgspec.convert(payload, SignalResponse)


def rolled_back(world: World, rules: FakeRules) -> None:
    """What the rollback machine does first."""
    _, _, payload = next(s for s in world.executions.started if s[0] == "rollback")
    restore_traffic(
        msgspec.convert(payload, RollbackRequest),
        execution="arn:x",
        environment="production",
        writers_live=20,
        records=world.records,
        rules=rules,
        requesters=MemoryRequesters(),
        journal=world.journal,
        now=world.clock,
    )


def record(world: World) -> ServiceRecord:
    return world.records.stored["backend-api"]


def test_a_rollback_is_done_when_the_rule_has_the_recorded_weights() -> None:
    world = World().promoted()
    rules = FakeRules(record(world))
    response = started(world)
    acted = act_on_signal(response, ports=world.ports)
    assert not acted.moot
    assert verify_response(response, acted, ports=world.ports, rules=rules).state == "waiting"
    rolled_back(world, rules)
    verdict = verify_response(response, acted, ports=world.ports, rules=rules)
    assert verdict.state == "done"
    assert record(world).desired == {"blue": 0, "green": 100}
    assert record(world).rollback.by == "signal:service-down"  # type: ignore[union-attr]


def test_a_rollback_that_does_not_show_in_time_has_failed() -> None:
    world = World().promoted()
    response = started(world)
    acted = act_on_signal(response, ports=world.ports)
    world.clock.forward(31)
    assert (
        verify_response(response, acted, ports=world.ports, rules=FakeRules(record(world))).state == "failed"
    )


def test_a_rollback_whose_execution_died_has_failed_at_once() -> None:
    world = World().promoted()
    response = started(world)
    acted = act_on_signal(response, ports=world.ports)
    known = world.executions.known[acted.execution]
    world.executions.known[acted.execution] = msgspec.structs.replace(known, status="FAILED")
    assert (
        verify_response(response, acted, ports=world.ports, rules=FakeRules(record(world))).state == "failed"
    )


def test_the_second_attempt_is_another_execution_and_repeating_an_attempt_is_none() -> None:
    world = World().promoted()
    response = started(world)
    for attempt in (1, 1, 2, 2):
        act_on_signal(msgspec.structs.replace(response, attempt=attempt), ports=world.ports)
    names = [name for machine, name, _ in world.executions.started if machine == "rollback"]
    assert len(names) == len(set(names)) == 2


def test_nothing_is_rolled_back_when_another_release_has_taken_over_since() -> None:
    world = World().promoted()
    response = started(world)
    newer = msgspec.structs.replace(record(world), promoted_release="backend-api-3")
    world.records.stored["backend-api"] = newer
    acted = act_on_signal(response, ports=world.ports)
    assert acted.moot and "no longer concerns" in acted.reason
    assert [machine for machine, _, _ in world.executions.started] == ["respond"]


def test_somebody_elses_rollback_is_not_started_again() -> None:
    world = World().promoted()
    response = started(world)
    other = RollbackRequest("by-hand", "production", "backend-api", "looks bad", "lead")
    decided = begin_rollback(record(world), other, execution="", now=world.clock(), lease=900)
    world.records.stored["backend-api"] = decided
    acted = act_on_signal(response, ports=world.ports)
    assert acted.moot and "looks bad" in acted.reason
    assert [machine for machine, _, _ in world.executions.started] == ["respond"]


def test_the_switch_is_read_again_before_acting() -> None:
    world = World().promoted()
    response = started(world)
    world.switchboard.tag = "off since noon by lead: wait"
    acted = act_on_signal(response, ports=world.ports)
    assert acted.moot and "automation is off since noon by lead" in acted.reason


def test_a_hold_names_its_alert_and_does_not_outlive_the_release() -> None:
    world = World().releasing()
    response = started(world, "LatencyHigh")
    acted = act_on_signal(response, ports=world.ports)
    assert [h.key for h in record(world).holds] == [response.signal.hold_key]
    assert verify_response(response, acted, ports=world.ports, rules=FakeRules(record(world))).state == "done"
    other = World().releasing()
    response = started(other, "LatencyHigh")
    other.records.stored["backend-api"] = msgspec.structs.replace(record(other), holder=None)
    assert act_on_signal(response, ports=other.ports).moot


def test_a_release_is_not_held_for_an_alert_that_ended_meanwhile() -> None:
    world = World().releasing()
    began = world.clock()
    response = started(world, "LatencyHigh")
    end = alert("LatencyHigh", at=began, ended=began + 1, status="resolved")
    handle_signal(delivery(end, at=world.clock()), message="m2", ports=world.ports)
    assert act_on_signal(response, ports=world.ports).moot
    assert record(world).holds == ()


def test_after_the_cooldown_holds_of_ended_alerts_are_lifted_and_others_stay() -> None:
    world = World().releasing(since=9000)
    began = world.clock()
    response = started(world, "LatencyHigh")
    act_on_signal(response, ports=world.ports)
    handle_signal(
        delivery(alert("ErrorRateHigh", at=began), at=world.clock()), message="m2", ports=world.ports
    )
    world.clock.forward(60)
    end = alert("LatencyHigh", at=began, ended=world.clock(), status="resolved")
    handle_signal(delivery(end, at=world.clock()), message="m3", ports=world.ports)
    assert len(record(world).holds) == 2
    world.clock.forward(600)
    assert settle_hold(response, ports=world.ports) == [response.signal.hold_key]
    assert len(record(world).holds) == 1
    assert settle_hold(response, ports=world.ports) == []


def test_a_failover_is_asked_for_by_the_name_of_the_signal() -> None:
    world = World()
    response = started(world, "DatabaseUnavailable", service="", database="main")
    acted = act_on_signal(response, ports=world.ports)
    machine, _, payload = world.executions.started[-1]
    assert machine == "failover"
    assert payload["target"] == "database/main"
    assert payload["requested_by"] == f"signal:{response.signal.alert.fingerprint}"
    assert verify_response(response, acted, ports=world.ports, rules=FakeRules()).state == "waiting"
    world.clock.forward(31)
    assert verify_response(response, acted, ports=world.ports, rules=FakeRules()).state == "done"
    known = world.executions.known[acted.execution]
    world.executions.known[acted.execution] = msgspec.structs.replace(known, status="FAILED")
    assert verify_response(response, acted, ports=world.ports, rules=FakeRules()).state == "failed"


def test_the_end_of_a_response_is_written_down_and_told_with_its_times() -> None:
    world = World().promoted()
    response = started(world)
    world.clock.forward(3)
    line = close_response(response, ResponseEnding("failed", "the rule did not change"), ports=world.ports)
    assert line.outcome == "failed" and world.log.lines[-1] == line
    kind, detail = world.bus.published[-1]
    assert kind == "signal.responded"
    times: list[Any] = [detail[k] for k in ("started_at", "received_at", "decided_at", "at")]
    assert times == sorted(times) and times[-1] - times[-2] == 3
