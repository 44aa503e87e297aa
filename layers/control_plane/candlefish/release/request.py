"""Requests for releases: what can be said of one without looking at the world, and how one is refused."""

from __future__ import annotations

import re

import msgspec

from candlefish.bounds import LONGEST_REASON, fit
from candlefish.catalog.model import Catalog, Environment, Service
from candlefish.catalog.read import effective
from candlefish.errors import Frozen, InvalidInput, Misconfigured, Permanent
from candlefish.names import RELEASE
from candlefish.release.freeze import open_freeze
from candlefish.release.journal import Journal
from candlefish.release.model import Release, ReleaseEntry
from candlefish.release.payloads import ReleaseRequest, ReleaseStart
from candlefish.requester import Requester
from candlefish.service.record import ServiceRecord
from candlefish.traffic.shares import stands_for

IMAGE = re.compile(
    r"(?P<repository>[a-z0-9][a-z0-9./_-]*(?::\d+[a-z0-9./_-]*)?)@(?P<digest>sha256:[0-9a-f]{64})"
)
BUNDLE = re.compile(r"s3://[a-z0-9.-]{3,63}/\S+")


def require_short_name(release: str) -> str:
    """A release's name, which is its execution's; other executions are called after it.

    Raises
    ------
    InvalidInput
        It leaves no room for a suffix within Step Functions' 80 characters.
    """
    if len(release) > RELEASE:
        raise InvalidInput(
            f"the execution name {release!r} has {len(release)} characters; name it with at most {RELEASE}"
        )
    return release


def check_request(
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
    if not request.reason.strip():
        raise InvalidInput('"reason" must say something')
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


def refuse_other_kind(record: ServiceRecord, service: Service) -> None:
    """A service that runs does not change its kind: what moves its traffic would be another thing, which has none."""
    was = stands_for(record.rule).kind if not record.balanced else "web"
    if was != service.kind:
        raise Misconfigured(
            f"{record.name} is onboarded as {was}, and the catalog says {service.kind}: a service that runs does not "
            f"change its kind. Write kind: {was} again, or add a service of another name, release it, lead its callers "
            "there, and take this one out; nothing was changed"
        )


def requested_release(
    start: ReleaseStart, *, environment: str, now: float, requester: Requester | None = None
) -> Release:
    """The release that is asked for, before anything is known of its plan."""
    asked = requester or Requester()
    request = start.request
    return Release(
        id=require_short_name(start.release),
        environment=environment,
        service=request.service,
        version=request.version,
        requested_by=asked.by,
        proof=asked.proof,
        reason=request.reason,
        started_at=now,
        execution=start.execution,
        train=request.train,
        break_glass=request.break_glass,
    )


def write_refusal(release: Release, refusal: Permanent, *, journal: Journal) -> None:
    """Open a release as refused, and write down why."""
    journal.open(
        msgspec.structs.replace(
            release, status="refused", why=fit(str(refusal), LONGEST_REASON), why_by="control-plane"
        )
    )
    evidence = {"error": type(refusal).__name__}
    journal.append(release.id, ReleaseEntry(release.started_at, "refused", str(refusal), evidence=evidence))
