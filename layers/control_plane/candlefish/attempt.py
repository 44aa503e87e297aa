"""Reading what may not answer: the reason is a fact like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from candlefish.errors import ControlPlaneError

T = TypeVar("T")


def attempt(read: Callable[[], T], part: str, unreadable: dict[str, str]) -> T | None:
    """Read a part of the world; what cannot be read is noted with the reason, and None."""
    try:
        return read()
    except ControlPlaneError as error:
        unreadable[part] = str(error)
        return None
