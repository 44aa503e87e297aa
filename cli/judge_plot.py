"""A picture of one stream: rates with their intervals, evidence against its threshold, the decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Any

from candlefish.analysis import evidence
from candlefish.analysis.calibration import pair_of
from candlefish.analysis.counts import wilson
from candlefish.analysis.judge import judge, metrics, threshold, total_evidence
from candlefish.analysis.model import Arm, Mode, Verdict, Window
from candlefish.catalog.model import JudgePolicy
from cli.replay import decided, opening

BASELINE, CANARY, BAD, GOOD = "#5b6770", "#2f5d9b", "#c0392b", "#0b6e4f"


def draw(
    policy: JudgePolicy,
    name: str,
    windows: Sequence[Window],
    past: Sequence[Window],
    mode: Mode,
    path: Path,
    untold: Sequence[str] = (),
) -> None:
    """Draw a stream into a PNG; `untold` are the metrics that it never tells."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.dates import DateFormatter

    state, verdict = decided(policy, windows, past, mode, untold)
    moment = state.rolled_back or state.promoted
    tells = verdict.evidence["metric"]
    times = [datetime.fromtimestamp(window.end, UTC) for window in windows]
    trail, favour = _trail(policy, windows, past, mode)
    figure, (rates, scale) = plt.subplots(2, 1, figsize=(11, 7.5), sharex=True, height_ratios=[1.3, 1])

    for side, colour in (("baseline", BASELINE), ("canary", CANARY)):
        shares = [share_of(getattr(window, side), tells) for window in windows]
        rates.fill_between(
            times,
            [100 * low for _, low, _ in shares],
            [100 * high for _, _, high in shares],
            color=colour,
            alpha=0.18,
            lw=0,
        )
        rates.plot(
            times, [100 * middle for middle, _, _ in shares], color=colour, marker="o", ms=3, label=side
        )
    rates.set_ylabel(f"{tells}, %" if ":" in tells else f"{tells}, % of requests")
    rates.set_ylim(bottom=0)
    rates.legend(loc="upper left", frameon=False)

    scale.axhline(threshold(policy), color=BAD, ls="--", lw=1)
    scale.text(
        times[0],
        threshold(policy) * 1.15,
        f"rolls back at {threshold(policy):,.0f} to 1",
        color=BAD,
        fontsize=9,
    )
    scale.plot(
        times[: len(trail)], trail, color=BAD, marker="o", ms=3, label="evidence that the canary is worse"
    )
    scale.axhline(1 / policy.promote_alpha, color=GOOD, ls=":", lw=1)
    scale.plot(
        times[: len(favour)],
        favour,
        color=GOOD,
        lw=1.2,
        label="evidence that it is tolerable (weakest metric)",
    )
    scale.set_yscale("log")
    scale.set_ylim(1e-2, max(1e4, threshold(policy) * 10, *(min(value, 1e9) for value in trail)))
    scale.set_ylabel("evidence, to 1")
    scale.legend(loc="lower left", frameon=False, fontsize=9)

    _mark(figure, (rates, scale), verdict, moment.at if moment else None)
    figure.suptitle(f"{name}: {verdict.action}", x=0.01, ha="left", fontsize=14, weight="bold")
    rates.set_title(fill(verdict.reason, 125), loc="left", fontsize=9, color="#333333")
    for axis in (rates, scale):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.2)
    scale.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=UTC))  # type: ignore[no-untyped-call]
    scale.set_xlabel("UTC")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def share_of(arm: Arm, stream: str) -> tuple[float, float, float]:
    """The share of a stream that was bad with Wilson's 95% interval; the whole range where there was none of it."""
    much, bad = pair_of(arm, stream)
    return (bad / much, *wilson(bad, much)) if much else (float("nan"), 0.0, 1.0)


def _trail(
    policy: JudgePolicy, windows: Sequence[Window], past: Sequence[Window], mode: Mode
) -> tuple[list[float], list[float]]:
    """Evidence after each window, against and in favour."""
    state = opening(policy, windows, past, mode)
    found, favour = [], []
    for window in windows:
        state, _ = judge(policy, state, [window], window.end, windows[-1].end + 1)
        found.append(total_evidence(state))
        weakest = min(evidence.in_favour(state.metrics[name]) for name in metrics(policy))
        favour.append(max(1e-2, weakest))
        if state.rolled_back:
            break
    return found, favour


def _mark(figure: Any, axes: Sequence[Any], verdict: Verdict, at: float | None) -> None:
    if at is None:
        return
    colour = BAD if verdict.action == "rollback" else GOOD
    for axis in axes:
        axis.axvline(datetime.fromtimestamp(at, UTC), color=colour, lw=1.5, alpha=0.7)
    axes[0].annotate(
        verdict.action,
        (datetime.fromtimestamp(at, UTC), 0.92),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
        color=colour,
        weight="bold",
    )
