"""A week of environments that sleep in simulated time, with everything that makes nights difficult.

Monday night the execution is killed half-way down; Tuesday morning half-way up; Tuesday somebody
keeps the environment awake until 23:00; Wednesday is a holiday; Thursday night and Friday morning updates of
a nodegroup fail; at the weekend the clocks may change. Every morning is compared with the evening
before it, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.model import ScheduleOverride
from candlefish.capacity.record import add_override
from candlefish.catalog.model import Calendar, Catalog
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import AllRecords
from lab.nights.furnished import furnished
from lab.nights.simulated_world import Died
from lab.nights.simulation import EVERY, SimulatedClock, Simulation

HOLIDAY = "the week's holiday"
HOUR = 3600.0


class Prices(msgspec.Struct, frozen=True):
    """Examples of prices an hour, US dollars: a t3.large node and a db.t4g.medium, on demand in us-west-2."""

    node: float = 0.0832
    database: float = 0.065


class Night(msgspec.Struct, frozen=True):
    """One stretch asleep, as it went. Times are epoch seconds."""

    environment: str
    fell_asleep: float
    woke: float
    exact: bool
    incidents: tuple[str, ...]


class Week(msgspec.Struct, frozen=True):
    """How a week went for one environment; hours of all its nodes and databases together."""

    environment: str
    zone: str
    nights: tuple[Night, ...]
    hours_asleep: float
    node_hours: float
    node_hours_always: float
    database_hours: float
    database_hours_always: float
    # Executions that died half-way.
    killed: int

    def saved(self, prices: Prices) -> float:
        """What was not paid for, in US dollars."""
        nodes = self.node_hours_always - self.node_hours
        return nodes * prices.node + (self.database_hours_always - self.database_hours) * prices.database


def run_week(catalog: Catalog, monday: date, name: str) -> Week:
    """Live through the week of one environment."""
    env = catalog.environment(name)
    assert env.schedule
    zone = ZoneInfo(env.schedule.timezone)
    holiday = Calendar(name="week", days={(monday + timedelta(days=2)).isoformat(): HOLIDAY})
    schedule = msgspec.structs.replace(env.schedule, holidays=("week",))
    catalog = msgspec.structs.replace(
        catalog,
        environments={name: msgspec.structs.replace(env, schedule=schedule)},
        calendars={"week": holiday},
    )

    def moment(day: int, clock: str) -> float:
        return datetime.combine(monday + timedelta(days=day), time.fromisoformat(clock), zone).timestamp()

    clock = SimulatedClock(moment(0, "12:00"))
    records: ServiceRecords = _NoRecords()  # type: ignore[assignment]
    sim = Simulation(name, catalog, clock, furnished(clock, env.namespace), records)
    del sim.world.databases["scratch"]
    watch = _Watch(sim)
    for at, what, happen in sorted(_story(sim, moment), key=lambda each: each[0]):
        watch.until(at)
        happen()
        watch.incident(what)
    watch.until(moment(7, "12:00"))
    return watch.week(str(zone))


def _story(
    sim: Simulation, moment: Callable[[int, str], float]
) -> list[tuple[float, str, Callable[[], None]]]:
    """What happens when: (time, what to call it, how)."""

    def die(nth: int) -> Callable[[], None]:
        left = [nth]

        def before(_: CapacityAct) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Died

        def happen() -> None:
            sim.deadly, sim.world.before = True, before

        return happen

    def keep_awake() -> None:
        override = ScheduleOverride("wake", sim.clock(), moment(1, "23:00"), "alice", "a demo")
        sim.store.update(lambda r: add_override(r, override, sim.clock()))
        sim.look()

    def fail(name: str, times: int) -> Callable[[], None]:
        return lambda: sim.world.failing.update({name: times})

    return [
        (moment(0, "19:00"), "killed half-way down", die(20)),
        (moment(1, "05:30"), "killed half-way up", die(12)),
        (moment(1, "16:00"), "awake until 23:00", keep_awake),
        (moment(3, "19:00"), "a nodegroup update failed", fail("system", 1)),
        (moment(4, "05:30"), "two nodegroup updates failed", fail("system", 2)),
    ]


class _Watch:
    """Looks every five minutes: what runs, and whether it is exactly what it was."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._began = sim.clock()
        self._evening = sim.world.picture()
        self._whole = self._running()
        self._nights: list[Night] = []
        self._incidents: list[str] = []
        self._slept = 0.0
        self._phase = "awake"
        self._nodes = self._databases = 0.0

    def incident(self, what: str) -> None:
        self._incidents.append(what)

    def until(self, end: float) -> None:
        while self._sim.clock() < end:
            before = self._sim.clock()
            self._sim.run(min(end, before + EVERY))
            nodes, databases = self._running()
            passed = (self._sim.clock() - before) / HOUR
            self._nodes += nodes * passed
            self._databases += databases * passed
            self._turn(self._sim.store.record.phase)

    def _turn(self, phase: str) -> None:
        if phase == self._phase:
            return
        if phase == "asleep":
            self._slept = self._sim.store.record.phase_at
        elif phase == "awake" and self._slept:
            exact = self._sim.world.picture() == self._evening
            woke = self._sim.store.record.phase_at
            self._nights.append(
                Night(self._sim.environment, self._slept, woke, exact, tuple(self._incidents))
            )
            self._incidents.clear()
            self._slept = 0.0
        self._phase = phase

    def _running(self) -> tuple[int, int]:
        nodes = sum(group["nodes"] for group in self._sim.world.nodegroups.values())
        # A database is paid for until it has stopped.
        return nodes, sum(each["status"] != "stopped" for each in self._sim.world.databases.values())

    def week(self, zone: str) -> Week:
        hours = (self._sim.clock() - self._began) / HOUR
        nodes, databases = self._whole
        return Week(
            environment=self._sim.environment,
            zone=zone,
            nights=tuple(self._nights),
            hours_asleep=sum(nap.end - nap.start for nap in self._sim.store.record.naps) / HOUR,
            node_hours=self._nodes,
            node_hours_always=nodes * hours,
            database_hours=self._databases,
            database_hours_always=databases * hours,
            killed=list(self._sim.executions.status_of.values()).count("FAILED"),
        )


