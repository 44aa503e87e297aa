"""Every state in which a person must act is among what needs a person: by the tables of what people are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import candlefish
from candlefish.capacity.model import Note
from candlefish.capacity.news import NEWS as CAPACITY
from candlefish.cost.news import TITLES as COSTS
from candlefish.errors import Unavailable
from candlefish.failover.model import SELDOM, FailoverStatus, FailoverStep, Pace, Run, StepState
from candlefish.failover.news import WORDS as FAILOVERS
from candlefish.release.news import NEWS as RELEASES
from candlefish.release.news import RecordFinding, record_finding
from candlefish.service.model import Hold, RecordMark, Remnant
from candlefish.service.record import AllRecords, UnreadableRecord, add_hold, end_rollback, quarantine
from candlefish.signals.endings import ENDINGS
from candlefish.signals.handle_signal import handle_signal
from candlefish.signals.model import Delivery, LoggedSignal
from candlefish.signals.news import SIGNAL_KINDS
from candlefish.signals.own_alarms import OWN_ALARM_RULE, OWN_ALARMS
from candlefish.signals.receive_alerts import expired_token
from candlefish.signals.record import Mute, add_mute
from candlefish.signals.sources import from_event
from candlefish.views.fleet_view import in_flight
from candlefish.views.model import FleetView, NeedView
from candlefish.views.needs import LASTS, LINES, LONGEST, MOST, SEEN, UNHEARD, Place
from candlefish.views.ports import Looking
from candlefish.views.see_fleet import see_fleet
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.failover.runs import MemoryRuns
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemorySwitchboard
from lab.memory.views import MemoryHistory, MemorySignalHistory
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.release import FakeJournal
from tests.support.seen_release import LEAD, Watched
from tests.support.service import V1, V2, fresh, released, rollback, take
from tests.support.signal_world import World, alert, delivery

REST = released(fresh(), "r1", V1, window=0)
ROLLED_BACK = rollback(take(REST, "r2", V2, now=Clock().at - 900), now=Clock().at - 600)
ENDED = end_rollback(ROLLED_BACK, generation=ROLLED_BACK.generation, now=Clock().at - 500)
# What is told by a literal in the code, and by no table.
LITERALS = {
    "cost.report",
    "freeze.asked",
    "freeze.lifted",
    "record.rebuilt",
    "finding.alert-token-expired",
    "finding.backup-drill",
    "finding.backup-",
}


def test_everything_that_people_are_told_says_where_it_is_seen() -> None:
    told = {
        *(f"release.{kind}" for kind in RELEASES),
        *(f"capacity.{kind}" for kind in CAPACITY),
        *(f"failover.{kind}" for kind in FAILOVERS),
        *(f"cost.{kind}" for kind in COSTS),
        *SIGNAL_KINDS,
        *(f"finding.{name}" for name in get_args(RecordFinding)),
        *(f"ended.{machine}" for machine in ENDINGS),
        *(f"alarm.{name}" for name in OWN_ALARMS),
        *LITERALS,
    }
    assert SEEN.keys() == told


def test_no_finding_is_told_elsewhere() -> None:
    """Whoever tells a finding of a new name by other means has to say here where it is seen."""
    root = Path(candlefish.__file__).parent
    tells = {str(path.relative_to(root)) for path in root.rglob("*.py") if '"finding"' in path.read_text()}
    assert tells - {"views/needs.py"} == {
        "backups/news.py",
        "catalog/model/responses.py",
        "release/news.py",
        "signals/receive_alerts.py",
        "signals/sources.py",
    }


# --- each place, as it is seen


def fleet(
    *records: Any, environment: str = "production", clock: Clock | None = None, **more: Any
) -> FleetView:
    history = MemoryHistory(FakeJournal().memory)
    known = more.pop("known", None) or MemoryRecords(*records)
    looking = Looking(environment, catalog(), known, history, clock or Clock(), **more)
    return see_fleet(LEAD, looking=looking)


def hear(world: World, what: Delivery, message: str = "m") -> None:
    handle_signal(what, message=message, ports=world.ports)


def looked(world: World, **more: Any) -> FleetView:
    signals = MemorySignalHistory(world.log.lines)
    return fleet(known=world.records, clock=world.clock, signals=signals, **more)


def of_signals() -> FleetView:
    world = World().quiet()
    hear(world, delivery(alert("ErrorRateCritical", at=world.clock() - 60), at=world.clock()))
    return looked(world)


def of_capacity() -> FleetView:
    store = MemoryCapacityStore("staging")
    notes = {"Deployment/website-blue": Note("refused", "the quota is used up", 5.0)}
    store.record = msgspec.structs.replace(
        store.record, goal="awake", phase="waking", runs=2, goal_at=7.0, notes=notes
    )
    return fleet(
        released(fresh(environment="staging"), "r1", V1, window=0), environment="staging", capacity=store
    )


def of_failovers(status: FailoverStatus = "stopped", clock: Clock | None = None, **more: Any) -> FleetView:
    runs = MemoryRuns()
    step = FailoverStep("promote", "main")
    run = Run(
        "production",
        "database/main",
        "database-cross-region",
        1,
        (step,),
        "developer",
        "gone",
        5.0,
        "us-east-1",
        status=status,
        why="no lag is known",
        **more,
    )
    runs.create(run)
    return fleet(REST, runs=runs, clock=clock)


def of_a_question() -> FleetView:
    return see_fleet(LEAD, looking=Watched().until("approve").ask().looking)


def of_a_pause() -> FleetView:
    watched = Watched().until("judge")
    hold = Hold("person:developer", "the prices look wrong", watched.world.clock() - 30, "developer")
    watched.world.records.update("backend-api", lambda record: add_hold(record, hold))
    return see_fleet(LEAD, looking=watched.looking)


def of_an_unreadable_record() -> FleetView:
    class Half(MemoryRecords):
        def all(self) -> AllRecords:
            return AllRecords((), (UnreadableRecord("website", "it is newer than this code"),))

    return fleet(known=Half())


def of_the_environment() -> FleetView:
    switchboard = MemorySwitchboard()
    switchboard.turn("off since noon by lead")
    return fleet(REST, switchboard=switchboard)


PLACES: dict[Place, Callable[[], FleetView]] = {
    "question": of_a_question,
    "pause": of_a_pause,
    "rolled_back": lambda: fleet(ENDED),
    "slot": lambda: fleet(msgspec.structs.replace(ENDED, bad=())),
    "remnant": lambda: fleet(
        msgspec.structs.replace(ENDED, bad=(), remnant=Remnant("traffic_left", "blue", "none healthy", 5.0))
    ),
    "quarantine": lambda: fleet(quarantine(REST, newer=RecordMark(99, 9), where="the rule", now=5.0)),
    "unreadable": of_an_unreadable_record,
    "failover": of_failovers,
    "capacity": of_capacity,
    "signal": of_signals,
}


def test_each_place_is_tried_here() -> None:
    assert {*PLACES, "environment", "nobody", "told"} == set(get_args(Place)) == set(SEEN.values())


@pytest.mark.parametrize("place", PLACES)
def test_a_state_in_which_a_person_must_act_says_what_since_when_and_what_to_type(place: Place) -> None:
    view = PLACES[place]()
    assert view.needs, place
    for need in view.needs:
        assert need.says and need.at > 0 and need.tone in ("warning", "bad")
        assert need.command.startswith("candlefish ") and "{" not in need.command
        assert need.environment == view.here
    assert view.tone in ("warning", "bad") and "a person" in view.says
    about = {need.service for need in view.needs}
    assert all(
        cell.needs_person and cell.tone != "good" for cell in view.cells if cell.service in about - {""}
    )


def test_what_holds_for_a_whole_environment_stands_above_it() -> None:
    view = of_the_environment()
    assert (view.tone, view.environments[0].says) == ("warning", "automation is off")


def test_nothing_needs_anybody_at_rest() -> None:
    world = World().quiet()
    assert looked(world).needs == ()


# --- pauses and sleep


def test_a_pause_needs_whoever_may_lift_it_and_a_signals_hold_does_not() -> None:
    (need,) = of_a_pause().needs
    assert need.says == (
        "backend-api v2 is paused until somebody lets it go on (developer: the prices look wrong)"
    )
    assert need.command == 'candlefish resume r2 -e production --reason "..."'
    assert "resume" in {action.name for action in need.actions}
    watched = Watched().until("judge")
    hold = Hold("signal:x", "latency", watched.world.clock(), "signal LatencyHigh")
    watched.world.records.update("backend-api", lambda record: add_hold(record, hold))
    assert see_fleet(LEAD, looking=watched.looking).needs == ()


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"goal": "awake", "phase": "waking", "runs": 1}, ""),
        ({"goal": "asleep", "phase": "going_down", "runs": 3}, ""),
        ({"goal": "awake", "phase": "awake", "runs": 3}, ""),
        (
            {"goal": "awake", "phase": "waking", "runs": 3},
            "staging is not awake, and was to be: run 3 goes on where those before it ended",
        ),
    ],
)
def test_an_environment_that_does_not_wake_needs_a_person_after_a_try(
    record: dict[str, Any], says: str
) -> None:
    store = MemoryCapacityStore("staging")
    store.record = msgspec.structs.replace(store.record, **record)
    view = fleet(environment="staging", capacity=store)
    assert [need.says for need in view.needs] == ([says] if says else [])


def test_a_failover_that_nobody_moves_needs_a_person_when_one_that_lives_would_have_stopped() -> None:
    clock, patience = Clock(), Pace().within + SELDOM
    begun = {"promote/main": StepState(intended_at=clock() - patience)}
    assert of_failovers("running", clock, progress=begun).needs == ()
    clock.forward(1)
    view = of_failovers("running", clock, progress=begun)
    (need,) = view.needs
    assert need.says == (
        "the failover of database/main to us-east-1 is moved by nobody, nothing of it was done for 70 minutes: "
        "no lag is known"
    )
    assert (need.tone, need.at) == ("bad", clock() - patience - 1)
    assert need.command == "candlefish failover database/main -e production --plan"
    begun["promote/main"] = StepState(intended_at=clock() - patience, done_at=clock() - 5)
    assert of_failovers("running", clock, progress=begun).needs == ()


# --- the log of signals


def finding(name: str, at: float, service: str = "backend-api") -> Delivery:
    kind, detail = record_finding(name, "production", service, f"{name} of {service}", at)  # type: ignore[arg-type]
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    event = {"detail-type": kind, "detail": detail, "time": moment, "source": "candlefish.control-plane"}
    return msgspec.structs.replace(from_event(event, at), observed_at=at)


def alarm(name: str, value: str, at: float) -> Delivery:
    state = {"value": value, "timestamp": datetime.fromtimestamp(at, UTC).isoformat()}
    detail = {"alarmName": name, "state": state, "configuration": {}}
    event = {"detail-type": "CloudWatch Alarm State Change", "resources": [f"arn:{name}"], "detail": detail}
    return msgspec.structs.replace(from_event(event, at), observed_at=at)


def needs(world: World) -> tuple[NeedView, ...]:
    return looked(world).needs


@pytest.mark.parametrize(
    "name", [name for name in get_args(RecordFinding) if SEEN[f"finding.{name}"] == "signal"]
)
def test_a_finding_needs_a_person_for_as_long_as_it_is_told(name: str) -> None:
    world = World().quiet()
    hear(world, finding(name, world.clock()))
    (need,) = needs(world)
    assert need.says == f"{name} on backend-api: {name} of backend-api"
    assert need.service == "backend-api" and need.command.startswith("candlefish ")
    began = need.at
    for hour in range(5):
        world.clock.forward(3600)
        hear(world, finding(name, world.clock()), f"m{hour}")
    assert [need.at for need in needs(world)] == [began], "one need, since it began"
    world.clock.forward(LASTS + 1)
    assert needs(world) == (), "it was not found any more"


@pytest.mark.parametrize("name", ["record-older-than-world", "record-unreadable"])
def test_what_a_record_says_itself_is_not_said_twice(name: str) -> None:
    world = World().quiet()
    hear(world, finding(name, world.clock()))
    assert needs(world) == ()


def test_traffic_that_a_rollback_left_is_one_need() -> None:
    world = World().quiet()
    remnant = Remnant("traffic_left", "blue", "none is healthy", world.clock())
    world.records.update("backend-api", lambda record: msgspec.structs.replace(record, remnant=remnant))
    hear(world, finding("drift-not-repaired", world.clock()))
    assert ["none is healthy" in need.says for need in needs(world)] == [True]


def test_a_service_without_a_record_needs_a_person() -> None:
    world = World()
    hear(world, finding("record-missing", world.clock(), "website"))
    (need,) = needs(world)
    assert need.command == "candlefish records verify website -e production"
    (line,) = [each for each in looked(world).cells if each.service == "website"]
    assert line.needs_person


def test_a_token_that_expired_needs_a_person() -> None:
    world = World()
    hear(world, expired_token("production", world.clock()))
    assert [need.command for need in needs(world)] == ["candlefish signals -e production rotate-token"]


@pytest.mark.parametrize("which", OWN_ALARMS)
def test_an_alarm_of_the_control_plane_itself_needs_a_person_and_leads_to_nothing(which: str) -> None:
    world, name = World().quiet(), f"candlefish-control-plane-production-{which}"
    hear(world, alarm(name, "ALARM", world.clock() - 5))
    (line,) = world.log.lines
    assert (line.signal.rule, line.decision.action, line.decision.notify) == (OWN_ALARM_RULE, "none", False)
    assert line.decision.reason == "it goes straight to people, and nothing acts on it by itself"
    assert world.bus.kinds() == [], "people are told by `notify` and the topic"
    (need,) = needs(world)
    own = OWN_ALARMS[which]
    assert need.says == f"{own.title}: {own.means}".replace("{environment}", "production")
    assert (need.tone, need.command) == ("bad", own.command.format(environment="production"))
    world.clock.forward(900)
    hear(world, alarm(name, "OK", world.clock()), "m2")
    assert needs(world) == ()


def test_what_was_refused_names_what_to_type_instead() -> None:
    (need,) = of_signals().needs
    assert need.tone == "bad" and need.says.startswith("ErrorRateCritical on backend-api: ")
    assert need.command == 'candlefish rollback backend-api -e production --reason "..."'


def test_a_message_that_comes_again_changes_nothing_and_the_end_ends_it() -> None:
    world = World().quiet()
    at = world.clock() - 60
    for n in range(3):
        hear(world, delivery(alert("ErrorRateCritical", at=at), at=world.clock()), f"m{n}")
        world.clock.forward(30)
    assert [need.at for need in needs(world)] == [at]
    over = alert("ErrorRateCritical", at=at, status="resolved", ended=world.clock())
    hear(world, delivery(over, at=world.clock()), "over")
    assert needs(world) == ()


def test_what_was_done_something_about_or_muted_or_is_not_urgent_needs_nobody() -> None:
    world = World().releasing()
    hear(world, delivery(alert("ServiceDown", at=world.clock() - 9), at=world.clock()))
    assert world.log.lines[-1].decision.action == "rollback"
    assert needs(world) == ()
    world = World().quiet()
    mute = Mute("service/backend-api", "a test of load", "lead", world.clock() + 900)
    world.guards.update(lambda guard: add_mute(guard, mute, world.clock()))
    hear(world, delivery(alert("ServiceDown", at=world.clock() - 9), at=world.clock()))
    assert needs(world) == ()
    world = World().quiet()
    hear(world, delivery(alert("SomethingSmall", at=world.clock() - 9, severity="info"), at=world.clock()))
    assert needs(world) == ()


def test_a_response_that_failed_needs_a_person() -> None:
    world = World().releasing()
    hear(world, delivery(alert("ServiceDown", at=world.clock() - 9), at=world.clock()))
    done = world.log.lines[-1]
    ended = msgspec.structs.replace(done, at=world.clock() + 1, outcome="failed")
    world.log.append([ended], ())
    (need,) = [each for each in needs(world) if each.says.startswith("ServiceDown")]
    assert (need.tone, need.command) == (
        "bad",
        'candlefish rollback backend-api -e production --reason "..."',
    )


def test_a_response_of_which_nobody_hears_how_it_ended_needs_a_person() -> None:
    world = World().releasing()
    hear(world, delivery(alert("ServiceDown", at=world.clock() - 9), at=world.clock()))
    world.clock.forward(UNHEARD)
    assert not [each for each in needs(world) if each.says.startswith("ServiceDown")]
    world.clock.forward(1)
    (need,) = [each for each in needs(world) if each.says.startswith("ServiceDown")]
    assert need.says.startswith(
        "ServiceDown on backend-api: what came of the rollback that it led to is not known"
    )
    assert (need.tone, need.command) == (
        "bad",
        'candlefish rollback backend-api -e production --reason "..."',
    )
    line = world.log.lines[-1]
    world.log.append([msgspec.structs.replace(line, at=world.clock(), outcome="done")], ())
    assert not [each for each in needs(world) if each.says.startswith("ServiceDown")]


def test_very_many_are_some_and_a_number() -> None:
    world = World().quiet()
    for n in range(MOST + 5):
        name = f"Disk{n:02}"
        hear(
            world,
            delivery(alert(name, at=world.clock() - n, severity="warning", service=""), at=world.clock()),
            name,
        )
    found = needs(world)
    assert len(found) == MOST
    assert "6 more signals fire that nothing was done about" in {need.says for need in found}


def test_what_an_alert_says_is_bounded_text_and_no_command() -> None:
    world = World().quiet()
    hostile = "$(reboot)\x1b[31m\n" + "x" * 5000
    one = alert("Odd", at=world.clock() - 9, severity="critical", service="{environment}; $(reboot)")
    hear(world, delivery(msgspec.structs.replace(one, summary=hostile), at=world.clock()))
    (need,) = needs(world)
    assert len(need.says) <= LONGEST and "\n" not in need.says
    assert need.command == "candlefish signals -e production"


def test_more_lines_than_are_looked_at_are_said_where_they_hide_something() -> None:
    world = World().quiet()
    line = _lines(world)

    def shown(every: float) -> FleetView:
        world.log.lines[:] = [
            msgspec.structs.replace(line, at=world.clock() - n * every) for n in reversed(range(LINES + 1))
        ]
        return looked(world)

    assert any("more than 100 lines of the last hour" in each for each in shown(1.0).unknown)
    assert shown(1.0).tone != "good"
    assert shown(120.0).unknown == ()


def _lines(world: World) -> LoggedSignal:
    hear(world, delivery(alert("Small", at=world.clock() - 9, severity="info"), at=world.clock()))
    return world.log.lines[-1]


def test_a_log_that_cannot_be_read_is_unknown_and_hides_nothing_else() -> None:
    class Down(MemorySignalHistory):
        def lately(self, limit: int, now: float, since: float) -> Any:
            raise Unavailable("the table does not answer")

    view = fleet(ENDED, signals=Down(()))
    assert "what signals need a person could not be read: the table does not answer" in view.unknown
    assert view.needs and in_flight(ENDED, Clock().at) == ""
