"""Make a service's record again from what the world shows, because a person asks for it. The world is not touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from candlefish.bounds import Name, Sentence
from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.people import require_caller
from candlefish.errors import InvalidInput, NotOnboarded, ServiceBusy
from candlefish.ports import EventPublisher, Now
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.news import rebuilt_event
from candlefish.release.ports import Cluster
from candlefish.release.reconstruct import ServiceSight, compare, reconstruct
from candlefish.release.sight import listeners_of, sight_service
from candlefish.service.model import Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord
from candlefish.traffic.ports import Rules


class RebuildRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose record, why, and which slot is good where the world does not say so."""

    service: Name
    reason: Annotated[Sentence, msgspec.Meta(min_length=1)]
    stable: Slot | None = None


def rebuild_record(
    request: RebuildRequest,
    *,
    principal: str,
    catalog: Catalog,
    environment: Environment,
    listeners: Sequence[str],
    records: ServiceRecords,
    rules: Rules,
    cluster: Cluster,
    journal: Journal,
    events: EventPublisher,
    now: Now,
) -> ServiceRecord:
    """Make the record from what runs and what the rule says, one generation newer than anything that is found.

    It ends a quarantine. Weights on the wrong slot are for the reconciler, which moves nobody to a slot without
    healthy targets.

    Raises
    ------
    NotAllowed
        The principal is nobody in the catalog.
    WorldUnclear
        What is seen allows more than one record; the message says what to type.
    ServiceBusy
        A release or a rollback holds the service by a record that may be obeyed.
    NotOnboarded
        There is nothing to make it of.
    InvalidInput
        Record and world agree.
    """
    by = require_caller(principal, catalog, environment.name).name
    declared, at = catalog.service(request.service), now()
    service = declared.name
    where = listeners_of(declared, environment, listeners)
    sight = sight_service(service, environment=environment, listeners=where, rules=rules, cluster=cluster)
    if sight is None or (declared.balanced and not sight.fittings.smoke_rule):
        raise NotOnboarded(
            f"{service} lacks a rule or its smoke rule in {environment.name}; make them first with: "
            f"candlefish onboard {service} -e {environment.name}"
        )

    def rebuild(before: ServiceRecord | None) -> tuple[ServiceRecord, str]:
        if before and not before.quarantine:
            _refuse_obeyed(before, sight)
        made = reconstruct(environment.name, service, sight, before=before, stable=request.stable, now=at)
        return made, _under_way(before) if before else ""

    try:
        made, lost = records.update(service, rebuild)
    except NotOnboarded:
        made, lost = records.create(rebuild(None)[0]), ""
    version = made.stable_version
    why = (
        f"the record was made again at generation {made.generation}: {version.short if version else 'nothing'} "
        f"is stable in slot {made.stable or 'none'}: {request.reason}"
    )
    if made.promoted_release:
        journal.append(made.promoted_release, ReleaseEntry(at, "record_rebuilt", why, by=by))
    if lost and lost != made.promoted_release:
        gone = "the record that knew of it was lost, and was made again without it"
        journal.append(lost, ReleaseEntry(at, "rolled_back", gone, by=by))
    events.publish(*rebuilt_event(environment.name, service, why, by, at))
    return made


def _under_way(record: ServiceRecord) -> str:
    """The release that a record believes to be under way or on its way back; empty when there is none."""
    if record.rollback:
        return record.rollback.release
    return record.holder.release if record.holder else ""


def _refuse_obeyed(record: ServiceRecord, sight: ServiceSight) -> None:
    holder = record.rollback.id if record.rollback else record.holder.release if record.holder else ""
    if holder:
        raise ServiceBusy(
            f"{record.name} is held by {holder}, and its record is not older than the world; wait for it, or take it "
            f"back with: candlefish rollback {record.service} -e {record.environment}"
        )
    if all(line.agrees for line in compare(record, sight)):
        raise InvalidInput(f"record and world of {record.name} agree; there is nothing to make again")
