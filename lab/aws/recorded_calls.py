"""What roles were used for: the actions that they asked for, and what IAM refused them.

The check of roles reads it (tools/permissions.py).
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from pathlib import Path

import msgspec

from lab.iam.policies import Ask


class Seen(msgspec.Struct, frozen=True):
    """What somebody asked for: actions on resources, and the sentences of those that were refused."""

    name: str
    role: str
    asked: list[tuple[str, str]]
    refused: list[str] = []


class Witness:
    """Remembers what was asked for, by name and role."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        self._refused: dict[tuple[str, str], set[str]] = defaultdict(set)

    def see(self, name: str, role: str, ask: Ask, refused: str = "") -> None:
        """Note what somebody asked for, and why it was refused, if it was."""
        with self._lock:
            self._asked[name, role].add((ask.action, ask.resource))
            if refused:
                self._refused[name, role].add(refused)

    def leave(self, directory: Path) -> None:
        """Write it down."""
        directory.mkdir(parents=True, exist_ok=True)
        rows = [
            Seen(*who, sorted(asks), sorted(self._refused.get(who, ()))) for who, asks in self._asked.items()
        ]
        (directory / f"{uuid.uuid4().hex}.json").write_bytes(msgspec.json.encode(rows))
