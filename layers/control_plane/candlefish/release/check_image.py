"""Let a release's image through the gates of the environment, or refuse it and say why."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.errors import ImageRefused, Permanent
from candlefish.ports import Now
from candlefish.release.gates import closed_gates
from candlefish.release.journal import Journal
from candlefish.release.payloads import ReleaseStart
from candlefish.release.ports import Registry
from candlefish.release.request import check_request, requested_release, write_refusal


def check_image(
    start: ReleaseStart,
    *,
    environment: str,
    catalog: Catalog,
    registry: Registry,
    journal: Journal,
    now: Now,
) -> list[str]:
    """Let a request through, or refuse it and write down why; what was looked at, in words.

    Raises
    ------
    ImageRefused
        A gate is closed; the message names every one and what to do.
    """
    at = now()
    request, opened = start.request, requested_release(start, environment=environment, now=at)
    gates = catalog.environments[environment].gates
    if gates is None:
        return [f"{environment} has no gates in catalog/environments/{environment}.yaml"]
    try:
        # Nothing is asked of the registry for a request that cannot be taken anyway.
        check_request(request, environment=environment, catalog=catalog, now=at)
        image = registry.describe(request.image)
        if refusals := list(closed_gates(image, gates, at)):
            raise ImageRefused(f"{request.image}: " + "; ".join(refusals))
    except Permanent as refusal:
        write_refusal(opened, refusal, journal=journal)
        raise
    return [
        f"platforms {', '.join(image.platforms)}",
        f"built by {', '.join(image.sources)}",
        "scan within policy",
    ]
