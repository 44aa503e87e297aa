"""Ask a hook of the strategy whether the release may go on."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.steps import StepInput, run_hook

use = partial(
    run_hook,
    records=wire.records(),
    hooks=wire.hooks(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, StepInput))
