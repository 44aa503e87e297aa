"""What knowing a service needs of the world, in memory; versions, and records in the situations that tests begin with."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.table.items import change_stored
from candlefish.errors import (
    NotOnboarded,
)
from candlefish.service.model import SLOTS, RollbackRequest, Version
from candlefish.service.ports import Changed
from candlefish.service.record import (
    ServiceRecord,
    acquire,
    begin_rollback,
    intend_weight,
    new_record,
    promote,
)

pass


IMAGE = "ghcr.io/candlefish-ai/backend-api@sha256:"


def image(digit: int) -> str:
    """An image by a digest that is easy to tell apart."""
    return IMAGE + f"{digit:064x}"


def fresh(service: str = "backend-api", environment: str = "production") -> ServiceRecord:
    """The record of a service that has just been onboarded."""
    return new_record(
        environment,
        service,
        rule=f"arn:aws:elasticloadbalancing:us-west-2:333333333333:listener-rule/app/lb/50dc6c/0467ef/{service}",
        smoke_rule=f"arn:aws:elasticloadbalancing:us-west-2:333333333333:listener-rule/app/lb/50dc6c/0467ef/{service}-smoke",
        smoke_token="smoke",
        target_groups={
            "blue": f"arn:aws:elasticloadbalancing:us-west-2:333333333333:targetgroup/{service}-blue/b1",
            "green": f"arn:aws:elasticloadbalancing:us-west-2:333333333333:targetgroup/{service}-green/g1",
        },
    )


class FakeRecords:
    """`ports.Records`. `between` runs between each read and write, as another writer would."""

    def __init__(self, *records: ServiceRecord) -> None:
        self.stored = {record.service: record for record in records}
        self.between: Callable[[], None] = lambda: None
        self.reads = 0
        self.writes = 0

    def get(self, service: str) -> ServiceRecord:
        self.reads += 1
        try:
            return self.stored[service]
        except KeyError:
            raise NotOnboarded(f"{service} is not onboarded") from None

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        return change_stored(lambda: self.get(service), change, self._put, f"the record of {service}")

    def _put(self, record: ServiceRecord, seen: int) -> bool:
        self.between()
        if self.stored[record.service].revision != seen:
            return False
        self.writes += 1
        self.stored[record.service] = record
        return True

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return self.stored.setdefault(record.service, record)

    def all(self) -> list[ServiceRecord]:
        return [self.stored[name] for name in sorted(self.stored)]


LEASE = 900.0
V1, V2, V3 = (Version(image(n), label=f"v{n}") for n in (1, 2, 3))


def take(
    record: ServiceRecord, release: str, version: Version, now: float = 0.0, **more: bool
) -> ServiceRecord:
    return acquire(
        record,
        release=release,
        execution=f"arn:release:{release}",
        version=version,
        now=now,
        lease=LEASE,
        **{"in_place": False, **more},
    )


def rollback(record: ServiceRecord, now: float = 0.0, **more: object) -> ServiceRecord:
    fields = {
        "id": "rb",
        "environment": record.environment,
        "service": record.service,
        "reason": "errors",
        "by": "alarm",
    }
    request = RollbackRequest(**{**fields, **more})  # type: ignore[arg-type]
    return begin_rollback(record, request, execution="arn:rollback:rb", now=now, lease=LEASE)


def released(
    record: ServiceRecord, release: str, version: Version, now: float = 0.0, window: float = 60
) -> ServiceRecord:
    record = take(record, release, version, now)
    slot = next(s for s in SLOTS if record.slots[s].state == "candidate")
    record = intend_weight(record, generation=record.generation, slot=slot, weight=100)
    return promote(record, generation=record.generation, now=now, window=window)


class FakeStableVersions:
    """`service.ports.StableVersions`."""

    def __init__(self) -> None:
        self.known: dict[str, Version] = {}
        self._at: dict[str, float] = {}

    def read(self, service: str) -> Version | None:
        return self.known.get(service)

    def write(self, service: str, version: Version, at: float) -> None:
        if at >= self._at.get(service, at):
            self.known[service], self._at[service] = version, at
