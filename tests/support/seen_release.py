"""A release that is walked through its plan by the real use cases, and looked at as people do."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from candlefish.analysis.model import Arm
from candlefish.errors import JudgedBad
from candlefish.release.model import PlanStep, ReleaseEntry
from candlefish.release.next_step import next_step
from candlefish.release.payloads import (
    AnalysisInput,
    ApprovalRequest,
    Instruction,
    NextStepInput,
    ReleaseContext,
    StepInput,
)
from candlefish.release.promote_release import promote_release
from candlefish.release.request_approval import request_approval
from candlefish.release.run_analysis import run_analysis
from candlefish.release.shift_weights import shift_weights
from candlefish.views.model import Reader, ReleaseView
from candlefish.views.ports import Looking, SlotWorkload
from candlefish.views.see_release import see_release
from lab.memory.release import MemoryFreezes, MemoryJudgements, MemoryLooks
from lab.memory.views import MemoryHistory
from tests.support.analysis import FakeWindows
from tests.support.release_world import World
from tests.support.service import V1, fresh, released

LEAD = Reader(
    "arn:aws:iam::333333333333:user/platform-lead", "platform-lead", ("reader", "operator", "approver")
)
DEVELOPER = Reader("arn:aws:iam::333333333333:user/developer", "developer", ("reader", "operator"))
VISITOR = Reader("oidc:visitor", "", ("reader",))
HEALTHY = FakeWindows(always=(Arm(900, errors=2), Arm(100)))
FAILING = FakeWindows(always=(Arm(900, errors=1), Arm(100, errors=21)))
QUIET = FakeWindows(always=(Arm(27), Arm(3)))
SILENT = FakeWindows(always=(Arm(0), Arm(0)))
DOWN = FakeWindows(down=True)


class FakeSlots:
    """`views.ports.SlotWorkloads`: what a test says, by the slot's name."""

    def __init__(self, **running: SlotWorkload) -> None:
        self.running = running
        self.broken: Exception | None = None

    def of_slot(self, namespace: str, name: str) -> SlotWorkload | None:
        if self.broken:
            raise self.broken
        return self.running.get(name.replace("-", "_"))


class Watched:
    """A release of `backend-api`, by its plan, and who looks at it."""

    def __init__(self, environment: str = "production", **request: object) -> None:
        record = released(fresh(environment=environment), "r1", V1, window=0)
        self.world = World(msgspec.structs.replace(record, window_until=0.0), environment)
        self.looks, self.judgements = MemoryLooks(), MemoryJudgements()
        self.slots = FakeSlots()
        self.freezes = MemoryFreezes(environment)
        self.begun: ReleaseContext = self.world.begin(**{"label": "v2", **request})  # type: ignore[arg-type]
        self.index = 0
        self.last: Instruction | None = None

    @property
    def plan(self) -> tuple[PlanStep, ...]:
        return self.world.journal.read("r2").plan

    @property
    def looking(self) -> Looking:
        world = self.world
        return Looking(
            world.environment,
            world.catalog,
            world.records,
            MemoryHistory(world.journal.memory, world.approvals, self.looks),
            world.clock,
            rules=world.rules,
            workloads=self.slots,
            switchboard=world.switchboard,
            freezes=self.freezes,
        )

    def view(self, reader: Reader = LEAD) -> ReleaseView:
        return see_release("r2", reader, looking=self.looking)

    def begin_step(self) -> Instruction:
        """What the machine's NextStep does."""
        run = msgspec.structs.asdict(self.begun)
        names = NextStepInput.__struct_fields__
        asked = NextStepInput(**{k: v for k, v in run.items() if k in names}, index=self.index)
        world = self.world
        self.last = next_step(
            asked,
            catalog=world.catalog,
            records=world.records,
            freezes=self.freezes,
            journal=world.journal,
            now=world.clock,
        )
        return self.last

    def do_step(self) -> None:
        """What the machine does with a step that was begun, as the timeline tells it."""
        world, last = self.world, self.last
        assert last and last.step
        done = {
            "deploy": "deployed",
            "ready": "ready",
            "smoke": "smoke_tested",
            "scale": "scaled",
            "approve": "approved",
        }
        if last.step.kind == "shift":
            shift_weights(
                self._input(StepInput),
                records=world.records,
                rules=world.rules,
                journal=world.journal,
                now=world.clock,
                **self._healthy(),
            )
        elif kind := done.get(last.step.kind):
            world.journal.append("r2", ReleaseEntry(world.clock(), kind, f"{last.step} is done"))
        self.index = last.index
        world.clock.forward(5)

    def _healthy(self) -> dict[str, object]:
        return {}

    def _input(self, kind: type) -> StepInput:
        assert self.last and self.last.step
        return kind(**msgspec.structs.asdict(self.begun), step=self.last.step, since=self.last.since)  # type: ignore[no-any-return]

    def until(self, kind: str, times: int = 1) -> Watched:
        """Walk on until a step of that kind has begun, for the n-th time."""
        for _ in range(60):
            instruction = self.begin_step()
            if instruction.kind == kind:
                times -= 1
                if not times:
                    return self
            if instruction.kind == "promote":
                raise AssertionError(f"no step {kind}")
            self.do_step()
        raise AssertionError(kind)

    def judge(self, source: FakeWindows, minutes: int) -> Watched:
        """Look once a minute at the step that was begun."""
        world = self.world
        for _ in range(minutes):
            world.clock.forward(60)
            assert self.last and self.last.step
            asked = AnalysisInput(**msgspec.structs.asdict(self._input(StepInput)), index=self.last.index)
            with suppress(JudgedBad):
                run_analysis(
                    asked,
                    catalog=world.catalog,
                    records=world.records,
                    sources={"cloudwatch": source},
                    judgements=self.judgements,
                    journal=world.journal,
                    now=world.clock,
                    looks=self.looks,
                )
        return self

    def ask(self) -> Watched:
        """Ask the question of the approval that was begun."""
        world = self.world
        assert self.last and self.last.step
        run = msgspec.structs.asdict(self._input(StepInput))
        request_approval(
            ApprovalRequest(**run, token="t"),
            catalog=world.catalog,
            approvals=world.approvals,
            records=world.records,
            journal=world.journal,
            now=world.clock,
        )
        return self

    def promote(self) -> Watched:
        """Walk to the end of the plan and promote."""
        while self.begin_step().kind != "promote":
            self.do_step()
        world = self.world
        promote_release(
            self.begun, records=world.records, rules=world.rules, journal=world.journal, now=world.clock
        )
        return self
