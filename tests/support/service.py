"""Versions, and records in the situations that tests begin with."""

from __future__ import annotations

import msgspec

from candlefish.names import target_group_name
from candlefish.service.model import SLOTS, RollbackRequest, Version
from candlefish.service.record import (
    ServiceRecord,
    acquire,
    begin_rollback,
    intend_weight,
    new_record,
    promote,
)

IMAGE = "ghcr.io/example-org/backend-api@sha256:"


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
            slot: "arn:aws:elasticloadbalancing:us-west-2:333333333333:"
            f"targetgroup/{target_group_name(service, environment, slot)}/{slot[0]}1"
            for slot in SLOTS
        },
    )


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
    record = promote(record, generation=record.generation, now=now, window=window)
    # Long ago: its rule has followed it since.
    return msgspec.structs.replace(record, settled_revision=record.intended_revision)
