"""Go or no-go: what must be true before a plan starts, each with its reason and what to do.

Unknown is never "go". A check that a person may overrule names the risk (`asks`); every other
failed check is a refusal that only the world can lift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from candlefish.catalog.model import Database, Environment
from candlefish.catalog.standby import STAND_BY, no_standby
from candlefish.failover.facts import FIXED_ENDPOINT, CacheFacts, Copy, DatabaseFacts, FailoverWorld, Lag
from candlefish.failover.model import OPEN, Baseline, PlanKind, Question, Run
from candlefish.failover.steps.application import ROUTE
from candlefish.failover.steps.cache import CACHE_ENDPOINT
from candlefish.failover.steps.database import ENDPOINT, fence_group
from candlefish.failover.steps.step import StepKind
from candlefish.statuses import FINAL, SETTLED

# A lag metric older than this says nothing of now, seconds. RDS reports it every minute.
LAG_FRESH = 300.0


class Check(msgspec.Struct, frozen=True):
    """One precondition. `passed` None means that it could not be told."""

    name: str
    passed: bool | None
    reason: str
    asks: Question | None = None


def expected_loss(
    points: tuple[Lag, ...], *, failing_since: float, source_up: bool, now: float
) -> float | None:
    """Seconds of committed data that a promotion would lose; None when it cannot be told.

    While the source is down its replica's lag metric grows with the outage, not with the loss: the
    loss is what was committed after the last replayed transaction and before the failure.
    """
    if not points:
        return None
    newest = points[-1]
    if source_up or not failing_since:
        if now - newest.at > LAG_FRESH:
            return None
        return now - newest.replayed_to if newest.stopped else newest.seconds
    if failing_since - newest.at > LAG_FRESH:
        return None
    return max(0.0, failing_since - max(point.replayed_to for point in points))


def check_preconditions(
    run: Run, world: FailoverWorld, environment: Environment, history: Iterable[Run]
) -> list[Check]:
    """Every precondition of a run that has not started."""
    found = list(_others(run, environment, history))
    for database in environment.databases:
        key = f"database/{database.name}"
        if key in run.before and database.name in world.databases:
            judge = _CHECKS.get(run.plan, _cross_region)
            facts = world.databases[database.name]
            found += [
                *judge(run, database, facts, run.before[key], environment),
                *_endpoint(run, ENDPOINT, facts),
            ]
    for cache in environment.caches:
        key = f"cache/{cache.name}"
        if key in run.before and cache.name in world.caches:
            found += _cache(run, world, cache.name, run.before[key])
            found += _endpoint(run, CACHE_ENDPOINT, world.caches[cache.name])
    if any(step.kind == ROUTE.kind for step in run.steps):
        found += _application(run, world, environment)
    return found


def refusals(found: Iterable[Check]) -> list[Check]:
    """The checks that nobody may overrule and that did not pass."""
    return [check for check in found if not check.passed and check.asks is None]


def risks(found: Iterable[Check]) -> tuple[Question, ...]:
    """The risks that a person must accept by name."""
    return tuple(dict.fromkeys(c.asks for c in found if not c.passed and c.asks is not None))


def _others(run: Run, environment: Environment, history: Iterable[Run]) -> Iterator[Check]:
    """No other failover concerns the same thing, and the last one is long enough ago."""
    cooldown = environment.recovery.cooldown
    subjects = {step.subject for step in run.steps}
    related = [h for h in history if subjects & {s.subject for s in h.steps}]
    active = [h for h in related if h.status in OPEN]
    yield Check(
        "nothing else under way",
        not active,
        f"failover {active[0].id} ({active[0].plan}) is {active[0].status}; finish it, or give it up with: "
        f"candlefish failover {active[0].target} -e {active[0].environment} --abandon"
        if active
        else "no other failover concerns it",
    )
    recent = [h for h in related if h.status == "done" and run.requested_at - h.ended_at < cooldown]
    # What follows a cross-region failover (rebuild, failback) is no repetition of it.
    repeated = [h for h in recent if h.plan == run.plan and h.to == run.to]
    yield Check(
        "cooldown",
        not repeated,
        f"{repeated[-1].id} did the same {run.requested_at - repeated[-1].ended_at:.0f} s ago; "
        f"another one is allowed {cooldown:.0f} s after it (environment.recovery.cooldown)"
        if repeated
        else f"the same was not done within {cooldown:.0f} s",
    )


def _seen(
    facts: DatabaseFacts, region: str, identifier: str, *, asks: Question | None = None
) -> tuple[Copy | None, Check]:
    copy = facts.copies.get(region)
    if copy is not None:
        return copy, Check(f"{identifier} is readable", True, f"{identifier} in {region} is {copy.status}")
    if why := facts.unreadable.get(region):
        return None, Check(
            f"{identifier} is readable", None, f"{identifier} in {region} cannot be read: {why}", asks
        )
    return None, Check(f"{identifier} is readable", False, f"there is no {identifier} in {region}", asks)


def _endpoint(run: Run, kind: StepKind, facts: DatabaseFacts | CacheFacts) -> Iterator[Check]:
    """Whether the endpoint's record can be changed, where a step will: by then clients are cut off."""
    moved = any((step.kind, step.subject) == (kind.kind, facts.name) for step in run.steps)
    if moved and (why := facts.unreadable.get(FIXED_ENDPOINT)):
        yield Check("endpoint can be moved", False, why)


