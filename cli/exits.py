"""With what status commands end, so that a script can tell one end from another (docs/cli.md has the table)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from candlefish.release.model import Status


class Exit(IntEnum):
    """Status of the process. 1 and 2 are click's own."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    ROLLED_BACK = 3
    REFUSED = 4
    WAITS = 5
    UNKNOWN = 6
    QUEUED = 7
    LEFT = 130


MEANS = {
    Exit.DONE: "it was done: promoted, arrived, answered",
    Exit.FAILED: "the command failed, and says why; whether something goes on is in what it says",
    Exit.USAGE: "the command was not understood, or the environment was not named; nothing was sent",
    Exit.ROLLED_BACK: "the release, or train, was rolled back; users are on the version before",
    Exit.REFUSED: "it was refused, and nothing was changed",
    Exit.WAITS: "it waits for the answer of a person (watch --until-question)",
    Exit.UNKNOWN: "nobody can tell how it stands: the control plane did not answer; it may go on",
    Exit.QUEUED: "the environment sleeps; the release or train starts by itself when it is awake",
    Exit.LEFT: "you left (q, Ctrl-C); it goes on",
}

_BY_STATUS: dict[Status, Exit] = {
    "promoted": Exit.DONE,
    "rolled_back": Exit.ROLLED_BACK,
    "refused": Exit.REFUSED,
    "awaiting_approval": Exit.WAITS,
}


def exit_of(status: Status) -> Exit:
    """How following a release ends that came to a status."""
    return _BY_STATUS.get(status, Exit.UNKNOWN)
