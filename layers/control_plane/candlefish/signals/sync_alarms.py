"""Making the CloudWatch alarms what they shall be, and repeating what still fires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord
from candlefish.signals.alarms import (
    NO_SERVICES,
    Alarm,
    alarms_of,
    as_far_as_known,
    balancer_alarms,
    database_alarm,
    differs,
    made_by_us,
    old_prefix_of,
    prefix_of,
)
from candlefish.signals.ports import Alarms, SignalQueue
from candlefish.signals.sources import from_described, split_delivery

Described = Mapping[str, dict[str, Any]]


class ChangedService(msgspec.Struct, frozen=True):
    """What an event of a release says of whose slots changed."""

    service: str
    environment: str = ""


class AlarmRound(msgspec.Struct, frozen=True):
    """What is asked for: the schedule wants all of it, and repeated what still fires; an event only its service."""

    repeat: bool = False
    detail: ChangedService | None = None


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
    service: str = "",
) -> AlarmSync:
    """Make the alarms of every service that has a stable version, and delete those that nobody needs any more.

    Safe to repeat; writes only what differs. A service that is being onboarded gets its alarms with its first stable
    version, so that nobody is paged about what never ran. Which alarms a slot has follows its weight and its release
    (`signals.alarms`): this runs for a service whenever those change, and for everything every five minutes.

    With `repeat`, what is in ALARM is queued once more, before anything else.
    """
    if service:
        return _sync_service(
            service, environment=environment, catalog=catalog, records=records, alarms=alarms, now=now
        )
    existing = alarms.existing(prefix_of(environment))
    repeated = _repeat(existing, queue=queue, now=now) if repeat else 0
    known_records = records.all()
    served = [each for each in known_records if _served(each, catalog)]
    wanted = [alarm for record in served for alarm in _wanted(record, catalog, now())]
    wanted += balancer_alarms(environment, (record.load_balancer for record in served))
    wanted += [database_alarm(environment, each) for each in catalog.environment(environment).databases]
    # Of a record that cannot be read nobody knows which alarms it wants: it keeps those that it has.
    kept = tuple(f"{prefix_of(environment)}{each.service}/" for each in known_records.unreadable)
    known = {name: each for name, each in existing.items() if not name.startswith(kept)}
    put, deleted = _make_so(wanted, known, environment, alarms)
    return AlarmSync(put, deleted, repeated)


def _sync_service(
    service: str, *, environment: str, catalog: Catalog, records: ServiceRecords, alarms: Alarms, now: Now
) -> AlarmSync:
    """The same for one service, whose slots have just changed: two reads, however many services there are."""
    record = records.get(service)
    wanted = _wanted(record, catalog, now()) if _served(record, catalog) else []
    existing = alarms.existing(f"{prefix_of(environment)}{service}/")
    known = {name: each for name, each in existing.items() if not name.endswith(NO_SERVICES)}
    return AlarmSync(*_make_so(wanted, known, environment, alarms))


def _wanted(record: ServiceRecord, catalog: Catalog, now: float) -> list[Alarm]:
    return alarms_of(record, now, websockets=catalog.services[record.service].websockets)


def _served(record: ServiceRecord, catalog: Catalog) -> bool:
    """Whether a load balancer counts what it does. Of what none counts, alerts of Prometheus tell."""
    return record.stable is not None and record.service in catalog.services and record.balanced


def _make_so(
    wanted: Sequence[Alarm], existing: Described, environment: str, alarms: Alarms
) -> tuple[list[str], list[str]]:
    """Write what differs, and delete what is ours and not wanted; the names of both."""
    known = [as_far_as_known(alarm, existing.get(alarm.name, {})) for alarm in wanted]
    changed = [alarm for alarm in known if differs(existing.get(alarm.name), alarm)]
    for alarm in changed:
        alarms.put(alarm)
    unwanted = sorted(_ours(existing, environment) - {alarm.name for alarm in wanted})
    alarms.delete(unwanted)
    return [alarm.name for alarm in changed], unwanted


def _ours(existing: Described, environment: str) -> set[str]:
    """Whatever else has such a name may be somebody's own."""
    return {name for name, described in existing.items() if made_by_us(name, described, environment)}


def forget_old_alarms(environment: str, alarms: Alarms) -> list[str]:
    """Delete the alarms of the names that ours had before, and of no other environment; their names.

    Once, and by a person: a wildcard over such names would reach environments whose names go on after this one's.
    """
    old = sorted(_ours(alarms.existing(old_prefix_of(environment)), environment))
    alarms.delete(old)
    return old


def _repeat(existing: Described, *, queue: SignalQueue, now: Now) -> int:
    """Queue what is still in ALARM; how many alarms that are.

    CloudWatch sends a change of state once. What got lost, or was refused for a reason that has
    ended since, is made up for by this.
    """
    delivery = from_described(existing.values(), now())
    if delivery.alerts:
        queue.send(split_delivery(delivery))
    return len(delivery.alerts)
