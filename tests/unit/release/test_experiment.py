"""An experiment is put into the plan once, made with the canary at 0%, and ends a release or lets it go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from candlefish.analysis.model import Arm, MetricTarget, Window
from candlefish.catalog.model import Duration, Freeze, JudgePolicy
from candlefish.errors import JudgedBad, RecordContested, StaleGeneration, Unavailable, pause
from candlefish.release.model import Judgement, PlanStep
from candlefish.release.next_step import next_step
from candlefish.release.payloads import (
    AnalysisInput,
    AnalysisResult,
    NextStepInput,
    ReleaseContext,
    StepInput,
)
from candlefish.release.plan import fits_execution, with_experiment
from candlefish.release.run_analysis import run_analysis
from candlefish.release.shift_weights import shift_weights
from candlefish.service.model import Hold
from candlefish.service.record import add_hold, lift_hold
from lab.memory.release import MemoryJudgements
from tests.support.analysis import FakeWindows
from tests.support.release_world import World
from tests.support.service import rollback

# The share of both versions' requests that fail, by the time and by the canary's weight then.
Share = Callable[[float, int], float]
MINUTE = 60.0
WELL = 0.004


class Served(FakeWindows):
    """What was served: 6,000 requests a minute, by the weight that the canary had at the minute's end."""

    def __init__(self, world: World, share: Share) -> None:
        super().__init__()
        self.world, self.share = world, share
        self.weights: list[tuple[float, int]] = [(0.0, 0)]
        # Whether the store is told late and by many, as CloudWatch is.
        self.growing = False

    def shifted(self) -> None:
        record = self.world.record
        at, weight = self.world.clock.at, self.world.rules.weights[record.rule][group(self.world)]
        self.weights.append((at, weight))

    def weight(self, at: float) -> int:
        return [weight for since, weight in self.weights if since <= at][-1]

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        if self.down:
            raise Unavailable("the store is down")
        start, found = -(-since // MINUTE) * MINUTE, []
        while start + MINUTE + target.settle <= until:
            weight, share = self.weight(start), self.share(start, self.weight(start))
            canary = 60 * weight
            arms = [Arm(requests, round(requests * share)) for requests in (6000 - canary, canary)]
            growing = self.growing and until < start + MINUTE + 5 * target.settle
            alone = Arm(0) if not target.canary_group else arms[1]
            found.append(Window(start, start + MINUTE, arms[0], alone, growing=growing))
            start += MINUTE
        return found


def group(world: World) -> str:
    return world.record.slots["blue"].target_group


class Machine:
    """The release machine from the first weight on, as far as its looks, weights and questions go."""

    def __init__(self, world: World, share: Share) -> None:
        self.world, self.judgements = world, MemoryJudgements()
        self.begun: ReleaseContext = world.begin()
        self.source = Served(world, share)
        self.index = next(i for i, step in enumerate(self.plan) if step.kind == "shift")
        self.began = world.clock.at
        # What it did: kinds of steps, with the time since the beginning.
        self.did: list[tuple[str, float]] = []

    @property
    def plan(self) -> tuple[PlanStep, ...]:
        return self.world.journal.read("r2").plan

    def look(self, request: AnalysisInput) -> AnalysisResult:
        return run_analysis(
            request,
            catalog=self.world.catalog,
            records=self.world.records,
            sources={"cloudwatch": self.source},
            judgements=self.judgements,
            journal=self.world.journal,
            now=self.world.clock,
        )

    def step(self) -> str:
        """Take one step of the plan, with all its looks; its kind, or "asked"."""
        context = msgspec.structs.asdict(self.begun)
        told = next_step(
            NextStepInput(**context, index=self.index),
            catalog=self.world.catalog,
            records=self.world.records,
            freezes=self.world.freezes,
            journal=self.world.journal,
            now=self.world.clock,
        )
        self.index = told.index
        self.did.append((str(told.step or told.kind), self.world.clock.at - self.began))
        if told.kind == "held":
            self.world.clock.forward(told.wait)
        if told.kind == "shift":
            assert told.step
            self.world.clock.forward(3)
            shift_weights(
                StepInput(**context, step=told.step, since=told.since),
                records=self.world.records,
                rules=self.world.rules,
                journal=self.world.journal,
                now=self.world.clock,
            )
            self.source.shifted()
        if told.kind in ("judge", "bake", "experiment"):
            assert told.step
            request = AnalysisInput(**context, step=told.step, since=told.since, index=told.index)
            while (found := self.look(request)).look_again is not None:
                self.world.clock.forward(pause(found.look_again))
            self.index = found.index
            if found.ask:
                return "asked"
        return told.kind

    def until(self, *kinds: str) -> str:
        """Take steps until one of these kinds was taken."""
        for _ in range(100):
            if (kind := self.step()) in kinds:
                return kind
        raise AssertionError(self.did)

    def at(self, what: str) -> float:
        return next(at for did, at in self.did if did == what)

    @property
    def weight(self) -> int:
        return self.world.rules.weights[self.world.record.rule][group(self.world)]


def start(world: World, share: Share) -> Machine:
    """A release at its first judge, whose history is well."""
    world.clock.at = 1_790_000_040.0
    return Machine(world, share)


def from_minute(minute: float, share: float, *, only_with_canary: bool = False) -> Callable[[float], Share]:
    """Both versions fail from that minute of the release on."""

    def by(began: float) -> Share:
        def failing(at: float, weight: int) -> float:
            on = at >= began + minute * MINUTE and (weight > 0 or not only_with_canary)
            return share if on else WELL

        return failing

    return by


def breaking(world: World, minute: float, share: float, *, only_with_canary: bool = True) -> Machine:
    return start(world, from_minute(minute, share, only_with_canary=only_with_canary)(1_790_000_040.0))


def kinds(machine: Machine) -> list[str]:
    return machine.world.journal.kinds("r2")


@pytest.mark.parametrize("share", [0.2, 0.45])
@pytest.mark.parametrize("minute", [2.0, 6.5, 9.9])
@pytest.mark.parametrize("growing", [False, True], ids=["whole", "growing"])
def test_a_canary_that_breaks_both_is_out_within_five_minutes_and_rolled_back_with_proof(
    world: World, share: float, minute: float, growing: bool
) -> None:
    machine = breaking(world, minute, share)
    machine.source.growing = growing
    with pytest.raises(JudgedBad, match=r"recovered: .* without it; it was the canary"):
        machine.until("promote")
    assert machine.at("shift 0%") - minute * MINUTE < 300
    assert machine.weight == 0
    assert kinds(machine)[-1] == "experiment_ended"
    assert "0.4%" in world.journal.reason("r2", "experiment_ended")
    assert "experiment 1 of at most 2: canary at 0%" in world.journal.reason("r2", "experiment")


def test_a_small_trouble_has_to_come_back_with_the_canary_before_it_ends_the_release(world: World) -> None:
    machine = breaking(world, 2.0, 0.05)
    with pytest.raises(JudgedBad, match="the second time"):
        machine.until("promote")
    assert [step.kind for step in machine.plan].count("experiment") == 2
    assert machine.weight == 0


def test_what_the_world_does_stops_no_release(world: World) -> None:
    machine = breaking(world, 2.0, 0.2, only_with_canary=False)
    assert machine.until("approve") == "approve"
    assert machine.weight == 10
    steps = [did for did, _ in machine.did]
    assert steps == ["shift 10%", "judge", "shift 0%", "experiment", "shift 10%", "judge", "approve"]
    assert "not recovered" in world.journal.reason("r2", "experiment_ended")


def test_a_trouble_that_was_over_before_proves_nothing(world: World) -> None:
    began = 1_790_000_040.0
    machine = start(world, lambda at, weight: 0.2 if 120 <= at - began < 180 else WELL)
    assert machine.until("approve") == "approve"
    assert "passed before" in world.journal.reason("r2", "experiment_ended")
    assert machine.weight == 10


def test_without_requests_a_person_is_asked_and_the_good_version_serves(world: World) -> None:
    machine = breaking(world, 2.0, 0.2)
    machine.until("shift")
    machine.until("shift")
    assert machine.weight == 0
    machine.source.down = True
    assert machine.step() == "asked"
    assert machine.weight == 0
    assert "does not tell" in world.journal.reason("r2", "experiment_ended")
    # Somebody says yes: the canary gets its weight back, and the store tells by now that it had been well without it.
    machine.source.down = False
    with pytest.raises(JudgedBad, match="it was the canary"):
        machine.until("approve")


def test_a_healthy_release_makes_none(world: World) -> None:
    machine = start(world, lambda at, weight: WELL)
    machine.until("approve")
    assert "experiment" not in kinds(machine)


# --- when it may not ----------------------------------------------------------------------------


def refused_by(world: World, change: Callable[[Machine], None]) -> Machine:
    machine = breaking(world, 2.0, 0.2)
    machine.step()
    change(machine)
    machine.step()
    return machine


def hold(machine: Machine, trial: str = "") -> None:
    entry = Hold("person:lead", "demo", machine.world.clock.at, "lead", trial=trial)  # type: ignore[arg-type]
    machine.world.records.update("backend-api", lambda r: add_hold(r, entry))


def policy(machine: Machine, **fields: object) -> None:
    catalog = machine.world.catalog
    changed: JudgePolicy = msgspec.structs.replace(catalog.policies["default"], **fields)
    machine.world.catalog = msgspec.structs.replace(
        catalog, policies={**catalog.policies, "default": changed}
    )


def freeze(machine: Machine) -> None:
    catalog = machine.world.catalog
    frozen = msgspec.structs.replace(
        catalog.environments["production"],
        freezes=(Freeze("party", "2026-01-01T00:00", "2027-01-01T00:00", "we dance"),),
    )
    environments = {**catalog.environments, "production": frozen}
    machine.world.catalog = msgspec.structs.replace(catalog, environments=environments)


@pytest.mark.parametrize(
    "change", [hold, freeze, lambda m: policy(m, experiment=False)], ids=["held", "frozen", "policy"]
)
def test_it_makes_none_when_it_may_not(world: World, change: Callable[[Machine], None]) -> None:
    machine = refused_by(world, change)
    assert "experiment" not in kinds(machine)
    assert machine.weight == 10


def test_it_makes_two_at_most(world: World) -> None:
    """Each time the trouble goes, proves nothing, and comes back worse when the canary has had its weight for a while."""
    machine = start(world, lambda at, weight: WELL)

    def share(at: float, weight: int) -> float:
        since = [when for when, given in machine.source.weights if given == 10 and when <= at]
        return 0.2 if since and 60 <= at - since[-1] < 120 else WELL

    machine.source.share = share
    machine.until("approve", "asked")
    assert [did for did, _ in machine.did].count("experiment") == 2
    assert machine.weight == 10


def test_a_budget_that_rolls_back_what_both_break_waits_for_the_experiment(world: World) -> None:
    machine = breaking(world, 2.0, 0.6, only_with_canary=False)
    assert world.catalog.policies["default"].budgets[2].shared == "rollback"
    machine.until("experiment")
    assert "not recovered" in world.journal.reason("r2", "experiment_ended")
    # And what it found to be the world's doing breaks no budget of the canary afterwards.
    assert machine.until("approve") == "approve"


def test_where_no_experiment_may_be_made_that_budget_rolls_back(world: World) -> None:
    machine = breaking(world, 2.0, 0.6, only_with_canary=False)
    policy(machine, experiment=False)
    with pytest.raises(JudgedBad, match="the objective is at most 50%"):
        machine.until("approve")


# --- what may go wrong on the way ---------------------------------------------------------------


def test_a_look_that_died_after_it_changed_the_plan_changes_it_once(world: World) -> None:
    machine = breaking(world, 2.0, 0.2)
    machine.step()
    written = world.journal.append
    dead: list[str] = []

    def dies(release: str, entry: object) -> None:
        if getattr(entry, "kind", "") == "experiment" and not dead:
            dead.append("here")
            raise TimeoutError("stopped")
        written(release, entry)  # type: ignore[arg-type]

    world.journal.append = dies  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        machine.step()
    # The machine calls the same state again.
    machine.index = [step.kind for step in machine.plan].index("experiment")
    request = AnalysisInput(
        **msgspec.structs.asdict(machine.begun),
        step=next(step for step in machine.plan if step.kind == "judge"),
        since=world.clock.at - 300,
        index=machine.index,
    )
    assert machine.look(request).index == machine.index - 1
    assert machine.look(request).index == machine.index - 1
    assert [step.kind for step in machine.plan].count("experiment") == 1
    assert kinds(machine).count("experiment") == 1


def test_of_two_looks_at_once_one_changes_the_plan(world: World) -> None:
    machine = breaking(world, 2.0, 0.2)
    seen = world.journal.read("r2")
    plan = with_experiment(seen, 7, weight=10, within=600)
    world.journal.replan(seen, plan)
    with pytest.raises(RecordContested, match="another look"):
        world.journal.replan(seen, plan)
    assert machine.plan == plan


def test_an_experiment_whose_canary_has_traffic_begins_with_the_step_before_it(world: World) -> None:
    machine = breaking(world, 2.0, 0.2)
    machine.step()
    seen = world.journal.read("r2")
    # A late look put it there, and the machine stands behind it already.
    world.journal.replan(seen, with_experiment(seen, machine.index, weight=10, within=600))
    machine.index += 1
    assert machine.step() == "experiment"
    assert machine.step() == "shift"
    assert machine.weight == 0


def test_a_look_that_died_after_its_conclusion_comes_to_the_same_again(world: World) -> None:
    machine = breaking(world, 2.0, 0.2, only_with_canary=False)
    machine.until("experiment")
    place = [step.kind for step in machine.plan].index("experiment")
    since = machine.began + machine.at("experiment")
    request = AnalysisInput(
        **msgspec.structs.asdict(machine.begun), step=machine.plan[place], since=since, index=place + 1
    )
    again = machine.look(request)
    assert (again.action, again.index) == ("go_on", place + 1)
    assert kinds(machine).count("experiment_ended") == 1


def test_what_the_judge_knew_is_gone_so_a_person_is_asked(world: World) -> None:
    machine = breaking(world, 2.0, 0.2)
    machine.until("shift")
    machine.until("shift")
    known = machine.judgements.read("r2")
    machine.judgements.write("r2", Judgement({}, "", known.revision), world.clock.at)
    assert machine.step() == "asked"
    assert machine.weight == 0


def test_a_hold_in_the_middle_keeps_the_canary_out(world: World) -> None:
    machine = breaking(world, 2.0, 0.2, only_with_canary=False)
    machine.until("experiment")
    hold(machine)
    assert machine.step() == "held"
    assert machine.weight == 0
    world.records.update("backend-api", lambda r: lift_hold(r, "person:lead"))
    assert machine.step() == "shift"
    assert machine.weight == 10


def test_a_rollback_in_the_middle_ends_it(world: World) -> None:
    machine = breaking(world, 2.0, 0.2)
    machine.until("shift")
    machine.until("shift")
    world.records.update("backend-api", rollback)
    with pytest.raises(StaleGeneration):
        machine.step()


# --- what signals ask for -----------------------------------------------------------------------


def test_a_signals_hold_lets_the_judge_look_and_is_answered_by_the_experiment(world: World) -> None:
    machine = breaking(world, 2.0, 0.2, only_with_canary=False)
    machine.step()
    hold(machine, "wanted")
    assert machine.until("approve", "held") == "approve"
    assert [hold.trial for hold in world.record.holds] == ["answered"]
    assert machine.weight == 10


def test_a_hold_that_comes_after_the_experiment_that_answers_it_is_answered_as_well(world: World) -> None:
    machine = breaking(world, 2.0, 0.2, only_with_canary=False)
    machine.until("experiment")
    machine.step()
    hold(machine, "wanted")
    assert machine.until("approve", "held") == "approve"
    assert [hold.trial for hold in world.record.holds] == ["answered"]
    assert [step.kind for step in machine.plan].count("experiment") == 1


def test_a_suspicion_makes_a_smaller_trouble_worth_an_experiment(world: World) -> None:
    machine = breaking(world, 2.0, 0.015)
    machine.step()
    machine.step()
    assert "experiment" not in kinds(machine)


def test_a_suspicion_is_enough_for_one_window_over_half_the_bar(world: World) -> None:
    machine = breaking(world, 2.0, 0.015)
    machine.step()
    hold(machine, "wanted")
    machine.step()
    assert kinds(machine)[-1] == "experiment"


def test_a_signals_hold_that_no_experiment_can_answer_holds_the_release(world: World) -> None:
    machine = start(world, lambda at, weight: WELL)
    machine.step()
    hold(machine, "wanted")
    assert machine.step() == "judge"
    assert machine.step() == "held"
    assert "experiment" not in kinds(machine)


# --- the plan -----------------------------------------------------------------------------------


def test_an_experiment_stands_in_front_of_its_step_and_gives_the_weight_back(world: World) -> None:
    world.begin()
    release = world.journal.read("r2")
    place = next(i for i, step in enumerate(release.plan) if step.kind == "judge")
    plan = with_experiment(release, place, weight=10, within=600.0)
    assert [str(step) for step in plan[place : place + 4]] == ["shift 0%", "experiment", "shift 10%", "judge"]
    assert (*plan[:place], *plan[place + 3 :]) == release.plan
    assert plan[place + 1].poll == 15 and plan[place + 1].policy == plan[place + 3].policy


def test_a_plan_that_an_execution_cannot_hold_gets_none(world: World) -> None:
    step = PlanStep(kind="judge", within=86400.0 * 14, poll=60)
    assert fits_execution((step,) * 1) is (14 * 1440 * 3 <= 24000 - 20)
    assert Duration(1) and fits_execution(world.journal.read(world.begin().release).plan)
