"""Where bills come from, as made up in `bills`."""

from __future__ import annotations

from datetime import date

from candlefish.cost.model import Bill
from tests.support.bills import bill


class FakeBillSource:
    """`cost.ports.BillSource` of the four months made up; counts what is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def daily(self, first: date, last: date, now: float) -> Bill:
        self.asked += 1
        return bill(now)