def _settled(copy: Copy, why: str) -> Check:
    if copy.available:
        return Check(f"{copy.identifier} is available", True, f"{copy.identifier} is {copy.status}")
    wait = "RDS does not take it back by itself" if copy.status in FINAL else "wait until it is available"
    return Check(
        f"{copy.identifier} is available", False, f"{copy.identifier} is {copy.status}: {why}; {wait}"
    )


def _in_region(
    run: Run, database: Database, facts: DatabaseFacts, before: Baseline, environment: Environment
) -> Iterator[Check]:
    copy, seen = _seen(facts, before.source_region, before.source)
    yield seen
    if copy is None:
        return
    if copy.status in ("failing-over", "rebooting"):
        yield Check(
            "not failing over already",
            False,
            f"{copy.identifier} is {copy.status} already: RDS is failing it over by itself; watch it",
        )
    else:
        yield _settled(copy, "a reboot with failover is refused")
    yield Check(
        "Multi-AZ",
        copy.standby,
        f"{copy.identifier} has a standby in another zone"
        if copy.standby
        else f"{copy.identifier} has no standby: Multi-AZ is off; switch it on, or promote a replica",
    )
    if copy.role != "primary":
        yield Check("role", False, f"{copy.identifier} is a replica of {copy.follows}; fail its primary over")


def _cross_region(
    run: Run, database: Database, facts: DatabaseFacts, before: Baseline, environment: Environment
) -> Iterator[Check]:
    if not before.target:
        yield Check(
            "replica",
            False,
            f"the catalog has no copy of database {database.name} in {run.to}; add a replica there",
        )
        return
    yield from _target(before, facts)
    yield _loss(run, before, facts, environment, database)
    yield from _source(before, facts, database, environment)


def _target(before: Baseline, facts: DatabaseFacts) -> Iterator[Check]:
    target, seen = _seen(facts, before.target_region, before.target)
    yield seen
    if target is None:
        return
    yield _settled(target, "PromoteReadReplica is refused meanwhile")
    if not target.members:
        yield Check(
            "an instance that answers",
            False,
            f"cluster {target.identifier} in {target.region} has no instance: it would take the role and nobody could "
            f"connect; add one: aws rds create-db-instance --region {target.region} --db-cluster-identifier "
            f"{target.identifier} ...",
        )
    replica = target.role == "replica"
    yield Check(
        "replica",
        replica,
        f"{target.identifier} follows {target.follows}"
        if replica
        else f"{target.identifier} in {target.region} is no replica: it has the role already, or was cut off "
        "from its source; its data may be old, so compare before you point anything at it",
    )


def _loss(
    run: Run, before: Baseline, facts: DatabaseFacts, environment: Environment, database: Database
) -> Check:
    limit = min(environment.recovery.rpo, database.max_lag)
    loss = before.expected_loss
    if loss is None:
        newest = facts.lag[-1].at if facts.lag else 0.0
        seen = f"its newest point is {run.requested_at - newest:.0f} s old" if newest else "it has no points"
        return Check(
            "lag within the RPO", None, f"the lag of {before.target} is unknown: {seen}", "data-loss"
        )
    if loss > limit:
        return Check(
            "lag within the RPO",
            False,
            f"promoting {before.target} would lose {loss:.0f} s of data, {limit:.0f} s are allowed "
            "(the smaller of environment.recovery.rpo and the database's max_lag)",
            "data-loss",
        )
    return Check("lag within the RPO", True, f"{loss:.0f} s of data would be lost, {limit:.0f} s are allowed")


