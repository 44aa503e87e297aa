"""What costs need from the world beside the shared ports."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from candlefish.cost.model import Bill


class BillSource(Protocol):
    """Where bills come from. Asking costs money ($0.01 a page): ask once a day."""

    def daily(self, first: date, last: date, now: float) -> Bill:
        """Costs by day and environment, both ends included.

        Raises
        ------
        Throttled, Unavailable, Misconfigured
            The bill could not be read.
        """


class BillStore(Protocol):
    """The newest bill of an environment's account, kept until the next day."""

    def read(self) -> Bill | None:
        """The bill that was kept last; None when there is none."""

    def keep(self, bill: Bill) -> None:
        """Keep a bill in place of the last one."""
