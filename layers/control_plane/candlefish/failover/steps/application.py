"""The application's steps at the site that shall serve.

The versions are the ones recorded stable where the application ran; they come up behind the site's
own load balancer, through the same records and rules a release uses, before any user is led there. A
failover takes a service like a release, but without judging: the version is known good, and there is no
other one to send users to.
"""

from __future__ import annotations

from functools import partial

from candlefish.catalog.model import Environment
from candlefish.catalog.read import effective
from candlefish.failover.facts import FailoverWorld, SiteFacts, SiteServiceFacts
from candlefish.failover.model import Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.steps.step import (
    Evidence,
    Scene,
    StepKind,
    StepProgress,
    blocked,
    done,
    todo,
    wait_only,
    waiting,
)
from candlefish.invocation import written_within
from candlefish.service.model import Slot, Version
from candlefish.service.record import ServiceRecord, acquire, candidate_slot, promote
from candlefish.statuses import NODEGROUP_FINAL, NODEGROUP_SETTLED
from candlefish.traffic.shift import shift

# How long a failover may hold a service without being seen; the reconciler frees it afterwards.
LEASE = 2 * 3600.0


def _site(scene: Scene) -> SiteFacts:
    return scene.world.site or SiteFacts(scene.run.to, "", unreadable={"site": "nobody looked"})


def _service(scene: Scene) -> SiteServiceFacts:
    name = scene.step.subject
    return _site(scene).services.get(name) or SiteServiceFacts(name, unreadable={"service": "nobody looked"})


def release_id(run: Run, service: str) -> str:
    """What a failover is called in the record of a service that it takes."""
    return f"{run.id}.{service}"


def serving_slot(record: ServiceRecord, run: Run) -> Slot:
    """The slot that the run brings its version to, or the stable one when nothing is under way."""
    if record.holder and record.holder.release == release_id(run, record.service):
        return candidate_slot(record, in_place=False)
    return record.stable or candidate_slot(record, in_place=False)


def _judge_nodes(scene: Scene) -> StepProgress:
    """The site's cluster has the nodes that its services need."""
    site = _site(scene)
    if why := site.unreadable.get("nodes"):
        return waiting(f"node groups of {site.region} cannot be read: {why}")
    missing = sorted(set(scene.environment.recovery.nodes) - set(site.nodes))
    if missing and scene.run.to == scene.environment.recovery_region:
        return blocked(f"the cluster in {site.region} has no node group {', '.join(missing)}; create it")
    small = [g for g in site.nodes.values() if g.desired < g.needed]
    if lost := [g for g in site.nodes.values() if g.status in NODEGROUP_FINAL]:
        words = ", ".join(f"node group {g.name} is {g.status}" for g in lost)
        return blocked(f"{words}; EKS does not take it back by itself: mend or replace it in {site.region}")
    # A degraded one is asked for nodes all the same: whether Pods get ready shows later.
    busy = [g for g in site.nodes.values() if g.status not in NODEGROUP_SETTLED]
    if busy:
        return waiting(", ".join(f"node group {g.name} is {g.status}" for g in busy))
    if small:
        return todo(", ".join(f"node group {g.name} asks for {g.desired} of {g.needed} nodes" for g in small))
    return done("every node group has its nodes", nodes={g.name: g.desired for g in site.nodes.values()})


def _nodes(scene: Scene, ports: FailoverPorts) -> Evidence:
    nodes = ports.require_site().nodes
    raised = {}
    for name, group in nodes.read(scene.environment.recovery.nodes).items():
        if group.desired < group.needed:
            nodes.raise_to(name, group.needed)
            raised[name] = group.needed
    return {"raised": raised}


NODES = StepKind(
    kind="nodes",
    words="give the site's cluster its nodes",
    part="site",
    judge=_judge_nodes,
    act=_nodes,
)


