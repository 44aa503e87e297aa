"""`candlefish cost`: spent, forecast, target and saved for each environment, as text and a chart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from candlefish.adapters.aws.cost_explorer import REGION, CostExplorer
from candlefish.adapters.aws.nodegroups import Nodegroups
from candlefish.adapters.table.bills import DynamoBills
from candlefish.catalog.load import load
from candlefish.catalog.model import Environment
from candlefish.cost.hints import as_quantity, hints, spot_share
from candlefish.cost.review_costs import BACK
from candlefish.errors import ControlPlaneError
from candlefish.views.model import CostView
from cli.options import CATALOG
from cli.screen.cost import cost_lines
from cli.screen.printing import show, width
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, echo
from cli.views import Views

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPENT, AHEAD, SAVED, TARGET = "#2a7f9e", "#a8cfdd", "#7fb069", "#c8553d"
console = PlainConsole()


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
    """Show what environments cost this month, will have cost at its end, and saved by sleeping.

    Several environments are several documents.
    """
    catalog = load(CATALOG)
    asked = names or sorted(catalog.environments)
    seen: list[CostView] = []
    for name in asked:
        env = catalog.environment(name)
        stack = Stack(name, env.region)
        try:
            if fetch:
                _fetch(stack, tag, time.time())
            seen.append(Views(stack).cost())
        except ControlPlaneError as error:
            if not seen and name == asked[-1]:
                raise
            echo(f"{name}: {error}", err=True)
            continue
        if as_json:
            document(seen[-1])
        else:
            _show(stack, env, seen[-1], prometheus)
    if plot and seen:
        draw(seen, plot)
        echo(f"Drawn into {plot}.", err=as_json)


def _fetch(stack: Stack, tag: str, now: float) -> None:
    """Ask Cost Explorer, and keep what it says as the daily review does."""
    today = datetime.fromtimestamp(now, UTC).date()
    explorer = CostExplorer(stack.client_in("ce", REGION), tag)
    bills = DynamoBills(stack.client("dynamodb"), stack.table, stack.environment)
    bills.keep(explorer.daily((today - BACK).replace(day=1), today, now))


def _show(stack: Stack, env: Environment, view: CostView, prometheus: str) -> None:
    show(cost_lines(view, width(), time.time(), None))
    if view.spent is None:
        echo(f"    to ask Cost Explorer now, for a cent a page: candlefish cost -e {env.name} --fetch")
    share = spot_share(Nodegroups(stack.client("eks"), env.cluster).describe())
    if share.share is not None:
        echo(f"    {share.spot} of {share.nodes} nodes in nodegroups are spot ({share.share:.0%})")
    if prometheus:
        console.print(hints_view(prometheus, env))


def draw(views: Sequence[CostView], file: Path) -> None:
    """Spent, forecast, target and saved, an environment each, and the days of the month below."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 7), height_ratios=(1, 1.2), layout="constrained")
    _bars(above, views)
    month = max(view.month for view in views)
    for view in views:
        below.plot(
            [int(each.day[8:]) for each in view.days],
            [each.spent for each in view.days],
            marker=".",
            label=view.environment,
        )
    below.set(title="Each day", xlabel="day of the month (UTC)", ylabel="US dollars", xlim=(0.5, 31.5))
    below.set_ylim(bottom=0)
    below.legend(frameon=False)
    figure.suptitle(f"Costs in {month}")
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _bars(axes: Axes, views: Sequence[CostView]) -> None:
    # Labels that stand in the legend already begin with an underscore, which leaves them out.
    for row, view in enumerate(views):
        spent, total = view.spent or 0.0, view.forecast or 0.0
        first = "" if row == 0 else "_"
        axes.barh(row, spent, color=SPENT, label=f"{first}spent")
        axes.barh(row, total - spent, left=spent, color=AHEAD, label=f"{first}still to come")
        if view.saved:
            axes.barh(
                row,
                view.saved,
                left=total,
                color="none",
                edgecolor=SAVED,
                hatch="///",
                label="saved by sleeping so far",
            )
        if view.likely_low is not None and view.likely_high is not None:
            axes.errorbar(
                total,
                row,
                xerr=[[total - view.likely_low], [view.likely_high - total]],
                color="black",
                capsize=3,
            )
        if view.high is not None:
            axes.plot(
                [view.high] * 2, [row - 0.42, row + 0.42], color=TARGET, linewidth=2, label=f"{first}target"
            )
    axes.set_yticks(range(len(views)), [view.environment for view in views])
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
