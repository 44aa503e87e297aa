"""Apply a version's objects to its slot."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.steps import StepInput, deploy

use = partial(
    deploy,
    catalog=wire.catalog(),
    records=wire.records(),
    cluster=wire.cluster(),
    bundles=wire.bundles(),
    rules=wire.rules(),
    journal=wire.journal(),
    now=wire.now,
)


@handler
def lambda_handler(event: StepInput) -> None:
    return use(event)
