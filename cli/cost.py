"""`candlefish cost`: spent, forecast, target and saved for each environment, as a table and a chart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.table import Table
from rich.text import Text

from candlefish.adapters.aws.cost_explorer import REGION, CostExplorer
from candlefish.adapters.aws.nodegroups import Nodegroups
from candlefish.adapters.table.bills import DynamoBills
from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog, Environment
from candlefish.cost.hints import as_quantity, hints, spot_share
from candlefish.cost.model import Bill, CostOutlook
from candlefish.cost.outlook import outlook
from candlefish.cost.review_costs import BACK
from candlefish.errors import ControlPlaneError
from cli.options import CATALOG
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, failure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE = {"none": "green", "warn": "yellow", "propose": "red", "sleep": "bold red"}
SPENT, AHEAD, SAVED, TARGET = "#2a7f9e", "#a8cfdd", "#7fb069", "#c8553d"
console, errors = PlainConsole(), PlainConsole(stderr=True)


class Line(NamedTuple):
    """One environment's costs."""

    environment: Environment
    bill: Bill
    seen: CostOutlook


@click.command("cost")
@click.option(
    "-e", "--environment", "names", multiple=True, help="Only these; all of the catalog by default."
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the chart into this PNG file."
)
@click.option(
    "--fetch", is_flag=True, help="Ask Cost Explorer now (a cent a page); the daily bill otherwise."
)
@click.option("--tag", default="Environment", show_default=True, help="Cost allocation tag, for --fetch.")
@click.option("--prometheus", default="", help="URL of Prometheus, for hints about requests.")
@as_json
def cost_command(
    names: tuple[str, ...], plot: Path | None, fetch: bool, tag: str, prometheus: str, as_json: bool
) -> None:
    """Show what environments cost this month, will have cost at its end, and saved by sleeping."""
    catalog, now = load(CATALOG), time.time()
    lines: list[Line] = []
    for name in names or sorted(catalog.environments):
        env = catalog.environment(name)
        stack = Stack(name, env.region)
        try:
            lines.append(read(stack, env, catalog, now, fetch, tag))
        except ControlPlaneError as error:
            (errors if as_json else console).print(Text.assemble((name, "yellow"), f": {error}"))
            continue
        if as_json:
            continue
        share = spot_share(Nodegroups(stack.client("eks"), env.cluster).describe())
        if share.share is not None:
            console.print(
                f"{name}: {share.spot} of {share.nodes} nodes in nodegroups are spot ({share.share:.0%})"
            )
        if prometheus:
            console.print(hints_view(prometheus, env))
    if as_json:
        document([{"environment": line.environment.name, "outlook": line.seen} for line in lines])
    elif lines:
        console.print(as_table(lines))
    for line in () if as_json else lines:
        for note in (line.seen.decision.reason, *line.seen.forecast.notes):
            console.print(Text.assemble((f"{line.environment.name}:", "dim"), f" {note}"))
    if plot and lines:
        draw(lines, plot)
        (errors if as_json else console).print(f"Drawn into {plot}.")


def read(stack: Stack, env: Environment, catalog: Catalog, now: float, fetch: bool, tag: str) -> Line:
    """One environment's bill and outlook."""
    bills = DynamoBills(stack.client("dynamodb"), stack.table, env.name)
    if fetch:
        from datetime import UTC, datetime

        today = datetime.fromtimestamp(now, UTC).date()
        explorer = CostExplorer(stack.client_in("ce", REGION), tag)
        bills.keep(explorer.daily((today - BACK).replace(day=1), today, now))
    bill = bills.read()
    if bill is None:
        raise failure(
            f"no bill of {env.name} was kept yet; it is read every day at 13:00 UTC, or now with --fetch"
        )
    record = DynamoCapacity(stack.client("dynamodb"), stack.table, env.name).get()
    return Line(env, bill, outlook(bill, env, catalog, record, now))


def as_table(lines: Sequence[Line]) -> Table:
    """The environments as a table; amounts are US dollars of this month."""
    table = Table(title=f"Costs in {lines[0].seen.forecast.month}, US dollars", title_justify="left")
    table.add_column("environment")
    for head in ("spent", "forecast", "likely", "target", "of target", "asleep", "saved"):
        table.add_column(head, justify="right")
    for env, _, seen in lines:
        expected, decision = seen.forecast, seen.decision
        share = decision.evidence.get("share")
        saved = seen.savings.amount
        table.add_row(
            env.name,
            f"{expected.spent:.0f}",
            f"{expected.total:.0f}",
            f"{expected.low:.0f}-{expected.high:.0f}",
            f"{env.cost.low:.0f}-{env.cost.high:.0f}" if env.cost else "-",
            f"{share:.0%}" if share is not None else "-",
            f"{seen.savings.hours_asleep:.0f} h",
            "-" if env.production else "unknown" if saved is None else f"{saved:.0f}",
            style=STYLE[decision.action],
        )
    return table


def draw(lines: Sequence[Line], file: Path) -> None:
    """Spent, forecast, target and saved, an environment each, and the days of the month below."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 7), height_ratios=(1, 1.2), layout="constrained")
    _bars(above, lines)
    month = lines[0].seen.forecast.month
    for env, bill, _ in lines:
        days = sorted(day for day in bill.days if day.startswith(month))
        below.plot(
            [int(day[8:]) for day in days],
            [bill.days[day].get(env.name, 0.0) for day in days],
            marker=".",
            label=env.name,
        )
    below.set(title="Each day", xlabel="day of the month (UTC)", ylabel="US dollars", xlim=(0.5, 31.5))
    below.set_ylim(bottom=0)
    below.legend(frameon=False)
    figure.suptitle(f"Costs in {month}")
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _bars(axes: Axes, lines: Sequence[Line]) -> None:
    for row, (env, _, seen) in enumerate(lines):
        expected = seen.forecast
        labels = row == 0
        axes.barh(row, expected.spent, color=SPENT, label="spent" if labels else None)
        axes.barh(
            row,
            expected.total - expected.spent,
            left=expected.spent,
            color=AHEAD,
            label="still to come" if labels else None,
        )
        if seen.savings.amount:
            axes.barh(
                row,
                seen.savings.amount,
                left=expected.total,
                color="none",
                edgecolor=SAVED,
                hatch="///",
                label="saved by sleeping so far",
            )
        axes.errorbar(
            expected.total,
            row,
            xerr=[[expected.total - expected.low], [expected.high - expected.total]],
            color="black",
            capsize=3,
        )
        if env.cost:
            axes.plot(
                [env.cost.high] * 2,
                [row - 0.42, row + 0.42],
                color=TARGET,
                linewidth=2,
                label="target" if labels else None,
            )
    axes.set_yticks(range(len(lines)), [line.environment.name for line in lines])
    axes.invert_yaxis()
    axes.set(xlabel="US dollars", title="The month")
    handles, names = axes.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    axes.legend(
        unique.values(),
        unique.keys(),
        frameon=False,
        ncols=len(unique),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.22),
    )


def hints_view(prometheus: str, env: Environment) -> Table:
    """Requests that do not fit what is used."""
    from candlefish.adapters.http.usage import PrometheusUsage

    table = Table(title=f"Requests worth changing in {env.name}", title_justify="left")
    for head in ("workload", "resource", "asks for", "uses", "try", "why"):
        table.add_column(head)
    for hint in hints(PrometheusUsage(prometheus).usages(env.namespace)):
        amounts = (
            as_quantity(hint.resource, amount) for amount in (hint.requested, hint.used, hint.suggested)
        )
        table.add_row(hint.workload, hint.resource, *amounts, hint.reason)
    return table
