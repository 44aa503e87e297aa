"""`make bench-judge`: our judge beside its peers, on the same simulated traffic.

Writes a table, a picture and a JSON file, and fails when a promise of docs/judge.md is not kept.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from candlefish.catalog import load
from candlefish.catalog.model import JudgePolicy
from cli.many.likelihoods import log_likelihoods
from tests.benchmarks.judge import ours, regimes, report, simulate
from tests.benchmarks.judge.counts import Counts, Stream, Traffic
from tests.benchmarks.judge.peers import PEERS
from tests.benchmarks.judge.peers_sequential import PEERS_SEQUENTIAL
from tests.benchmarks.judge.regimes import OURS
from tests.benchmarks.judge.simulate import MODES, WINDOWS, Cell
from tests.benchmarks.judge.worlds import silent

SEED = 20261124
BASES = (0.001, 0.01)
RATES = (60, 6000)
WEIGHTS = (0.1,)
CANARIES = (1.5, 2.0, 5.0, None)
BEGINS = (0, 20)


class Job(NamedTuple):
    """One cell and how many releases of it."""

    cell: Cell
    releases: int
    seed: int
    policy: JudgePolicy


def grid(healthy: int, bad: int, policy: JudgePolicy, quick: bool) -> list[Job]:
    """Every cell of the grid; `quick` keeps the corners."""
    cells = []
    for mode in MODES:
        for rate in RATES:
            for weight in WEIGHTS:
                for base in BASES[1:] if quick else BASES:
                    cells.append(Cell(mode, rate, weight, base))
                    for canary in CANARIES:
                        cells += [Cell(mode, rate, weight, base, canary, begins) for begins in BEGINS]
    return [
        Job(cell, healthy if cell.healthy else bad, SEED + number, policy)
        for number, cell in enumerate(cells)
    ]


def run(job: Job) -> dict[str, Any]:
    """All rules on one cell: share of rollbacks before the regression, and windows to a rollback after it."""
    cell = job.cell
    rng = np.random.default_rng(job.seed)
    traffic = simulate.releases(cell, job.releases, rng)
    stream = Stream(*traffic, *simulate.history(cell, job.releases, rng))
    streams = {"errors": stream, "slow": silent(stream)}
    rules, wrong = {}, 0
    for name, history in zip(OURS, (True, False), strict=True):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            decisions = ours.decide(job.policy, streams, history=history)
        rules[name] = summary(decisions.rolled_back, cell)
        rules[name]["promoted"] = median(decisions.promoted, 0)
        rules[name]["promoted_share"] = float((decisions.promoted > 0).mean())
        wrong += ours.differs(job.policy, streams, decisions, history=history)
    for peer in (*PEERS, *PEERS_SEQUENTIAL):
        few = Traffic(*(counts[: peer.at_most] for counts in traffic))
        rules[peer.name] = summary(peer.decide(few), cell)
    return {
        **cell._asdict(),
        "oracle": None if cell.healthy else oracle(job.policy, traffic, cell),
        "rules": rules,
        "differs": wrong,
    }


def summary(rolled_back: Counts, cell: Cell) -> dict[str, Any]:
    """Share rolled back without a reason, and median windows from the regression to the rollback."""
    number = len(rolled_back)
    if cell.healthy:
        return {"releases": number, "false": int((rolled_back > 0).sum())}
    early = (rolled_back > 0) & (rolled_back <= cell.begins)
    return {
        "releases": number,
        "false": int(early.sum()),
        "found": float((rolled_back[~early] > 0).mean()) if not early.all() else None,
        "median": median(rolled_back[~early], cell.begins),
    }


def median(windows: Counts, begins: int) -> float | None:
    """Median of windows after `begins`; None when half or more never came."""
    if not len(windows):
        return None
    middle = float(np.median(np.where(windows > 0, windows - begins, 10**6)))
    return middle if middle <= WINDOWS else None


def oracle(policy: JudgePolicy, traffic: Traffic, cell: Cell) -> float | None:
    """Median windows of a judge that is told everything but which of the two it is.

    Wald's sequential test with the same alpha and margin, told the burstiness, the size of the
    regression and the minute it begins. Like ours it compares arms minute by minute, since what
    both share may move at any time. No such judge is much faster.
    """
    worse = (1 - cell.base) / cell.base if cell.canary is None else cell.canary
    odds = [policy.margin, worse]
    evidence = np.zeros(traffic.canary_requests.shape)
    for t in range(cell.begins, WINDOWS):
        window = (counts[:, t].astype(float) for counts in traffic)
        n_a, k_a, n_b, k_b = window
        told = (n_a > 0) & (n_b > 0) & (k_a + k_b > 0) & (k_a + k_b < n_a + n_b)
        if told.any():
            burst = simulate.BURST.get(cell.mode, 0.0)
            logs = log_likelihoods(n_a[told], k_a[told], n_b[told], k_b[told], odds, burst)
            evidence[told, t] = logs[:, 1] - logs[:, 0]
    hit = evidence[:, cell.begins :].cumsum(1) >= np.log(1 / policy.alpha)
    return median(np.where(hit.any(1), hit.argmax(1) + 1, 0), 0)


@click.command()
@click.option("--quick", is_flag=True, help="A smoke test: corners of the grid, few releases, no claims.")
@click.option(
    "--healthy", default=10_000, show_default=True, help="Releases where false rollbacks are counted."
)
@click.option("--bad", default=2000, show_default=True, help="Releases per cell otherwise, and in the grid.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option("--catalog", type=click.Path(path_type=Path), default=Path("catalog"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/bench-judge"), show_default=True)
@click.option("--again", is_flag=True, help="Only write the table and the picture anew from results.json.")
def main(quick: bool, healthy: int, bad: int, jobs: int, catalog: Path, out: Path, again: bool) -> None:
    """Compare judges on simulated releases."""
    if again:
        stored = json.loads((out / "results.json").read_text())
        quick, seconds, cells = stored["quick"], stored["seconds"], stored["cells"]
        rows = stored["regimes"]
    else:
        policy = load.load(catalog).policies["default"]
        if quick:
            healthy, bad = 300, 60
        began = time.monotonic()
        rows = compare(regimes.run, regimes.jobs(healthy, bad, SEED, policy), jobs)
        cells = compare(run, grid(bad, bad, policy, quick), jobs)
        seconds = time.monotonic() - began
    out.mkdir(parents=True, exist_ok=True)
    promises = [*regimes.promises(rows), *report.promises(cells)]
    text = regimes.table(rows) + report.table(cells, promises, quick, seconds)
    stored = {
        "seed": SEED,
        "quick": quick,
        "seconds": seconds,
        "promises": promises,
        "regimes": rows,
        "cells": cells,
    }
    (out / "results.json").write_text(json.dumps(stored, indent=1) + "\n")
    (out / "table.txt").write_text(text)
    report.picture(cells, out / "judge.png")
    click.echo(text)
    click.echo(f"written: {out}/table.txt, {out}/results.json, {out}/judge.png")
    if not quick and not all(promise["kept"] for promise in promises):
        sys.exit(1)


def compare(
    run: Callable[[Any], dict[str, Any]], jobs: Sequence[Any], processes: int
) -> list[dict[str, Any]]:
    """Run the jobs, in order, on so many processes."""
    cells = []
    with Pool(processes) as pool:
        for done, cell in enumerate(pool.imap(run, jobs), 1):
            cells.append(cell)
            if sys.stderr.isatty():
                click.echo(f"\r{done}/{len(jobs)} cells", nl=False, err=True)
    return cells


if __name__ == "__main__":
    main()
