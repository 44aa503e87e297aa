"""Begin a release: check the request, take the service, fix the plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from candlefish.catalog.model import Catalog, Service, Strategy
from candlefish.errors import InvalidInput, Permanent
from candlefish.ports import Now
from candlefish.release.configuration import configuration_changes, configured
from candlefish.release.freeze import refuse_frozen
from candlefish.release.journal import Journal
from candlefish.release.model import LEASE_MARGIN, PlanStep, Release, ReleaseEntry
from candlefish.release.payloads import GatedStart, ReleaseContext, ReleaseRequest
from candlefish.release.plan import fits_execution, plan_release, strategy_for
from candlefish.release.ports import Bundles, Freezes
from candlefish.release.request import check_request, refuse_other_kind, requested_release, write_refusal
from candlefish.release.workload import JobPlan, plan_jobs
from candlefish.requester import Asked, digest_of
from candlefish.service.model import Slot, Version
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, acquire, candidate_slot


def begin_release(
    start: GatedStart,
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    journal: Journal,
    bundles: Bundles,
    freezes: Freezes,
    now: Now,
    admit: Callable[..., None] = lambda **_: None,
) -> ReleaseContext:
    """Check a request and take the service for it; repeating it for the same release is harmless.

    A refusal is written to the journal with its reason and changes nothing else. `admit` may refuse
    a good request because of where it goes: an environment that is asleep.

    Raises
    ------
    InvalidInput, UnknownService, NotOnboarded, Frozen, ServiceBusy, AlreadyStable, VersionKnownBad,
    EnvironmentAsleep
        The request cannot be taken as it is; the message says what to change.
    """
    at = now()
    request = start.request
    opened = requested_release(start, environment=environment, now=at, requester=start.requester)
    try:
        service, env = check_request(request, environment=environment, catalog=catalog, now=at)
        asked = Asked(start.requester, digest_of(request), at)
        version = configured(request.version, service.name, environment, catalog)
        _require_expected(request, version)
        opened = msgspec.structs.replace(opened, version=version)
        admit(release=opened.id, payload=msgspec.to_builtins(request), asked=asked, train=request.train)
        strategy = strategy_for(catalog.strategies[env.strategy], service)
        jobs = plan_jobs(version, service.name, environment, catalog=catalog, bundles=bundles)
        if not fits_execution(plan_of(service, strategy, jobs, catalog, first=False)):
            raise InvalidInput(
                f"the steps of {strategy.name} and {len(jobs.later)} jobs together may take more looks than one execution "
                "holds; give the jobs less time (activeDeadlineSeconds, `within`), or the strategy's steps"
            )
        # An earlier attempt may have refused it, and failed before that was written down.
        known = journal.find(opened.id)
        refused = known is not None and known.status == "refused"
        take = partial(
            _take,
            service=service,
            release=opened,
            strategy=strategy,
            allow_bad=request.allow_bad,
            replaces=request.replaces,
            refused=refused,
            frozen=partial(
                refuse_frozen, freezes.get(), service.name, env.timezone, at, break_glass=request.break_glass
            ),
        )
        record, superseded = records.update(request.service, take)
    except Permanent as refusal:
        write_refusal(opened, refusal, journal=journal)
        raise
    slot = candidate_slot(record, in_place=strategy.in_place)
    plan = plan_of(service, strategy, jobs, catalog, first=record.stable is None)
    stable = record.stable_version
    journal.open(
        msgspec.structs.replace(
            opened,
            generation=record.generation,
            slot=slot,
            strategy=strategy.name,
            plan=plan,
            passes_skipped=True,
            replaces=msgspec.structs.replace(stable, configuration="") if stable else None,
        )
    )
    started = _started(opened, record, slot, strategy)
    if left_out := in_place_words(service, catalog.strategies[env.strategy]):
        started = msgspec.structs.replace(started, reason=f"{started.reason}; {left_out}")
    elif not can_be_asked(service) and any(step.smoke for step in strategy.steps):
        left_out = f"smoke tests are left out: {_why_not_asked(record)}"
        started = msgspec.structs.replace(started, reason=f"{started.reason}; {left_out}")
    journal.append(opened.id, started)
    if superseded:
        why = f"release {opened.id} needs its predecessor's slot: the rollback window is closed"
        journal.append(superseded, ReleaseEntry(at, "superseded", why))
    return ReleaseContext(
        release=opened.id,
        environment=environment,
        service=request.service,
        generation=record.generation,
        slot=slot,
        required=required_at_first(service, record, in_place=strategy.in_place),
        window=float(strategy.rollback_window) + request.keep_for,
    )


def plan_of(
    service: Service, strategy: Strategy, jobs: JobPlan, catalog: Catalog, *, first: bool
) -> tuple[PlanStep, ...]:
    """The steps of a release of a service, by its own judge and jobs; `first` as `plan_release` takes it."""
    return plan_release(
        strategy,
        first=first,
        window=catalog.policies[service.judge].window,
        judge=service.judge,
        asked=can_be_asked(service),
        jobs=jobs.first if first else jobs.later,
    )


def in_place_words(service: Service, strategy: Strategy) -> str:
    """What is otherwise for a service than its environment's strategy says; empty when nothing is."""
    if strategy_for(strategy, service) is strategy:
        return ""
    kinds = dict.fromkeys(step.kind for step in strategy.steps if step.kind in ("weight", "smoke", "judge"))
    left = {
        "weight": "weights are left out",
        "smoke": "smoke tests are left out",
        "judge": "judging is baking",
    }
    words = "; ".join(left[kind] for kind in kinds)
    return f"a stateful service is updated in place, whatever strategy {strategy.name} says: {words}"


