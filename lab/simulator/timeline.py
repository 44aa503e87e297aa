"""What happened, line by line, in words that are the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


class Timeline:
    """Lines with their times; `text` is the whole, and `digest` tells two apart."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lines: list[str] = []

    def say(self, subject: str, what: str, **facts: Any) -> None:
        """Add a line."""
        told = " ".join(f"{name}={_plain(value)}" for name, value in facts.items())
        self.lines.append(f"{moment(self._now())} {subject:<12} {what}{' ' + told if told else ''}")

    def text(self) -> str:
        """Everything, as it is printed."""
        return "\n".join(self.lines) + "\n"

    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text().encode()).hexdigest()


def moment(at: float) -> str:
    """A time to the millisecond."""
    return datetime.fromtimestamp(at, UTC).strftime("%a %d %b %H:%M:%S.") + f"{round(at * 1000) % 1000:03d}"


def _plain(value: Any) -> str:
    if isinstance(value, str) and value and " " not in value:
        return value
    return json.dumps(value, sort_keys=True, default=str)
