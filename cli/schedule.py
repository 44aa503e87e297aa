"""`candlefish schedule`: when an environment is awake in the coming days, and why."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import click
from rich.text import Text

from candlefish.capacity.calendar import (
    Desired,
    Stretch,
    Timetable,
    agenda,
    desired_state,
    rules_of,
    timetable,
)
from candlefish.capacity.model import ScheduleOverride
from candlefish.catalog.model import Environment
from cli.options import CATALOG, named
from cli.terminal import PlainConsole, as_json, document

if TYPE_CHECKING:
    from rich.table import Table

HOURS = 24
# Colours of the picture: by the schedule, and because somebody asked.
AWAKE, ASKED = "#2a7f9e", "#d98c2b"
# One character an hour in the table's bar: awake for all of it, for a part, not at all.
BAR = {1: "█", 0.5: "▌", 0: "·"}


class Day(NamedTuple):
    """One local day: when it is awake, as hours of its clock, which of these somebody asked for, and why."""

    day: date
    awake: list[tuple[float, float]]
    asked: list[tuple[float, float]]
    reasons: list[str]
    holiday: str


@click.command("schedule")
@click.option("-e", "--environment", callback=named, help="Environment in catalog/environments/.")
@click.option(
    "--days", type=click.IntRange(1, 366), default=14, show_default=True, help="How many days to show."
)
@click.option(
    "--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="First day; today when it is not given."
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the days into this PNG file."
)
@click.option(
    "--live", is_flag=True, help="Count in wake, sleep, keep-awake and freeze, read from the stack."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=CATALOG,
    help="Where the catalog's YAML is.",
)
@as_json
def schedule_command(
    environment: str,
    days: int,
    start: datetime | None,
    plot: Path | None,
    live: bool,
    folder: Path,
    as_json: bool,
) -> None:
    """Show when an environment is awake in the coming days, and why."""

    from candlefish.catalog.load import load

    catalog = load(folder, start.date() if start else None)
    env = catalog.environment(environment)
    table = timetable(env, catalog.calendars)
    overrides = _asked_for(env) if live else ()
    now = time.time()
    first = start.date() if start else datetime.fromtimestamp(now, ZoneInfo(table.zone)).date()
    shown = days_of(table, overrides, first, days)
    if as_json:
        document(_document(environment, table, overrides, shown, now))
        return
    console = PlainConsole()
    console.print(
        Text.assemble((environment, "bold"), " ", _now(desired_state(table, overrides, now), table))
    )
    console.print(as_table(shown, table))
    console.print(_total(shown))
    if not live:
        console.print("By the catalog alone; --live counts in what was asked for (wake, sleep, keep-awake).")
    if plot:
        draw(shown, f"{environment}: awake hours ({table.zone})", plot)
        console.print(f"Drawn into {plot}.")


def _document(
    environment: str,
    table: Timetable,
    overrides: Sequence[ScheduleOverride],
    days: Sequence[Day],
    now: float,
) -> dict[str, Any]:
    """What `--json` prints: hours are those of the day's clock in the zone."""
    wanted = desired_state(table, overrides, now)
    return {
        "environment": environment,
        "zone": table.zone,
        "now": {
            "state": wanted.state,
            "until": wanted.until,
            "reason": wanted.reason,
            "frozen": wanted.frozen,
        },
        "days": [each._asdict() for each in days],
    }


def _asked_for(environment: Environment) -> tuple[ScheduleOverride, ...]:
    from candlefish.adapters.table.capacity import DynamoCapacity
    from cli.stack import Stack

    stack = Stack(environment.name, environment.region)
    return DynamoCapacity(stack.client("dynamodb"), stack.table, environment.name).get().overrides


def days_of(table: Timetable, overrides: Sequence[ScheduleOverride], first: date, count: int) -> list[Day]:
    """The days from `first` on, each with its awake hours."""
    zone = ZoneInfo(table.zone)
    dates = [first + timedelta(days=number) for number in range(count)]
    midnights = [
        datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()
        for d in [*dates, dates[-1] + timedelta(days=1)]
    ]
    stretches = agenda(table, overrides, midnights[0], midnights[-1])
    shown = []
    for day, begin, end in zip(dates, midnights, midnights[1:], strict=False):
        if begin == end:  # A day that the zone skipped.
            continue
        within = [stretch for stretch in stretches if stretch.start < end and begin < stretch.end]
        awake = [stretch for stretch in within if stretch.state == "awake"]
        hours = [_hours(stretch, begin, end, day, zone) for stretch in awake]
        asked = [_hours(stretch, begin, end, day, zone) for stretch in awake if stretch.overridden]
        reasons = dict.fromkeys(_brief(stretch.reason, day, table) for stretch in awake or within)
        shown.append(Day(day, _joined(hours), asked, list(reasons), rules_of(table, day)[1]))
    return shown


