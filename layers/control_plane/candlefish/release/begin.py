"""Beginning a release: check the request, take the service, fix the plan."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from candlefish.catalog.model import Catalog, Environment, Service, Strategy
from candlefish.catalog.read import effective
from candlefish.errors import Frozen, InvalidInput, Permanent
from candlefish.ports import Now
from candlefish.release.freeze import open_freeze
from candlefish.release.journal import Entry, Journal, Release
from candlefish.release.plan import compile_plan
from candlefish.service.model import Slot, Version
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, acquire, candidate_slot

# The lease outlives any one step by this much, so that a slow step does not look like a dead one.
LEASE_MARGIN = 900.0
IMAGE = re.compile(
    r"(?P<repository>[a-z0-9][a-z0-9./_-]*(?::\d+)?[a-z0-9./_-]*)@(?P<digest>sha256:[0-9a-f]{64})"
)
BUNDLE = re.compile(r"s3://[a-z0-9.-]{3,63}/\S+")
LONGEST_TEXT = 1000
LONGEST_NAME = 60


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody starts the release machine with (see events/release.json).

    `image` is a repository with a digest; a tag can change under us and is refused. `bundle` is an
    S3 URI of manifests rendered by `helm template`, `bundle_digest` its SHA-256.
    """

    service: str
    image: str
    requested_by: str
    reason: str
    environment: str = ""
    label: str = ""
    bundle: str = ""
    bundle_digest: str = ""
    train: str = ""
    # Why a freeze window or a known-bad version shall not stop this release.
    break_glass: str = ""
    allow_bad: bool = False
    # Seconds beyond the strategy's rollback window that the predecessor stays at capacity.
    keep_for: float = 0.0


class ReleaseStart(msgspec.Struct, frozen=True):
    """The execution that asks for a release, and the input it was started with."""

    release: str
    execution: str
    request: ReleaseRequest


class Begun(msgspec.Struct, frozen=True):
    """What the machine carries from state to state."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    required: int
    window: float


def named(release: str) -> str:
    """A release's name, which is its execution's; other executions are named after it.

    Raises
    ------
    InvalidInput
        It leaves no room for a suffix within Step Functions' 80 characters.
    """
    if len(release) > LONGEST_NAME:
        raise InvalidInput(
            f"the execution name {release!r} has {len(release)} characters; name it with at most {LONGEST_NAME}"
        )
    return release


def begin(
    start: ReleaseStart,
    *,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    journal: Journal,
    now: Now,
    admit: Callable[..., None] = lambda **_: None,
) -> Begun:
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
    request, release, execution = start.request, named(start.release), start.execution
    version = Version(request.image, request.label, request.bundle, request.bundle_digest)
    opened = Release(
        id=release,
        environment=environment,
        service=request.service,
        version=version,
        requested_by=request.requested_by,
        reason=request.reason,
        started_at=at,
        execution=execution,
        train=request.train,
        break_glass=request.break_glass,
    )
    try:
        service, env = check(request, environment=environment, catalog=catalog, now=at)
        admit(release=release, payload=msgspec.to_builtins(request), train=request.train)
        strategy = catalog.strategies[env.strategy]
        lease = LEASE_MARGIN + strategy.ready_within
        record = records.update(
            request.service,
            lambda r: acquire(
                r,
                release=release,
                execution=execution,
                version=version,
                in_place=strategy.in_place,
                now=at,
                lease=lease,
                allow_bad=request.allow_bad,
            ),
        )
    except Permanent as refusal:
        journal.open(msgspec.structs.replace(opened, status="refused"))
        journal.append(
            release, Entry(at, "refused", str(refusal), evidence={"error": type(refusal).__name__})
        )
        raise
    slot = candidate_slot(record, in_place=strategy.in_place)
    plan = compile_plan(
        strategy,
        first=record.stable is None,
        window=catalog.policies[service.judge].window,
        judge=service.judge,
    )
    journal.open(
        msgspec.structs.replace(
            opened, generation=record.generation, slot=slot, strategy=strategy.name, plan=plan
        )
    )
    journal.append(release, _started(request, record, slot, strategy, version, at))
    return Begun(
        release=release,
        environment=environment,
        service=request.service,
        generation=record.generation,
        slot=slot,
        required=service.replicas.min,
        window=float(strategy.rollback_window) + request.keep_for,
    )


def check(
    request: ReleaseRequest, *, environment: str, catalog: Catalog, now: float
) -> tuple[Service, Environment]:
    """Everything that can be said of a request without looking at the world."""
    if request.environment not in ("", environment):
        raise InvalidInput(
            f"this control plane deploys to {environment}, the request names {request.environment!r}; "
            f"start the release machine of {request.environment!r} instead"
        )
    env = catalog.environments[environment]
    service = effective(catalog.service(request.service), env)
    for name in ("requested_by", "reason"):
        text = getattr(request, name)
        if not text.strip() or len(text) > LONGEST_TEXT:
            raise InvalidInput(f'"{name}" must say something, in at most {LONGEST_TEXT} characters')
    match = IMAGE.fullmatch(request.image)
    if match is None:
        raise InvalidInput(
            f'"image" is {request.image[:200]!r}; name it by digest, like {service.image}@sha256:<64 hex digits> '
            "(a tag can change under a release)"
        )
    if match["repository"] != service.image:
        raise InvalidInput(
            f"{service.name} runs images of {service.image} only, the request names {match['repository']}; "
            "fix the request, or the service's image in catalog/services.yaml"
        )
    if bool(request.bundle) != bool(request.bundle_digest) or (
        request.bundle and not BUNDLE.fullmatch(request.bundle)
    ):
        raise InvalidInput(
            '"bundle" is an S3 URI like s3://bucket/key and needs "bundle_digest", its SHA-256'
        )
    freeze = open_freeze(env.freezes, env.timezone, now)
    if freeze and not request.break_glass.strip():
        raise Frozen(
            f"{environment} is frozen until {freeze.end} {env.timezone} ({freeze.name}: {freeze.reason}); "
            'wait, or say why it cannot wait in "break_glass" (it will be recorded)'
        )
    return service, env


def _started(
    request: ReleaseRequest,
    record: ServiceRecord,
    slot: Slot,
    strategy: Strategy,
    version: Version,
    at: float,
) -> Entry:
    stable = record.stable_version
    evidence = {
        "version": version.image,
        "replaces": stable.image if stable else "",
        "strategy": strategy.name,
        "slot": slot,
        "generation": record.generation,
    }
    if request.break_glass:
        evidence["break_glass"] = request.break_glass
    return Entry(
        at,
        "started",
        f"{version.short} takes over from {stable.short if stable else 'nothing'}: {request.reason}",
        by=request.requested_by,
        evidence=evidence,
    )
