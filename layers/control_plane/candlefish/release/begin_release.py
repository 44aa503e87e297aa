"""Begin a release: check the request, take the service, fix the plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from candlefish.catalog.model import Catalog, Service, Strategy
from candlefish.errors import InvalidInput, Permanent
from candlefish.ports import Now
from candlefish.release.journal import Journal
from candlefish.release.model import LEASE_MARGIN, Release, ReleaseEntry
from candlefish.release.payloads import GatedStart, ReleaseContext
from candlefish.release.plan import plan_release
from candlefish.release.request import check_request, requested_release, write_refusal
from candlefish.requester import Asked, digest_of
from candlefish.service.model import Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, acquire, candidate_slot


def begin_release(
    start: GatedStart,
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    journal: Journal,
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
        admit(release=opened.id, payload=msgspec.to_builtins(request), asked=asked, train=request.train)
        strategy = catalog.strategies[env.strategy]
        # An earlier attempt may have refused it, and failed before that was written down.
        known = journal.find(opened.id)
        refused = known is not None and known.status == "refused"
        take = partial(_take, release=opened, strategy=strategy, allow_bad=request.allow_bad, refused=refused)
        record, superseded = records.update(request.service, take)
    except Permanent as refusal:
        write_refusal(opened, refusal, journal=journal)
        raise
    slot = candidate_slot(record, in_place=strategy.in_place)
    plan = plan_release(
        strategy,
        first=record.stable is None,
        window=catalog.policies[service.judge].window,
        judge=service.judge,
        asked=record.balanced,
    )
    journal.open(
        msgspec.structs.replace(
            opened, generation=record.generation, slot=slot, strategy=strategy.name, plan=plan
        )
    )
    journal.append(opened.id, _started(opened, record, slot, strategy))
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


def required_at_first(service: Service, record: ServiceRecord, *, in_place: bool) -> int:
    """How many Pods a candidate has before it has any weight.

    Where no load balancer is, Pods are the weight: a worker has none, a service in the cluster one that can be looked
    at. What takes over at once needs all.
    """
    if record.balanced or in_place or record.stable is None:
        return service.replicas.min
    return 0 if record.works_alone else 1


def _take(
    record: ServiceRecord, *, release: Release, strategy: Strategy, allow_bad: bool, refused: bool
) -> tuple[ServiceRecord, str]:
    """Take the service for a release; the promoted release whose rollback window that closes, if any.

    Why it was refused may be over by now: what was refused once stays refused.
    """
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


def _started(release: Release, record: ServiceRecord, slot: Slot, strategy: Strategy) -> ReleaseEntry:
    stable = record.stable_version
    evidence = {
        "version": release.version.image,
        "replaces": stable.image if stable else "",
        "strategy": strategy.name,
        "slot": slot,
        "generation": record.generation,
    }
    evidence |= {"asked_with": release.proof} if release.proof else {}
    if release.break_glass:
        evidence["break_glass"] = release.break_glass
    return ReleaseEntry(
        release.started_at,
        "started",
        f"{release.version.short} takes over from {stable.short if stable else 'nothing'}: {release.reason}",
        by=release.requested_by,
        evidence=evidence,
    )