def _hours(stretch: Stretch, begin: float, end: float, day: date, zone: ZoneInfo) -> tuple[float, float]:
    return _hour(max(stretch.start, begin), day, zone), _hour(min(stretch.end, end), day, zone)


def _joined(hours: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches that touch, as one: they differ in their reason only."""
    joined: list[tuple[float, float]] = []
    for start, end in hours:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _brief(reason: str, day: date, table: Timetable) -> str:
    """A reason without what the table says already."""
    for known in (
        f" ({table.zone})",
        f" on {day:%a %d %b}",
        f"{day:%a %d %b} is a ",
        "awake by ",
        "asleep: ",
    ):
        reason = reason.replace(known, "")
    return reason


def _hour(moment: float, day: date, zone: ZoneInfo) -> float:
    """What the clock shows, in hours since the day's midnight; 24 at its end."""
    local = datetime.fromtimestamp(moment, zone)
    return HOURS if local.date() > day else local.hour + local.minute / 60


def as_table(days: Sequence[Day], table: Timetable) -> Table:
    """The days as a table with a bar of 24 hours each."""
    from rich.table import Table as RichTable

    shown = RichTable(caption=f"local time, {table.zone}; one character an hour", caption_justify="left")
    for heading in ("day", "awake", "0     6     12    18   24", "why"):
        shown.add_column(heading, no_wrap=heading != "why")
    for day in days:
        hours = ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in day.awake) or "-"
        style = "dim" if not day.awake else None
        shown.add_row(f"{day.day:%a %d %b}", hours, bar(day), "; ".join(day.reasons), style=style)
    return shown


def bar(day: Day) -> str:
    """A day's 24 hours, a character each."""
    return "".join(BAR[_share(day, hour)] for hour in range(HOURS))


def _share(day: Day, hour: int) -> float:
    awake = sum(max(0.0, min(end, hour + 1) - max(start, hour)) for start, end in day.awake)
    return 1 if awake >= 1 else 0.5 if awake > 0 else 0


def _clock(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _now(answer: Desired, table: Timetable) -> str:
    until = ""
    if answer.until is not None:
        until = f" until {datetime.fromtimestamp(answer.until, ZoneInfo(table.zone)):%a %d %b %H:%M}"
    return f"should be {answer.state}{until}: {answer.reason}" + (
        f" ({answer.frozen})" if answer.frozen else ""
    )


def _total(days: Sequence[Day]) -> str:
    awake = sum(end - start for day in days for start, end in day.awake)
    whole = HOURS * len(days)
    return f"{awake:g} of {whole} hours awake, {100 * (1 - awake / whole):.0f}% asleep"


def draw(days: Sequence[Day], title: str, file: Path) -> None:
    """The days as a picture: a row a day, awake hours filled."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 0.8 + 0.34 * len(days)), layout="constrained")
    for row, day in enumerate(days):
        if day.holiday or day.day.weekday() > 4:
            axes.axhspan(row - 0.5, row + 0.5, color="#f2f2f2", zorder=0)
        axes.broken_barh(
            [(start, end - start) for start, end in day.awake], (row - 0.32, 0.64), color="#2a7f9e"
        )
        if day.holiday:
            axes.text(HOURS + 0.2, row, day.holiday, va="center", fontsize=8, color="#666666")
    axes.set_yticks(range(len(days)), [f"{day.day:%a %d %b}" for day in days])
    axes.set_ylim(len(days) - 0.5, -0.5)
    axes.set_xticks(range(0, HOURS + 1, 3), [f"{hour:02}:00" for hour in range(0, HOURS + 1, 3)])
    axes.set_xlim(0, HOURS)
    axes.grid(axis="x", color="#dddddd", zorder=0)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
