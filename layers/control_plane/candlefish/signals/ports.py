"""What signals need from the world beside the shared ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # The endpoint imports this module and needs none of the guard.
    from candlefish.signals.model import KnownAlert, LoggedSignal
    from candlefish.signals.record import GuardRecord


class Guards(Protocol):
    """The guard's memory of one environment."""

    def get(self) -> GuardRecord:
        """The newest (a consistent read); an empty one before anything was written."""

    def update(self, change: Callable[[GuardRecord], GuardRecord]) -> GuardRecord:
        """Read, change, and store if nobody else stored in between; otherwise again from the start.

        A change that returns what it was given stores nothing.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """


class SignalLog(Protocol):
    """The log of signals, and the newest that is known of each fingerprint."""

    def seen(self, fingerprints: Sequence[str]) -> dict[str, KnownAlert]:
        """What is known of these fingerprints; unknown ones are left out."""

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        """Add lines. What is known of a fingerprint moves forward only: older news changes nothing."""

    def recent(self, limit: int, since: float = 0.0) -> list[LoggedSignal]:
        """The newest lines, newest first."""


class Switchboard(Protocol):
    """The kill switch that is a resource tag."""

    def off(self) -> str:
        """Why automation is off; empty when no tag says so.

        Raises
        ------
        Throttled, Unavailable
            It cannot be read. Nobody acts then: the message goes back to the queue.
        """


class SignalQueue(Protocol):
    """The queue of signals."""

    def send(self, messages: Iterable[bytes]) -> None:
        """Put all messages on the queue; when this returns they are durable.

        Raises
        ------
        Unavailable
            Not all could be queued. Sending all of them again is harmless.
        """
