"""The ports of signals in memory, and services in the situations that signals meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog
from candlefish.errors import Unavailable
from candlefish.release.model import Release
from candlefish.service.model import Version, all_to
from candlefish.service.record import ServiceRecord, acquire, promote
from candlefish.signals.model import Alert, BearerToken, Delivery, KnownAlert, LoggedSignal, Signal
from candlefish.signals.ports import GuardChanged, SignalPorts
from candlefish.signals.record import GuardRecord
from tests.support.fakes import Clock, FakeExecutions, FakeJournal, FakeRecords, fresh, image

WINDOW = 3600.0


@cache
def catalog() -> Catalog:
    """The first user's catalog, as it is shipped."""
    return load(Path(__file__).parents[2] / "catalog")


class FakeGuards:
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
        self.stored = record
        return True


class FakeSignalLog:
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


class FakeSwitchboard:
    """`signals.ports.Switchboard`."""

    def __init__(self) -> None:
        self.why = ""
        self.broken = False

    def off(self) -> str:
        if self.broken:
            raise Unavailable("tags could not be read")
        return self.why


class FakeBus:
    """`ports.EventPublisher`: what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.broken = False

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.publish_all([(kind, detail)])

    def publish_all(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        if self.broken:
            raise Unavailable("the bus did not take it")
        self.published += [(kind, dict(detail)) for kind, detail in events]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.published]


class FakeQueue:
    """`signals.ports.SignalQueue`."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.broken = False

    def send(self, messages: Iterable[bytes]) -> None:
        if self.broken:
            raise Unavailable("the queue did not take it")
        self.messages += messages


class FakeTokens:
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


class World:
    """A control plane of one environment in memory."""

    def __init__(self, *records: ServiceRecord, environment: str = "production") -> None:
        self.clock = Clock()
        self.guards = FakeGuards()
        self.log = FakeSignalLog()
        self.records = FakeRecords(*records)
        self.journal = FakeJournal()
        self.executions = FakeExecutions()
        self.bus = FakeBus()
        self.switchboard = FakeSwitchboard()
        self.asleep = ""
        self.ports = SignalPorts(
            environment=environment,
            catalog=catalog(),
            guards=self.guards,
            log=self.log,
            records=self.records,
            journal=self.journal,
            executions=self.executions,
            events=self.bus,
            switchboard=self.switchboard,
            asleep=lambda: self.asleep,
            now=self.clock,
        )

    def releasing(self, service: str = "backend-api", *, since: float = 300.0) -> World:
        """A stable version in green, and a release with a tenth of the traffic in blue."""
        self._put(releasing(service, now=self.clock(), since=since), f"{service}-2", since)
        return self

    def promoted(self, service: str = "backend-api", *, since: float = 300.0) -> World:
        """A release in blue that was promoted and is inside its rollback window."""
        record = releasing(service, now=self.clock(), since=since)
        record = msgspec.structs.replace(record, desired=all_to("blue"))
        record = promote(record, generation=record.generation, now=self.clock(), window=WINDOW)
        self._put(record, f"{service}-2", since)
        return self

    def quiet(self, service: str = "backend-api") -> World:
        """A stable version, no release under way, the rollback window closed."""
        record = _stable(service, now=self.clock() - 90000)
        self.records.stored[service] = record
        return self

    def _put(self, record: ServiceRecord, release: str, since: float) -> None:
        self.records.stored[record.service] = record
        self.journal.open(
            Release(
                id=release,
                environment=record.environment,
                service=record.service,
                version=Version(image(2), "v2"),
                requested_by="developer",
                reason="a new feature",
                started_at=self.clock() - since,
                status="promoted" if record.holder is None else "running",
            )
        )


def _stable(service: str, now: float) -> ServiceRecord:
    record = acquire(
        fresh(service),
        release=f"{service}-1",
        execution="",
        version=Version(image(1), "v1"),
        in_place=False,
        now=now,
        lease=900,
    )
    record = msgspec.structs.replace(record, desired=all_to("green"))
    return promote(record, generation=record.generation, now=now, window=0)


def releasing(service: str, *, now: float, since: float) -> ServiceRecord:
    """A record whose release has a tenth of the traffic in blue."""
    record = acquire(
        _stable(service, now - 9000),
        release=f"{service}-2",
        execution="arn:release",
        in_place=False,
        version=Version(image(2), "v2"),
        now=now - since,
        lease=9000,
    )
    return msgspec.structs.replace(record, desired={"blue": 10, "green": 90})


def alert(
    name: str = "ServiceDown",
    *,
    at: float,
    status: str = "firing",
    ended: float = 0.0,
    fingerprint: str = "",
    **labels: Any,
) -> Alert:
    """An alert about backend-api in production, unless the labels say otherwise."""
    said = {"alertname": name, "service": "backend-api", "environment": "production", **labels}
    said = {label: value for label, value in said.items() if value}
    return Alert(
        fingerprint=fingerprint
        or "-".join((name, *(said[k] for k in sorted(said) if k not in ("alertname",)))),
        status=status,  # type: ignore[arg-type]
        labels=said,
        started_at=at,
        as_of=ended or at,
        summary=f"{name} fires",
    )


def delivery(*alerts: Alert, at: float, **fields: Any) -> Delivery:
    """Alerts as Alertmanager delivers them."""
    fields = {"source": "alertmanager", "observed_at": at, "received_at": at, "total": len(alerts), **fields}
    return Delivery(alerts=alerts, **fields)


def signal_of(one: Alert, *, at: float, environment: str = "production", **fields: Any) -> Signal:
    """The signal that the shipped catalog makes of an alert."""
    from candlefish.signals.classify import classify

    return classify(one, delivery(one, at=at, **fields), catalog=catalog(), environment=environment)
