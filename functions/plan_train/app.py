"""Order a train's releases by their dependencies; check every one, and the environment, before the first starts."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from candlefish.bootstrap import capacity
from candlefish.bootstrap import release as wire
from candlefish.capacity.admission import require_awake_for_train
from candlefish.handler import handler, parse
from candlefish.release.train import TrainRequest, plan_train


class Start(msgspec.Struct):
    """The execution that asks, and the input it was started with."""

    train: str
    execution: str
    request: Any


RECORDS, CATALOG, ENVIRONMENT = wire.records(), wire.catalog(), wire.environment()
STORE, EVENTS = capacity.store(), capacity.events()


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
        admit=partial(
            require_awake_for_train,
            ENVIRONMENT,
            train=start.train,
            execution=start.execution,
            payload=start.request,
            catalog=CATALOG,
            store=STORE,
            events=EVENTS,
            now=wire.now,
        ),
    )
