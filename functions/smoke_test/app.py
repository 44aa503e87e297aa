"""Ask a candidate for its smoke paths at weight 0."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.steps import StepInput, smoke

use = partial(
    smoke,
    catalog=wire.catalog(),
    records=wire.records(),
    web=wire.web(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, StepInput))
