"""Make what a service needs on the load balancer, and its first record."""

from __future__ import annotations

from functools import partial

from candlefish.bootstrap import release as wire
from candlefish.handler import handler
from candlefish.release.payloads import OnboardRequest
from candlefish.service.record import ServiceRecord
from candlefish.traffic.onboard import onboard

use = partial(
    onboard,
    environment=wire.declared(),
    catalog=wire.catalog(),
    listener=wire.settings.listener_arn,
    vpc=wire.settings.vpc_id,
    interval=wire.settings.health_interval_seconds,
    deregistration_delay=wire.settings.deregistration_delay_seconds,
    balancer=wire.rules(),
    records=wire.records(),
)


@handler
def lambda_handler(event: OnboardRequest) -> ServiceRecord:
    return use(event.service)
