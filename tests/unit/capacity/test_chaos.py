"""Whatever happens, in whatever order: the morning is what the evening was (invariant I6)."""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakKeyDictionary

from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.model import ScheduleOverride
from candlefish.capacity.record import add_override
from candlefish.errors import Unavailable
from lab.nights.simulated_world import Died
from lab.nights.simulation import Simulation
from tests.support.capacity import HOUR, at, phase, simulation

# What happens, and how long until the next thing happens, in seconds.
EVENTS = st.sampled_from(
    [
        "nothing",
        "wake",
        "sleep",
        "look",
        "looks by two at once",
        "die before",
        "die after",
        "kill the execution",
        "a nodegroup fails",
        "an old machine returns",
        "die with a request in flight",
        "the request lands",
    ]
)
PAUSES = st.sampled_from([0.0, 1.0, 7.0, 45.0, 130.0, 400.0, 900.0, 3600.0, 13 * HOUR])


def happen(sim: Simulation, event: str) -> None:
    if event in ("wake", "sleep"):
        until = sim.clock.at + 4 * HOUR
        entry = ScheduleOverride(event, sim.clock.at, until, "alice", "chaos")  # type: ignore[arg-type]
        sim.store.update(lambda r: add_override(r, entry, sim.clock.at))
        sim.look()
    elif event == "look":
        sim.look()
    elif event == "looks by two at once":
        once = iter([sim.look])
        sim.store.between = lambda: next(once, lambda: None)()
        sim.look()
        sim.store.between = lambda: None
    elif event in ("die before", "die after"):
        setattr(sim.world, event.removeprefix("die "), die_once(sim, event.removeprefix("die ")))
    elif event == "kill the execution":
        for arn in list(sim.executions.due):
            sim.executions.end(arn, "ABORTED")
    elif event == "a nodegroup fails":
        sim.world.failing["system"] = sim.world.failing.get("system", 0) + 1
    elif event == "an old machine returns" and sim.executions.started:
        arn = f"arn:capacity:{sim.executions.started[0][1]}"
        sim.executions.status_of[arn] = "RUNNING"
        sim.executions.due[arn] = sim.clock.at
    elif event == "die with a request in flight":
        sim.world.before = lambda act: fly(sim, act)
    elif event == "the request lands" and (flying := IN_FLIGHT.pop(sim, None)):
        act, since = flying
        # A request that takes longer than a function may live has been refused or cut off.
        if sim.clock.at - since < 100:
            with suppress(Died, Unavailable):
                sim.world.apply(act)


# Requests that a dead function had sent and that have not arrived, by simulation.
IN_FLIGHT: WeakKeyDictionary[Simulation, tuple[CapacityAct, float]] = WeakKeyDictionary()


def fly(sim: Simulation, act: CapacityAct) -> None:
    if act.key.startswith(("Nodegroup", "Database")):
        IN_FLIGHT[sim] = act, sim.clock.at
        sim.world.before = lambda act: None
        raise Died


def die_once(sim: Simulation, where: str):  # type: ignore[no-untyped-def]
    def die(_: CapacityAct) -> None:
        setattr(sim.world, where, lambda act: None)
        raise Died

    return die


@settings(max_examples=40)
@given(st.lists(st.tuples(EVENTS, PAUSES), max_size=25))
def test_after_any_night_the_environment_is_what_it_was(events: list[tuple[str, float]]) -> None:
    sim = simulation("2026-11-24 19:50")
    del sim.world.databases["scratch"]
    evening = sim.world.picture()
    saved = None
    for event, pause in events:
        happen(sim, event)
        sim.run(sim.clock.at + pause)
        record = sim.store.record
        if record.saved and saved and record.saved.generation == saved.generation:
            assert record.saved == saved, "originals are written once a sleep"
        if phase(sim) == "awake" and record.goal == "awake":
            assert record.saved is None, "originals are cleared when all is restored"
        saved = record.saved
    # Nothing more happens; a working morning comes.
    sim.world.before = sim.world.after = lambda act: None
    sim.world.failing.clear()
    sim.clock.at += 13 * HOUR
    sim.store.update(lambda r: add_override(r, wake(sim), sim.clock.at))
    sim.next_look = max(sim.next_look, sim.clock.at)
    sim.run(sim.clock.at + 3 * HOUR)
    assert phase(sim) == "awake"
    assert sim.world.picture() == evening
    assert sim.store.record.saved is None


def wake(sim: Simulation) -> ScheduleOverride:
    return ScheduleOverride("wake", sim.clock.at, sim.clock.at + 6 * HOUR, "alice", "morning")


def test_a_dead_functions_request_that_arrives_after_everybody_turned_round_is_put_right() -> None:
    sim = simulation("2026-11-24 19:50")
    evening = sim.world.picture()
    happen(sim, "die with a request in flight")
    while sim not in IN_FLIGHT:
        sim.run(sim.clock.at + 1)
    happen(sim, "wake")
    sim.run(sim.clock.at + 60)
    happen(sim, "the request lands")
    sim.run(sim.clock.at + 2 * HOUR)
    assert phase(sim) == "awake"
    assert sim.world.picture() == evening


def test_the_chaos_really_sleeps() -> None:
    sim = simulation("2026-11-24 19:50")
    sim.run(at("2026-11-24 21:00"))
    assert phase(sim) == "asleep"
