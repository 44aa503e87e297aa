"""Whether traffic has left a slot: configuration is not traffic, so it is measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from candlefish.analysis.model import Window

# Clean windows in a row that count as proof.
QUIET_WINDOWS = 2


class Drain(msgspec.Struct, frozen=True):
    """Whether a slot is drained, and how that is known."""

    done: bool
    reason: str


def is_drained(windows: Sequence[Window], *, since: float, now: float, give_up: float) -> Drain:
    """Decide from complete windows (baseline: the serving slot, canary: the leaving one).

    A load balancer reports nothing for a target group without requests, just as when its metrics do
    not arrive. So silence counts as drained only in windows in which the serving slot was heard;
    without any, only after `give_up` seconds at weight 0, longer than any deregistration delay.
    """
    seen = sorted((w for w in windows if w.start >= since), key=lambda w: w.start)
    last = max((w.end for w in seen if w.canary.requests), default=since)
    quiet = [w for w in seen if w.start >= last and w.baseline.requests]
    if len(quiet) >= QUIET_WINDOWS:
        return Drain(True, f"no request reached it in the last {len(quiet)} windows that reported traffic")
    waited = now - last
    if waited >= give_up:
        return Drain(True, f"it has had weight 0 for {waited:.0f} s and no request was reported")
    heard = "still got requests" if last > since else "is waiting for windows that show no request"
    return Drain(False, f"slot {heard} ({len(quiet)} of {QUIET_WINDOWS} quiet windows)")
