"""`candlefish lab simulate`: random days in virtual time."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.table import Table


@click.command("simulate")
@click.option("--seeds", default=20, show_default=True, help="How many days.")
@click.option("--first", default=1, show_default=True, help="The first one's seed.")
@click.option("--seed", type=int, help="Replay one day and print its timeline.")
@click.option("--workers", default=0, help="Processes; one a processor by default.")
def simulate(seeds: int, first: int, seed: int | None, workers: int) -> None:
    """Play random days of releases, alarms, nights and faults; what breaks is shrunk and can be replayed.

    The same seed gives the same bytes on any machine.
    """
    console = Console(width=110)
    broken = _replay(seed) if seed is not None else _campaign(console, range(first, first + seeds), workers)
    sys.exit(1 if broken else 0)


def _replay(seed: int) -> bool:
    from lab.simulator.day import play
    from lab.simulator.plan import draw

    outcome = play(draw(seed))
    click.echo(outcome.timeline.text(), nl=False)
    click.echo(f"sha256 {outcome.timeline.digest()}")
    return outcome.failed


def _campaign(console: Console, seeds: range, workers: int) -> bool:
    from lab.simulator import campaign
    from lab.simulator.plan import draw

    console.print(f"{len(seeds)} days from seed {seeds[0]}")

    def told(result: campaign.Result) -> None:
        if result.broken or result.seed == seeds[0] or result.seed % 25 == 0:
            how = "; ".join(f"{each.what}: {each.why}" for each in result.broken) or "all as it must be"
            console.print(f"seed {result.seed}: {how}", markup=False, highlight=False)

    done = campaign.run(seeds, told, workers)
    console.print(_summary(done))
    console.print(
        f"{done.days:.1f} days in {done.took:.0f} s: {done.days * 60 / max(done.took, 0.001):.0f} simulated days a minute, "
        f"{sum(each.events for each in done.results):,} events, "
        f"faults met: {', '.join(f'{count} {kind}' for kind, count in sorted(done.met().items()))}",
        markup=False,
        highlight=False,
    )
    for failed in done.failed[:3]:
        day = draw(failed.seed)
        outcome = campaign.smallest(day, failed.broken)
        click.echo(
            f"\nseed {failed.seed} breaks with {len(outcome.day.happenings)} of {len(day.happenings)} happenings:"
        )
        for each in outcome.day.happenings:
            click.echo(f"  {each}")
        click.echo("".join(f"  {line}\n" for line in outcome.timeline.lines[-40:]), nl=False)
        click.echo(f"replay it: make simulate SEED={failed.seed}")
    return bool(done.failed)


def _summary(done: object) -> Table:
    from lab.simulator import campaign
    from lab.simulator.site import every_stack

    assert isinstance(done, campaign.Campaign)
    states, transitions = done.covered()
    missing = campaign.uncovered(every_stack(), done)
    table = Table(title="what the days covered", title_justify="left")
    for head in ("machine", "states entered", "transitions", "visits", "never entered"):
        table.add_column(head)
    for name, machine in sorted(every_stack().machines.items()):
        every = campaign.states_of(machine.definition)
        never = missing.get(name, [])
        mine = {key: count for key, count in transitions.items() if key[0] == name}
        visits = sum(count for key, count in states.items() if key[0] == name)
        table.add_row(
            name, f"{len(every) - len(never)} of {len(every)}", str(len(mine)), str(visits), ", ".join(never)
        )
    return table
