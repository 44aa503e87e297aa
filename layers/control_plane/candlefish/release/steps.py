"""The steps of a release: each looks, acts once, verifies, writes down why.

Every step is safe to repeat: Step Functions retries a task whose function timed out or was
throttled, and cannot know how far it came.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog, Service
from candlefish.catalog.read import effective
from candlefish.errors import HookFailed, RolloutFailed, SmokeTestFailed, StaleGeneration, Unavailable
from candlefish.ports import Now
from candlefish.release.begin import LEASE_MARGIN
from candlefish.release.journal import Entry, Journal
from candlefish.release.manifests import slot_name
from candlefish.release.plan import PlanStep
from candlefish.release.ports import Bundles, Cluster, Hooks, Web
from candlefish.release.watch import watch_payload
from candlefish.release.workload import objects_of
from candlefish.service.model import Slot, Weights, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, promote, renew_lease, require_generation
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import point_smoke_rule, shift

# A held release looks this often in the longest time that it may be held: every 15 s of an hour. So a
# hold of any length fits into an execution history of 25,000 events.
HOLD_POLLS = 240
# An answer of the smoke test is taken as wrong only when it stays wrong for the step's time.
SMOKE_PAUSE = 2.0


class StepInput(msgspec.Struct, frozen=True):
    """What the machine hands to the function of a step."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    step: PlanStep
    # Healthy targets the slot needs for the weight it has or is about to get.
    required: int
    # When the step began, epoch seconds.
    since: float


class NextInput(msgspec.Struct, frozen=True):
    """What the machine asks the interpreter with: which step comes next?"""

    release: str
    environment: str
    service: str
    generation: int
    index: int


class Next(msgspec.Struct, frozen=True):
    """The instruction for the machine: a step of the plan, or `held`, or `promote`."""

    kind: str
    index: int
    since: float
    wait: int = 0
    # Not a PlanStep: the machine reads `poll` and `within` whatever the kind is.
    step: PlanStep | None = None


