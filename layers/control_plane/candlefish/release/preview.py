"""What a release would do, before anybody asks for it: what it would change, its steps, and what stands in its way.

Pure but for the bundles that it reads. It takes nothing and writes nothing; what it says is true of the moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from candlefish.catalog.model import Catalog, Duration, Environment, Service
from candlefish.catalog.read import effective
from candlefish.errors import AlreadyStable, Permanent
from candlefish.release.begin_release import in_place_words, plan_of, replaces_other
from candlefish.release.configuration import configuration_changes
from candlefish.release.freeze import refuse_frozen
from candlefish.release.model import LEASE_MARGIN, Manifest, PlanStep
from candlefish.release.object_diff import ObjectDifference, object_differences
from candlefish.release.payloads import ReleaseRequest
from candlefish.release.plan import strategy_for
from candlefish.release.ports import Bundles
from candlefish.release.record import AskedFreezes
from candlefish.release.request import check_request, refuse_other_kind
from candlefish.release.workload import JobPlan, objects_of, plan_jobs, rendered_jobs, version_cron
from candlefish.service.model import Slot, Version
from candlefish.service.record import ServiceRecord, acquire, candidate_slot

# What each kind of step does, for people. What is in no list calls itself.
WORDS = {
    "deploy": "apply its objects",
    "ready": "wait until its Pods are ready and its targets healthy",
    "smoke": "smoke test it at weight 0",
    "scale": "give it the Pods for {weight}% of the traffic",
    "shift": "shift {weight}% of the traffic to it",
    "judge": "judge it by policy {policy}",
    "bake": "watch it by policy {policy}",
    "approve": "ask {who}",
    "hook": "ask the hook {name}",
    "job": "run job {name}, once, and wait for its end",
}


class PreviewStep(msgspec.Struct, frozen=True):
    """One step that it would take; `within` is how many seconds it may last, `asks` whether a person has to answer."""

    words: str
    within: float
    asks: bool = False


class Preview(msgspec.Struct, frozen=True):
    """What a release would do.

    `refusals` are reasons for which it would not begin now; `notes` what a person should know beside it. Digests of
    configurations are empty where they are not known, `slot` where there is no record.
    """

    service: str
    environment: str
    version: str
    image: str
    configuration: str
    replaces: str
    replaces_image: str
    replaces_configuration: str
    strategy: str
    slot: Slot | None
    changes: tuple[str, ...]
    objects: tuple[ObjectDifference, ...]
    steps: tuple[PreviewStep, ...]
    # Seconds that its steps may take together, and that the predecessor is kept at capacity after it.
    longest: float
    window: float
    refusals: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether a release would bring anything."""
        known = self.configuration and self.replaces_configuration
        other = bool(known) and self.configuration != self.replaces_configuration
        return self.image != self.replaces_image or other or bool(self.objects)


def preview_release(
    request: ReleaseRequest,
    record: ServiceRecord | None,
    version: Version,
    *,
    environment: str,
    catalog: Catalog,
    bundles: Bundles,
    now: float,
    notes: Sequence[str] = (),
    frozen: AskedFreezes | None = None,
) -> Preview:
    """What a release of a version would do, asked for as in `request`, at `now` (epoch seconds).

    `version` is the request's with the configuration that it would be released with. `notes` are those of the caller, `frozen` what people
    froze, where that is known.

    Raises
    ------
    UnknownService
        The catalog has no such service or environment.
    """
    env = catalog.environment(environment)
    service = effective(catalog.service(request.service), env)
    strategy = strategy_for(catalog.strategy(environment), service)
    stable = record.stable_version if record else None
    refusals, more = _in_the_way(request, record, version, service, environment, catalog, now, frozen)
    objects: tuple[ObjectDifference, ...] = ()
    slot = candidate_slot(record, in_place=strategy.in_place) if record else None
    jobs = JobPlan((), ())
    try:
        jobs = plan_jobs(version, service.name, environment, catalog=catalog, bundles=bundles)
        if record and slot:
            after = _rendered(record, slot, version, catalog, bundles)
            before = _rendered(record, slot, stable, catalog, bundles) if stable else ()
            objects = object_differences(before, after)
            more += [
                f"CronJob {each.name} is suspended when the version is promoted, which has none of that name"
                for each in objects
                if (each.kind, each.change) == ("CronJob", "left behind")
            ]
    except Permanent as error:
        refusals.append(str(error))
    if stable and not stable.configuration:
        more.append(
            f"{stable.short} was released by older code, which wrote no configuration down: it is compared as this "
            "catalog would render it"
        )
    plan = plan_of(service, strategy, jobs, catalog, first=stable is None)
    return Preview(
        service=request.service,
        environment=environment,
        version=version.short,
        image=version.image,
        configuration=version.configuration_digest,
        replaces=stable.short if stable else "",
        replaces_image=stable.image if stable else "",
        replaces_configuration=stable.configuration_digest if stable else "",
        strategy=strategy.name,
        slot=slot,
        changes=configuration_changes(stable.configuration if stable else "", version.configuration),
        objects=objects,
        steps=tuple(_step(each) for each in plan),
        longest=sum(each.within for each in plan),
        window=0.0 if stable is None else float(strategy.rollback_window) + request.keep_for,
        refusals=tuple(refusals),
        notes=(*more, *_gates(env, service, version, stable), *notes),
    )


