"""Tell each region with a control plane which version was promoted, so that either can bring it up alone."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import failover as wire
from candlefish.failover.remember_stable import PromotedEvent, remember_stable
from candlefish.handler import handler

use = partial(
    remember_stable,
    records=wire.records(),
    known=(wire.stable(), wire.stable_there()),
)


@handler
def lambda_handler(event: PromotedEvent) -> None:
    return use(event.detail)
