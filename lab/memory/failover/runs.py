"""Failover runs and their timelines, in memory."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.adapters.table.items import change_stored
from candlefish.errors import InvalidInput
from candlefish.failover.model import FailoverEntry, Run


class MemoryRuns:
    """`failover.ports.Runs`. `trap` runs before and after each call: the executor can die there."""

    def __init__(self, trap: Callable[[], None] = lambda: None) -> None:
        self.trap = trap
        self.between: Callable[[], None] = lambda: None
        self.runs: dict[tuple[str, int], Run] = {}
        self.lines: dict[str, list[FailoverEntry]] = {}

    def current(self, target: str) -> Run | None:
        known = [run for (name, _), run in self.runs.items() if name == target]
        return max(known, key=lambda run: run.epoch) if known else None

    def create(self, run: Run) -> Run:
        self.trap()
        stored = self.runs.setdefault((run.target, run.epoch), run)
        self.trap()
        return stored

    def update(self, target: str, change: Callable[[Run], Run]) -> Run:
        self.trap()
        changed = change_stored(lambda: self._known(target), change, self._put, f"failover {target}")
        self.trap()
        return changed

    def _known(self, target: str) -> Run:
        run = self.current(target)
        if run is None:
            raise InvalidInput(f"there is no failover of {target}")
        return run

    def _put(self, run: Run, seen: int) -> bool:
        self.between()
        if self.runs[run.target, run.epoch].revision != seen:
            return False
        # Through JSON, as the adapter keeps it.
        self.runs[run.target, run.epoch] = msgspec.json.decode(msgspec.json.encode(run), type=Run)
        return True

    def append(self, run: Run, entry: FailoverEntry) -> None:
        self.trap()
        self.lines.setdefault(run.id, []).append(entry)

    def entries(self, run: Run) -> list[FailoverEntry]:
        return sorted(self.lines.get(run.id, []), key=lambda entry: entry.at)

    def recent(self, target: str = "", limit: int = 20) -> list[Run]:
        found = [run for (name, _), run in self.runs.items() if target in ("", name)]
        return sorted(found, key=lambda run: (-run.requested_at, -run.epoch))[:limit]
