"""A train: an ordered set of releases, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from graphlib import TopologicalSorter
from typing import Literal

import msgspec

from candlefish.catalog.model import Catalog, Strategy
from candlefish.errors import InvalidInput
from candlefish.ports import Now
from candlefish.release.begin import ReleaseRequest, check, named
from candlefish.service.model import RollbackRequest, Version
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import shorten_window

# A train longer than this is a programme, not a release; it would also outgrow the payload.
LONGEST_TRAIN = 40


class Car(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One service of a train."""

    service: str
    image: str
    label: str = ""
    bundle: str = ""
    bundle_digest: str = ""


class TrainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody starts the train machine with (see events/train.json)."""

    releases: tuple[Car, ...]
    requested_by: str
    reason: str
    environment: str = ""
    break_glass: str = ""


class TrainStart(msgspec.Struct, frozen=True):
    """The execution that asks for a train, and the input it was started with."""

    train: str
    execution: str
    request: TrainRequest


class TrainEnd(msgspec.Struct, frozen=True):
    """How a train ended, and why when it failed."""

    train: str
    outcome: Literal["arrived", "failed"]
    reason: str = ""


def plan_train(
    start: TrainStart,
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    now: Now,
    admit: Callable[..., None] = lambda **_: None,
) -> list[ReleaseRequest]:
    """The releases of a train in the order of their dependencies, as inputs for the release machine.

    Every request is checked before the first one starts. A service whose stable version is already
    the one asked for is left out. Each release keeps its predecessor at capacity until the last
    one must have ended, so that a late failure can still take the early ones back. `admit` may refuse
    a good train because of where it goes: an environment that is asleep.

    Raises
    ------
    InvalidInput, UnknownService, NotOnboarded, Frozen, EnvironmentAsleep
        The train cannot be taken as it is; nothing was started.
    """
    request, train = start.request, start.train
    names = [car.service for car in request.releases]
    if not 1 <= len(names) <= LONGEST_TRAIN or len(set(names)) != len(names):
        raise InvalidInput(
            f"a train has 1 to {LONGEST_TRAIN} releases, each of another service; this one has {names}"
        )
    at = now()
    requests = {}
    for car in request.releases:
        one = ReleaseRequest(
            service=car.service,
            image=car.image,
            label=car.label,
            bundle=car.bundle,
            bundle_digest=car.bundle_digest,
            requested_by=request.requested_by,
            reason=request.reason,
            environment=request.environment,
            break_glass=request.break_glass,
            train=train,
        )
        named(f"{train}-{car.service}")
        check(one, environment=environment, catalog=catalog, now=at)
        version = Version(car.image, car.label, car.bundle, car.bundle_digest)
        if not version.same_as(records.get(car.service).stable_version):
            requests[car.service] = one
    order = in_order(requests, catalog)
    if order:
        admit(train=train, execution=start.execution, payload=msgspec.to_builtins(request))
    longest = longest_release(catalog.strategies[catalog.environments[environment].strategy])
    return [
        msgspec.structs.replace(requests[name], keep_for=longest * (len(order) - 1 - place))
        for place, name in enumerate(order)
    ]


def in_order(services: Iterable[str], catalog: Catalog) -> list[str]:
    """Services with their dependencies before them, through services outside the train as well."""
    everything = {name: service.depends_on for name, service in catalog.services.items()}
    wanted = set(services)
    return [name for name in TopologicalSorter(everything).static_order() if name in wanted]


def longest_release(strategy: Strategy) -> float:
    """The most seconds a release of this strategy can take, waiting for people included."""
    total = float(strategy.ready_within)
    for step in strategy.steps:
        for part in (step.judge, step.bake):
            total += part.at_most if part else 0
        for timed in (step.approve, step.smoke, step.hook):
            total += timed.within if timed else 0
        total += strategy.ready_within if step.weight is not None else 0
    return total


def end_train(
    end: TrainEnd, *, environment: str, catalog: Catalog, records: ServiceRecords, now: Now
) -> list[RollbackRequest] | list[str]:
    """Close the rollback windows of a train that arrived; of one that failed, say what has to be rolled back."""
    if end.outcome == "failed":
        return promoted_by(end.train, environment, end.reason, records=records)
    strategy = catalog.strategies[catalog.environments[environment].strategy]
    return close_windows(end.train, strategy.rollback_window, records=records, now=now)


def promoted_by(
    train: str, environment: str, reason: str, *, records: ServiceRecords
) -> list[RollbackRequest]:
    """Rollback requests for every service that this train promoted, the last one first."""
    mine = [r for r in records.all() if r.promoted_release == f"{train}-{r.service}" and r.holder is None]
    mine.sort(key=lambda r: r.generation_at, reverse=True)
    return [
        RollbackRequest(
            id=f"{r.promoted_release}-train",
            environment=environment,
            service=r.service,
            release=r.promoted_release,
            reason=f"train {train} failed: {reason}",
            by="train",
            disposition="rejected",
        )
        for r in mine
    ]


def close_windows(train: str, window: float, *, records: ServiceRecords, now: Now) -> list[str]:
    """Let the rollback windows of a finished train end when the strategy says; the services concerned."""
    until = now() + window
    mine = [r.service for r in records.all() if r.promoted_release == f"{train}-{r.service}"]
    for service in mine:
        records.update(service, lambda r: shorten_window(r, train, until))
    return mine
