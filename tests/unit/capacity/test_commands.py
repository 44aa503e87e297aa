"""What people may say, and what becomes of releases that are asked for at night."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from candlefish.capacity.admission import next_name, require_awake
from candlefish.capacity.advance_capacity import advance_capacity
from candlefish.capacity.command_capacity import CapacityCommand, command_capacity
from candlefish.capacity.never_production import require_no_production, require_schedule
from candlefish.capacity.reconcile_capacity import reconcile_capacity
from candlefish.catalog.model import Schedule
from candlefish.errors import AlwaysAwake, EnvironmentAsleep, InvalidInput, NotAllowed
from candlefish.requester import Asked, Requester
from candlefish.service.model import Holder, SlotRecord, Version
from candlefish.service.record import ServiceRecord
from candlefish.until import parse_until
from lab.nights.simulated_world import Died
from lab.nights.simulation import Simulation
from tests.support.capacity import HOUR, MINUTE, ZONE, at, catalog, environment, goal, phase, simulation
from tests.support.service import image

ASKED = Asked(Requester("alice"), "digest", 1.0)


def say(sim: Simulation, action: str, until: str = "", reason: str = "a demo") -> object:
    ports = {name: sim.ports[name] for name in ("catalog", "store", "events", "now")}
    request = CapacityCommand(action=action, until=until, reason=reason)  # type: ignore[arg-type]
    return command_capacity(request, principal="alice", environment=sim.environment, **ports)


def ask(sim: Simulation, release: str = "r-1", policy: str = "queue") -> None:
    schedule = Schedule(timezone=ZONE, awake=("Mon-Fri 07:00-20:00",), on_release_while_asleep=policy)  # type: ignore[arg-type]
    sim.ports["catalog"] = catalog(environment("staging", schedule=schedule))
    ports = {name: sim.ports[name] for name in ("catalog", "store", "events", "now")}
    require_awake(sim.environment, release=release, payload={"service": "api"}, asked=ASKED, **ports)


# --- commands -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("23:00", "2026-11-24 23:00"),
        ("18:00", "2026-11-25 18:00"),
        ("2h", "2026-11-24 21:00"),
        ("1h30m", "2026-11-24 20:30"),
        ("2026-11-26T09:00", "2026-11-26 09:00"),
        ("2026-11-26T17:00+00:00", "2026-11-26 09:00"),
    ],
)
def test_until_is_read_as_people_write_it(text: str, means: str) -> None:
    assert parse_until(text, ZONE, at("2026-11-24 19:00"), at_most=7 * 86400) == at(means)


@pytest.mark.parametrize("text", ["02:30", "2027-03-14T02:30", "2:00", "2027-03-14T02:59"])
def test_a_time_that_the_clock_skips_is_the_moment_of_the_jump_however_it_is_written(text: str) -> None:
    assert parse_until(text, ZONE, at("2027-03-14 01:00"), at_most=7 * 86400) == at("2027-03-14 03:00")


@pytest.mark.parametrize("text", ["25:00", "soon", "", "2026-11-24T18:00", "0s", "8d", "9:99"])
def test_an_until_that_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_until(text, ZONE, at("2026-11-24 19:00"), at_most=7 * 86400)


def test_half_past_one_on_the_night_the_clock_goes_back_is_the_next_of_the_two() -> None:
    first, second = 1793521800.0, 1793525400.0  # 2026-11-01 01:30 PDT and PST
    assert parse_until("01:30", ZONE, first - HOUR, at_most=1e6) == first
    assert parse_until("01:30", ZONE, first + MINUTE, at_most=1e6) == second


def test_awake_until_eleven_and_asleep_after_that() -> None:
    sim = simulation()
    say(sim, "wake", "23:00")
    sim.run(at("2026-11-24 22:50"))
    assert phase(sim) == "awake"
    sim.run(at("2026-11-24 23:30"))
    assert phase(sim) == "asleep"


def test_what_somebody_asks_for_is_done_while_automation_is_off() -> None:
    sim = simulation("2026-11-24 12:00")
    sim.switchboard.tag = "off"
    say(sim, "sleep", "2h")
    assert sim.look().action == "sleep"


def test_the_newest_word_wins_and_clear_returns_to_the_schedule() -> None:
    sim = simulation("2026-11-24 12:00")
    say(sim, "sleep", "2h")
    sim.look()
    assert goal(sim) == "asleep"
    sim.clock.at += MINUTE
    say(sim, "wake", "1h")
    sim.look()
    assert goal(sim) == "awake"
    sim.clock.at += MINUTE
    say(sim, "sleep", "1h")
    say(sim, "clear")
    assert sim.store.record.overrides == ()
    assert sim.look().action == "none"


@pytest.mark.parametrize(
    ("action", "until", "reason"),
    [
        ("wake", "", "a demo"),
        ("wake", "2h", "  "),
        ("sleep", "2h", "x" * 501),
        ("keep_awake", "30d", "a demo"),
    ],
)
def test_a_command_without_an_end_or_a_reason_changes_nothing(action: str, until: str, reason: str) -> None:
    sim = simulation()
    with pytest.raises(InvalidInput):
        say(sim, action, until, reason)
    assert sim.store.writes == 0
    assert sim.events.published == []


def test_a_command_for_another_environment_is_refused() -> None:
    sim = simulation()
    ports = {name: sim.ports[name] for name in ("catalog", "store", "events", "now")}
    with pytest.raises(InvalidInput, match="development"):
        command_capacity(
            CapacityCommand("wake", "why", "2h", "development"),
            principal="alice",
            environment="staging",
            **ports,
        )


# --- never production ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["main", "production", "prod-eu"])
def test_no_use_case_touches_what_is_flagged_as_production(name: str) -> None:
    sim = simulation("2026-11-24 23:00", name)
    sim.ports["catalog"] = catalog(environment(name, production=True))
    evening = sim.world.picture()
    uses: list[Callable[[], object]] = [
        lambda: reconcile_capacity(name, switchboard=sim.switchboard, **sim.ports),
        lambda: advance_capacity(name, requesters=sim.requesters, **sim.ports),
        lambda: say(sim, "sleep", "2h"),
        lambda: require_no_production(sim.ports["catalog"], name),
        lambda: require_schedule(sim.ports["catalog"], name),
    ]
    for use in uses:
        with pytest.raises(NotAllowed):
            use()
    assert sim.world.picture() == evening
    assert sim.store.writes == 0


# --- always awake -------------------------------------------------------------------------


def test_without_a_schedule_a_persons_wish_is_refused_and_the_timer_is_quiet() -> None:
    sim = simulation("2026-11-24 23:00")
    sim.ports["catalog"] = catalog(environment("staging", schedule=None))
    evening = sim.world.picture()
    with pytest.raises(AlwaysAwake, match="give it one"):
        say(sim, "sleep", "2h")
    decision = reconcile_capacity("staging", switchboard=sim.switchboard, **sim.ports)
    assert decision.action == "none"
    assert sim.world.picture() == evening
    assert sim.store.writes == 0


def test_who_loses_the_schedule_while_asleep_is_woken_whatever_was_asked_for_before() -> None:
    sim = simulation()
    evening = sim.world.picture()
    say(sim, "sleep", "3h")
    sim.run(at("2026-11-24 20:00"))
    assert phase(sim) == "asleep"
    sim.ports["catalog"] = catalog(environment("staging", schedule=None))
    sim.run(at("2026-11-24 21:00"))
    assert phase(sim) == "awake"
    assert sim.world.picture() == evening


# --- releases -----------------------------------------------------------------------------


def test_a_release_in_an_environment_that_is_awake_just_begins() -> None:
    sim = simulation()
    ask(sim)
    assert sim.store.writes == 0


def test_a_release_at_night_waits_for_the_morning_and_is_started_once() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 22:00"))
    for _ in range(2):
        with pytest.raises(EnvironmentAsleep, match="Wed 25 Nov 07:00"):
            ask(sim)
    sim.run(at("2026-11-25 06:50"))
    assert [machine for machine, *_ in sim.executions.started] == ["capacity"]
    sim.run(at("2026-11-25 09:00"))
    releases = [each for each in sim.executions.started if each[0] == "release"]
    assert releases == [("release", "r-1-g2", {"service": "api"})]
    assert sim.store.record.queue == ()
    ask(sim, "r-1-g2")


def test_a_queue_that_a_dead_machine_left_behind_is_found() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 22:00"))
    with pytest.raises(EnvironmentAsleep):
        ask(sim)
    start = sim.executions.start

    def die(machine: str, name: str, payload: Mapping[str, Any]) -> str:
        if machine == "release":
            sim.executions.start = start  # type: ignore[method-assign]
            raise Died
        return start(machine, name, payload)

    sim.executions.start, sim.deadly = die, True  # type: ignore[method-assign]
    sim.run(at("2026-11-25 09:00"))
    assert phase(sim) == "awake"
    assert [each[0] for each in sim.executions.started].count("release") == 1
    assert sim.store.record.queue == ()


def test_a_release_at_night_wakes_the_environment_where_the_catalog_says_so() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 22:00"))
    for _ in range(2):
        with pytest.raises(EnvironmentAsleep, match="it is woken"):
            ask(sim, policy="wake")
    assert len(sim.store.record.overrides) == 1
    assert ("capacity.asked") in sim.events.kinds()
    sim.run(at("2026-11-24 22:30"))
    assert phase(sim) == "awake"
    assert [each[0] for each in sim.executions.started].count("release") == 1
    sim.run(at("2026-11-25 00:30"))
    assert phase(sim) == "asleep"


def test_a_release_that_meets_the_end_of_the_waking_is_not_left_in_the_queue() -> None:
    sim = simulation()
    sim.run(at("2026-11-25 07:01"))
    assert phase(sim) == "waking"

    def wake_up() -> None:
        sim.store.between = lambda: None
        sim.run(at("2026-11-25 08:00"))

    sim.store.between = wake_up  # Between the look and the write.
    ask(sim)
    assert phase(sim) == "awake"
    assert sim.store.record.queue == ()


@pytest.mark.parametrize("what", ["release", "rollback window"])
def test_sleep_waits_for_a_release_and_says_so_once(what: str) -> None:
    sim = simulation()
    end = at("2026-11-24 21:30")

    def busy(record: ServiceRecord) -> ServiceRecord:
        if what == "release":
            return msgspec.structs.replace(record, holder=Holder("r-9", "arn", end))
        previous = SlotRecord("tg", state="previous", version=Version(image(1)), running=True)
        return msgspec.structs.replace(record, window_until=end, slots={**record.slots, "blue": previous})

    sim.records.update("api", busy)
    sim.run(at("2026-11-24 21:00"))
    assert phase(sim) == "awake"
    assert sim.events.kinds() == ["capacity.postponed"]
    sim.clock.at = end
    sim.records.update("api", lambda r: msgspec.structs.replace(r, holder=None))
    sim.run(at("2026-11-24 23:00"))
    assert phase(sim) == "asleep"


def test_a_release_that_lasts_until_morning_is_forgotten_by_the_next_evening() -> None:
    sim = simulation()
    sim.records.update("api", lambda r: msgspec.structs.replace(r, holder=Holder("r-9", "arn", 2e9)))
    sim.run(at("2026-11-25 08:00"))
    assert sim.events.kinds() == ["capacity.postponed"]
    assert sim.store.record.postponed_since == 0
    sim.run(at("2026-11-25 21:00"))
    assert sim.events.kinds() == ["capacity.postponed"] * 2


def test_a_release_that_slips_in_is_held_until_the_morning() -> None:
    sim = simulation()
    sim.run(at("2026-11-24 20:01"))
    assert phase(sim) == "going_down"
    sim.records.update(
        "api", lambda r: msgspec.structs.replace(r, holder=Holder("r-9", "arn", at("2026-11-26 00:00")))
    )
    sim.run(at("2026-11-24 21:00"))
    assert [hold.key for hold in sim.records.get("api").holds] == ["capacity"]
    sim.run(at("2026-11-25 09:00"))
    assert sim.records.get("api").holds == ()


def test_a_queued_release_has_a_name_of_its_own() -> None:
    assert next_name("r-1", 7) == "r-1-g7"
    # What was called so by somebody, and waits at the same time, is another release.
    assert next_name("r-1-g7", 12) == "r-1-g7-g12" != next_name("r-1", 12)
    assert len(next_name("r" * 60, 12)) == 60
