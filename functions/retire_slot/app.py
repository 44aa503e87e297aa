"""Scale down a slot once nothing reaches it."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.retire import RetireInput, retire

use = partial(
    retire,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    sources=wire.sources(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, RetireInput))
