"""Make what a service needs on the load balancer, and its first record."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.onboard import onboard
from candlefish.release.payloads import OnboardRequest
from candlefish.service.record import ServiceRecord

use = partial(
    onboard,
    catalog=wire.catalog(),
    environment=wire.declared(),
    place=wire.fitting_place(),
    balancer=wire.balancer(),
    shares=wire.shares(),
    rules=wire.movers(),
    records=wire.records(),
    cluster=wire.cluster(),
    now=wire.now,
)


@handler
def lambda_handler(event: OnboardRequest) -> ServiceRecord:
    return use(event.service)
