"""The release record: who asked for what and why, and everything that was decided and done.

A release is opened once; after that entries are only appended. Its status follows from its entries.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from candlefish.release.plan import PlanStep
from candlefish.service.model import Slot, Version

Status = Literal[
    "running", "held", "awaiting_approval", "promoted", "rolling_back", "rolled_back", "refused", "superseded"
]

# Which entries change the release's status. Entries of other kinds leave it as it is.
STATUS: dict[str, Status] = {
    "started": "running",
    "held": "held",
    "resumed": "running",
    "approval_requested": "awaiting_approval",
    "approved": "running",
    "promoted": "promoted",
    "rolling_back": "rolling_back",
    "rolled_back": "rolled_back",
    "refused": "refused",
    "superseded": "superseded",
}

# Entries that are events on the bus as well, as `release.<kind>`.
PUBLISHED = frozenset(
    {*STATUS, "shifted", "judged", "denied", "expired", "rollback_refused", "window_closed", "drift_repaired"}
)


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was decided or done. `at` is epoch seconds; `by` is a person, rule or function."""

    at: float
    kind: str
    reason: str
    by: str = "control-plane"
    evidence: dict[str, Any] = {}


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt to bring a version to one service in one environment."""

    id: str
    environment: str
    service: str
    version: Version
    requested_by: str
    reason: str
    started_at: float
    execution: str = ""
    status: Status = "running"
    generation: int = 0
    slot: Slot | None = None
    strategy: str = ""
    plan: tuple[PlanStep, ...] = ()
    train: str = ""
    break_glass: str = ""


class Journal(Protocol):
    """Where releases and their entries are kept."""

    def open(self, release: Release) -> None:
        """Store a release; storing the same one again changes nothing."""

    def read(self, release: str) -> Release:
        """One release.

        Raises
        ------
        InvalidInput
            There is none of that id.
        """

    def append(self, release: str, entry: Entry) -> None:
        """Add an entry, follow its status, and publish it where its kind says so.

        Publishing is best effort: a bus that is down never fails a release.
        """

    def entries(self, release: str) -> list[Entry]:
        """All entries of a release, oldest first."""

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        """The newest releases of a service, newest first."""
