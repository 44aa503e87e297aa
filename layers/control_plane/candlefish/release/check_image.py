"""The gate: who asks for a release, and whether every image that it would run may be released here; or why not."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.catalog.model import Catalog
from candlefish.errors import ImageRefused, NotOnboarded, Permanent, Unreadable
from candlefish.ports import Now, Requesters
from candlefish.release.gates import closed_gates, may_sign, signer_of
from candlefish.release.journal import Journal
from candlefish.release.payloads import Gated, ReleaseStart
from candlefish.release.ports import Bundles, Registry
from candlefish.release.request import check_request, requested_release, write_refusal
from candlefish.release.who_asked import find_requester
from candlefish.release.workload import bundled_images
from candlefish.requester import Requester
from candlefish.service.model import Version
from candlefish.service.ports import ServiceRecords


def check_image(
    start: ReleaseStart,
    *,
    environment: str,
    catalog: Catalog,
    requesters: Requesters,
    proven: Callable[..., Requester],
    registry: Registry,
    bundles: Bundles,
    records: ServiceRecords,
    journal: Journal,
    now: Now,
) -> Gated:
    """Let a request through, or refuse it and write down why; who asked, and what was looked at, in words.

    `proven` says who asked by a workflow's token (`require_workflow`). An image that is live is not asked about
    again: what is released of it is another configuration, and a scan that got old must not stand in the way of that.

    Raises
    ------
    NotAllowed
        The token proves nothing here.
    ImageRefused
        A gate is closed, for the service's image or another one of its bundle; the message names every
        one and what to do.
    InvalidInput
        The bundle holds what a release must not touch.
    """
    at = now()
    request, opened = start.request, requested_release(start, environment=environment, now=at)
    gates = catalog.environments[environment].gates
    try:
        requester = find_requester(request, "release", start.release, requesters=requesters) or Requester()
        if request.token:
            requester = proven(request.token, [request.service], execution=start.execution)
        opened = requested_release(start, environment=environment, now=at, requester=requester)
        if gates is None and not request.bundle:
            return Gated(requester, (_none(environment),))
        if request.version.brings_same(_live(request.service, records)):
            return Gated(requester, (f"{request.image} is live already: its gates are not asked again",))
        # Nothing is asked of the registry for a request that cannot be taken anyway.
        check_request(request, environment=environment, catalog=catalog, now=at)
        others = bundled_images(request, environment=environment, catalog=catalog, bundles=bundles)
        if gates is None:
            return Gated(requester, (_none(environment), *_bundled(others)))
        seen = {image: registry.describe(image) for image in (request.image, *others)}
        closed = {image: list(closed_gates(known, gates, at)) for image, known in seen.items()}
        if any(closed.values()):
            raise ImageRefused(
                "; ".join(f"{image}: {'; '.join(why)}" for image, why in closed.items() if why)
            )
    except Permanent as refusal:
        write_refusal(opened, refusal, journal=journal)
        raise
    image = seen[request.image]
    looked = (
        f"platforms {', '.join(image.platforms)}",
        *(f"built by {signer_of(signer)}" for signer in image.provenance if may_sign(signer, gates)),
        "scan within policy",
        *_bundled(others),
    )
    return Gated(requester, looked)


def _live(service: str, records: ServiceRecords) -> Version | None:
    """The version that serves; None where there is none, or nobody knows it: then the gates are asked as ever."""
    try:
        return records.get(service).stable_version
    except (NotOnboarded, Unreadable):
        return None


def _none(environment: str) -> str:
    return f"{environment} has no gates in catalog/environments/{environment}.yaml"


def _bundled(others: tuple[str, ...]) -> list[str]:
    return [f"beside it {', '.join(others)}"] if others else []
