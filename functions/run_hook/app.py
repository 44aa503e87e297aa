"""Ask a hook of the strategy whether the release may go on."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import StepInput
from candlefish.release.run_hook import run_hook

use = partial(
    run_hook,
    records=wire.records(),
    hooks=wire.hooks(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> None:
    return use(event)
