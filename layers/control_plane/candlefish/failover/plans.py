"""What each plan consists of, as data."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.catalog.model import Catalog, Database, Environment
from candlefish.catalog.read import in_dependency_order
from candlefish.errors import InvalidInput, UnknownService
from candlefish.failover.facts import DatabaseFacts, FailoverWorld
from candlefish.failover.model import Baseline, FailoverStep, PlanKind
from candlefish.failover.steps.application import DEPLOY, NODES, READY, ROUTE, SHIFT
from candlefish.failover.steps.cache import CACHE_ENDPOINT, CACHE_PROMOTE, NODE_FAILOVER
from candlefish.failover.steps.database import (
    CAUGHT_UP,
    CLOSE,
    CUT,
    ENDPOINT,
    OPEN,
    PROMOTE,
    PROTECT,
    REPLICATE,
    RETIRE_OLD,
    SECRET,
    UNFENCE,
    VERIFY,
    ZONE_FAILOVER,
)
from candlefish.failover.steps.step import StepKind

_CROSS = (CLOSE, CUT, PROMOTE, OPEN, SECRET, ENDPOINT, VERIFY, PROTECT)
_REBUILD = (RETIRE_OLD, REPLICATE)
_CACHE = (CACHE_PROMOTE, CACHE_ENDPOINT)

# Steps of a plan whose steps all concern its one target.
STEPS: dict[PlanKind, tuple[StepKind, ...]] = {
    "database-in-region": (ZONE_FAILOVER, VERIFY),
    "database-cross-region": _CROSS,
    "database-rebuild": _REBUILD,
    "database-failback": (*_REBUILD, CLOSE, CUT, CAUGHT_UP, *_CROSS[2:]),
    "database-unfence": (UNFENCE,),
    "cache-in-region": (NODE_FAILOVER,),
    "cache-cross-region": _CACHE,
}
# Plans that only a second person can start.
FOUR_EYES: frozenset[PlanKind] = frozenset(
    {"database-cross-region", "database-failback", "cache-cross-region", "application", "region"}
)


def compile_failover(
    plan: PlanKind, target: str, environment: Environment, catalog: Catalog
) -> tuple[FailoverStep, ...]:
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
            *(kind.of(name) for name in databases for kind in _CROSS[:-1]),
            *(kind.of(name) for name in caches for kind in _CACHE),
            *_application(catalog),
            *(PROTECT.of(d.name) for d in environment.databases if d.replica),
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
    return tuple(step.of(name) for step in STEPS[plan])


def fitting(target: str) -> str:
    """Which plans a target has, in words."""
    kind = target.partition("/")[0]
    plans = [plan for plan in (*STEPS, "application", "region") if plan.split("-")[0] == kind]
    if plans:
        return f"{target} has {', '.join(plans)}"
    return "a target is database/NAME, cache/NAME, application or region"


def _application(catalog: Catalog) -> tuple[FailoverStep, ...]:
    # A StatefulSet in another region would begin with empty volumes: its data is not there, and nothing here moves it.
    services = [
        name for name in in_dependency_order(catalog.services) if catalog.services[name].kind != "stateful"
    ]
    return (
        NODES.of("cluster"),
        *(DEPLOY.of(name) for name in services),
        *(kind.of(name) for name in services for kind in (READY, SHIFT)),
        ROUTE.of("users"),
    )


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
    steps: tuple[FailoverStep, ...],
    environment: Environment,
    world: FailoverWorld,
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
