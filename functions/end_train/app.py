"""End a train: close its rollback windows, or say what has to be rolled back."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.bootstrap import release as wire
from candlefish.handler import handler, parse
from candlefish.release.train import close_windows, promoted_by


class End(msgspec.Struct):
    """How a train ended, and why when it failed."""

    train: str
    outcome: Literal["arrived", "failed"]
    reason: str = ""


RECORDS, CATALOG, ENVIRONMENT = wire.records(), wire.catalog(), wire.environment()


@handler
def lambda_handler(event: Any) -> list[dict[str, Any]] | list[str]:
    end = parse(event, End)
    if end.outcome == "failed":
        return promoted_by(end.train, ENVIRONMENT, end.reason, records=RECORDS)
    strategy = CATALOG.strategies[CATALOG.environments[ENVIRONMENT].strategy]
    return close_windows(end.train, strategy.rollback_window, records=RECORDS, now=wire.now)
