"""Waiting for what must come. No test fails because a machine is slow: only a hang is longer than PATIENCE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from lab.looks import looks

T = TypeVar("T")

# Seconds; below pytest's own timeout, so that a test that waits in vain says what it waited for.
PATIENCE = 600.0


def rounds(waited_for: Callable[[], object], every: float = 0.2, seconds: float = PATIENCE) -> Iterator[None]:
    """Go round until the caller leaves the loop.

    Raises
    ------
    AssertionError
        It did not within `seconds`; the message has what `waited_for` tells then.
    """
    yield from looks(seconds, every)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {waited_for()}")


def eventually(check: Callable[[], T | None], every: float = 0.1) -> T:
    """Call until the answer is true; the answer."""
    return next(answer for _ in rounds(check, every) if (answer := check()))
