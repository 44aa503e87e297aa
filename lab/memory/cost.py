"""The newest bill, in memory."""

from __future__ import annotations

from candlefish.cost.model import Bill
from lab.memory.store import kept


class MemoryBillStore:
    """`cost.ports.BillStore`."""

    def __init__(self) -> None:
        self.kept: Bill | None = None

    def read(self) -> Bill | None:
        return self.kept and kept(self.kept)

    def keep(self, bill: Bill) -> None:
        self.kept = kept(bill)
