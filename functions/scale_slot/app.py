"""Give a slot the capacity for its next weight."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.steps import StepInput, scale

use = partial(
    scale,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, StepInput))
