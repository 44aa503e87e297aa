"""Let the CronJobs of a service run what has just become stable."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.keep_cron import keep_cron
from candlefish.release.payloads import CronKept, ReleaseContext

use = partial(
    keep_cron,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: ReleaseContext) -> CronKept:
    return use(event)
