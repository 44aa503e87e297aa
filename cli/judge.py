"""`candlefish judge`: replay recorded windows through the judge, without AWS."""

from __future__ import annotations

from pathlib import Path

import click

from candlefish.errors import InvalidInput
from cli.terminal import echo

POLICIES = Path(__file__).parents[1] / "catalog" / "policies.yaml"

_file = click.Path(path_type=Path, dir_okay=False)


@click.command("judge")
@click.argument("file", type=_file)
@click.option(
    "--policy", "policies", type=_file, default=POLICIES, help="A policy, or a file of named policies."
)
@click.option("--name", default="default", show_default=True, help="Which of the named policies.")
@click.option(
    "--history", type=_file, help="Windows before the release (same rows): how bursty each stream is."
)
@click.option(
    "--mode",
    type=click.Choice(["judge", "bake"]),
    default="judge",
    show_default=True,
    help="`judge` may promote early; `bake` promotes what survives to the end.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes; one per core when not given.")
@click.option("--plot", type=_file, help="Draw one stream into this PNG.")
@click.option("--stream", help="The stream to draw; the first one when not given.")
def judge_command(
    file: Path,
    policies: Path,
    name: str,
    history: Path | None,
    mode: str,
    jobs: int | None,
    plot: Path | None,
    stream: str | None,
) -> None:
    """Say what the judge would have said of recorded windows: a line of JSON per stream.

    FILE has a line of JSON per window, in any order, of any number of streams:

    \b
    {"stream": "a", "start": "2026-11-24T10:00:00Z", "end": "2026-11-24T10:01:00Z",
     "baseline": {"requests": 5400, "errors": 27, "slow": 54},
     "canary": {"requests": 600, "errors": 3, "slow": 6}}

    `slow` and `counters` (an object of numbers) may be left out. Each stream is judged on its own
    from its first window to its last; an early promotion does not end the watch, so a canary that
    turns bad afterwards is still rolled back.
    """
    from cli import replay

    policy = replay.read_policy(policies, name)
    streams = replay.read(file)
    past = replay.read(history) if history else {}
    if not streams:
        raise InvalidInput(
            f"{file} holds no windows; write a line of JSON per window (candlefish judge --help)"
        )
    if stream is not None and stream not in streams:
        raise InvalidInput(f"{file} has no stream {stream!r}; it has {', '.join(list(streams)[:5])} ...")
    for line in replay.replay(policy, streams, past, "bake" if mode == "bake" else "judge", jobs):
        echo(line)
    if plot:
        from cli.judge_plot import draw

        chosen = stream if stream is not None else next(iter(streams))
        draw(
            policy, chosen, streams[chosen], past.get(chosen, ()), "bake" if mode == "bake" else "judge", plot
        )
        echo(f"{chosen} is drawn in {plot}", err=True)
