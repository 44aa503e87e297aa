"""`candlefish schedule`: when an environment is awake in the coming days, and why; by the catalog, or as its stack shows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from cli.options import CATALOG, named
from cli.screen.calendar import HOURS, Day, calendar_lines, days_of
from cli.screen.printing import show, width
from cli.terminal import as_json, document, echo

AWAKE = "#2a7f9e"
# Days that a stack shows (candlefish.views.see_calendar).
SHOWN = 14


@click.command("schedule")
@click.option("-e", "--environment", callback=named, help="Environment in catalog/environments/.")
@click.option(
    "--days", type=click.IntRange(1, 366), default=SHOWN, show_default=True, help="How many days to show."
)
@click.option(
    "--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="First day; today when it is not given."
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the days into this PNG file."
)
@click.option(
    "--live",
    is_flag=True,
    help="As the stack shows it from now on: with wake, sleep, keep-awake and freezes that people asked for.",
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
    """Show when an environment is awake in the coming days, and why.

    By the catalog's files alone, without AWS; --live asks the stack.
    """
    from candlefish.catalog.load import load

    if live and (start or days > SHOWN):
        raise click.UsageError(f"a stack shows {SHOWN} days from now on; for others leave out --live")
    catalog = load(folder, start.date() if start else None)
    env = catalog.environment(environment)
    now = time.time()
    if live:
        from cli.stack import Stack
        from cli.views import Views

        view = Views(Stack(environment, env.region)).calendar()
    else:
        from candlefish.views.see_calendar import see_catalog_calendar, zone_of

        begin, end = _bounds(start.date() if start else None, days, ZoneInfo(zone_of(env)), now)
        view = see_catalog_calendar(env, catalog.calendars, begin, end, now)
    if as_json:
        document(view)
    else:
        show(calendar_lines(view, width(), now, days))
        if not live:
            echo(
                "By the catalog alone; --live asks the stack what people asked for (wake, sleep, keep-awake, freeze)."
            )
    if plot:
        draw(days_of(view, days), f"{environment}: awake hours ({view.zone})", plot)
        echo(f"Drawn into {plot}.", err=as_json)


def _bounds(first: date | None, days: int, zone: ZoneInfo, now: float) -> tuple[float, float]:
    """The midnights that so many days begin and end with."""
    first = first or datetime.fromtimestamp(now, zone).date()
    last = first + timedelta(days=days)
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone).timestamp() for d in (first, last))
    return begin, end


def draw(days: Sequence[Day], title: str, file: Path) -> None:
    """The days as a picture: a row a day, awake hours filled."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 0.8 + 0.34 * len(days)), layout="constrained")
    for row, day in enumerate(days):
        holiday = next((each for each in day.reasons if each.startswith("holiday")), "")
        if holiday or day.day.weekday() > 4:
            axes.axhspan(row - 0.5, row + 0.5, color="#f2f2f2", zorder=0)
        axes.broken_barh([(start, end - start) for start, end in day.awake], (row - 0.32, 0.64), color=AWAKE)
        if holiday:
            axes.text(HOURS + 0.2, row, holiday, va="center", fontsize=8, color="#666666")
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
