"""The gate of a release: who asks for it, and whether every image that it would run may be released here."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.check_image import check_image
from candlefish.release.payloads import Gated, ReleaseStart

use = partial(
    check_image,
    environment=wire.environment(),
    catalog=wire.catalog(),
    requesters=wire.requesters(),
    proven=wire.proven(),
    registry=wire.registry(),
    bundles=wire.bundles(),
    records=wire.records(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: ReleaseStart) -> Gated:
    return use(event)
