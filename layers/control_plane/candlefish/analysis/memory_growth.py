"""Memory that only grows: when it will reach its limit, and what that means for a promotion. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from candlefish.analysis.model import Verdict, Window, hold_or_ask

# Points that are kept, and that a forecast rests on at least.
KEPT, LEAST = 60, 12
# Growth is one when it is this share of the limit, when no more than this share of the steps fall, and when its second
# half is no flatter than this share of the whole: caches and heaps fill once.
SHARE, FALLS, FLATTER = 0.05, 0.2, 0.6

# A moment (epoch seconds), and the memory used and allowed then (bytes).
Point = tuple[float, int, int]


class RunsOut(NamedTuple):
    """Bytes a second, and in how many seconds the limit is reached."""

    rate: float
    left: float


def points_after(points: Sequence[Point], windows: Sequence[Window]) -> list[Point]:
    """The canary's memory after these windows; a limit that changed begins anew."""
    found = [*points, *((w.end, *w.canary.memory) for w in windows if w.canary.memory[1])]
    return [point for point in found if point[2] == found[-1][2]][-KEPT:]


def runs_out(points: Sequence[Point]) -> RunsOut | None:
    """When memory that only grows will reach its limit; nothing when it does not grow, or flattens."""
    if len(points) < LEAST:
        return None
    whole, later = _slope(points), _slope(points[len(points) // 2 :])
    _, used, limit = points[-1]
    falls = sum(after[1] < before[1] for before, after in pairwise(points))
    grew = whole * (points[-1][0] - points[0][0])
    if grew < SHARE * limit or later < FLATTER * whole or falls > FALLS * len(points):
        return None
    return RunsOut(whole, max(0.0, limit - used) / whole)


def unless_memory_runs_out(
    verdict: Verdict, points: Sequence[Point], horizon: float, *, over: bool
) -> Verdict:
    """The verdict; "hold" ("ask" when `over`) in place of a promotion whose memory runs out within `horizon` seconds."""
    found = runs_out(points)
    if verdict.action not in ("promote", "continue", "hold") or found is None or found.left > horizon:
        return verdict
    reason = (
        f"the canary's memory only grows, by {found.rate * 60 / 1e6:.1f} MB a minute, and reaches its limit of "
        f"{points[-1][2] / 1e6:.0f} MB in {found.left / 60:.0f} minutes, within its rollback window: look for a leak, or "
        f"raise the limit. Otherwise: {verdict.reason}"
    )
    action = hold_or_ask(over) if verdict.action == "promote" else verdict.action
    numbers = {"bytes_a_second": round(found.rate), "seconds_left": round(found.left)}
    return msgspec.structs.replace(
        verdict, action=action, reason=reason, evidence={**verdict.evidence, "memory": numbers}
    )


def _slope(points: Sequence[Point]) -> float:
    """Bytes a second, by least squares."""
    middle = sum(at for at, _, _ in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _, _ in points)
    return sum((at - middle) * used for at, used, _ in points) / spread if spread else 0.0