def _source(
    before: Baseline, facts: DatabaseFacts, database: Database, environment: Environment
) -> Iterator[Check]:
    """Whether the old primary can be fenced; only the acts themselves prove it."""
    copy, seen = _seen(facts, before.source_region, before.source, asks="split-brain")
    gone = copy is None and before.source_region not in facts.unreadable
    fence = fence_group(database, before.source_region, environment.region)
    if gone:
        yield Check("fence", True, f"{before.source} is gone, so it can take no writes")
    elif copy is None:
        yield Check("fence", None, f"{seen.reason}, so it cannot be fenced", "split-brain")
    elif not fence:
        yield Check(
            "fence",
            False,
            f"the catalog names no fence_group for {before.source} in {copy.region}",
            "split-brain",
        )
    elif copy.status not in FINAL:
        yield Check("fence", True, f"{copy.identifier} will be closed by {fence} and restarted")
    else:
        yield Check(
            "fence",
            False,
            f"{copy.identifier} is {copy.status}, so it cannot be closed and restarted",
            "split-brain",
        )


def _rebuild(
    run: Run, database: Database, facts: DatabaseFacts, before: Baseline, environment: Environment
) -> Iterator[Check]:
    source, seen = _seen(facts, before.source_region, before.source)
    yield seen
    if source is None:
        return
    yield _settled(source, "a replica of it cannot be created")
    if source.managed_password:
        yield Check(
            "a password that a replica can have",
            False,
            f"RDS manages the master password of {source.identifier}, and makes no read replica of such an instance; "
            "set a password of your own first: aws rds modify-db-instance --region "
            f"{source.region} --db-instance-identifier {source.identifier} --no-manage-master-user-password "
            "--master-user-password ...",
        )
    yield Check(
        "role",
        source.role == "primary",
        f"{source.identifier} has the role"
        if source.role == "primary"
        else f"{source.identifier} in {source.region} is a replica: {run.to} has the role already",
    )
    if why := facts.unreadable.get(before.target_region):
        yield Check("region", None, f"{before.target_region} cannot be read: {why}; wait until it is back")


_CHECKS: dict[PlanKind, Callable[[Run, Database, DatabaseFacts, Baseline, Environment], Iterator[Check]]] = {
    "database-in-region": _in_region,
    "database-rebuild": _rebuild,
    "database-failback": _rebuild,
    "database-unfence": lambda *_: iter(()),
}


def _cache(run: Run, world: FailoverWorld, name: str, before: Baseline) -> Iterator[Check]:
    facts = world.caches[name]
    part = "group" if run.plan == "cache-in-region" else "datastore"
    if why := facts.unreadable.get(part):
        yield Check(f"cache {name} is readable", None, f"cache {name} cannot be read: {why}")
        return
    if run.plan == "cache-in-region":
        settled = facts.status in SETTLED
        wait = "" if settled else "; wait until it is available"
        yield Check("available", settled, f"{facts.group} is {facts.status}{wait}")
        if settled and not facts.primaries:
            yield Check(
                "primary known",
                False,
                f"ElastiCache does not say which node of {facts.group} is primary (cluster mode enabled); "
                "fail a node group over by hand: aws elasticache test-failover",
            )
        yield Check(
            "replica",
            facts.members > 1,
            f"{facts.group} has {facts.members} nodes"
            + ("" if facts.members > 1 else "; there is none to fail over to"),
        )
        return
    member = facts.regions.get(before.target_region)
    yield Check(
        "member",
        member is not None,
        f"{facts.datastore or 'no Global Datastore'} has "
        + (f"{member[0]} in {before.target_region}" if member else f"no member in {before.target_region}"),
    )
    yield Check(
        "role",
        facts.global_primary != before.target_region,
        f"{facts.datastore} takes writes in {facts.global_primary or 'an unknown region'}",
    )


def _application(run: Run, world: FailoverWorld, environment: Environment) -> Iterator[Check]:
    if run.to == environment.recovery_region and not environment.recovery.standby:
        # Whatever its table holds may be old: nobody writes there.
        yield Check("standby", False, f"{no_standby(environment)}; {STAND_BY}")
    site = world.site
    if site is None or site.unreadable:
        why = "; ".join(f"{k}: {v}" for k, v in site.unreadable.items()) if site else "nobody looked"
        yield Check("site", None, f"the site in {run.to} cannot be read: {why}")
        return
    for service in site.services.values():
        if service.unreadable:
            why = "; ".join(service.unreadable.values())
            yield Check(
                f"{service.name} is readable", None, f"{service.name} cannot be read at the site: {why}"
            )
        elif service.wanted is None:
            yield Check(
                f"{service.name} has a version", False, f"no stable version of {service.name} is recorded"
            )
        elif service.record is None:
            yield Check(
                f"{service.name} is onboarded",
                False,
                f"{service.name} is not onboarded in {run.to}; run: candlefish onboard {service.name}",
            )
    if not any(s.unreadable or s.wanted is None or s.record is None for s in site.services.values()):
        yield Check(
            "site", True, f"{len(site.services)} services are onboarded in {run.to} with a stable version"
        )
