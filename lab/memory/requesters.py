"""Who asked for which execution, in memory."""

from __future__ import annotations

from candlefish.requester import Asked
from lab.memory.store import kept


class MemoryRequesters:
    """`ports.Requesters`."""

    def __init__(self) -> None:
        self.asked: dict[tuple[str, str], Asked] = {}

    def keep(self, machine: str, name: str, asked: Asked) -> Asked:
        before = self.asked.get((machine, name))
        if before is None:
            self.asked[machine, name] = kept(asked)
            return asked
        return before

    def find(self, machine: str, name: str) -> Asked | None:
        return self.asked.get((machine, name))
