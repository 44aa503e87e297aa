"""Failover runs and their timelines, in memory."""

from __future__ import annotations

from collections.abc import Callable

from candlefish.adapters.table.items import change_stored
from candlefish.errors import InvalidInput
from candlefish.failover.model import FailoverEntry, Run
from lab.memory.store import Store, kept, sortable


class MemoryRuns(Store):
    """`failover.ports.Runs`. `trap` runs before and after each call: the executor can die there."""

    def __init__(self, trap: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.trap = trap
        self.runs: dict[tuple[str, int], Run] = {}
        self.lines: dict[tuple[str, int], list[FailoverEntry]] = {}
        # When each was asked for, its target and its epoch; written after the run.
        self.listed: list[tuple[int, str, int]] = []

    def current(self, target: str) -> Run | None:
        newest = self._of(target)[:1]
        return kept(newest[0]) if newest else None

    def _of(self, target: str) -> list[Run]:
        """The runs of a target, newest epoch first."""
        found = [run for (name, _), run in self.runs.items() if name == target]
        return sorted(found, key=lambda run: -run.epoch)

    def create(self, run: Run) -> Run:
        self.trap()
        stored = self._create(run)
        self.trap()
        return stored

    def _create(self, run: Run) -> Run:
        if (run.target, run.epoch) in self.runs:
            self.between()
            if (stored := self._known(run.target)).epoch != run.epoch:
                return stored
            run = stored
        else:
            self.runs[run.target, run.epoch] = kept(run)
        self.between()
        line = (sortable(run.requested_at), run.target, run.epoch)
        if line not in self.listed:
            self.listed.append(line)
        return run

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
        return self.put_if(self.runs, (run.target, run.epoch), run, seen)

    def append(self, run: Run, entry: FailoverEntry) -> None:
        self.trap()
        self.lines.setdefault((run.target, run.epoch), []).append(kept(entry))

    def entries(self, run: Run) -> list[FailoverEntry]:
        lines = self.lines.get((run.target, run.epoch), [])
        return [kept(entry) for entry in sorted(lines, key=lambda entry: sortable(entry.at))]

    def recent(self, target: str = "", limit: int = 20) -> list[Run]:
        if target:
            return [kept(run) for run in self._of(target)[:limit]]
        newest = sorted(self.listed, reverse=True)[:limit]
        return [kept(self.runs[name, epoch]) for _, name, epoch in newest]
