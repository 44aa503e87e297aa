"""`candlefish judge`: replay recorded windows through the judge, without AWS."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import click

from candlefish.analysis.model import Mode
from candlefish.bounds import fit
from candlefish.errors import InvalidInput
from cli.terminal import echo

POLICIES = Path(__file__).parents[1] / "catalog" / "policies.yaml"

_file = click.Path(path_type=Path, allow_dash=True)


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

    FILE (`-`: standard input) has a line of JSON per window, in any order, of any number of streams:

    \b
    {"stream": "a", "start": "2026-11-24T10:00:00Z", "end": "2026-11-24T10:01:00Z",
     "baseline": {"requests": 5400, "errors": 27, "slow": 54},
     "canary": {"requests": 600, "errors": 3, "slow": 6}}

    Times are RFC 3339 (UTC where there is no offset) or epoch seconds, milliseconds, microseconds or nanoseconds.
    A stream's windows follow each other, each written once. `slow` may be left out, and so may `counters` (an object
    of numbers) and `beside` (what has a whole of its own: {"at:/checkout": [300, 2]} are 2 errors among 300 requests
    of an endpoint, "over:0.25" requests slower than so many seconds among all).

    Each stream is judged on its own from its first window to its last; an early promotion does not end the watch, so
    a canary that turns bad afterwards is still rolled back.

    The exit status is 0 when every stream has its line, whatever it says; 1 when something cannot be read (one line
    says what, where and what to do; nothing is judged); 2 for options that are none.
    """
    # Small matrices are no work for several threads, which wait for each other by turning round and round.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cli import recording, replay

    if file == history:
        raise InvalidInput(
            f"{file} cannot be the recording and its history; name another file with --history"
        )
    policy = replay.read_policy(policies, name)
    windows = recording.read(file)
    past = recording.read(history) if history else None
    if past and not past.streams.keys() & windows.streams.keys():
        raise InvalidInput(
            f"{history} has no window of any stream in {file}; give both the same names of streams, "
            f"like {fit(next(iter(windows.streams)), 60)!r}"
        )
    if stream is not None and stream not in windows.streams:
        some = ", ".join(fit(each, 60) for each in islice(windows.streams, 5))
        raise InvalidInput(f"{file} has no stream {stream!r}; it has {some} ...")
    chosen_mode: Mode = "bake" if mode == "bake" else "judge"
    for line in replay.replay(policy, windows, past, chosen_mode, jobs):
        echo(line)
    if plot:
        from candlefish.analysis.judge import metrics
        from cli.judge_plot import draw

        chosen = stream if stream is not None else next(iter(windows.streams))
        before = past.windows(chosen) if past else ()
        untold = windows.untold(metrics(policy))[windows.streams[chosen]]
        draw(policy, chosen, windows.windows(chosen), before, chosen_mode, plot, untold)
        echo(f"{chosen} is drawn in {plot}", err=True)
