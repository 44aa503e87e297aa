"""A control plane for one simulated environment: the real use cases, and the schedule that starts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from candlefish.capacity.advance_capacity import CapacityProgress, advance_capacity
from candlefish.capacity.reconcile_capacity import MACHINE, reconcile_capacity
from candlefish.catalog.model import Catalog
from candlefish.errors import Retryable
from candlefish.ports import Execution
from candlefish.service.ports import ServiceRecords
from lab.memory.capacity import MemoryCapacityStore
from lab.memory.events import MemoryEvents
from lab.memory.requesters import MemoryRequesters
from lab.memory.signals import MemorySwitchboard
from lab.nights.simulated_world import Died, SimulatedWorld

EVERY = 300.0
# Step Functions tries a task again this much later when its function died.
RETRIED_AFTER = 2.0


class SimulatedClock:
    """Seconds since the epoch; only the simulation moves it."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class SimulatedExecutions:
    """`ports.Executions`: the capacity machine's loop, one step at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.status_of: dict[str, str] = {}
        # ARN -> when the machine takes its next step.
        self.due: dict[str, float] = {}
        self.started: list[tuple[str, str, dict[str, Any]]] = []

    def start(self, machine: str, name: str, payload: Mapping[str, Any]) -> str:
        arn = self.arn(machine, name)
        if arn not in self.status_of:
            self.status_of[arn] = "RUNNING"
            self.started.append((machine, name, dict(payload)))
            if machine == MACHINE:
                self.due[arn] = self._clock()
        return arn

    def arn(self, machine: str, name: str) -> str:
        return f"arn:{machine}:{name}"

    def status(self, arn: str) -> Execution:
        return Execution(arn, self.status_of.get(arn, "UNKNOWN"))  # type: ignore[arg-type]

    def find(self, machine: str, name: str) -> Execution | None:
        arn = self.arn(machine, name)
        return self.status(arn) if arn in self.status_of else None

    def end(self, arn: str, status: str) -> None:
        self.status_of[arn] = status
        self.due.pop(arn, None)

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        self.end(arn, "ABORTED")

    def succeed(self, token: str, output: Mapping[str, Any]) -> None:
        raise NotImplementedError("the capacity machine waits for no token")

    def fail(self, token: str, *, error: str, cause: str) -> None:
        raise NotImplementedError("the capacity machine waits for no token")


class Simulation:
    """One environment and everything that acts on it."""

    def __init__(
        self,
        environment: str,
        catalog: Catalog,
        clock: SimulatedClock,
        world: SimulatedWorld,
        records: ServiceRecords,
    ) -> None:
        self.environment = environment
        self.clock = clock
        self.world = world
        self.records = records
        self.store = MemoryCapacityStore(environment)
        self.events = MemoryEvents()
        self.executions = SimulatedExecutions(clock)
        self.requesters = MemoryRequesters()
        self.switchboard = MemorySwitchboard()
        self.ports: dict[str, Any] = {
            "catalog": catalog,
            "store": self.store,
            "world": world,
            "records": records,
            "executions": self.executions,
            "events": self.events,
            "now": clock,
        }
        self.progress: list[tuple[float, CapacityProgress]] = []
        self.next_look = clock()
        # Kill the whole execution when its function dies, instead of a retry of the task.
        self.deadly = False

    def look(self) -> Any:
        """One run of the reconciler."""
        try:
            return reconcile_capacity(self.environment, switchboard=self.switchboard, **self.ports)
        except (Retryable, Died) as error:
            return error

    def step(self, arn: str) -> None:
        """One step of a running machine."""
        try:
            progress = advance_capacity(self.environment, requesters=self.requesters, **self.ports)
        except (Retryable, Died):
            if self.deadly:
                self.executions.end(arn, "FAILED")
            else:
                self.executions.due[arn] = self.clock.at + RETRIED_AFTER
            return
        self.progress.append((self.clock.at, progress))
        if progress.status == "again":
            self.executions.due[arn] = self.clock.at + progress.wait
        else:
            self.executions.end(arn, "SUCCEEDED" if progress.status == "done" else "FAILED")

    def run(self, until: float) -> None:
        """Let time pass: the schedule fires, machines take their steps."""
        while True:
            arn, at = min(self.executions.due.items(), key=lambda each: each[1], default=("", float("inf")))
            moment = min(at, self.next_look)
            if moment > until:
                self.clock.at = max(self.clock.at, until)
                return
            self.clock.at = max(self.clock.at, moment)
            if at <= self.next_look:
                self.step(arn)
            else:
                self.next_look += EVERY
                self.look()
