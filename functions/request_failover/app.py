"""What a person asks of a failover. Called through a function URL with IAM, which names the caller."""

from __future__ import annotations

from typing import Any

from candlefish.bootstrap import recovery as wire
from candlefish.failover.desk import Asked, Desk, ask
from candlefish.handler import handler
from candlefish.web import caller, posted, respond

desk = Desk(
    environment=wire.environment(),
    catalog=wire.catalog(),
    runs=wire.runs(),
    stage=wire.stage(),
    executions=wire.executions(),
    now=wire.now,
    elsewhere=wire.elsewhere,
)


@handler
def lambda_handler(event: Any) -> dict[str, Any]:
    return respond(lambda: ask(posted(event, Asked), principal=caller(event), desk=desk))
