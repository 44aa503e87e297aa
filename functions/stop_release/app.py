"""Stop the execution of a release that is being rolled back."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import RollbackContext
from candlefish.release.stop_release import stop_release

use = partial(
    stop_release,
    executions=wire.executions(),
)


@handler
def lambda_handler(event: RollbackContext) -> None:
    return use(event)
