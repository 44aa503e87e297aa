"""Begin a release: check the request, take the service, fix the plan."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from candlefish.bootstrap import capacity
from candlefish.bootstrap import release as wire
from candlefish.capacity.admission import require_awake
from candlefish.handler import handler, parse
from candlefish.release.begin import Begun, ReleaseRequest, begin, named


class Start(msgspec.Struct):
    """The execution that asks, and the input it was started with."""

    release: str
    execution: str
    request: Any


RECORDS, JOURNAL, CATALOG, ENVIRONMENT = wire.records(), wire.journal(), wire.catalog(), wire.environment()
STORE, EVENTS = capacity.store(), capacity.events()


@handler
def lambda_handler(event: Any) -> Begun:
    start = parse(event, Start)
    request = parse(start.request, ReleaseRequest)
    return begin(
        request,
        release=named(start.release),
        execution=start.execution,
        environment=ENVIRONMENT,
        catalog=CATALOG,
        records=RECORDS,
        journal=JOURNAL,
        now=wire.now,
        admit=partial(
            require_awake,
            ENVIRONMENT,
            release=start.release,
            payload=start.request,
            catalog=CATALOG,
            store=STORE,
            events=EVENTS,
            now=wire.now,
            train=request.train,
        ),
    )
