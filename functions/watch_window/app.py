"""Judge a promoted version until its rollback window closes."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.observe import WatchInput, watch

use = partial(
    watch,
    catalog=wire.catalog(),
    records=wire.records(),
    sources=wire.sources(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, WatchInput))
