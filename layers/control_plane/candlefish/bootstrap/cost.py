"""Composition root of costs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.capacity import store
from candlefish.bootstrap.core import catalog, environment, events, meter, now, table
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.cost_explorer import CostExplorer
    from candlefish.adapters.table.bills import DynamoBills

__all__ = ["catalog", "environment", "events", "meter", "now", "store"]


class CostSettings(Settings):
    """What functions of costs are told."""

    # The cost allocation tag that bills are grouped by.
    cost_tag = Setting(str)


settings = CostSettings()


@cache
def bills() -> DynamoBills:
    from candlefish.adapters.table.bills import DynamoBills

    return DynamoBills(client("dynamodb"), table(), environment())


@cache
def source() -> CostExplorer:
    from candlefish.adapters.aws.cost_explorer import REGION, CostExplorer

    return CostExplorer(client("ce", REGION), settings.cost_tag)
