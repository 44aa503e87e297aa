"""Making the CloudWatch alarms what they shall be, and repeating what still fires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.service.ports import ServiceRecords
from candlefish.signals.alarms import (
    HALVES,
    PREFIX,
    SERVICE_DOWN,
    Alarm,
    alarms_of,
    database_alarm,
    differs,
    made_by_us,
)
from candlefish.signals.ports import Alarms, SignalQueue
from candlefish.signals.sources import from_described, split_delivery

Described = Mapping[str, dict[str, Any]]


class AlarmRound(msgspec.Struct, frozen=True):
    """What is asked for beside the alarms themselves: the schedule wants repeated what still fires."""

    repeat: bool = False


class AlarmSync(msgspec.Struct, frozen=True):
    """What was changed, and how many alarms were repeated."""

    put: list[str]
    deleted: list[str]
    repeated: int = 0


def sync_alarms(
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    alarms: Alarms,
    queue: SignalQueue,
    now: Now,
    repeat: bool = False,
) -> AlarmSync:
    """Make the alarms of every service that has a stable version; delete those of services that have gone.

    Safe to repeat; writes only what differs. A service that is being onboarded gets its alarms with
    its first stable version, and service-down once CloudWatch knows that it is up, so that nobody is
    paged about what never ran.

    With `repeat`, what is in ALARM is queued once more, before anything else.
    """
    existing = alarms.existing(f"{PREFIX}-{environment}-")
    repeated = _repeat(existing, queue=queue, now=now) if repeat else 0
    wanted: list[Alarm] = []
    known_records = records.all()
    for record in known_records:
        if record.stable and record.service in catalog.services:
            wanted += alarms_of(record, catalog.services[record.service], record.load_balancer)
    wanted += [database_alarm(environment, each) for each in catalog.environment(environment).databases]
    # Metric alarms before the composite ones that name them.
    changed = [a for a in wanted if differs(existing.get(a.name), a) and _may_be(a, existing)]
    for alarm in sorted(changed, key=lambda a: a.composite):
        alarms.put(alarm)
    # Whatever else begins with the prefix may be somebody's own; ours end in what we know.
    known = {alarm.name for alarm in wanted}
    # Of a record that cannot be read nobody knows which alarms it wants: it keeps those that it has.
    kept = tuple(f"{PREFIX}-{environment}-{each.service}-" for each in known_records.unreadable)
    gone = sorted(
        name for name in existing if name not in known and made_by_us(name) and not name.startswith(kept)
    )
    alarms.delete(gone)
    return AlarmSync([a.name for a in changed], gone, repeated)


def _may_be(alarm: Alarm, existing: Described) -> bool:
    """A service can go down only after CloudWatch has seen one of its slots healthy."""
    if not alarm.composite or alarm.name in existing:
        return True
    service = alarm.name.removesuffix(SERVICE_DOWN)
    return any(existing.get(f"{service}{half}", {}).get("StateValue") == "OK" for half in HALVES)


def _repeat(existing: Described, *, queue: SignalQueue, now: Now) -> int:
    """Queue what is still in ALARM; how many alarms that are.

    CloudWatch sends a change of state once. What got lost, or was refused for a reason that has
    ended since, is made up for by this. The halves of service-down lead to nothing and are left out.
    """
    leading = [alarm for name, alarm in existing.items() if not name.endswith(HALVES)]
    delivery = from_described(leading, now())
    if delivery.alerts:
        queue.send(split_delivery(delivery))
    return len(delivery.alerts)
