"""What knowing a service needs of the world: where its record is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from candlefish.service.model import Version
from candlefish.service.record import AllRecords, ServiceRecord

# What a change of a record returns: the next record, or that and an answer.
Changed = TypeVar("Changed", bound=ServiceRecord | tuple[ServiceRecord, Any])
# Puts all traffic of a service on the version known to be good, as the first state of every rollback does, for a
# `RollbackRequest`: through `records`, finished by the execution of the ARN `execution`. Doing it again is harmless.
TakeBack = Callable[..., object]


class ChangeableRecords(Protocol):
    """Service records of one environment, one by one."""

    def get(self, service: str) -> ServiceRecord:
        """The newest record (a consistent read).

        Raises
        ------
        NotOnboarded
            There is none.
        Unreadable
            It is not one that this code can read.
        """

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        """Read, change, and store if nobody else stored in between; otherwise again from the start.

        A change returns the next record, or that and an answer: then both are returned. One that returns the
        record it was given stores nothing. What the change raises, this raises.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """


class ServiceRecords(ChangeableRecords, Protocol):
    """The service records of one environment."""

    def create(self, record: ServiceRecord) -> ServiceRecord:
        """Store a first record; an existing one is returned as it is."""

    def all(self) -> AllRecords:
        """Every record of the environment, ordered by service, and which of them cannot be read."""


class StableVersions(Protocol):
    """The stable version of every service as one region knows it: where a failover may have to bring it up."""

    def read(self, service: str) -> Version | None:
        """The version that was last promoted where the service runs; None when none ever was."""

    def write(self, service: str, version: Version, at: float) -> None:
        """Remember a promotion; one that is older than what is known is ignored."""
