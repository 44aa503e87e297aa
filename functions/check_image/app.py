"""Let a release's image through the environment's gates, or refuse it and say why."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import gates
from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.begin import ReleaseRequest, named
from candlefish.release.gates import gate


class Start(msgspec.Struct):
    """The execution that asks, and the input it was started with."""

    release: str
    execution: str
    request: Any


CATALOG, JOURNAL, ENVIRONMENT, REGISTRY = wire.catalog(), wire.journal(), wire.environment(), gates.registry()


@handler
def lambda_handler(event: Any) -> list[str]:
    start = parse(event, Start)
    return gate(
        parse(start.request, ReleaseRequest),
        release=named(start.release),
        execution=start.execution,
        environment=ENVIRONMENT,
        catalog=CATALOG,
        registry=REGISTRY,
        journal=JOURNAL,
        now=wire.now,
    )
