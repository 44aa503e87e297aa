"""What signals need of the world, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from candlefish.adapters.table.items import change_stored
from candlefish.adapters.table.signals import ATTEMPTS, SENDING
from candlefish.automation import switched_off
from candlefish.errors import ControlPlaneError, Unavailable
from candlefish.ports import Now
from candlefish.signals.model import BearerToken, KnownAlert, LoggedSignal
from candlefish.signals.notification import Notification
from candlefish.signals.ports import GuardChanged
from candlefish.signals.record import GuardRecord
from lab.memory.store import Store, kept


class MemoryGuards(Store):
    """`signals.ports.Guards`."""

    def __init__(self, stored: GuardRecord | None = None) -> None:
        super().__init__()
        self.stored = stored or GuardRecord()

    def get(self) -> GuardRecord:
        return kept(self.stored)

    def update(self, change: Callable[[GuardRecord], GuardChanged]) -> GuardChanged:
        return change_stored(self.get, change, self._put, "the guard", attempts=ATTEMPTS)

    def _put(self, record: GuardRecord, seen: int) -> bool:
        self.between()
        if self.stored.revision != seen:
            return False
        self.stored = kept(record)
        return True


class MemorySignalLog(Store):
    """`signals.ports.SignalLog`. What is known of alerts is written after the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[LoggedSignal] = []
        self.known: dict[str, KnownAlert] = {}
        # By message: whose it is, and until when.
        self.tellings: dict[str, tuple[str, float]] = {}
        # The different messages of a window.
        self.counted: dict[float, set[str]] = {}

    def claim_telling(self, key: str, owner: str, *, now: float, until: float) -> bool:
        holder, held = self.tellings.get(key, (owner, now))
        if holder != owner and held > now:
            return False
        self.tellings[key] = (owner, until)
        return True

    def count_telling(self, key: str, window: float, *, until: float, most: int) -> bool:
        counted = self.counted.setdefault(window, set())
        if key not in counted and len(counted) >= most:
            return False
        counted.add(key)
        return True

    def seen(self, fingerprints: Sequence[str]) -> dict[str, KnownAlert]:
        return {f: self.known[f] for f in fingerprints if f in self.known}

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        self.lines += [kept(line) for line in lines]
        for each in seen:
            self.between()
            before = self.known.get(each.fingerprint)
            if before is None or before.as_of <= each.as_of:
                self.known[each.fingerprint] = kept(each)

    def gates(self) -> list[str]:
        """Which gate each line was refused by, in the order of writing."""
        return [line.decision.gate for line in self.lines]

    def actions(self) -> list[str]:
        """What was done, in the order of writing."""
        return [line.decision.action for line in self.lines if line.decision.action != "none"]


class MemorySwitchboard:
    """`ports.Switchboard`: `tag` is what the tag on the machine `respond` says; none by default."""

    def __init__(self) -> None:
        self.tag = ""
        self.broken = False

    def off(self) -> str:
        if self.broken:
            raise Unavailable("tags could not be read")
        return switched_off(self.tag)

    def turn(self, said: str) -> None:
        """What a person does on the command line."""
        self.tag = said


class MemoryQueue:
    """`signals.ports.SignalQueue`: what was sent, oldest first; a `broken` one takes nothing."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.broken = False

    def send(self, messages: Iterable[bytes]) -> None:
        if self.broken:
            raise Unavailable("the queue did not take it")
        self.messages += messages


class MemoryTokens:
    """`signals.ports.WebhookTokens`: `stored` is what is valid; what was read last is kept as long as it may be."""

    def __init__(self, *stored: BearerToken, now: Now = lambda: 0.0) -> None:
        self.stored = stored
        self.now = now
        self.copy: tuple[BearerToken, ...] = ()
        self.read_at = float("-inf")
        self.reads = 0
        self.broken = False

    def read(self, max_age: float) -> Sequence[BearerToken]:
        if self.now() - self.read_at > max_age:
            if self.broken:
                raise Unavailable("the secret could not be read")
            self.reads += 1
            self.copy, self.read_at = self.stored, self.now()
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

    def __init__(self, now: Now = time.time) -> None:
        # Whether it was sent, and when that was or sending it began.
        self.marks: dict[tuple[str, str], tuple[bool, float]] = {}
        self._now = now

    def claim(self, key: str, channel: str, *, again: float = 0.0) -> bool:
        sent, at = self.marks.get((key, channel), (False, 0.0))
        if at > self._now() - (again if sent else SENDING) or (sent and not again):
            return False
        self.marks[key, channel] = (False, self._now())
        return True

    def mark(self, key: str, channel: str) -> None:
        self.marks[key, channel] = (True, self._now())

    def release(self, key: str, channel: str) -> None:
        self.marks[key, channel] = (False, 0.0)