def _judge_deploy(scene: Scene) -> StepProgress:
    """The service's slot at the site holds the version that was recorded stable, with capacity."""
    facts = _service(scene)
    if facts.unreadable:
        return waiting(f"{facts.name}: {_why(facts)}")
    if facts.wanted is None:
        return blocked(
            f"no version of {facts.name} was ever recorded stable; release one at the site instead"
        )
    record = facts.record
    if record is None:
        return blocked(f"{facts.name} is not onboarded at the site; run: candlefish onboard {facts.name}")
    if facts.wanted.same_as(record.stable_version):
        if (facts.replicas or 0) < facts.needed:
            return todo(f"{facts.name} asks for {facts.replicas} of {facts.needed} Pods")
        return done(
            f"{facts.name} has {facts.wanted.short} in slot {record.stable}", version=facts.wanted.image
        )
    if record.rollback is not None or (
        record.holder and record.holder.release != release_id(scene.run, facts.name)
    ):
        return waiting(f"{record.name} is held by {record.holder.release if record.holder else 'a rollback'}")
    # The act's own evidence: a slot may still hold an older version with Pods.
    evidence = scene.run.state(scene.step).evidence
    applied = (evidence.get("version"), evidence.get("configuration", "")) == (
        facts.wanted.image,
        facts.wanted.configuration_digest,
    )
    if record.holder and applied and facts.rollout is not None and (facts.replicas or 0) >= facts.needed:
        return done(f"{facts.wanted.short} of {facts.name} was applied", version=facts.wanted.image)
    return todo(
        f"{facts.name} runs {record.stable_version.short if record.stable_version else 'nothing'} here"
    )


def _deploy(scene: Scene, ports: FailoverPorts) -> Evidence:
    # Loaded here: most failovers deploy nothing, and begin sooner without.
    from candlefish.release.manifests.model import slot_name
    from candlefish.release.workload import objects_of, range_of

    site, run, name = ports.require_site(), scene.run, scene.step.subject
    version = site.stable.read(name)
    assert version is not None, f"{name} has no recorded version although the judge saw one"
    at = ports.now()
    record = site.records.get(name)
    if not version.same_as(record.stable_version):
        record = site.records.update(name, partial(_acquire, run=run, version=version, at=at))
    slot = serving_slot(record, run)
    objects = objects_of(
        record,
        slot,
        version,
        release=release_id(run, name),
        catalog=ports.catalog,
        bundles=site.bundles,
    )
    site.cluster.apply(objects, generation=record.generation)
    own, namespace = slot_name(name, slot), scene.environment.namespace
    replicas = range_of(version, name, scene.environment.name, ports.catalog)
    assert replicas, f"{name} was rendered from nothing"
    site.cluster.set_bounds(
        namespace, own, minimum=replicas.min, maximum=replicas.max, generation=record.generation
    )
    pods = site.cluster.raise_to(namespace, own, replicas.min, generation=record.generation)
    return {
        "slot": slot,
        "version": version.image,
        "configuration": version.configuration_digest,
        "pods": pods,
    }


def _acquire(record: ServiceRecord, *, run: Run, version: Version, at: float) -> ServiceRecord:
    return acquire(
        record,
        release=release_id(run, record.service),
        execution="",
        version=version,
        in_place=False,
        now=at,
        lease=LEASE,
    )


DEPLOY = StepKind(
    kind="deploy",
    words="apply the version that was recorded stable",
    part="site",
    judge=_judge_deploy,
    act=_deploy,
)


def _judge_ready(scene: Scene) -> StepProgress:
    """The slot's Pods are ready and the load balancer sees them healthy."""
    facts = _service(scene)
    if facts.unreadable or facts.rollout is None or facts.health is None:
        return waiting(f"{facts.name}: {_why(facts)}")
    if facts.rollout.status == "failed":
        return blocked(f"{facts.name} cannot come up: {facts.rollout.reason}")
    seen = f"{facts.rollout.reason}; {facts.health.healthy} of {facts.needed} targets healthy"
    if facts.rollout.status == "ready" and facts.health.healthy >= facts.needed:
        return done(seen)
    return waiting(f"{seen} ({facts.health.reason})" if facts.health.reason else seen)


READY = StepKind(
    kind="ready",
    words="wait until its Pods are ready and its targets healthy",
    part="site",
    judge=_judge_ready,
    act=wait_only,
)