def can_be_asked(service: Service) -> bool:
    """Whether a version can be smoke tested at weight 0: by HTTP, through a load balancer."""
    return service.balanced and service.protocol != "grpc"


def required_at_first(service: Service, record: ServiceRecord, *, in_place: bool) -> int:
    """How many Pods a candidate has before it has any weight.

    Where no load balancer is, Pods are the weight: a worker has none, a service in the cluster one that can be looked
    at. What takes over at once needs all.
    """
    if record.balanced or in_place or record.stable is None:
        return service.replicas.min
    return 0 if record.works_alone else 1


def _take(
    record: ServiceRecord,
    *,
    service: Service,
    release: Release,
    strategy: Strategy,
    allow_bad: bool,
    replaces: str,
    refused: bool,
    frozen: Callable[[], None],
) -> tuple[ServiceRecord, str]:
    """Take the service for a release; the promoted release whose rollback window that closes, if any.

    Why it was refused may be over by now: what was refused once stays refused.
    """
    refuse_other_kind(record, service)
    mine = record.holder is not None and record.holder.release == release.id
    if not mine:
        # What has the service already ends at its next step, where it gives it back.
        frozen()
        if why := replaces_other(record, replaces):
            raise InvalidInput(why)
    after = acquire(
        record,
        release=release.id,
        execution=release.execution,
        version=release.version,
        in_place=strategy.in_place,
        now=release.started_at,
        lease=LEASE_MARGIN + strategy.ready_within,
        allow_bad=allow_bad,
    )
    if refused:
        raise InvalidInput(
            f"release {release.id} was refused a moment ago; start it again under another name"
        )
    return after, record.promoted_release if record.window_until > release.started_at else ""


def replaces_other(record: ServiceRecord, expected: str) -> str:
    """Why a release that was asked for over an image would replace another one; empty when it would not."""
    stable = record.stable_version
    found = stable.image if stable else ""
    if not expected or found == expected:
        return ""
    return (
        f"the release was asked for while {expected} was stable in {record.name}, now it is {found or 'nothing'}; "
        f"nothing was changed. Look at it again with: candlefish plan {record.service} -e {record.environment}"
    )


def _require_expected(request: ReleaseRequest, version: Version) -> None:
    """Refuse a release that would not bring the configuration that somebody looked at before."""
    found = version.configuration_digest
    if request.configuration and request.configuration != found:
        raise InvalidInput(
            f"the release was asked for with configuration {request.configuration[:12]}, and the catalog of this "
            f"stack gives {request.service} configuration {found[:12]}; nothing was changed. Deploy the stack with "
            "your catalog first, or take the stack's catalog (git checkout what was deployed) and look again with: "
            f"candlefish plan {request.service}"
        )


def _why_not_asked(record: ServiceRecord) -> str:
    if record.works_alone:
        return "nobody can ask a worker anything, and it has no Pods before it has a weight"
    return "it speaks gRPC" if record.balanced else "nothing outside of the cluster leads to it"


def _takes_over(version: Version, stable: Version | None) -> str:
    if version.brings_same(stable):
        return f"{version.short} gets another configuration ({version.configuration_digest[:12]})"
    return f"{version.short} takes over from {stable.short if stable else 'nothing'}"


def _started(release: Release, record: ServiceRecord, slot: Slot, strategy: Strategy) -> ReleaseEntry:
    stable = record.stable_version
    evidence = {
        "version": release.version.image,
        "replaces": stable.image if stable else "",
        "strategy": strategy.name,
        "slot": slot,
        "generation": record.generation,
        "configuration": release.version.configuration_digest,
        "replaces_configuration": stable.configuration_digest if stable else "",
    }
    evidence |= {"asked_with": release.proof} if release.proof else {}
    before = stable.configuration if stable else ""
    if changed := configuration_changes(before, release.version.configuration):
        evidence["configuration_changes"] = list(changed)
    if release.break_glass:
        evidence["break_glass"] = release.break_glass
    return ReleaseEntry(
        release.started_at,
        "started",
        f"{_takes_over(release.version, stable)}: {release.reason}",
        by=release.requested_by,
        evidence=evidence,
    )
