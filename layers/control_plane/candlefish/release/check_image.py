"""Let every image that a release would run through the gates of the environment, or refuse it and say why."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import ImageRefused, Permanent
from candlefish.ports import Now
from candlefish.release.gates import closed_gates
from candlefish.release.journal import Journal
from candlefish.release.payloads import ReleaseStart
from candlefish.release.ports import Bundles, Registry
from candlefish.release.request import check_request, requested_release, write_refusal
from candlefish.release.workload import bundled_images


def check_image(
    start: ReleaseStart,
    *,
    environment: str,
    catalog: Catalog,
    registry: Registry,
    bundles: Bundles,
    journal: Journal,
    now: Now,
) -> list[str]:
    """Let a request through, or refuse it and write down why; what was looked at, in words.

    Raises
    ------
    ImageRefused
        A gate is closed, for the service's image or another one of its bundle; the message names every
        one and what to do.
    InvalidInput
        The bundle holds what a release must not touch.
    """
    at = now()
    request, opened = start.request, requested_release(start, environment=environment, now=at)
    gates = catalog.environments[environment].gates
    if gates is None and not request.bundle:
        return [_none(environment)]
    try:
        # Nothing is asked of the registry for a request that cannot be taken anyway.
        check_request(request, environment=environment, catalog=catalog, now=at)
        others = bundled_images(request, environment=environment, catalog=catalog, bundles=bundles)
        if gates is None:
            return [_none(environment), *_bundled(others)]
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
    return [
        f"platforms {', '.join(image.platforms)}",
        f"built by {', '.join(image.sources)}",
        "scan within policy",
        *_bundled(others),
    ]


def _none(environment: str) -> str:
    return f"{environment} has no gates in catalog/environments/{environment}.yaml"


def _bundled(others: tuple[str, ...]) -> list[str]:
    return [f"beside it {', '.join(others)}"] if others else []
