"""The application's site: brings up the recorded stable versions through the release engine's records.

Runs in the region that shall serve. A service there has slots, a rule and a record like anywhere;
a failover takes it like a release, but without judging: the version is known good, and there is no
other one to send users to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.catalog.read import effective
from candlefish.errors import ClusterRefused, NotOnboarded
from candlefish.failover.application import release_id, serving_slot
from candlefish.failover.facts import ServiceFacts, SiteFacts, attempt
from candlefish.failover.model import PlanStep, Run
from candlefish.failover.ports import NodeGroups, Routes, StableVersions
from candlefish.ports import Now
from candlefish.release.manifests.model import slot_name
from candlefish.release.ports import Bundles, Cluster
from candlefish.release.rollout import Rollout
from candlefish.release.workload import objects_of
from candlefish.service.model import Version
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, acquire, promote
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import shift

# How long a failover may hold a service without being seen; the reconciler frees it afterwards.
LEASE = 2 * 3600.0


class ReleaseSite(msgspec.Struct, frozen=True):
    """`ports.Site` over the release engine of this stack. `balancer` is its load balancer's DNS name."""

    region: str
    environment: str
    balancer: str
    catalog: Catalog
    records: ServiceRecords
    stable: StableVersions
    cluster: Cluster
    bundles: Bundles
    rules: Rules
    nodes: NodeGroups
    routes: Routes
    now: Now

    def look(self, run: Run) -> SiteFacts:
        unreadable: dict[str, str] = {}
        env = self.catalog.environment(self.environment)
        names = {step.subject for step in run.steps if step.kind == "shift"}
        groups = attempt(lambda: self.nodes.read(env.recovery.nodes), "nodes", unreadable) or {}
        hosts = [effective(self.catalog.service(name), env).host for name in sorted(names)]
        routes = attempt(lambda: self.routes.read(hosts), "routes", unreadable) or {}
        services = {name: self._service(name, run, routes) for name in sorted(names)}
        return SiteFacts(self.region, self.balancer, services, groups, unreadable)

    def _service(self, name: str, run: Run, routes: dict[str, str]) -> ServiceFacts:
        env = self.catalog.environment(self.environment)
        service = effective(self.catalog.service(name), env)
        bad: dict[str, str] = {}
        record = attempt(lambda: self._record(name), "record", bad)
        wanted = attempt(lambda: self.stable.read(name), "stable version", bad)
        facts = ServiceFacts(
            name,
            wanted,
            record,
            needed=service.replicas.min,
            host=service.host,
            route=routes.get(service.host),
        )
        if record is None:
            return msgspec.structs.replace(facts, unreadable=bad)
        slot = serving_slot(record, run)
        own = slot_name(name, slot)
        return msgspec.structs.replace(
            facts,
            replicas=attempt(lambda: self.cluster.current_replicas(env.namespace, own), "cluster", bad),
            rollout=attempt(lambda: self._rollout(env.namespace, own), "rollout", bad),
            health=attempt(lambda: self.rules.health(record.slots[slot].target_group), "targets", bad),
            unreadable=bad,
        )

    def _record(self, name: str) -> ServiceRecord | None:
        try:
            return self.records.get(name)
        except NotOnboarded:
            return None

    def _rollout(self, namespace: str, name: str) -> Rollout | None:
        try:
            return self.cluster.rollout(namespace, name)
        except ClusterRefused:
            # Nothing was applied to the slot yet.
            return None

    def act(self, run: Run, step: PlanStep) -> dict[str, Any]:
        return ACTS[step.kind](self, run, step.subject)


def _raise_nodes(site: ReleaseSite, run: Run, _: str) -> dict[str, Any]:
    wanted = site.catalog.environment(site.environment).recovery.nodes
    raised = {}
    for name, group in site.nodes.read(wanted).items():
        if group.desired < group.needed:
            site.nodes.raise_to(name, group.needed)
            raised[name] = group.needed
    return {"raised": raised}


def _deploy(site: ReleaseSite, run: Run, name: str) -> dict[str, Any]:
    env = site.catalog.environment(site.environment)
    service = effective(site.catalog.service(name), env)
    version = site.stable.read(name)
    assert version is not None, f"{name} has no recorded version although the judge saw one"
    at = site.now()
    record = site.records.get(name)
    if not version.same_as(record.stable_version):
        record = site.records.update(name, partial(_take, run=run, version=version, at=at))
    slot = serving_slot(record, run)
    objects = objects_of(
        record,
        slot,
        version,
        release=release_id(run, name),
        catalog=site.catalog,
        bundles=site.bundles,
    )
    site.cluster.apply(objects)
    own = slot_name(name, slot)
    site.cluster.set_bounds(env.namespace, own, minimum=service.replicas.min, maximum=service.replicas.max)
    pods = site.cluster.raise_to(env.namespace, own, service.replicas.min)
    return {"slot": slot, "version": version.image, "pods": pods}


def _take(record: ServiceRecord, *, run: Run, version: Version, at: float) -> ServiceRecord:
    return acquire(
        record,
        release=release_id(run, record.service),
        execution="",
        version=version,
        in_place=False,
        now=at,
        lease=LEASE,
    )


def _shift(site: ReleaseSite, run: Run, name: str) -> dict[str, Any]:
    env = site.catalog.environment(site.environment)
    service = effective(site.catalog.service(name), env)
    record = site.records.get(name)
    slot = serving_slot(record, run)
    settled = shift(
        name,
        generation=record.generation,
        slot=slot,
        weight=100,
        required=service.replicas.min,
        records=site.records,
        rules=site.rules,
    )
    at = site.now()
    if settled.record.holder and settled.record.holder.release == release_id(run, name):
        generation = settled.record.generation
        site.records.update(name, lambda r: promote(r, generation=generation, now=at, window=0.0))
    return {"slot": slot, "writes": settled.writes}


def _route(site: ReleaseSite, run: Run, _: str) -> dict[str, Any]:
    env = site.catalog.environment(site.environment)
    names = [step.subject for step in run.steps if step.kind == "shift"]
    hosts = [effective(site.catalog.service(name), env).host for name in names]
    site.routes.lead(hosts)
    return {"hosts": hosts, "to": site.balancer}


ACTS: dict[str, Callable[[ReleaseSite, Run, str], dict[str, Any]]] = {
    "nodes": _raise_nodes,
    "deploy": _deploy,
    "shift": _shift,
    "route": _route,
}
