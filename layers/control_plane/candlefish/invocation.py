"""How long the invocation that runs now may still take, and until when what it writes may be sent.

A process handles one invocation at a time; its adapters outlive it, so they ask each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_UNKNOWN: Any = None
# The context that the handler was given last.
_now = [_UNKNOWN]
# Until when something may be written, on the clock of `time.monotonic`.
_until = [math.inf]


def begin(context: Any) -> None:
    """Note the context of an invocation, as a Lambda handler is given it."""
    _now[0] = context
    _until[0] = math.inf


@contextmanager
def written_within(seconds: float) -> Iterator[None]:
    """What is written inside is sent within so many seconds from now, or not at all.

    For functions that live longer than whoever takes a service over waits for its older writers: what they write
    rests on a record that was read inside.
    """
    before = _until[0]
    _until[0] = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _until[0] = before


def seconds_left() -> float:
    """Seconds until the function is stopped; infinite where nobody stops it."""
    ask = getattr(_now[0], "get_remaining_time_in_millis", None)
    return ask() / 1000 if ask else math.inf


def seconds_to_write() -> float:
    """Seconds in which something may still be written: until the function is stopped, or `written_within` is over."""
    return min(seconds_left(), _until[0] - time.monotonic())