def next_step(
    request: NextInput, *, catalog: Catalog, records: ServiceRecords, journal: Journal, now: Now
) -> Next:
    """Which step comes next, and whether it may: renews the lease, honours holds.

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    release = journal.read(request.release)
    record = records.get(request.service)
    require_generation(record, request.generation)
    if record.holds:
        instruction = _held(request, record, catalog, journal, release.status, at)
    elif request.index >= len(release.plan):
        instruction = Next(kind="promote", index=request.index, since=at)
    else:
        step = release.plan[request.index]
        instruction = Next(kind=step.kind, index=request.index + 1, since=at, step=step)
    if release.status == "held" and not record.holds:
        journal.append(request.release, Entry(at, "resumed", "every hold has been lifted"))
    takes = instruction.step.within if instruction.step else float(instruction.wait)
    records.update(
        request.service,
        lambda r: renew_lease(r, generation=request.generation, until=at + takes + LEASE_MARGIN),
    )
    return instruction


def _held(
    request: NextInput, record: ServiceRecord, catalog: Catalog, journal: Journal, status: str, at: float
) -> Next:
    since = min(hold.since for hold in record.holds)
    why = "; ".join(hold.reason for hold in record.holds)
    strategy = catalog.strategies[catalog.environments[request.environment].strategy]
    if status != "held":
        journal.append(
            request.release, Entry(at, "held", why, evidence={"holds": [h.key for h in record.holds]})
        )
    if at - since > strategy.hold_at_most:
        ask = PlanStep(kind="approve", name="hold", within=float(strategy.ask_within))
        return Next(kind="approve", index=request.index, since=at, step=ask)
    poll = max(1, round(strategy.hold_at_most / HOLD_POLLS))
    return Next(kind="held", index=request.index, since=at, wait=poll)


def deploy(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    bundles: Bundles,
    rules: Rules,
    journal: Journal,
    now: Now,
) -> None:
    """Apply the version's objects to its slot, and point the smoke rule there.

    Pointing the rule first puts the slot's target group into a rule: a target group that is in no
    rule gets no health checks.
    """
    record = _mine(request, records)
    slot = record.slots[request.slot]
    version = slot.incoming or slot.version
    assert version, f"slot {request.slot} of {record.name} has no version after it was acquired"
    objects = objects_of(
        record, request.slot, version, release=request.release, catalog=catalog, bundles=bundles
    )
    point_smoke_rule(record, request.slot, rules=rules)
    cluster.apply(objects)
    # Applying leaves the number of Pods alone, so that a slot that rests at 0 has to be woken.
    env = catalog.environments[request.environment]
    cluster.raise_to(env.namespace, slot_name(request.service, request.slot), request.required)
    journal.append(
        request.release,
        Entry(
            now(),
            "deployed",
            f"{version.short} was applied to slot {request.slot}",
            evidence={"objects": [f"{o['kind']}/{o['metadata']['name']}" for o in objects]},
        ),
    )


class Readiness(msgspec.Struct, frozen=True):
    """Whether a slot can take the traffic that it is about to get, and why not yet."""

    ready: bool
    reason: str


def ready(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    rules: Rules,
    journal: Journal,
    now: Now,
) -> Readiness:
    """Look whether the slot's Deployment is rolled out and its targets are healthy.

    Raises
    ------
    RolloutFailed
        The cluster says that it cannot work, or the step's time is up.
    """
    record = _mine(request, records)
    env = catalog.environments[request.environment]
    at = now()
    rollout = cluster.rollout(env.namespace, slot_name(request.service, request.slot))
    if rollout.status == "failed":
        raise RolloutFailed(f"{request.service} in slot {request.slot}: {rollout.reason}")
    health = rules.health(record.slots[request.slot].target_group)
    enough = health.healthy >= request.required
    if rollout.status == "ready" and enough:
        reason = f"{rollout.ready} pods ready, {health.healthy} targets healthy ({request.required} needed)"
        journal.append(request.release, Entry(at, "ready", reason))
        return Readiness(True, reason)
    reason = f"pods: {rollout.reason}; targets: {health.healthy} of {request.required} healthy" + (
        f" ({health.reason})" if health.reason else ""
    )
    if at - request.since > request.step.within:
        raise RolloutFailed(
            f"{request.service} in slot {request.slot} did not get ready within "
            f"{request.step.within:.0f} s: {reason}"
        )
    return Readiness(False, reason)


def scale(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    cluster: Cluster,
    journal: Journal,
    now: Now,
) -> int:
    """Give the slot the capacity for its next weight; the number of healthy targets it then needs.

    The stable slot may have scaled far above its minimum. The candidate gets the same share of
    those replicas as of the traffic, and the stable slot is kept from scaling in meanwhile, so that
    all traffic fits on either side at any moment of the release.
    """
    record = _mine(request, records)
    env = catalog.environments[request.environment]
    service = _service(request, catalog)
    stable = record.stable
    if stable is None or stable == request.slot:
        return service.replicas.min
    serving = cluster.current_replicas(env.namespace, slot_name(request.service, stable))
    share = math.ceil(serving * request.step.weight / 100)
    needed = min(max(service.replicas.min, share), service.replicas.max)
    pinned = min(max(service.replicas.min, serving), service.replicas.max)
    for slot, least in ((stable, pinned), (request.slot, needed)):
        name = slot_name(request.service, slot)
        cluster.set_bounds(env.namespace, name, minimum=least, maximum=service.replicas.max)
        cluster.raise_to(env.namespace, name, least)
    journal.append(
        request.release,
        Entry(
            now(),
            "scaled",
            f"slot {request.slot} gets at least {needed} replicas for {request.step.weight}% of the traffic; "
            f"slot {stable} keeps its {serving}",
        ),
    )
    return needed


def shift_weight(
    request: StepInput, *, records: ServiceRecords, rules: Rules, journal: Journal, now: Now
) -> Weights:
    """Shift the weights as the step says; the weights that the rule has now."""
    settled = shift(
        request.service,
        generation=request.generation,
        slot=request.slot,
        weight=request.step.weight,
        required=request.required,
        records=records,
        rules=rules,
    )
    if settled.record.generation != request.generation:
        raise StaleGeneration(
            f"{settled.record.name} was taken over while its weights were shifted; the newer weights stand"
        )
    weights = dict(settled.record.desired)
    journal.append(
        request.release,
        Entry(
            now(),
            "shifted",
            f"{request.step.weight}% of the traffic to slot {request.slot}",
            evidence={"weights": weights, "writes": settled.writes, "rule": settled.record.rule},
        ),
    )
    return weights


def smoke(
    request: StepInput, *, catalog: Catalog, records: ServiceRecords, web: Web, journal: Journal, now: Now
) -> None:
    """Ask the candidate for its smoke paths through the header rule, at weight 0.

    Raises
    ------
    SmokeTestFailed
        A path still answers something else than 2xx or 3xx when the step's time is up.
    """
    record = _mine(request, records)
    service = _service(request, catalog)
    answers: dict[str, str] = {}
    for path in service.smoke_paths or (service.health_path,):
        answer = web.get(service.host, path, {record.smoke_header: record.smoke_token})
        while not 200 <= answer.status < 400:
            if now() - request.since > request.step.within:
                raise SmokeTestFailed(
                    f"GET {path} of the candidate in slot {request.slot} answered "
                    f"{answer.status or 'nothing'} ({answer.reason}) for {request.step.within:.0f} s"
                )
            web.pause(SMOKE_PAUSE)
            answer = web.get(service.host, path, {record.smoke_header: record.smoke_token})
        answers[path] = str(answer.status)
    journal.append(
        request.release, Entry(now(), "smoke_tested", "the candidate answers at weight 0", evidence=answers)
    )


def run_hook(
    request: StepInput, *, records: ServiceRecords, hooks: Hooks, journal: Journal, now: Now
) -> None:
    """Ask a hook of the strategy; anything but a clear yes within the step's time is a veto."""
    record = _mine(request, records)
    slot = record.slots[request.slot]
    version = slot.incoming or slot.version
    payload: dict[str, Any] = {
        "release": request.release,
        "environment": request.environment,
        "service": request.service,
        "slot": request.slot,
        "image": version.image if version else "",
        "weights": record.desired,
    }
    try:
        answer = hooks.call(request.step.target, payload, request.step.within)
    except Unavailable as error:
        raise HookFailed(f"hook {request.step.name} could not be asked: {error}") from error
    if not answer.passed:
        raise HookFailed(f"hook {request.step.name} said no: {answer.reason}")
    journal.append(request.release, Entry(now(), "hook_passed", f"{request.step.name}: {answer.reason}"))


class PromoteInput(msgspec.Struct, frozen=True):
    """A release whose plan is done; `window` is its rollback window in seconds."""

    release: str
    environment: str
    service: str
    generation: int
    window: float


def promote_release(
    request: PromoteInput, *, records: ServiceRecords, journal: Journal, now: Now
) -> dict[str, Any]:
    """Make the release's version the stable one; what the watch machine is started with."""
    at = now()
    window = request.window
    record = records.update(
        request.service, lambda r: promote(r, generation=request.generation, now=at, window=window)
    )
    version = record.stable_version
    assert record.stable and version
    kept = record.slots[other(record.stable)].state == "previous"
    journal.append(
        request.release,
        Entry(
            at,
            "promoted",
            f"{version.short} is the stable version"
            + (f"; its predecessor stays at capacity for {window:.0f} s" if kept and window else ""),
            evidence={"stable": record.stable, "window_until": record.window_until},
        ),
    )
    return watch_payload(record)


def _mine(request: StepInput, records: ServiceRecords) -> ServiceRecord:
    record = records.get(request.service)
    require_generation(record, request.generation)
    return record


def _service(request: StepInput, catalog: Catalog) -> Service:
    return effective(catalog.service(request.service), catalog.environments[request.environment])
