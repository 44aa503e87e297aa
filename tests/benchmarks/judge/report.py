"""What the benchmark says: a table, the promises and whether they were kept, a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Row = dict[str, Any]

OURS = ("Candlefish", "Candlefish, no history")
FLAGGER = "Flagger, docs (threshold 10)"
# The ten minutes that Flagger's documented default takes, and a third of them, in windows.
WHOLE, THIRD = 10.0, 10 / 3
# The traffic can tell when a judge that is told everything needs no more windows than this.
TELLS = 1
# Medians in table and picture are over cells in which it needs no more than this.
SHOWN = 3
# A gross failure shows in one window when the canary gets as many requests in it.
ENOUGH = 20


def rules(cells: Sequence[Row]) -> list[str]:
    """Names of the rules compared, ours first."""
    return list(cells[0]["rules"])


def tells(cell: Row, windows: float = TELLS) -> bool:
    """Whether the traffic of a cell can tell within so many windows."""
    return cell["oracle"] is not None and cell["oracle"] <= windows


def promises(cells: Sequence[Row]) -> list[Row]:
    """The claims of docs/judge.md, with what was measured."""
    healthy = [cell for cell in cells if cell["canary"] == 1.0]
    telling = [cell for cell in cells if tells(cell)]
    gross = [cell for cell in telling if cell["canary"] is None and cell["rate"] * cell["weight"] >= ENOUGH]
    found = []
    for name in OURS:
        worst = max(healthy, key=lambda cell: _share(cell, name))
        found.append(
            {
                "promise": f"{name}: at most 1% false rollbacks in every regime",
                "measured": f"worst {_share(worst, name):.2%} in {describe(worst)}; "
                f"{_pooled(healthy, name):.3%} over all {_number(healthy, name):,} healthy releases",
                "kept": _share(worst, name) <= 0.01,
            }
        )
    within = ((OURS[0], THIRD, "a third of what"), (OURS[1], WHOLE, "what"))
    for name, limit, share in within:
        promise = (
            f"{name}: median at most {share} Flagger's documented default takes, where the traffic can tell"
        )
        found.append(_in_time(promise, telling, name, limit))
    for name in OURS:
        promise = f"{name}: one window for gross failures where it can tell and has {ENOUGH} canary requests"
        found.append(_in_time(promise, gross, name, 1.0))
    wrong = sum(cell["differs"] for cell in cells)
    found.append(
        {
            "promise": "the benchmark's arithmetic decides like the product's judge",
            "measured": f"{wrong} of {2 * len(cells):,} replayed decisions differ",
            "kept": wrong == 0,
        }
    )
    return found


def _in_time(promise: str, cells: Sequence[Row], name: str, limit: float) -> Row:
    slow = [cell for cell in cells if _late(cell, name) > limit]
    measured = f"{len(cells) - len(slow)} of {len(cells)} cells"
    if slow:
        slowest = max(slow, key=lambda cell: _late(cell, name))
        measured += f"; slowest {_late(slowest, name):g} in {describe(slowest)}"
    return {"promise": promise, "measured": measured, "kept": not slow}


def describe(cell: Row) -> str:
    """A cell in words."""
    size = {1.0: "healthy", None: "50% errors"}.get(cell["canary"], f"{cell['canary']}x")
    begins = f" from window {cell['begins'] + 1}" if cell["begins"] else ""
    return f"{cell['mode']}, {cell['rate']}/min, weight {cell['weight']:.0%}, base {cell['base']:.1%}, {size}{begins}"


def table(cells: Sequence[Row], kept: Sequence[Row], quick: bool, seconds: float) -> str:
    """The report as text."""
    names = rules(cells)
    width = max(map(len, names)) + 2
    lines = [f"Judges on the same simulated traffic: {len(cells):,} cells, {seconds:.0f} s"]
    if quick:
        lines.append("QUICK: a smoke test with few releases; nothing below is a claim.")
    lines += [
        "",
        "False rollbacks of a healthy canary (60 windows of a minute): all cells of a regime, worst cell",
    ]
    modes = sorted({cell["mode"] for cell in cells}, key=[cell["mode"] for cell in cells].index)
    lines.append(" " * width + "".join(f"{mode:>18}" for mode in modes))
    for name in names:
        row = ""
        for mode in modes:
            healthy = [cell for cell in cells if cell["mode"] == mode and cell["canary"] == 1.0]
            worst = max(_share(cell, name) for cell in healthy)
            row += f"{_pooled(healthy, name):>9.2%}{worst:>9.2%}"
        lines.append(f"{name:<{width}}{row}")
    for title, burst in (
        ("even traffic (steady, swing, spike)", False),
        ("bursty arms (cv2 0.1 and 1)", True),
    ):
        lines += ["", f"Windows from the start of the regression to the rollback, {title}:"]
        lines.append(f"median over the cells where the oracle needs at most {SHOWN} windows; - is never;")
        lines.append("in brackets the share of all cells' releases that were rolled back within the hour")
        sizes = [(size, begins) for begins in (0, 20) for size in (1.5, 2.0, 5.0, None)]
        heads = [
            f"{'50%' if size is None else f'{size:g}x'}{' late' if begins else ''}" for size, begins in sizes
        ]
        lines.append(" " * width + "".join(f"{head:>12}" for head in heads))
        for name in ("oracle", *names):
            row = ""
            for size, begins in sizes:
                some = [
                    cell
                    for cell in cells
                    if (cell["canary"], cell["begins"]) == (size, begins)
                    and cell["mode"].startswith("bursts") == burst
                ]
                row += _entry(some, name)
            lines.append(f"{name:<{width}}{row}")
    lines += [
        "",
        "Early promotion of a healthy canary: share within the hour, and median window where it comes",
    ]
    for name in OURS:
        row = ""
        for mode in modes:
            healthy = [cell for cell in cells if cell["mode"] == mode and cell["canary"] == 1.0]
            share = sum(cell["rules"][name]["promoted_share"] for cell in healthy) / len(healthy)
            came = [cell["rules"][name]["promoted"] for cell in healthy if cell["rules"][name]["promoted"]]
            row += f"{share:>11.0%}{(f'{median(came):g}' if came else '-'):>7}"
        lines.append(f"{name:<{width}}{row}")
    lines += [
        "",
        "Where a peer is better: faster by a window or more, at no more than 1% false rollbacks there",
    ]
    lines += _better(cells) or ["nowhere on this grid"]
    lines += ["", "Promises"]
    lines += [
        f"{'kept' if one['kept'] else 'NOT KEPT':<9}{one['promise']}: {one['measured']}" for one in kept
    ]
    return "\n".join(lines) + "\n"


def picture(cells: Sequence[Row], path: Path) -> None:
    """False rollbacks and time to roll back, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = rules(cells)
    colours = [
        "#0b6e4f",
        "#6fb98f",
        "#c9503c",
        "#e39b8f",
        "#c98a1b",
        "#e8c98a",
        "#2f5d9b",
        "#8fb0dc",
        "#7a5195",
        "#222222",
        "#8c6d31",
        "#cedb9c",
        "#e7969c",
        "#9c9ede",
    ]
    figure, (left, right) = plt.subplots(1, 2, figsize=(15, 8), gridspec_kw={"width_ratios": [1, 1.2]})
    modes = sorted({cell["mode"] for cell in cells}, key=[cell["mode"] for cell in cells].index)
    height = 0.8 / len(names)
    for index, name in enumerate(names):
        shares = []
        for mode in modes:
            healthy = [cell for cell in cells if cell["mode"] == mode and cell["canary"] == 1.0]
            shares.append(max(max(_share(cell, name) for cell in healthy), 1e-4))
        at = [place - 0.4 + height * (index + 0.5) for place in range(len(modes))]
        left.barh(at, shares, height=height * 0.9, color=colours[index], label=name)
    left.set_xscale("log")
    left.set_xlim(1e-4, 1.3)
    left.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["none", "0.1%", "1%", "10%", "100%"])
    left.axvline(0.01, color="black", linewidth=1, linestyle="--")
    left.set_yticks(range(len(modes)), modes)
    left.invert_yaxis()
    left.set_title("Healthy canaries rolled back\n(worst traffic and weight of each regime)", fontsize=11)
    never = 75
    for index, name in enumerate(names):
        even = [cell for cell in cells if "bursts" not in cell["mode"]]
        false = max(_pooled([cell for cell in even if cell["canary"] == 1.0], name), 1e-5)
        late = []
        for size, marker in ((2.0, "^"), (5.0, "o"), (None, "s")):
            some = [c for c in even if c["canary"] == size and not c["begins"] and tells(c, SHOWN)]
            if some:
                late.append(min(median(_late(cell, name) for cell in some), never))
                right.plot([false], [late[-1]], marker, color=colours[index], ms=8)
        right.plot([false] * len(late), late, color=colours[index], linewidth=1, alpha=0.6)
    right.set_xscale("log")
    right.set_xlim(6e-6, 1.5)
    right.set_xticks([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1], ["0.001%", "0.01%", "0.1%", "1%", "10%", "100%"])
    right.axvline(0.01, color="black", linewidth=1, linestyle="--")
    right.set_yscale("log")
    right.set_yticks([1, 2, 3, 5, 10, 20, 40, never], ["1", "2", "3", "5", "10", "20", "40", "never"])
    right.minorticks_off()
    right.axhline(THIRD, color="black", linewidth=1, linestyle="--")
    right.text(7e-6, THIRD * 1.06, "a third of Flagger's documented default", fontsize=8)
    right.set_xlabel("healthy canaries rolled back (all traffic and weights)")
    right.set_title(
        "Minutes to roll back a bad canary, against what it costs\n"
        "(median, even traffic; triangle 2x errors, circle 5x, square half of all requests)",
        fontsize=11,
    )
    for axis in (left, right):
        axis.grid(axis="both", alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*left.get_legend_handles_labels(), fontsize=9, loc="lower center", ncols=5, frameon=False)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _entry(cells: Sequence[Row], name: str) -> str:
    if not cells:
        return f"{'':>12}"
    telling = [cell for cell in cells if tells(cell, SHOWN)]
    if name == "oracle":
        shown = f"{median(cell['oracle'] for cell in telling):g}" if telling else "·"
        return f"{shown:>5}{'':>7}"
    late = median(_late(cell, name) for cell in telling) if telling else None
    shares = [cell["rules"][name]["found"] for cell in cells if cell["rules"][name]["found"] is not None]
    share = f"({sum(shares) / len(shares):.0%})" if shares else ""
    shown = "·" if late is None else ("-" if late == float("inf") else f"{late:g}")
    return f"{shown:>5}{share:>7}"


