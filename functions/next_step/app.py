"""Say which step of a release comes next, and whether it may."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.steps import NextInput, next_step

use = partial(
    next_step,
    catalog=wire.catalog(),
    records=wire.records(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, NextInput))
