"""Make what a service needs on the load balancer, and its first record."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import release as wire
from candlefish.catalog.read import effective
from candlefish.handler import handler, parse
from candlefish.service.record import ServiceRecord
from candlefish.traffic.onboard import onboard


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """Which service."""

    service: str


SETTINGS = wire.settings()
RECORDS, CATALOG, RULES = wire.records(), wire.catalog(), wire.rules()
ENVIRONMENT = CATALOG.environments[wire.environment()]


@handler
def lambda_handler(event: Any) -> ServiceRecord:
    request = parse(event, Request)
    return onboard(
        effective(CATALOG.service(request.service), ENVIRONMENT),
        ENVIRONMENT,
        listener=SETTINGS["LISTENER_ARN"],
        vpc=SETTINGS["VPC_ID"],
        interval=int(SETTINGS["HEALTH_INTERVAL_SECONDS"]),
        deregistration_delay=int(SETTINGS["DEREGISTRATION_DELAY_SECONDS"]),
        balancer=RULES,
        records=RECORDS,
    )
