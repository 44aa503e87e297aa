"""A control plane that signals reach, in memory; services in the situations that signals meet; alerts."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.release.model import Release
from candlefish.service.model import Version, all_to
from candlefish.service.record import ServiceRecord, acquire, promote
from candlefish.signals.model import Alert, Delivery, Signal
from candlefish.signals.ports import SignalPorts
from lab.memory.events import MemoryEvents
from lab.memory.meter import MemoryMeter
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemoryGuards, MemorySignalLog, MemorySwitchboard
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.executions import FakeExecutions
from tests.support.release import FakeJournal
from tests.support.service import fresh, image

WINDOW = 3600.0


class World:
    """A control plane of one environment in memory."""

    def __init__(self, *records: ServiceRecord, environment: str = "production") -> None:
        self.clock = Clock()
        self.guards = MemoryGuards()
        self.log = MemorySignalLog()
        self.records = MemoryRecords(*records)
        self.journal = FakeJournal()
        self.meter = MemoryMeter()
        self.executions = FakeExecutions()
        self.bus = MemoryEvents()
        self.switchboard = MemorySwitchboard()
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
            meter=self.meter,
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
