"""Make what a service needs on the load balancer, and its record; what is there already is taken as it is."""

from __future__ import annotations

import msgspec

from candlefish.catalog.model import Catalog, Environment, Service, ServiceOverride
from candlefish.catalog.read import effective
from candlefish.errors import NotOnboarded, Unavailable, WorldUnclear
from candlefish.ports import Now
from candlefish.release.manifests import service_port
from candlefish.release.ports import Cluster
from candlefish.release.reconstruct import ServiceSight, reconstruct
from candlefish.release.request import refuse_other_kind
from candlefish.release.sight import see_slot, sight_service
from candlefish.service.model import SLOTS, Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord
from candlefish.traffic.fittings import FittingPlace, ensure_fittings
from candlefish.traffic.ports import Onboarding, Rules, ShareOnboarding, ShareSpec
from candlefish.traffic.rules import known_logins
from candlefish.traffic.shares import group_name


def onboard(
    name: str,
    *,
    catalog: Catalog,
    environment: Environment,
    place: FittingPlace,
    balancer: Onboarding,
    shares: ShareOnboarding,
    rules: Rules,
    records: ServiceRecords,
    cluster: Cluster,
    now: Now,
) -> ServiceRecord:
    """Make what a service needs on the load balancer, and its record.

    The weights of a rule that exists are never changed. Where there is no record, it becomes what the world shows;
    a rule that somebody deleted is made again with the weights that the record wants.

    Raises
    ------
    WorldUnclear
        There is no record, and what the world shows allows more than one; the message says what to type.
    Misconfigured
        A rule for the service's host exists that is not ours, no priority is free, or no load balancer has room.
    """
    service = effective(catalog.service(name), environment)
    try:
        known: ServiceRecord | None = records.get(name)
    except NotOnboarded:
        known = None
    if known:
        refuse_other_kind(known, service)
    resting = _resting(known) if known else _running_slot(service, environment, rules, cluster)
    if known:
        place = msgspec.structs.replace(place, listeners=(known.listener,))
    if service.balanced:
        listener = ensure_fittings(
            service,
            environment.name,
            place,
            resting=resting,
            balancer=balancer,
            rules=rules,
            logins=known_logins(known.beside) if known else (),
            behind=environment.overrides.get(name, ServiceOverride()).load_balancer,
            reserved={each.load_balancer for each in environment.overrides.values()} - {""},
        )
    else:
        port = service_port(service) if service.kind != "worker" else {}
        headless = service.kind == "stateful" and service.stateful.headless_service == name
        spec = ShareSpec(service.kind, name, environment.namespace, environment.name, resting, port, headless)
        listener = shares.ensure_share(spec)
    sight = sight_service(name, environment=environment, listeners=[listener], rules=rules, cluster=cluster)
    if sight is None:
        raise Unavailable(f"the rule of {name} was made and cannot be seen yet; onboard it again")
    if known:
        return records.update(name, lambda r: _refit(r, sight))
    return records.create(reconstruct(environment.name, name, sight, now=now()))


def _resting(record: ServiceRecord) -> Slot:
    """The slot that has most of the traffic."""
    return max(SLOTS, key=lambda slot: record.desired[slot])


def _running_slot(service: Service, environment: Environment, rules: Rules, cluster: Cluster) -> Slot:
    """Where a rule that has to be made shall send users: to what runs; blue where nothing does."""
    name, namespace = service.name, environment.namespace
    seen = {}
    for slot in SLOTS:
        # A StatefulSet is found by the name of what stands for its group; no load balancer has to be asked.
        stateful = service.kind == "stateful"
        group = group_name("stateful", namespace, name, environment.name, slot) if stateful else ""
        seen[slot] = see_slot(name, slot, group, namespace, rules, cluster)
    unread = [each.unreadable for each in seen.values() if each.unreadable]
    if unread:
        raise WorldUnclear(
            f"what runs of {name} could not be read ({unread[0]}); nothing was changed, ask again"
        )
    running = [slot for slot in SLOTS if seen[slot].capable]
    return running[0] if len(running) == 1 else "blue"


def _refit(record: ServiceRecord, sight: ServiceSight) -> ServiceRecord:
    """The record with the rules and target groups as they are now."""
    fittings = sight.fittings
    slots = {
        slot: msgspec.structs.replace(record.slots[slot], target_group=fittings.groups[slot])
        for slot in SLOTS
    }
    return msgspec.structs.replace(
        record,
        rule=fittings.rule,
        smoke_rule=fittings.smoke_rule,
        smoke_token=fittings.smoke_token,
        slots=slots,
    )
