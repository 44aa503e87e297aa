"""Composition root of costs: builds each adapter once, when a function first asks for it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.capacity import events, store
from candlefish.bootstrap.release import catalog, environment, now, settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.cost_explorer import CostExplorer
    from candlefish.adapters.table.bills import DynamoBills

__all__ = ["catalog", "environment", "events", "now", "settings", "store"]


@cache
def bills() -> DynamoBills:
    from candlefish.adapters.table.bills import DynamoBills

    return DynamoBills(client("dynamodb"), settings()["TABLE_NAME"], environment())


@cache
def source() -> CostExplorer:
    from candlefish.adapters.aws.cost_explorer import REGION, CostExplorer

    return CostExplorer(client("ce", REGION), settings()["COST_TAG"])
