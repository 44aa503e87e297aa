"""An account that is full: a thousand services, two hundred releases in flight, quotas that are enforced.

Everybody begins at once, and in the middle of it many are taken back at once: the most that an account may have to
bear. What is looked at is that no throttle reaches a rollback, and that the reconciler is done within its minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import msgspec

from candlefish.catalog.load import load
from candlefish.names import ENVIRONMENT_TAG, target_group_name
from candlefish.release.workload import objects_of
from candlefish.service.model import SLOTS, Version
from candlefish.service.record import ServiceRecord, acquire, intend_weight, new_record, promote
from candlefish.traffic.fittings import SMOKE_PRIORITIES, USER_PRIORITIES
from candlefish.traffic.ports import OWNER_TAG, SLOT_TAG, RuleSpec, TargetGroupSpec
from candlefish.traffic.rules import SMOKE_HEADER
from lab import CATALOG
from lab.choices import judged
from lab.memory.release import MemoryBundles
from lab.quotas import AWS, Buckets, Quota
from lab.simulator.site import FIRST_VERSION, NotReached, Site

# What each call takes, in seconds.
LATENCY = 0.05
MINUTE = 60.0
# Within how many seconds everybody begins.
RUSH = 300.0
# When some are taken back, and when it is looked at what came of it, in seconds after the first began.
TROUBLE, END = 600.0, 1200.0
# Which share of what is in flight is taken back.
SHARE = 0.25
# Functions that a rollback waits for until users are back.
RESTORING = ("restore_traffic",)
RECONCILER = "reconcile_traffic"


class Growth(msgspec.Struct, frozen=True):
    """What came of it. Times are seconds of the simulation, `took` those of this machine."""

    services: int
    listeners: int
    # Releases that were under way when some were taken back, and how many these were.
    in_flight: int
    rollbacks: int
    # By action of AWS.
    requests: dict[str, int]
    throttled: dict[str, int]
    # By function: requests that were throttled and sent again, and calls that ended so.
    waited: dict[str, int]
    gave_up: dict[str, int]
    # From the start of each rollback until the rule was written, and how many gave up because of a throttle.
    restored_after: list[float]
    refused: int
    # How long each look of the reconciler took, and the calls of the longest.
    looks: list[float]
    unfinished: list[str]
    # Releases that were taken back, or failed, although nobody asked for it.
    lost: list[str]
    took: float

    def wrong(self) -> Iterator[str]:
        """What must not be."""
        if self.refused:
            yield f"{self.refused} times restore_traffic was throttled to the end"
        if self.unfinished:
            yield f"{len(self.unfinished)} rollbacks did not end well: {', '.join(self.unfinished[:5])}"
        if self.lost:
            yield f"{len(self.lost)} releases were lost to throttles: {', '.join(self.lost[:5])}"
        if not self.looks or max(self.looks) >= MINUTE:
            yield f"the reconciler took {max(self.looks, default=0):.1f} s"
        if self.in_flight < self.rollbacks or not self.restored_after:
            yield "nothing was in flight"


def grow(services: int, releases: int, *, seed: int = 0, quotas: tuple[Quota, ...] = AWS) -> Growth:
    """Live through it."""
    began = time.perf_counter()
    with Site(judged(load(CATALOG)).name, seed=seed, services=services) as site:
        names = sorted(site.catalog.services)
        busy = names[:releases]
        for number, name in enumerate(names):
            _furnish(site, name, number, runs=name in busy)
        site.run(3 * MINUTE)
        boundary = site.boundary
        boundary.latency, boundary.buckets = LATENCY, Buckets(site.kernel.now, quotas)
        looks, restored, refused = _watch(site)
        reconciler = next(arn for arn, each in site.stack.functions.items() if each.name == RECONCILER)
        site.kernel.every(MINUTE, partial(site.lambdas.queue, reconciler, {}), "the reconciler's minute")
        start = site.kernel.now()
        under_way = []
        for name in busy:
            under_way.append(_release(site, name))
            site.run(RUSH / releases)
        site.run(start + TROUBLE - site.kernel.now())
        in_flight = [each for each in under_way if _status(site, each) == "RUNNING"]
        # Every so manieth, so that they are behind all load balancers.
        chosen = busy[:: max(1, round(1 / SHARE))]
        rollbacks = {name: _take_back(site, name) for name in chosen}
        site.run(start + END - site.kernel.now())
        unfinished = [each for each in rollbacks.values() if _status(site, each, "rollback") != "SUCCEEDED"]
        back = {f"{name}-2" for name in chosen}
        return Growth(
            services=services,
            listeners=len(site.ground.balancer.listeners),
            in_flight=len(in_flight),
            rollbacks=len(rollbacks),
            requests=dict(boundary.buckets.taken),
            throttled=dict(boundary.buckets.refused),
            waited=dict(boundary.waited),
            gave_up=dict(boundary.gave_up),
            restored_after=restored,
            refused=len(refused),
            looks=looks,
            unfinished=unfinished,
            lost=[each for each in under_way if each not in back and _status(site, each) != "RUNNING"],
            took=time.perf_counter() - began,
        )


def _release(site: Site, service: str) -> str:
    version = "2.0.0"
    site.publish(service, version)
    return site.release(service, version, name=f"{service}-2")


def _take_back(site: Site, service: str) -> str:
    """The name of a rollback, whether it was let start or refused at once: one that is refused never ends well."""
    name = f"{service}-by-hand"
    with suppress(NotReached):
        site.roll_back(service, id=name)
    return name


def _status(site: Site, name: str, machine: str = "release") -> str:
    run = site.execution(name, machine)
    return run.status if run else "MISSING"


def _watch(site: Site) -> tuple[list[float], list[float], list[float]]:
    """How long looks of the reconciler take, how long it takes from a rollback's start to its rule, and how long those
    took that were throttled to the end.
    """
    looks: list[float] = []
    restored: list[float] = []
    refused: list[float] = []
    since: dict[str, list[float]] = {RECONCILER: [], **{each: [] for each in RESTORING}}

    def before(function: str) -> None:
        if function in since:
            since[function].append(site.kernel.now())

    def after(function: str, event: object, answer: object, error: str) -> None:
        if function in since:
            took = site.kernel.now() - since[function].pop(0)
            kept = looks if function == RECONCILER else refused if error else restored
            kept.append(took)

    site.lambdas.before.append(before)
    site.lambdas.watchers.append(after)
    return looks, restored, refused


def _furnish(site: Site, name: str, number: int, *, runs: bool) -> None:
    """A service that was released long ago and rests; only one that `runs` has Pods."""
    record = _recorded(site, name, number)
    site.stores.records.create(record)
    site.ground.balancer.stamp(record.rule, record.mark)
    if not runs:
        return
    assert record.stable and record.stable_version
    objects = objects_of(
        record,
        record.stable,
        record.stable_version,
        release=record.promoted_release,
        catalog=site.catalog,
        bundles=MemoryBundles(),
    )
    site.ports["cluster"].apply(objects, generation=record.generation)
    site.ground.traffic.add(record.rule, site.rate)


def _recorded(site: Site, name: str, number: int) -> ServiceRecord:
    balancer, environment = site.ground.balancer, site.environment
    service = site.catalog.services[name]
    tags = {OWNER_TAG: name, ENVIRONMENT_TAG: environment}
    groups = {
        slot: balancer.ensure_target_group(
            TargetGroupSpec(
                name=target_group_name(name, environment, slot),
                port=service.port,
                vpc="vpc-1",
                health_path=service.health_path,
                tags={**tags, SLOT_TAG: slot},
            )
        )
        for slot in SLOTS
    }
    behind, at = divmod(number, 50)
    listener, token = balancer.listeners[behind], f"token-{name}"
    weights = {groups["blue"]: 100, groups["green"]: 0}
    rule = balancer.create_rule(listener, RuleSpec(service.host, tags), USER_PRIORITIES[at], weights)
    smoke = RuleSpec(service.host, tags, (SMOKE_HEADER, token))
    smoke_rule = balancer.create_rule(listener, smoke, SMOKE_PRIORITIES[at], weights)
    record = new_record(
        environment, name, rule=rule, smoke_rule=smoke_rule, smoke_token=token, target_groups=groups
    )
    release, version = f"{name}-1", Version(site.publish(name, FIRST_VERSION), label=FIRST_VERSION)
    record = acquire(
        record, release=release, execution=release, version=version, now=0.0, lease=1.0, in_place=False
    )
    slot = next(each for each in SLOTS if record.slots[each].state == "candidate")
    record = intend_weight(record, generation=record.generation, slot=slot, weight=100)
    record = promote(record, generation=record.generation, now=0.0, window=0.0)
    balancer.write(record.rule, record.weights_by_target_group())
    return msgspec.structs.replace(record, revision=5)
