"""One failover from request to end, with an executor that is started again whenever it dies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from candlefish.errors import RecordContested
from candlefish.failover.model import Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.propose import FailoverRequest
from candlefish.failover.start import abandon_failover, approve_failover, start_failover
from candlefish.failover.step_failover import FailoverProgress, FailoverStepInput, step_failover
from lab.memory.failover.runs import MemoryRuns
from tests.support.executions import FakeExecutions
from tests.support.failover.catalog import CATALOG, PACE
from tests.support.failover.world import Killed, World


class Play:
    """One failover from request to end, with an executor that is started again whenever it dies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = MemoryRuns(world.trap)
        self.machine = FakeExecutions()
        self.elsewhere: Callable[[], list[Run]] = list
        self.catalog = CATALOG

    def ports(self) -> FailoverPorts:
        return self.world.ports(self.store, self.catalog)

    def request(self, target: str, plan: Any = "", by: str = "lead", **more: Any) -> Any:
        request = FailoverRequest(target=target, plan=plan, reason="a test", **more)
        return start_failover(
            request,
            requested_by=by,
            ports=self.ports(),
            executions=self.machine,
            elsewhere=self.elsewhere,
        )

    def approve(self, target: str, *accepts: Any, by: str = "second") -> Run:
        if "split-brain" in accepts:
            self.world.split_brain_accepted = True
        return approve_failover(
            target,
            accepts or ("go",),
            "agreed",
            principal=by,
            ports=self.world.ports(self.store),
            executions=self.machine,
        )

    def abandon(self, target: str, reason: str, by: str = "lead") -> Run:
        ports = self.world.ports(self.store)
        return abandon_failover(target, reason, principal=by, ports=ports, executions=self.machine)

    def move(self, run: Run) -> FailoverProgress:
        """One move of the executor."""
        which = FailoverStepInput(run.target, run.epoch)
        return step_failover(which, ports=self.world.ports(self.store), pace=PACE)

    def drive(self, target: str, moves: int = 2000) -> Run:
        """Move the run until it waits for a person or is over; a killed executor is started anew."""
        for _ in range(moves):
            run = self.store.current(target)
            assert run is not None
            if run.status != "running":
                return run
            with contextlib.suppress(Killed, RecordContested):
                self.move(run)
            for _ in range(3):
                self.world.clock.forward(PACE.poll / 3)
                self.world.beats()
        raise AssertionError(f"no end after {moves} moves: {self.store.current(target)}")
