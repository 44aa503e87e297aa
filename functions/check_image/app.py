"""Let every image that a release would run through the environment's gates, or refuse it and say why."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.check_image import check_image
from candlefish.release.payloads import ReleaseStart

use = partial(
    check_image,
    environment=wire.environment(),
    catalog=wire.catalog(),
    registry=wire.registry(),
    bundles=wire.bundles(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: ReleaseStart) -> list[str]:
    return use(event)
