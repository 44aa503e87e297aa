"""Reading the world that a run is judged by: what cannot be read is named, never guessed."""

from __future__ import annotations

from functools import partial

import msgspec

from candlefish.attempt import attempt
from candlefish.catalog.model import Cache, Database, Endpoint
from candlefish.catalog.read import effective
from candlefish.errors import ClusterRefused, ControlPlaneError, Misconfigured, NotOnboarded
from candlefish.failover.facts import (
    FIXED_ENDPOINT,
    CacheFacts,
    Copy,
    DatabaseFacts,
    FailoverWorld,
    Lag,
    SecretFacts,
    SiteFacts,
    SiteServiceFacts,
)
from candlefish.failover.model import Run
from candlefish.failover.ports import FailoverPorts, SitePorts
from candlefish.failover.steps.application import SHIFT, serving_slot
from candlefish.failover.steps.kinds import KINDS
from candlefish.release.model import Rollout
from candlefish.service.record import ServiceRecord

# How far back the lag is read, from now or from the failure.
LAG_WINDOW = 3600.0


def read_world(run: Run, ports: FailoverPorts) -> FailoverWorld:
    """Everything that the run's plan needs to know, now."""
    at = ports.now()
    subjects = {step.subject for step in run.steps}
    parts = {KINDS[step.kind].part for step in run.steps}
    databases = ports.environment.databases if "databases" in parts else ()
    caches = ports.environment.caches if "caches" in parts else ()
    return FailoverWorld(
        at=at,
        databases={d.name: _database(d, run, ports, at) for d in databases if d.name in subjects},
        caches={c.name: _cache(c, run, ports) for c in caches if c.name in subjects},
        site=_site(run, ports) if "site" in parts else None,
    )


def _database(database: Database, run: Run, ports: FailoverPorts, at: float) -> DatabaseFacts:
    places = {ports.environment.region: database.identifier}
    if database.replica:
        places[database.replica.region] = database.replica.identifier
    unreadable: dict[str, str] = {}
    copies: dict[str, Copy] = {}
    for region, identifier in places.items():
        read = ports.of(region).databases.read
        copy = attempt(partial(read, database, identifier), region, unreadable)
        if copy is not None:
            copies[region] = copy
    target = run.to if run.to in places else ""
    lag: tuple[Lag, ...] = ()
    if target and (replica := copies.get(target)) and replica.role == "replica":
        since = min(at, run.failing_since or at) - LAG_WINDOW
        points = partial(ports.of(target).databases.lag, database, places[target], since)
        lag = attempt(points, "lag", unreadable) or ()
    secret = _secret(database.secret, target, ports, unreadable) if database.secret and target else None
    endpoint = _endpoint(database.endpoint, ports, unreadable)
    return DatabaseFacts(database.name, copies, lag, secret, endpoint, unreadable)


def _secret(name: str, region: str, ports: FailoverPorts, unreadable: dict[str, str]) -> SecretFacts | None:
    return attempt(lambda: ports.of(region).secrets.read(name), "secret", unreadable)


def _endpoint(endpoint: Endpoint | None, ports: FailoverPorts, unreadable: dict[str, str]) -> str | None:
    if endpoint is None:
        return None
    try:
        return ports.dns.read(endpoint.zone, endpoint.name)
    except Misconfigured as error:
        # It was read, and could not be changed when its turn comes.
        unreadable["endpoint"] = unreadable[FIXED_ENDPOINT] = str(error)
    except ControlPlaneError as error:
        unreadable["endpoint"] = str(error)
    return None


def _cache(cache: Cache, run: Run, ports: FailoverPorts) -> CacheFacts:
    # Asked where the role is to go: a Global Datastore answers in each of its regions.
    unreadable: dict[str, str] = {}
    facts = attempt(
        lambda: ports.of(run.to).caches.read(cache.replication_group, cache.global_datastore),
        "group",
        unreadable,
    )
    if facts is None:
        return CacheFacts(
            cache.name, cache.replication_group, unreadable={**unreadable, "datastore": unreadable["group"]}
        )
    endpoint = _endpoint(cache.endpoint, ports, unreadable)
    return msgspec.structs.replace(
        facts, name=cache.name, endpoint=endpoint, unreadable={**facts.unreadable, **unreadable}
    )


def _site(run: Run, ports: FailoverPorts) -> SiteFacts:
    unreadable: dict[str, str] = {}
    site = attempt(ports.site, "site", unreadable)
    if site is not None and site.region == run.to:
        return _site_here(run, site, ports)
    where = site.region if site else "no region that it knows"
    reason = unreadable.get(
        "site", f"this control plane runs in {where}; start the failover from the one in {run.to}"
    )
    return SiteFacts(run.to, "", unreadable={"site": reason})


def _site_here(run: Run, site: SitePorts, ports: FailoverPorts) -> SiteFacts:
    unreadable: dict[str, str] = {}
    names = sorted({step.subject for step in run.steps if step.kind == SHIFT.kind})
    wanted = ports.environment.recovery.nodes
    groups = attempt(lambda: site.nodes.read(wanted), "nodes", unreadable) or {}
    services = [effective(ports.catalog.service(name), ports.environment) for name in names]
    hosts = [service.host for service in services if service.balanced]
    routes = attempt(lambda: site.routes.read(hosts), "routes", unreadable) or {}
    seen = {name: _service(name, run, site, ports, routes) for name in names}
    return SiteFacts(site.region, site.balancer, seen, groups, unreadable)


def _service(
    name: str, run: Run, site: SitePorts, ports: FailoverPorts, routes: dict[str, str]
) -> SiteServiceFacts:
    # Loaded here: most failovers deploy nothing, and begin sooner without.
    from candlefish.release.manifests.model import slot_name
    from candlefish.release.workload import range_of

    service = effective(ports.catalog.service(name), ports.environment)
    bad: dict[str, str] = {}
    record = attempt(lambda: _record(name, site), "record", bad)
    wanted = attempt(lambda: site.stable.read(name), "stable version", bad)
    replicas = range_of(wanted, name, ports.environment.name, ports.catalog) or service.replicas
    facts = SiteServiceFacts(
        name, wanted, record, needed=replicas.min, host=service.host, route=routes.get(service.host)
    )
    if record is None:
        return msgspec.structs.replace(facts, unreadable=bad)
    slot = serving_slot(record, run)
    own, namespace = slot_name(name, slot), ports.environment.namespace
    return msgspec.structs.replace(
        facts,
        replicas=attempt(lambda: site.cluster.current_replicas(namespace, own), "cluster", bad),
        rollout=attempt(lambda: _rollout(namespace, own, site), "rollout", bad),
        health=attempt(lambda: site.rules.health(record.slots[slot].target_group), "targets", bad),
        unreadable=bad,
    )


def _record(name: str, site: SitePorts) -> ServiceRecord | None:
    try:
        return site.records.get(name)
    except NotOnboarded:
        return None


def _rollout(namespace: str, name: str, site: SitePorts) -> Rollout | None:
    try:
        return site.cluster.rollout(namespace, name)
    except ClusterRefused:
        # Nothing was applied to the slot yet.
        return None
