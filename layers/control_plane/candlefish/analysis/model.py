"""What a judge reads and what it says."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Action = Literal["rollback", "continue", "promote", "hold", "ask"]


class Arm(msgspec.Struct, frozen=True):
    """Counts of one version over one window."""

    requests: int
    errors: int = 0
    # Requests slower than the policy's `slow_over`.
    slow: int = 0


class Window(msgspec.Struct, frozen=True):
    """One complete window of both versions, from one source. Times are epoch seconds, [start, end)."""

    start: float
    end: float
    baseline: Arm
    canary: Arm
    source: str = "cloudwatch"


class Verdict(msgspec.Struct, frozen=True):
    """What to do about the canary, why (a sentence for an operator), and the numbers behind it."""

    action: Action
    reason: str
    evidence: dict[str, Any] = {}