class _NoRecords:
    """No service is onboarded: this week is about capacity."""

    def all(self) -> AllRecords:
        return AllRecords(())


def tell_week(weeks: Sequence[Week], prices: Prices, console: Console) -> None:
    """Print how the weeks went."""
    for week in weeks:
        zone = ZoneInfo(week.zone)
        table = Table(title=f"{week.environment} ({week.zone})", title_justify="left")
        for head in ("asleep from", "awake from", "hours", "as in the evening", "what happened"):
            table.add_column(head)
        for night in week.nights:
            table.add_row(
                f"{datetime.fromtimestamp(night.fell_asleep, zone):%a %d %b %H:%M %Z}",
                f"{datetime.fromtimestamp(night.woke, zone):%a %d %b %H:%M %Z}",
                f"{(night.woke - night.fell_asleep) / HOUR:.1f}",
                "[green]byte for byte[/green]" if night.exact else "[red]NO[/red]",
                ", ".join(night.incidents),
            )
        console.print(table)
        nodes, databases = (
            week.node_hours_always - week.node_hours,
            week.database_hours_always - week.database_hours,
        )
        console.print(
            f"{week.hours_asleep:.1f} of 168 hours asleep; {nodes:.0f} of {week.node_hours_always:.0f} node hours "
            f"and {databases:.0f} of {week.database_hours_always:.0f} database hours not paid for; "
            f"about ${week.saved(prices):.2f} saved at ${prices.node}/h a node, ${prices.database}/h a database\n"
        )
