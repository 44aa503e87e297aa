"""Handling deliveries: storms, duplicates, disorder, and what people are told."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import msgspec
import pytest

from candlefish.errors import Unavailable
from candlefish.service.model import Hold
from candlefish.service.record import add_hold
from candlefish.signals import record as g
from candlefish.signals.classify import classify
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery, LoggedSignal
from candlefish.signals.record import Mute
from candlefish.signals.sources import from_event
from tests.support.signal_world import World, alert, delivery


def take(world: World, what: Delivery, message: str = "m1") -> list[LoggedSignal]:
    return handle_signal(what, message=message, ports=world.ports)


def responses(world: World) -> list[tuple[str, str]]:
    return [(p["action"], p["subject"]) for machine, _, p in world.executions.started if machine == "respond"]


def test_500_alerts_in_a_second_lead_to_one_rollback_and_500_lines_with_reasons() -> None:
    world = World().promoted()
    for i in range(500):
        one = alert(at=world.clock(), fingerprint=f"f{i}", pod=f"backend-api-blue-{i}-x")
        take(world, delivery(one, at=world.clock()), f"m{i}")
        world.clock.forward(0.002)
    assert responses(world) == [("rollback", "backend-api")]
    assert len(world.log.lines) == 500
    assert world.log.gates().count("cooldown") == 499
    assert world.bus.kinds() == ["signal.decided"]


def test_500_alerts_in_one_message_about_one_service_are_no_storm() -> None:
    world = World().promoted()
    alerts = [alert(at=world.clock(), fingerprint=f"f{i}") for i in range(500)]
    take(world, delivery(*alerts, at=world.clock()))
    assert responses(world) == [("rollback", "backend-api")]


def test_two_alertmanagers_and_their_repetitions_are_one_action() -> None:
    world = World().promoted()
    one = delivery(alert(at=world.clock()), at=world.clock())
    for i in range(6):
        take(world, one, f"m{i}")
        world.clock.forward(400)
    assert responses(world) == [("rollback", "backend-api")]
    assert world.log.gates() == ["", *["duplicate"] * 2, *["stale"] * 3]


def test_an_end_that_comes_before_its_beginning_wins() -> None:
    world = World().releasing()
    began = world.clock()
    world.clock.forward(30)
    late = alert("LatencyHigh", at=began)
    end = alert("LatencyHigh", at=began, ended=world.clock(), status="resolved")
    take(world, delivery(end, at=world.clock()), "m1")
    take(world, delivery(late, at=world.clock()), "m2")
    assert responses(world) == []
    assert world.log.gates() == ["", "order"]


def test_an_alert_and_its_end_in_one_message_are_its_end() -> None:
    world = World().releasing()
    began = world.clock()
    world.clock.forward(5)
    fired = alert(at=began)
    end = alert(at=began, ended=began + 1, status="resolved")
    for both in ((fired, end), (end, fired)):
        take(world, delivery(*both, at=world.clock()), f"m{both[0].status}")
    assert responses(world) == []


def test_the_same_alert_twice_in_one_message_is_one() -> None:
    world = World().promoted()
    take(world, delivery(alert(at=world.clock()), alert(at=world.clock()), at=world.clock()))
    assert responses(world) == [("rollback", "backend-api")]
    assert world.log.gates() == ["", "duplicate"]


def test_a_flapping_alert_holds_once_a_cooldown_and_the_hold_stays_meanwhile() -> None:
    world = World().releasing(since=5000)
    for i in range(20):
        began = world.clock()
        take(world, delivery(alert("LatencyHigh", at=began), at=began), f"f{i}")
        if i == 0:
            _hold_as_the_machine_does(world)
        world.clock.forward(10)
        end = alert("LatencyHigh", at=began, ended=world.clock(), status="resolved")
        take(world, delivery(end, at=world.clock()), f"r{i}")
        assert len(world.records.stored["backend-api"].holds) == 1
        world.clock.forward(10)
    assert responses(world) == [("hold", "backend-api")]


def _hold_as_the_machine_does(world: World) -> None:
    key = world.log.lines[-1].signal.hold_key
    world.records.update("backend-api", lambda r: add_hold(r, Hold(key, "slow", world.clock(), "signal")))


def test_a_second_alert_joins_the_hold_and_each_end_lifts_its_own() -> None:
    world = World().releasing(since=5000)
    began = world.clock()
    take(world, delivery(alert("LatencyHigh", at=began), at=began), "m1")
    _hold_as_the_machine_does(world)
    take(world, delivery(alert("ErrorRateHigh", at=began), at=began), "m2")
    assert len(world.records.stored["backend-api"].holds) == 2
    assert responses(world) == [("hold", "backend-api")]
    world.clock.forward(700)
    for name, left in (("LatencyHigh", 1), ("ErrorRateHigh", 0)):
        end = alert(name, at=began, ended=world.clock(), status="resolved")
        take(world, delivery(end, at=world.clock()), name)
        assert len(world.records.stored["backend-api"].holds) == left


def test_a_hold_by_a_person_is_not_lifted_by_any_alert() -> None:
    world = World().releasing()
    world.records.update(
        "backend-api", lambda r: add_hold(r, Hold("person:lead", "demo", world.clock(), "lead"))
    )
    began = world.clock()
    world.clock.forward(700)
    end = alert("LatencyHigh", at=began, ended=world.clock(), status="resolved")
    take(world, delivery(end, at=world.clock()))
    assert [h.key for h in world.records.stored["backend-api"].holds] == ["person:lead"]


def test_10_000_alerts_are_a_storm_that_is_written_down_whole_and_acted_on_by_nobody() -> None:
    world = World().promoted()
    alerts = [
        alert(f"A{i % 7}", at=world.clock(), service=("backend-api", "website")[i % 2], fingerprint=f"f{i}")
        for i in range(9_999)
    ]
    alerts.append(alert(at=world.clock()))
    lines = take(world, delivery(*alerts, at=world.clock()))
    assert responses(world) == []
    assert sum(line.count for line in lines) == 10_000
    assert {line.decision.gate for line in lines} == {"storm"}
    assert len(lines) < 30


def test_truncated_alerts_are_a_storm_however_few_are_left() -> None:
    world = World().promoted()
    take(world, delivery(alert(at=world.clock()), at=world.clock(), truncated=3, total=4))
    assert responses(world) == []
    assert "left out 3 of 4" in world.log.lines[0].decision.reason
    assert world.bus.kinds() == ["signal.decided"]


def test_many_services_at_once_are_a_storm_because_they_share_the_cause() -> None:
    world = World()
    names = ("backend-api", "website", "storefront", "api-gateway")
    for name in names:
        world.promoted(name)
    take(world, delivery(*(alert(at=world.clock(), service=name) for name in names), at=world.clock()))
    assert responses(world) == []
    assert "4 subjects at once" in world.log.lines[0].decision.reason


def test_the_budget_ends_a_chain_of_rollbacks_and_says_so() -> None:
    world = World()
    for name in ("backend-api", "website", "storefront", "api-gateway"):
        world.promoted(name)
        take(world, delivery(alert(at=world.clock(), service=name), at=world.clock()), name)
    assert len(responses(world)) == 3
    assert world.log.gates() == ["", "", "", "budget"]
    assert world.bus.published[-1][1]["gate"] == "budget"


def test_a_replay_of_an_archive_does_nothing_and_tells_nobody() -> None:
    world = World().promoted()
    fields = {"source": "cloudwatch", "replay": "restore-monday"}
    take(world, delivery(alert(at=world.clock() - 90000), at=world.clock() - 90000, **fields))
    assert responses(world) == [] and world.bus.published == []
    assert world.log.gates() == ["stale"]


def test_a_refusal_that_has_ended_does_not_silence_the_alert() -> None:
    world = World().promoted()
    world.switchboard.tag = "off"
    began = world.clock()
    take(world, delivery(alert(at=began), at=world.clock()), "m1")
    world.switchboard.tag = "on"
    world.clock.forward(300)
    take(world, delivery(alert(at=began), at=world.clock()), "m2")
    assert world.log.gates() == ["switch", ""]
    assert responses(world) == [("rollback", "backend-api")]


@pytest.mark.parametrize("status", ["resolved", "unknown"])
def test_what_ended_and_held_nothing_asks_the_switch_nothing(status: str) -> None:
    world = World().promoted()
    world.switchboard.broken = True
    ended = alert(at=world.clock() - 60, ended=world.clock(), status=status)
    (line,) = take(world, delivery(ended, at=world.clock()))
    assert line.decision.action == "none"


def test_what_ended_and_held_a_release_waits_for_the_switch() -> None:
    world = World().releasing()
    ended = alert("LatencyHigh", at=world.clock() - 60, ended=world.clock(), status="resolved")
    what = delivery(ended, at=world.clock())
    key = classify(ended, what, catalog=world.ports.catalog, environment="production").hold_key
    hold = Hold(key, "latency", world.clock() - 30, "signal LatencyHigh")
    world.records.update("backend-api", lambda r: add_hold(r, hold))
    world.switchboard.broken = True
    with pytest.raises(Unavailable):
        take(world, what)
    world.switchboard.broken = False
    (line,) = take(world, what)
    assert line.decision.action == "lift"


def test_a_muted_environment_is_silent_until_the_mute_ends() -> None:
    world = World().promoted()
    mute = Mute("*", "asleep", "capacity", world.clock() + 600)
    world.guards.update(lambda r: g.add_mute(r, mute, world.clock()))
    began = world.clock()
    take(world, delivery(alert(at=began), at=world.clock()), "m1")
    assert responses(world) == [] and world.bus.published == []
    world.clock.forward(601)
    take(world, delivery(alert(at=began), at=world.clock()), "m2")
    assert responses(world) == [("rollback", "backend-api")]


def test_a_message_tells_the_owner_the_runbook_and_what_changed_last() -> None:
    world = World().quiet()
    world.promoted()
    take(world, delivery(alert("UtilisationHigh", at=world.clock()), at=world.clock()))
    kind, detail = world.bus.published[0]
    assert kind == "signal.decided"
    assert detail["owner"] == "platform"
    assert detail["runbook"].endswith("backend-api.md")
    assert detail["last_release"]["id"] == "backend-api-2"
    assert detail["last_release"]["requested_by"] == "developer"


def test_people_hear_of_the_same_thing_once_a_cooldown_but_of_a_p0_again() -> None:
    world = World().quiet()
    began = world.clock()
    for i in range(15):
        alerts = (alert(at=began), alert("LatencyHigh", at=began))
        take(world, delivery(*alerts, at=world.clock()), f"m{i}")
        world.clock.forward(300)
    told = [detail["name"] for _, detail in world.bus.published]
    assert told == ["ServiceDown", "LatencyHigh", "ServiceDown", "ServiceDown"]


def test_a_flood_of_different_subjects_ends_in_one_message() -> None:
    world = World()
    for i in range(100):
        take(world, delivery(alert(f"Odd{i}", at=world.clock(), service=""), at=world.clock()), f"m{i}")
    assert world.bus.kinds().count("signal.decided") == 20
    assert world.bus.kinds().count("signal.flood") == 1
    assert len(world.log.lines) == 100
    # What was not told is told when it is quieter, if it fires again.
    world.clock.forward(1800)
    take(world, delivery(alert("Odd99", at=world.clock(), service=""), at=world.clock()), "m100")
    assert world.bus.published[-1][1]["name"] == "Odd99"
    # The guard is written for actions alone.
    assert world.guards.stored.revision == 0


def test_any_order_and_any_repetition_of_a_history_leads_to_at_most_one_rollback() -> None:
    for seed in range(50):
        world = World().promoted(since=3000)
        began = world.clock() - 60
        history = [delivery(alert(at=began + i), at=world.clock()) for i in range(5)]
        history += [
            delivery(alert(at=began + i, ended=began + i + 0.5, status="resolved"), at=world.clock())
            for i in range(5)
        ]
        shuffled = random.Random(seed)
        history = [msgspec.structs.replace(h) for h in history for _ in range(2)]
        shuffled.shuffle(history)
        for i, each in enumerate(history):
            take(world, each, f"m{i}")
        assert responses(world) in ([], [("rollback", "backend-api")])
        assert len(world.log.lines) == 20


def test_a_message_whose_publication_failed_tells_when_it_comes_again() -> None:
    world = World().quiet()
    what = delivery(alert(at=world.clock()), at=world.clock())
    world.bus.broken = True
    with pytest.raises(Unavailable):
        take(world, what, "m1")
    world.bus.broken = False
    take(world, what, "m1")
    assert world.bus.kinds() == ["signal.decided"]


def alarm_of(value: str, at: float, before: tuple[str, float] | None = None) -> Delivery:
    """What CloudWatch says of one alarm, heard as it says it."""

    def told(value: str, at: float) -> dict[str, str]:
        return {"value": value, "timestamp": datetime.fromtimestamp(at, UTC).isoformat()}

    detail = {
        "alarmName": "candlefish/production/backend-api/errors-critical/blue",
        "state": told(value, at),
        "configuration": {"description": "Over half fail. [service=backend-api environment=production]"},
    }
    if before:
        detail["previousState"] = told(*before)
    event = {"detail-type": "CloudWatch Alarm State Change", "resources": ["arn:aws:x"], "detail": detail}
    return msgspec.structs.replace(from_event(event, at), observed_at=at)


GAP = [("ALARM", 900, None), ("INSUFFICIENT_DATA", 320, "ALARM"), ("ALARM", 10, "INSUFFICIENT_DATA")]


@pytest.mark.parametrize(
    "heard", [(0, 1, 2), (0, 2), (0, 1, 1, 2, 2)], ids=["all", "the gap is lost", "twice"]
)
def test_an_alarm_that_had_no_data_for_a_while_is_the_same_old_alarm(heard: tuple[int, ...]) -> None:
    world = World().quiet()
    now = world.clock()
    ago = {"ALARM": 900, "INSUFFICIENT_DATA": 320}
    for number, index in enumerate(heard):
        if index:
            world.releasing(since=300)
        value, at, before = GAP[index]
        what = alarm_of(value, now - at, (before, now - ago[before]) if before else None)
        take(world, msgspec.structs.replace(what, observed_at=now), f"m{number}")
    assert responses(world) == []
    assert "before release" in world.log.lines[-1].decision.reason or heard[-1] == heard[-2]


@pytest.mark.parametrize(
    "history",
    [
        # It ended in between: a new one.
        [("ALARM", 900, None), ("OK", 600, "ALARM"), ("INSUFFICIENT_DATA", 320, "OK"), GAP[2]],
        # Nothing was known before it first fired.
        [("INSUFFICIENT_DATA", 320, "OK"), GAP[2]],
        [GAP[2]],
    ],
    ids=["it had ended", "it had not begun", "nothing is known"],
)
def test_an_alarm_that_fires_first_after_a_time_without_data_is_a_new_one(
    history: list[tuple[str, int, str | None]],
) -> None:
    world = World().quiet()
    now = world.clock()
    last = now
    for number, (value, at, before) in enumerate(history):
        if number == len(history) - 1:
            world.releasing(since=300)
        what = alarm_of(value, now - at, (before, last) if before else None)
        take(world, msgspec.structs.replace(what, observed_at=now), f"m{number}")
        last = now - at
    assert [action for action, _ in responses(world)] == ["rollback"]


def test_each_news_of_an_alert_is_counted_once_however_often_its_message_comes() -> None:
    world = World().promoted()
    acted = delivery(alert(at=world.clock()), at=world.clock())
    world.clock.forward(1)
    refused = delivery(alert(at=world.clock(), fingerprint="another"), at=world.clock())
    for i in range(3):
        take(world, acted, "m1")
        take(world, refused, f"m{i + 2}")
    assert world.meter.total("SignalsActed", "backend-api") == 1
    assert world.meter.total("SignalsRefused", "backend-api") == 1


def test_what_was_not_logged_is_counted_when_it_comes_again() -> None:
    world = World().promoted()
    acted = delivery(alert(at=world.clock()), at=world.clock())
    append = world.log.append

    def dies(*args: object) -> None:
        raise Unavailable("the table does not answer")

    world.log.append = dies  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        take(world, acted)
    assert world.meter.measured == []
    world.log.append = append  # type: ignore[method-assign]
    take(world, acted)
    assert world.meter.total("SignalsActed") == 1
