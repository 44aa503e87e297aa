"""How long `candlefish judge` takes for 10,000 streams of 60 windows on two cores."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np

from tests.benchmarks.judge import simulate
from tests.benchmarks.judge.simulate import WINDOWS, Cell


def record(file: Path, streams: int) -> None:
    """Write streams of all kinds: three loads, three weights, good and bad, each with slow requests."""
    rng = np.random.default_rng(1)
    times = [f"2026-11-24T{10 + t // 60}:{t % 60:02}:00Z" for t in range(WINDOWS + 1)]
    with file.open("w") as out:
        for number, rate in enumerate((60, 600, 6000)):
            for weight in (0.05, 0.1, 0.5):
                for canary in (1.0, 3.0):
                    cell = Cell("steady", rate, weight, 0.005, canary)
                    traffic = simulate.releases(cell, -(-streams // 18), rng)
                    slow = [rng.binomial(traffic[at], 0.01) for at in (0, 2)]
                    for row in range(traffic[0].shape[0]):
                        for t in range(WINDOWS):
                            baseline = _arm(traffic[0][row, t], traffic[1][row, t], slow[0][row, t])
                            arm = _arm(traffic[2][row, t], traffic[3][row, t], slow[1][row, t])
                            out.write(
                                f'{{"stream":"{number}-{weight}-{canary}-{row}","start":"{times[t]}",'
                                f'"end":"{times[t + 1]}","baseline":{baseline},"canary":{arm}}}\n'
                            )


def _arm(requests: int, errors: int, slow: int) -> str:
    return f'{{"requests":{requests},"errors":{errors},"slow":{slow}}}'


@click.command()
@click.option("--streams", default=10_000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/bench-judge"), show_default=True)
def main(streams: int, out: Path) -> None:
    """Record streams, replay them, print how long that took; fail when one is missing."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "replay.jsonl"
    record(file, streams)
    command = [sys.executable, "-m", "cli", "judge", str(file), "--jobs", "2"]
    began = time.monotonic()
    told = subprocess.run(command, capture_output=True, check=True)
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    lines = told.stdout.count(b"\n")
    click.echo(
        f"replayed {lines:,} streams of {WINDOWS} windows in {seconds:.1f} s "
        f"({cpu:.1f} s of CPU on 2 of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})"
    )
    file.unlink()
    if lines < streams:
        sys.exit(1)


if __name__ == "__main__":
    main()
