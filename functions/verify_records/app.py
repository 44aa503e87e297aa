"""Compare records with what the load balancer and the cluster show; changes nothing."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.verify_records import RecordCheck, VerifyRequest, verify_records

use = partial(
    verify_records,
    catalog=wire.catalog(),
    environment=wire.declared(),
    listeners=wire.settings.listener_arns,
    records=wire.records(),
    rules=wire.movers(),
    cluster=wire.cluster(),
)


@handler
def lambda_handler(event: VerifyRequest) -> list[RecordCheck]:
    return use(event)
