"""A cache's steps: another node of the group, another region of the Global Datastore.

Sources: the ElastiCache user guide on TestFailover, ModifyReplicationGroup (PrimaryClusterId) and
FailoverGlobalReplicationGroup.
"""

from __future__ import annotations

from candlefish.catalog.model import Cache
from candlefish.failover.facts import CacheFacts
from candlefish.failover.model import Baseline
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.steps.step import (
    Evidence,
    Scene,
    StepKind,
    StepProgress,
    blocked,
    done,
    todo,
    waiting,
)
from candlefish.statuses import CACHE_FINAL, DATASTORE_SETTLED, SETTLED


def _declared(scene: Scene) -> Cache:
    """The catalog's entry of the step's cache."""
    return next(c for c in scene.environment.caches if c.name == scene.step.subject)


def _facts(scene: Scene) -> tuple[CacheFacts, Baseline]:
    return scene.world.caches[scene.step.subject], scene.run.before.get(
        f"cache/{scene.step.subject}", Baseline()
    )


def member(primaries: dict[str, tuple[str, str]]) -> str:
    """The primaries of all node groups in one word, for comparison: `0001=a,0002=b`."""
    return ",".join(f"{group}={primaries[group][0]}" for group in sorted(primaries))


def zone(primaries: dict[str, tuple[str, str]]) -> str:
    """The zones of the primaries, in the order of their node groups."""
    return ",".join(primaries[group][1] for group in sorted(primaries))


def _judge_node_failover(scene: Scene) -> StepProgress:
    """Every node group that had its primary on the old node has it on another, and is available."""
    facts, before = _facts(scene)
    if facts.unreadable.get("group"):
        return waiting(f"{facts.group} cannot be seen: {facts.unreadable['group']}")
    stayed = set(member(facts.primaries).split(",")) & set(before.primary.split(","))
    if facts.status in CACHE_FINAL:
        return blocked(f"{facts.group} is {facts.status}; ElastiCache does not take it back by itself")
    if facts.status not in SETTLED:
        return waiting(f"{facts.group} is {facts.status}")
    if not stayed:
        return done(
            f"{facts.group} is available with its primary in {zone(facts.primaries)}",
            primary_before=before.primary,
            primary=member(facts.primaries),
            zone_before=before.zone,
            zone=zone(facts.primaries),
            failed_over_at=facts.failed_over_at,
        )
    if facts.members < 2:
        return blocked(f"{facts.group} has one node; there is no replica to fail over to")
    return todo(f"the primary of {', '.join(sorted(stayed))} is where it was")


def _node_failover(scene: Scene, ports: FailoverPorts) -> Evidence:
    facts, before = _facts(scene)
    stayed = [
        g for g, (name, _) in sorted(facts.primaries.items()) if f"{g}={name}" in before.primary.split(",")
    ]
    # One node group at a time: TestFailover is refused while another one of the group is under way.
    ports.of(scene.run.to).caches.fail_over(_declared(scene).replication_group, stayed[0])
    return {"node_group": stayed[0]}


NODE_FAILOVER = StepKind(
    kind="node-failover",
    words="let a replica in another zone become the primary",
    part="caches",
    judge=_judge_node_failover,
    act=_node_failover,
    cuts_off=True,
    serves=frozenset({"cache-in-region"}),
)


def _judge_cache_promote(scene: Scene) -> StepProgress:
    """The Global Datastore takes writes in the target region."""
    facts, before = _facts(scene)
    if facts.unreadable.get("datastore"):
        return waiting(f"{facts.datastore} cannot be seen: {facts.unreadable['datastore']}")
    if facts.datastore_status not in DATASTORE_SETTLED:
        return waiting(f"{facts.datastore} is {facts.datastore_status}")
    if facts.global_primary == before.target_region:
        return done(
            f"{facts.datastore} takes writes in {before.target_region}",
            primary=facts.regions.get(before.target_region, ("", ""))[0],
        )
    if before.target_region not in facts.regions:
        return blocked(f"{facts.datastore} has no member in {before.target_region}")
    return todo(f"{facts.datastore} takes writes in {facts.global_primary}")


def _cache_promote(scene: Scene, ports: FailoverPorts) -> None:
    _, before = _facts(scene)
    datastore = _declared(scene).global_datastore
    ports.of(before.target_region).caches.promote(datastore, before.target_region, before.target)


CACHE_PROMOTE = StepKind(
    kind="cache-promote",
    words="make the target region the Global Datastore's primary",
    part="caches",
    judge=_judge_cache_promote,
    act=_cache_promote,
    final=True,
    cuts_off=True,
)


def _judge_cache_endpoint(scene: Scene) -> StepProgress:
    """The record that clients resolve points at the cache that serves."""
    facts, _ = _facts(scene)
    endpoint = _declared(scene).endpoint
    if endpoint is None:
        return done("the catalog names no endpoint of this cache")
    if facts.endpoint is None or not facts.address:
        return waiting(f"record {endpoint.name} or the cache's address cannot be read")
    if facts.endpoint == facts.address:
        return done(f"{endpoint.name} points at {facts.address}", name=endpoint.name, value=facts.address)
    return todo(f"{endpoint.name} points at {facts.endpoint or 'nothing'}, not {facts.address}")


def _cache_endpoint(scene: Scene, ports: FailoverPorts) -> None:
    facts, _ = _facts(scene)
    endpoint = _declared(scene).endpoint
    assert endpoint is not None
    ports.dns.point(endpoint.zone, endpoint.name, facts.address)


CACHE_ENDPOINT = StepKind(
    kind="cache-endpoint",
    words="point the cache's DNS record at the promoted group",
    part="caches",
    judge=_judge_cache_endpoint,
    act=_cache_endpoint,
    serves=frozenset({"cache-cross-region"}),
)
