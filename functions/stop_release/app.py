"""Stop the execution of a release that is being rolled back."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.restore import Restored
from candlefish.release.retire import stop_release

use = partial(
    stop_release,
    executions=wire.executions(),
)


@handler
def lambda_handler(event: Any) -> Any:
    return use(parse(event, Restored))
