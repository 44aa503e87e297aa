"""What signals need of the world, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.errors import ControlPlaneError, Unavailable
from candlefish.signals.model import BearerToken, KnownAlert, LoggedSignal
from candlefish.signals.notification import Notification
from candlefish.signals.ports import GuardChanged
from candlefish.signals.record import GuardRecord


class MemoryGuards:
    """`signals.ports.Guards`. `between` runs between each read and write, as another writer would."""

    def __init__(self, stored: GuardRecord | None = None) -> None:
        self.stored = stored or GuardRecord()
        self.between: Callable[[], None] = lambda: None

    def get(self) -> GuardRecord:
        return self.stored

    def update(self, change: Callable[[GuardRecord], GuardChanged]) -> GuardChanged:
        return change_stored(self.get, change, self._put, "the guard")

    def _put(self, record: GuardRecord, seen: int) -> bool:
        self.between()
        if self.stored.revision != seen:
            return False
        # Through JSON, as the adapter keeps it.
        self.stored = msgspec.json.decode(msgspec.json.encode(record), type=GuardRecord)
        return True


class MemorySignalLog:
    """`signals.ports.SignalLog`."""

    def __init__(self) -> None:
        self.lines: list[LoggedSignal] = []
        self.known: dict[str, KnownAlert] = {}

    def seen(self, fingerprints: Sequence[str]) -> dict[str, KnownAlert]:
        return {f: self.known[f] for f in fingerprints if f in self.known}

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        self.lines += lines
        for each in seen:
            before = self.known.get(each.fingerprint)
            if before is None or before.as_of <= each.as_of:
                self.known[each.fingerprint] = each

    def recent(self, limit: int, since: float = 0.0) -> list[LoggedSignal]:
        newest = sorted((line for line in self.lines if line.at >= since), key=lambda line: -line.at)
        return newest[:limit]

    def gates(self) -> list[str]:
        """Which gate each line was refused by, in the order of writing."""
        return [line.decision.gate for line in self.lines]

    def actions(self) -> list[str]:
        """What was done, in the order of writing."""
        return [line.decision.action for line in self.lines if line.decision.action != "none"]


class MemorySwitchboard:
    """`signals.ports.Switchboard`."""

    def __init__(self) -> None:
        self.why = ""
        self.broken = False

    def off(self) -> str:
        if self.broken:
            raise Unavailable("tags could not be read")
        return self.why


class MemoryQueue:
    """`signals.ports.SignalQueue`."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.broken = False

    def send(self, messages: Iterable[bytes]) -> None:
        if self.broken:
            raise Unavailable("the queue did not take it")
        self.messages += messages


class MemoryTokens:
    """`signals.ports.WebhookTokens`: `stored` is what is valid, `copy` what an earlier read kept."""

    def __init__(self, *stored: BearerToken) -> None:
        self.stored = stored
        self.copy: tuple[BearerToken, ...] | None = None
        self.reads = 0
        self.broken = False

    def read(self, max_age: float) -> Sequence[BearerToken]:
        if self.broken:
            raise Unavailable("the secret could not be read")
        if self.copy is None or max_age < 60:
            self.reads += 1
            self.copy = self.stored
        return self.copy


class MemoryChannel:
    """`signals.ports.Channel`: what people got; one with an `error` sends nothing."""

    def __init__(self, error: ControlPlaneError | None = None) -> None:
        self.error = error
        self.got: list[Notification] = []

    def send(self, message: Notification) -> None:
        if self.error:
            raise self.error
        self.got.append(message)


class MemoryLedger:
    """`signals.ports.NotificationLedger`."""

    def __init__(self) -> None:
        self.marks: set[tuple[str, str]] = set()

    def sent(self, event: str, channel: str) -> bool:
        return (event, channel) in self.marks

    def mark(self, event: str, channel: str) -> None:
        self.marks.add((event, channel))
