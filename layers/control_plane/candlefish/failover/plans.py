"""What each plan consists of, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from candlefish.catalog.model import Catalog, Database, Environment
from candlefish.errors import InvalidInput, UnknownService
from candlefish.failover.facts import DatabaseFacts, World
from candlefish.failover.model import Baseline, PlanKind, PlanStep

_CROSS = ("close", "cut", "promote", "open", "secret", "endpoint", "verify", "protect")
_REBUILD = ("retire-old", "replicate")

# Steps of a plan whose steps all concern its one target.
STEPS: dict[PlanKind, tuple[str, ...]] = {
    "database-in-region": ("zone-failover", "verify"),
    "database-cross-region": _CROSS,
    "database-rebuild": _REBUILD,
    "database-failback": (*_REBUILD, "close", "cut", "caught-up", *_CROSS[2:]),
    "database-unfence": ("unfence",),
    "cache-in-region": ("node-failover",),
    "cache-cross-region": ("cache-promote", "cache-endpoint"),
}
# What a person is told a step does, before anything happens.
WORDS: dict[str, str] = {
    "zone-failover": "let the standby in another zone take over",
    "close": "replace the old primary's security groups by its fence group",
    "cut": "restart the old primary, so that connections that are still open end",
    "caught-up": "wait until the replica has replayed everything from before the fence",
    "promote": "promote the copy in the target region (cannot be undone)",
    "open": "let clients reach the promoted copy",
    "secret": "write the new host into the secret of the target region",
    "endpoint": "point the database's DNS record at the promoted copy",
    "verify": "write a row with this run's epoch and read it back; measure the data loss",
    "protect": "give the promoted copy backups and a standby",
    "retire-old": "rename the fenced old primary, so that its name is free (it is kept)",
    "replicate": "create a replica of the serving database and wait until it is in step",
    "unfence": "give the old primary its security groups back",
    "node-failover": "let a replica in another zone become the primary",
    "cache-promote": "make the target region the Global Datastore's primary",
    "cache-endpoint": "point the cache's DNS record at the promoted group",
    "nodes": "give the site's cluster its nodes",
    "deploy": "apply the version that was recorded stable",
    "ready": "wait until its Pods are ready and its targets healthy",
    "shift": "give it all of the site's traffic and record it stable",
    "route": "lead the users of every host to the site",
}
# Plans that only a second person can start.
FOUR_EYES: frozenset[PlanKind] = frozenset(
    {"database-cross-region", "database-failback", "cache-cross-region", "application", "region"}
)


def compile_plan(
    plan: PlanKind, target: str, environment: Environment, catalog: Catalog
) -> tuple[PlanStep, ...]:
    """The steps of a plan, in order.

    Raises
    ------
    InvalidInput
        The plan does not fit the target.
    UnknownService
        The environment declares no such database or cache.
    """
    if plan == "application":
        return _application(catalog)
    if plan == "region":
        databases = (d.name for d in environment.databases if d.replica)
        caches = (c.name for c in environment.caches if c.global_datastore)
        return (
            *(PlanStep(kind, name) for name in databases for kind in _CROSS[:-1]),
            *(PlanStep(kind, name) for name in caches for kind in STEPS["cache-cross-region"]),
            *_application(catalog),
            *(PlanStep("protect", d.name) for d in environment.databases if d.replica),
        )
    kind, _, name = target.partition("/")
    if not plan.startswith(kind) or not name:
        raise InvalidInput(f"plan {plan} does not fit target {target!r}; {fitting(target)}")
    declared = environment.databases if kind == "database" else environment.caches
    if name not in (d.name for d in declared):
        raise UnknownService(
            f"{environment.name} declares no {kind} {name!r}; "
            f"it has {', '.join(d.name for d in declared) or 'none'}"
        )
    return tuple(PlanStep(step, name) for step in STEPS[plan])


def fitting(target: str) -> str:
    """Which plans a target has, in words."""
    kind = target.partition("/")[0]
    plans = [plan for plan in (*STEPS, "application", "region") if plan.split("-")[0] == kind]
    if plans:
        return f"{target} has {', '.join(plans)}"
    return "a target is database/NAME, cache/NAME, application or region"


def _application(catalog: Catalog) -> tuple[PlanStep, ...]:
    services = in_dependency_order({name: s.depends_on for name, s in catalog.services.items()})
    return (
        PlanStep("nodes", "cluster"),
        *(PlanStep(kind, name) for kind in ("deploy",) for name in services),
        *(PlanStep(kind, name) for name in services for kind in ("ready", "shift")),
        PlanStep("route", "users"),
    )


def in_dependency_order(depends_on: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names so that each comes after what it depends on. The catalog has been checked for cycles."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        for other in depends_on.get(name, ()):
            visit(other)
        ordered.append(name)

    for name in sorted(depends_on):
        visit(name)
    return ordered


def default_plan(target: str) -> PlanKind:
    """What a target's failover is when nobody names a plan: the one that loses nothing."""
    kind = target.partition("/")[0]
    plans: dict[str, PlanKind] = {
        "database": "database-in-region",
        "cache": "cache-in-region",
        "application": "application",
        "region": "region",
    }
    if kind not in plans:
        raise InvalidInput(f"{target!r} is no target; {fitting(target)}")
    return plans[kind]


# --- where a plan starts from ------------------------------------------------------------


def baselines(
    plan: PlanKind,
    steps: tuple[PlanStep, ...],
    environment: Environment,
    world: World,
    to: str,
    loss: Callable[[DatabaseFacts, str], float | None],
) -> dict[str, Baseline]:
    """What is true now of every subject the plan touches; saved in the run once."""
    subjects = {step.subject for step in steps}
    found = {
        f"database/{d.name}": _database(plan, d, environment, world.databases[d.name], to, loss)
        for d in environment.databases
        if d.name in subjects and d.name in world.databases
    }
    for cache in environment.caches:
        if cache.name in subjects and (facts := world.caches.get(cache.name)):
            groups = sorted(facts.primaries)
            found[f"cache/{cache.name}"] = Baseline(
                source=facts.group,
                source_region=facts.global_primary,
                target=facts.regions.get(to, ("", ""))[0],
                target_region=to,
                zone=",".join(facts.primaries[g][1] for g in groups),
                primary=",".join(f"{g}={facts.primaries[g][0]}" for g in groups),
            )
    return found


def _database(
    plan: PlanKind,
    database: Database,
    environment: Environment,
    facts: DatabaseFacts,
    to: str,
    loss: Callable[[DatabaseFacts, str], float | None],
) -> Baseline:
    places = {environment.region: database.identifier}
    if database.replica:
        places[database.replica.region] = database.replica.identifier
    if plan in ("database-in-region", "database-unfence"):
        source = target = to if to in places else environment.region
    else:
        target = to if to in places else ""
        source = next((region for region in places if region != target), "")
    copy = facts.copies.get(source)
    return Baseline(
        source=places.get(source, ""),
        source_region=source,
        target=places.get(target, ""),
        target_region=target,
        zone=copy.zone if copy else "",
        primary=copy.writer if copy else "",
        groups=copy.groups if copy else (),
        expected_loss=loss(facts, source),
    )
