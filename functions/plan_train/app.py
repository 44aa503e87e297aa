"""Order a train's releases by their dependencies and check every one before the first starts."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.train import TrainRequest, plan_train


class Start(msgspec.Struct):
    """The execution that asks, and the input it was started with."""

    train: str
    request: Any


RECORDS, CATALOG, ENVIRONMENT = wire.records(), wire.catalog(), wire.environment()


@handler
def lambda_handler(event: Any) -> list[dict[str, Any]]:
    start = parse(event, Start)
    return plan_train(
        parse(start.request, TrainRequest),
        train=start.train,
        environment=ENVIRONMENT,
        catalog=CATALOG,
        records=RECORDS,
        now=wire.now,
    )