def _better(cells: Sequence[Row]) -> list[str]:
    """Cells in which a peer that keeps to 1% false rollbacks is faster than we are."""
    healthy = {_place(cell): cell for cell in cells if cell["canary"] == 1.0}
    lines = []
    for name in rules(cells):
        if name in OURS:
            continue
        ahead = []
        for cell in cells:
            if cell["canary"] == 1.0 or _share(healthy[_place(cell)], name) > 0.01:
                continue
            gap = _late(cell, OURS[0]) - _late(cell, name)
            if gap >= 1:
                ahead.append((gap, cell))
        if ahead:
            gap, most = max(ahead, key=lambda pair: pair[0])
            shown = "never" if _late(most, OURS[0]) == float("inf") else f"{_late(most, OURS[0]):g}"
            lines.append(
                f"{name}: in {len(ahead)} cells; most in {describe(most)}: {_late(most, name):g} against {shown}"
            )
    return lines


def _place(cell: Row) -> tuple[Any, ...]:
    return cell["mode"], cell["rate"], cell["weight"], cell["base"]


def _share(cell: Row, name: str) -> float:
    return float(cell["rules"][name]["false"] / cell["rules"][name]["releases"])


def _pooled(cells: Iterable[Row], name: str) -> float:
    some = list(cells)
    return float(sum(cell["rules"][name]["false"] for cell in some) / _number(some, name))


def _number(cells: Iterable[Row], name: str) -> int:
    return sum(cell["rules"][name]["releases"] for cell in cells)


def _late(cell: Row, name: str) -> float:
    value = cell["rules"][name].get("median")
    return float("inf") if value is None else float(value)