def _in_the_way(
    request: ReleaseRequest,
    record: ServiceRecord | None,
    version: Version,
    service: Service,
    environment: str,
    catalog: Catalog,
    now: float,
    frozen: AskedFreezes | None,
) -> tuple[list[str], list[str]]:
    """Why it would be refused now, and what else is to be said of it."""
    refusals: list[str] = []
    notes: list[str] = []
    try:
        check_request(request, environment=environment, catalog=catalog, now=now)
        if frozen:
            zone = catalog.environment(environment).timezone
            refuse_frozen(frozen, service.name, zone, now, break_glass=request.break_glass)
    except Permanent as refusal:
        refusals.append(str(refusal))
    if record is None:
        refusals.append(
            f"{request.service} is not onboarded in {environment}; run: candlefish onboard {request.service} -e {environment}"
        )
        return refusals, notes
    if why := replaces_other(record, request.replaces):
        refusals.append(why)
    written = catalog.strategy(environment)
    if words := in_place_words(service, written):
        notes.append(words)
    if service.kind == "stateful":
        notes.append(
            "its Pods are replaced one after another, from the highest number down; volumes, the Service of their names "
            "and how they start stay as they are, and a version that means them otherwise is refused before anything changes"
        )
    try:
        refuse_other_kind(record, service)
        acquire(
            record,
            release="preview",
            execution="",
            version=version,
            in_place=strategy_for(written, service).in_place,
            now=now,
            lease=LEASE_MARGIN,
            allow_bad=request.allow_bad,
        )
    except AlreadyStable as nothing:
        notes.append(str(nothing))
    except Permanent as refusal:
        refusals.append(str(refusal))
    if record.window_until > now and record.promoted_release:
        notes.append(
            f"the rollback window of {record.promoted_release} is open: a release closes it, and takes its predecessor's slot"
        )
    return refusals, notes


def _rendered(
    record: ServiceRecord, slot: Slot, version: Version, catalog: Catalog, bundles: Bundles
) -> Sequence[Manifest]:
    """A version's objects as they would be in a slot, its Jobs, and what it has once it is stable: both sides in the same
    slot, to compare like with like.
    """
    objects = objects_of(record, slot, version, release="", catalog=catalog, bundles=bundles)
    jobs = rendered_jobs(record, slot, version, catalog=catalog, bundles=bundles)
    return (*objects, *jobs, *version_cron(record, slot, version, catalog=catalog, bundles=bundles))


def _step(step: PlanStep) -> PreviewStep:
    who = "a person other than who asked for it" if step.four_eyes else "a person"
    words = WORDS.get(step.kind, str(step)).format(
        weight=step.weight, policy=step.policy, name=step.name, who=who
    )
    if step.kind in ("judge", "bake") and step.unclear == "ask":
        words += "; a person is asked where nobody can tell"
    return PreviewStep(words, step.within, asks=step.kind == "approve")


def _gates(env: Environment, service: Service, version: Version, stable: Version | None) -> tuple[str, ...]:
    """What is asked of its image before it begins; the registry is asked then, not now."""
    if env.gates is None:
        return (f"no gates: {env.name} asks nothing of an image",)
    if version.brings_same(stable):
        return ("gates: the image is live already, they are not asked again",)
    gates = env.gates
    asked = [
        *([f"platforms {', '.join(gates.platforms)}"] if gates.platforms else []),
        *([f"built by {', '.join(gates.sources)}"] if gates.sources else []),
        f"a scan of the last {Duration(gates.scan_age)} with at most {gates.critical} critical and {gates.high} high",
    ]
    return (f"gates, asked of the registry when it begins: {'; '.join(asked)}",)
