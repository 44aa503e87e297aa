"""`candlefish lab simulate`: random days of the whole product in virtual time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from lab.simulator.campaign import Campaign, Result

# Failing days that are shrunk and told; the others are named.
TOLD = 3
LAST_LINES = 30
# Seeds that a sabotage may take.
HUNTED = 200


@click.command("simulate")
@click.option("--seeds", default=20, show_default=True, help="How many days.")
@click.option("--first", default=1, show_default=True, help="The first one's seed.")
@click.option("--seed", type=int, help="Replay one day and print its timeline.")
@click.option("--workers", default=0, help="Processes; one a processor by default.")
@click.option(
    "--sabotage", is_flag=True, help="Take away what is guarded against, one by one: the days must notice."
)
@click.option("--services", default=0, help="Instead: an account with so many services, and quotas.")
@click.option("--releases", default=200, show_default=True, help="How many of them are released at once.")
def simulate(
    seeds: int,
    first: int,
    seed: int | None,
    workers: int,
    sabotage: bool,
    services: int,
    releases: int,
) -> None:
    """Play random days of releases, alarms, nights, failovers and faults, and look at the invariants.

    The same seed gives the same bytes on any machine. A day that breaks something is shrunk to the fewest
    happenings that still break it, and told with how to replay it.
    """
    console = Console()
    if services:
        well = _grow(console, services, min(releases, services))
    elif sabotage:
        well = _hunt(console, workers)
    elif seed is not None:
        well = _replay(seed)
    else:
        well = _play(console, range(first, first + seeds), workers)
    sys.exit(0 if well else 1)


def _grow(console: Console, services: int, releases: int) -> bool:
    from lab.simulator.growth import LATENCY, grow

    done = grow(services, releases)
    table = Table(title="requests to AWS", title_justify="left")
    for head in ("action", "let through", "throttled"):
        table.add_column(head)
    for action in sorted({*done.requests, *done.throttled}):
        table.add_row(action, str(done.requests.get(action, 0)), str(done.throttled.get(action, 0)))
    console.print(table)
    table = Table(title="who was throttled", title_justify="left")
    for head in ("function", "sent again", "given up"):
        table.add_column(head)
    for function in sorted({*done.waited, *done.gave_up}):
        table.add_row(function, str(done.waited.get(function, 0)), str(done.gave_up.get(function, 0)))
    console.print(table)
    click.echo(
        f"{done.services} services behind {done.listeners} load balancers; {done.in_flight} releases in flight when "
        f"{done.rollbacks} were taken back at once; {LATENCY} s a call; {done.took:.0f} s on this machine"
    )
    slowest = max(done.restored_after, default=0.0)
    click.echo(f"users were back {slowest:.1f} s after the slowest rollback's function began")
    click.echo(f"the reconciler's longest look took {max(done.looks, default=0.0):.1f} s of its minute")
    wrong = list(done.wrong())
    for each in wrong:
        click.echo(f"WRONG: {each}")
    return not wrong


def _replay(seed: int) -> bool:
    from lab.simulator.day import play
    from lab.simulator.plan import draw

    outcome = play(draw(seed))
    click.echo(outcome.timeline.text(), nl=False)
    click.echo(f"sha256 {outcome.timeline.digest()}")
    return not outcome.broken


def _play(console: Console, seeds: range, workers: int) -> bool:
    from lab.simulator import campaign

    click.echo(f"playing {len(seeds)} days, seeds {seeds[0]} to {seeds[-1]}")

    def told(result: Result) -> None:
        if result.broken or (result.seed - seeds[0] + 1) % 25 == 0:
            how = "; ".join(f"{each.what}: {each.why}" for each in result.broken) or "as it must be so far"
            click.echo(f"seed {result.seed}: {how}")

    done = campaign.run(seeds, told, workers)
    console.print(_covered(done))
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(done.met().items()))
    click.echo(
        f"{done.days:.1f} simulated days in {done.took:.0f} s, {done.pace:.0f} a minute; {done.events:,} events"
    )
    click.echo(f"faults met: {faults}")
    for failed in done.failed[:TOLD]:
        _tell(failed)
    click.echo(f"{len(done.results) - len(done.failed)} days as they must be, {len(done.failed)} not")
    return not done.failed


def _tell(failed: Result) -> None:
    from lab.simulator import campaign
    from lab.simulator.plan import draw

    day = draw(failed.seed)
    least = campaign.smallest(day, failed.broken)
    click.echo(
        f"\nseed {failed.seed} breaks with {len(least.day.happenings)} of its {len(day.happenings)} happenings:"
    )
    for each in least.day.happenings:
        click.echo(f"  {each}")
    for line in least.timeline.lines[-LAST_LINES:]:
        click.echo(f"  {line}")
    click.echo(f"replay it: make simulate SEED={failed.seed}")


def _covered(done: Campaign) -> Table:
    from lab.simulator import campaign
    from lab.simulator.deployment import every_stack

    covered = done.covered()
    table = Table(title="what the days covered", title_justify="left")
    for head in ("machine", "states", "transitions", "visits", "never entered"):
        table.add_column(head)
    for machine in campaign.machines_of(every_stack()):
        every, ways = list(machine.definition.flow.every()), machine.definition.transitions()
        never, not_gone = covered.missing(machine)
        table.add_row(
            machine.name,
            f"{len(every) - len(never)} of {len(every)}",
            f"{len(ways) - len(not_gone)} of {len(ways)}",
            str(sum(count for (name, _), count in covered.states.items() if name == machine.name)),
            ", ".join(never),
        )
    return table


def _hunt(console: Console, workers: int) -> bool:
    from lab.simulator.sabotage import SABOTAGES, hunt

    table = Table(title="what was taken away, and which day noticed", title_justify="left")
    for head in ("taken away", "seeds needed", "what broke"):
        table.add_column(head)
    found = True
    for name in SABOTAGES:
        click.echo(f"without: {name}")
        hunted = hunt(name, HUNTED, workers=workers)
        found = found and hunted.seeds > 0
        table.add_row(name, str(hunted.seeds or f"not within {HUNTED}"), hunted.broken)
    console.print(table)
    return found