def _judge_shift(scene: Scene) -> StepProgress:
    """All of the service's traffic at the site goes to that slot, which is recorded stable."""
    facts = _service(scene)
    record = facts.record
    if facts.unreadable or record is None:
        return waiting(f"{facts.name}: {_why(facts)}")
    slot = serving_slot(record, scene.run)
    if record.stable == slot and record.desired[slot] == 100 and record.holder is None:
        return done(f"slot {slot} of {facts.name} has all traffic of the site", slot=slot)
    return todo(f"slot {slot} of {facts.name} has {record.desired[slot]}% of the site's traffic")


def _shift(scene: Scene, ports: FailoverPorts) -> Evidence:
    site, run, name = ports.require_site(), scene.run, scene.step.subject
    service = effective(ports.catalog.service(name), scene.environment)
    record = site.records.get(name)
    slot = serving_slot(record, run)
    with written_within(ports.writers_live):
        settled = shift(
            name,
            generation=record.generation,
            slot=slot,
            weight=100,
            required=service.replicas.min,
            records=site.records,
            rules=site.rules,
            now=ports.now,
        )
    at = ports.now()
    if settled.record.holder and settled.record.holder.release == release_id(run, name):
        generation = settled.record.generation
        site.records.update(name, lambda r: promote(r, generation=generation, now=at, window=0.0))
    return {"slot": slot, "writes": settled.writes}


SHIFT = StepKind(
    kind="shift",
    words="give it all of the site's traffic and record it stable",
    part="site",
    judge=_judge_shift,
    act=_shift,
)


def _judge_route(scene: Scene) -> StepProgress:
    """Users of every service are led to this site."""
    site = _site(scene)
    if why := site.unreadable.get("routes"):
        return waiting(f"where users are led cannot be read: {why}")
    # A worker and a service in the cluster have no host, and nobody to lead.
    routes = {s.host: s.route for s in site.services.values() if s.host}
    elsewhere = {host: route for host, route in routes.items() if route != site.balancer}
    if not elsewhere:
        return done(f"{len(routes)} hosts lead to {site.balancer}", to=site.balancer)
    host, where = next(iter(elsewhere.items()))
    return todo(f"{len(elsewhere)} of {len(routes)} hosts lead elsewhere ({host} to {where or 'nothing'})")


def _route(scene: Scene, ports: FailoverPorts) -> Evidence:
    site = ports.require_site()
    names = [step.subject for step in scene.run.steps if step.kind == SHIFT.kind]
    services = [effective(ports.catalog.service(name), scene.environment) for name in names]
    hosts = [service.host for service in services if service.balanced]
    site.routes.lead(hosts)
    return {"hosts": hosts, "to": site.balancer}


ROUTE = StepKind(
    kind="route",
    words="lead the users of every host to the site",
    part="site",
    judge=_judge_route,
    act=_route,
    serves=frozenset({"application", "region"}),
)


def cron_in_both(run: Run, world: FailoverWorld, environment: Environment) -> str:
    """What a person has to see to after users were led elsewhere: CronJobs run in the region that they left as well.

    Its cluster and record are its own stack's, which may not answer; so nothing here suspends them. Empty where no
    service of the site has any. A record that cannot be read may have some.
    """
    from candlefish.release.cron import may_have_cron

    if world.site is None or not any(step.kind == ROUTE.kind for step in run.steps):
        return ""
    found = world.site.services.values()
    names = sorted(each.name for each in found if each.record is None or may_have_cron(each.record))
    left = " and ".join(region for region in environment.regions if region != run.to)
    if not names:
        return ""
    return (
        f"CronJobs that {', '.join(names)} may have run in {run.to} by now, and in {left} as long as its cluster does: "
        f"suspend there what must not run twice (kubectl -n {environment.namespace} patch cronjob NAME "
        '-p \'{"spec": {"suspend": true}}\')'
    )


def _why(facts: SiteServiceFacts) -> str:
    return (
        "; ".join(f"{part} cannot be read: {why}" for part, why in facts.unreadable.items()) or "not seen yet"
    )
