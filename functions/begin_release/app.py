"""Begin a release: check the request, take the service, fix the plan."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.begin import Begun, ReleaseRequest, begin, named


class Start(msgspec.Struct):
    """The execution that asks, and the input it was started with."""

    release: str
    execution: str
    request: Any


RECORDS, JOURNAL, CATALOG, ENVIRONMENT = wire.records(), wire.journal(), wire.catalog(), wire.environment()


@handler
def lambda_handler(event: Any) -> Begun:
    start = parse(event, Start)
    return begin(
        parse(start.request, ReleaseRequest),
        release=named(start.release),
        execution=start.execution,
        environment=ENVIRONMENT,
        catalog=CATALOG,
        records=RECORDS,
        journal=JOURNAL,
        now=wire.now,
    )
