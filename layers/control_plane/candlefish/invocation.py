"""How long the invocation that runs now may still take.

A process handles one invocation at a time; its adapters outlive it, so they ask each time.
"""

from __future__ import annotations

import math
from typing import Any

_UNKNOWN: Any = None
# The context that the handler was given last.
_now = [_UNKNOWN]


def begin(context: Any) -> None:
    """Note the context of an invocation, as a Lambda handler is given it."""
    _now[0] = context


def seconds_left() -> float:
    """Seconds until the function is stopped; infinite where nobody stops it."""
    ask = getattr(_now[0], "get_remaining_time_in_millis", None)
    return ask() / 1000 if ask else math.inf
