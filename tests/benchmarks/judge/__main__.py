"""`make bench-judge`: our judge beside its peers, on the same simulated traffic.

Writes a table, a picture and a JSON file, and fails when a promise of docs/judge.md is not kept.
"""

from __future__ import annotations

import json
import sys
import time
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from candlefish.analysis.calibration import Calibration
from candlefish.analysis.evidence import NO_HISTORY
from candlefish.analysis.judge import first_state, judge
from candlefish.analysis.model import Arm, Window
from candlefish.catalog import load
from candlefish.catalog.model import JudgePolicy
from tests.benchmarks.judge import batch, report, simulate
from tests.benchmarks.judge.batch import Counts, Decisions, Floats, Traffic
from tests.benchmarks.judge.peers import PEERS
from tests.benchmarks.judge.simulate import MODES, WINDOWS, Cell

SEED = 20261124
BASES = (0.001, 0.005, 0.01)
RATES = (60, 600, 6000)
WEIGHTS = (0.05, 0.1, 0.5)
CANARIES = (1.5, 2.0, 5.0, None)
BEGINS = (0, 20)
OURS = ("Candlefish", "Candlefish, no history")


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
        for rate in RATES[::2] if quick else RATES:
            for weight in WEIGHTS[1:] if quick else WEIGHTS:
                for base in BASES[1:2] if quick else BASES:
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
    unknown = np.tile(np.array(NO_HISTORY), (job.releases, 1))
    learned = batch.history(*simulate.history(cell, job.releases, rng))
    with np.errstate(over="ignore", invalid="ignore"):
        known, blind = batch.decide(job.policy, traffic, learned, unknown)
    rules = {OURS[0]: summary(known.rolled_back, cell), OURS[1]: summary(blind.rolled_back, cell)}
    for peer in PEERS:
        few = Traffic(*(counts[: peer.at_most] for counts in traffic))
        rules[peer.name] = summary(peer.decide(few), cell)
    for name, decisions in zip(OURS, (known, blind), strict=True):
        rules[name]["promoted"] = median(decisions.promoted, 0)
        rules[name]["promoted_share"] = float((decisions.promoted > 0).mean())
    return {
        **cell._asdict(),
        "oracle": None if cell.healthy else oracle(job.policy, traffic, cell),
        "rules": rules,
        "differs": differs(job.policy, traffic, ((learned, known), (unknown, blind))),
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
    odds = np.array([policy.margin, worse])
    evidence = np.zeros(traffic.canary_requests.shape)
    for t in range(cell.begins, WINDOWS):
        window = (counts[:, t].astype(float) for counts in traffic)
        logs = batch.log_likelihoods(*window, odds, simulate.BURST.get(cell.mode, 0.0))
        evidence[:, t] = logs[:, 1] - logs[:, 0]
    hit = evidence[:, cell.begins :].cumsum(1) >= np.log(1 / policy.alpha)
    return median(np.where(hit.any(1), hit.argmax(1) + 1, 0), 0)


def differs(policy: JudgePolicy, traffic: Traffic, told: tuple[tuple[Floats, Decisions], ...]) -> int:
    """Replay the first release through the real judge; how many decisions are not the same."""
    windows = [
        Window(
            60.0 * t,
            60.0 * t + 60,
            Arm(int(traffic.baseline_requests[0, t]), int(traffic.baseline_errors[0, t])),
            Arm(int(traffic.canary_requests[0, t]), int(traffic.canary_errors[0, t])),
        )
        for t in range(WINDOWS)
    ]
    wrong = 0
    for spread, decisions in told:
        weights = [float(one) for one in spread[0]]
        state = first_state(policy, 0.0, "judge", {"errors": Calibration(weights, weights)})
        state, _ = judge(policy, state, windows, WINDOWS * 60.0, WINDOWS * 60.0)
        rolled_back = state.rolled_back.window if state.rolled_back else 0
        promoted = state.promoted.window if state.promoted else 0
        wrong += (rolled_back, promoted) != (decisions.rolled_back[0], decisions.promoted[0])
    return wrong


@click.command()
@click.option("--quick", is_flag=True, help="A smoke test: corners of the grid, few releases, no claims.")
@click.option("--healthy", default=10_000, show_default=True, help="Releases per healthy cell.")
@click.option("--bad", default=400, show_default=True, help="Releases per cell with a regression.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option("--catalog", type=click.Path(path_type=Path), default=Path("catalog"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/bench-judge"), show_default=True)
@click.option("--again", is_flag=True, help="Only write the table and the picture anew from results.json.")
def main(quick: bool, healthy: int, bad: int, jobs: int, catalog: Path, out: Path, again: bool) -> None:
    """Compare judges on simulated releases."""
    if again:
        stored = json.loads((out / "results.json").read_text())
        quick, seconds, cells = stored["quick"], stored["seconds"], stored["cells"]
    else:
        policy = load.load(catalog).policies["default"]
        if quick:
            healthy, bad = 300, 60
        began = time.monotonic()
        cells = compare(grid(healthy, bad, policy, quick), jobs)
        seconds = time.monotonic() - began
    out.mkdir(parents=True, exist_ok=True)
    promises = report.promises(cells)
    text = report.table(cells, promises, quick, seconds)
    stored = {"seed": SEED, "quick": quick, "seconds": seconds, "promises": promises, "cells": cells}
    (out / "results.json").write_text(json.dumps(stored, indent=1) + "\n")
    (out / "table.txt").write_text(text)
    report.picture(cells, out / "judge.png")
    click.echo(text)
    click.echo(f"written: {out}/table.txt, {out}/results.json, {out}/judge.png")
    if not quick and not all(promise["kept"] for promise in promises):
        sys.exit(1)


def compare(jobs: list[Job], processes: int) -> list[dict[str, Any]]:
    """Run the jobs, in order, on so many processes."""
    cells = []
    with Pool(processes) as pool:
        for done, cell in enumerate(pool.imap(run, jobs, chunksize=4), 1):
            cells.append(cell)
            if sys.stderr.isatty():
                click.echo(f"\r{done}/{len(jobs)} cells", nl=False, err=True)
    return cells


if __name__ == "__main__":
    main()
