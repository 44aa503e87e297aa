"""Tell each region with a control plane which version was promoted, so that either can bring it up alone."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bootstrap import recovery as wire
from candlefish.handler import handler, parse


class Detail(msgspec.Struct):
    """What the event says: which service was promoted, and when."""

    service: str
    at: float


class Promoted(msgspec.Struct):
    """A `release.promoted` event."""

    detail: Detail


@handler
def lambda_handler(event: Any) -> None:
    promoted = parse(event, Promoted).detail
    version = wire.records().get(promoted.service).stable_version
    if version is not None:
        for known in (wire.stable(), wire.stable_there()):
            if known is not None:
                known.write(promoted.service, version, promoted.at)
