"""What capacity needs from the world beside the shared ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.model import CapacityRecord, CapacitySight


class CapacityWorld(Protocol):
    """An environment's workloads, nodes and databases."""

    def observe(self) -> CapacitySight:
        """Everything in scope as it is now.

        Raises
        ------
        Throttled, Unavailable
            Something could not be read: then nothing is known, and nothing may be done.
        """

    def apply(self, act: CapacityAct) -> None:
        """Set one thing. Setting it again is harmless; it takes effect later.

        Raises
        ------
        Throttled, Unavailable
            It may or may not have taken effect; look again.
        Permanent
            The world says no; the message names the thing and the next step.
        """


class CapacityStore(Protocol):
    """The capacity record of one environment."""

    def get(self) -> CapacityRecord:
        """The newest record (a consistent read); a fresh one when there is none yet."""

    def update(self, change: Callable[[CapacityRecord], CapacityRecord]) -> CapacityRecord:
        """Read, change, and store if nobody else stored in between; otherwise again from the start.

        A change that returns what it was given stores nothing. What the change raises, this raises.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """


class Events(Protocol):
    """The event bus. Publishing is best effort: a bus that is down never stops anything."""

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Put one event on the bus; `kind` like `capacity.asleep`."""
