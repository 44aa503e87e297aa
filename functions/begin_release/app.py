"""Begin a release: check the request, take the service, fix the plan."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import capacity
from candlefish.bootstrap import release as wire
from candlefish.capacity.admission import require_awake
from candlefish.handler import handler
from candlefish.release.begin_release import begin_release
from candlefish.release.payloads import GatedStart, ReleaseContext

use = partial(
    begin_release,
    environment=wire.environment(),
    catalog=wire.catalog(),
    records=wire.records(),
    freezes=wire.asked_freezes(),
    journal=wire.journal(),
    bundles=wire.bundles(),
    now=wire.now,
    admit=partial(
        require_awake,
        wire.environment(),
        catalog=wire.catalog(),
        store=capacity.store(),
        events=capacity.events(),
        now=wire.now,
    ),
)


@handler
def lambda_handler(event: GatedStart) -> ReleaseContext:
    return use(event)
