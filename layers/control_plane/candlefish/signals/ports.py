"""What signals need of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from candlefish.measures import Uncounted

if TYPE_CHECKING:
    # The endpoint imports this module and needs none of the guard.
    from candlefish.catalog.model import Catalog
    from candlefish.ports import EventPublisher, Execution, Meter, Now, Switchboard
    from candlefish.release.model import Release
    from candlefish.service.ports import ChangeableRecords, TakeBack
    from candlefish.signals.alarms import Alarm
    from candlefish.signals.model import BearerToken, KnownAlert, LoggedSignal
    from candlefish.signals.notification import Notification
    from candlefish.signals.record import GuardRecord

# What a change of the guard returns: its next record, or that and an answer.
GuardChanged = TypeVar("GuardChanged", bound="GuardRecord | tuple[GuardRecord, Any]")


class Guards(Protocol):
    """The guard's memory of one environment."""

    def get(self) -> GuardRecord:
        """The newest (a consistent read); an empty one before anything was written."""

    def update(self, change: Callable[[GuardRecord], GuardChanged]) -> GuardChanged:
        """Read, change, and store if nobody else stored in between; otherwise again from the start.

        A change returns the next record, or that and an answer: then both are returned. One that returns
        the record it was given stores nothing.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """


class SignalLog(Protocol):
    """The log of signals, the newest that is known of each fingerprint, and what people were told (`signals.telling`)."""

    def claim_telling(self, key: str, owner: str, *, now: float, until: float) -> bool:
        """Whether a message is the owner's to send: nobody else claimed it for a time that is not over. One write.

        Claiming one's own again sets another `until`; one that is not after `now` gives it up.
        """

    def count_telling(self, key: str, window: float, *, until: float, most: int) -> bool:
        """Whether a message is among the first `most` different ones of a window, which ends at `until`. One write."""

    def seen(self, fingerprints: Sequence[str]) -> dict[str, KnownAlert]:
        """What is known of these fingerprints; unknown ones are left out."""

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        """Add lines. What is known of a fingerprint moves forward only: older news changes nothing."""


class Releases(Protocol):
    """What is written down of releases."""

    def read(self, release: str) -> Release:
        """One release.

        Raises
        ------
        InvalidInput
            There is none of that id.
        """


class Machines(Protocol):
    """State machines, as far as signals go: `candlefish.ports.Executions` has them all."""

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        """Start a machine by its short name; the ARN. Starting a name again is harmless."""

    def status(self, arn: str) -> Execution:
        """The execution's state; UNKNOWN when Step Functions does not know it."""

    def arn(self, machine: str, name: str) -> str:
        """What an execution of that name is called, whether it began or not."""


class Sight(msgspec.Struct):
    """What one delivery needs to know, and the way to change it that begins from what was read.

    `known` is what is known of its fingerprints; `asleep` why the environment sleeps, empty while it is awake. What was
    read at the beginning stands until it is changed through this; after that all is read anew.
    """

    guards: Guards
    records: ChangeableRecords
    known: dict[str, KnownAlert]
    asleep: str
    # Records whose change is stored together with that of the guard which is given. None: one after the other.
    claiming: Callable[[Callable[[GuardRecord], GuardRecord]], ChangeableRecords] | None = None


if TYPE_CHECKING:
    # Reads what a delivery needs (fingerprints, services) with as few calls as its store allows.
    Look = Callable[[Sequence[str], Sequence[str]], Sight]


class SignalPorts(msgspec.Struct, frozen=True):
    """Everything that a delivery is handled with, and a response carried out."""

    environment: str
    catalog: Catalog
    guards: Guards
    log: SignalLog
    records: ChangeableRecords
    journal: Releases
    executions: Machines
    # A bus that does not take an event is an error: the message goes back to the queue.
    events: EventPublisher
    switchboard: Switchboard
    # Why the environment sleeps; empty while it is awake.
    asleep: Callable[[], str]
    now: Now
    # None reads one after the other.
    look: Look | None = None
    # None where the process may not write weights: the machine does.
    take_back: TakeBack | None = None
    # How long whoever takes a service over waits for older writers, in seconds.
    writers_live: float = 60.0
    meter: Meter = Uncounted()


class SignalQueue(Protocol):
    """The queue of signals."""

    def send(self, messages: Iterable[bytes]) -> None:
        """Put all messages on the queue; when this returns they are durable.

        Raises
        ------
        Unavailable
            Not all could be queued. Sending all of them again is harmless.
        """


class WebhookTokens(Protocol):
    """The bearer tokens that are valid now: one, or two while they are being rotated."""

    def read(self, max_age: float) -> Sequence[BearerToken]:
        """The tokens, from a copy of at most `max_age` seconds.

        Raises
        ------
        Throttled, Unavailable, Misconfigured
            They cannot be read.
        """


class Alarms(Protocol):
    """CloudWatch's alarms."""

    def existing(self, prefix: str) -> dict[str, dict[str, Any]]:
        """The alarms whose names begin with `prefix`, as CloudWatch describes them."""

    def put(self, alarm: Alarm) -> None:
        """Make an alarm, or make it what it shall be."""

    def delete(self, names: Iterable[str]) -> None:
        """Delete alarms; composite ones first."""


class Channel(Protocol):
    """Somewhere people read."""

    def send(self, message: Notification) -> None:
        """Send a message.

        Raises
        ------
        Throttled, Unavailable
            Try again later.
        Misconfigured
            It will never work like this; the message says what to mend.
        """


class NotificationLedger(Protocol):
    """Which messages were sent where. `key` is what a message is about."""

    def claim(self, key: str, channel: str, *, again: float = 0.0) -> bool:
        """Whether it is the caller's to send: one of several who ask at once gets it.

        Not while it was sent within `again` seconds (0: not ever again), nor while somebody is sending it.
        """

    def mark(self, key: str, channel: str) -> None:
        """Remember that it was sent."""

    def release(self, key: str, channel: str) -> None:
        """It could not be sent: the next one may."""
