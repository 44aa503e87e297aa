"""Make a release's version the stable one."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import ReleaseContext, WatchContext
from candlefish.release.promote_release import promote_release

use = partial(
    promote_release,
    records=wire.records(),
    rules=wire.rules(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: ReleaseContext) -> WatchContext:
    return use(event)
