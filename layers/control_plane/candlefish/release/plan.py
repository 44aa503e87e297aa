"""From a strategy to the flat list of steps that the release machine interprets.

A plan is data and is fixed when the release begins: what a person sees at the start is what runs, but for experiments,
which are put in front of the step in which their reason was seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from candlefish.catalog.model import Service, Strategy, StrategyStep, Watch
from candlefish.errors import pause
from candlefish.release.model import PlannedJob, PlanStep, Release, StepKind

# A look that is not the last costs three history events (scheduled, started, failed), and Step Functions ends an
# execution at 25,000, so all looks of one release together must stay well below that. The pauses that there are
# (`errors.pause`) make it up to four or five times as many as these.
READY_POLLS = 60
# Nobody sees Pods come up in less: each look is a transition.
READY_POLL = 15
SMOKE_POLLS = 60
JOB_POLLS = 120
WATCH_POLLS = 1000
# Events of an execution's history: of a look that is not the last, of a step besides, and the most that plans may take.
LOOK_EVENTS, STEP_EVENTS, MOST_EVENTS = 3, 20, 24_000
# An experiment is over as soon as its windows are there; nobody waits for the next look with the canary out.
EXPERIMENT_POLL = 15


def strategy_for(strategy: Strategy, service: Service) -> Strategy:
    """How a service is released by its environment's strategy.

    A stateful one has one StatefulSet whose volumes stay, so it is updated in place whatever the strategy: its
    approvals, hooks and bakes hold, a judge's time is baked (there are no two versions to compare), weights and smoke
    tests are left out. Its time limits and rollback window hold.
    """
    if service.kind != "stateful" or strategy.in_place:
        return strategy
    steps = [
        StrategyStep(bake=step.judge) if step.judge else step
        for step in strategy.steps
        if step.kind not in ("weight", "smoke")
    ]
    return msgspec.structs.replace(strategy, kind="rolling", steps=tuple(steps))


def plan_release(
    strategy: Strategy,
    *,
    first: bool,
    window: float,
    judge: str,
    asked: bool = True,
    jobs: Sequence[PlannedJob] = (),
) -> tuple[PlanStep, ...]:
    """Compile a strategy for one release.

    `first` says that no stable version exists: there is nothing to compare with and nobody to
    protect, so partial weights, judging, baking and approvals are left out. `window` is the judge's window
    in seconds: looking more often than a window is complete shows nothing new. `judge` names the
    policy for steps that name none. `asked` says whether the candidate can be asked at weight 0: where no load balancer
    leads to it, or gRPC is spoken, smoke tests are left out, and readiness is what is known.
    Of `jobs`, those before come before anything of the version runs, those after
    when nothing else is left to do.
    """
    chosen = [step for step in strategy.steps if asked or step.kind != "smoke"]
    if first:
        chosen = [*(s for s in chosen if s.kind in ("smoke", "hook")), StrategyStep(weight=100)]
    watched = sum(s.judge.at_most for s in chosen if s.judge) + sum(s.bake.at_most for s in chosen if s.bake)
    poll = math.ceil(max(window, watched / WATCH_POLLS, 1))
    ready = PlanStep(
        kind="ready",
        within=float(strategy.ready_within),
        poll=math.ceil(max(strategy.ready_within / READY_POLLS, min(READY_POLL, strategy.ready_within / 20))),
    )
    steps = [*_jobs(jobs, "before"), PlanStep(kind="deploy"), ready]
    for step in chosen:
        steps.extend(_expand(step, ready, poll, judge, float(strategy.ask_within)))
    return (*steps, *_jobs(jobs, "after"))


def _jobs(jobs: Sequence[PlannedJob], when: str) -> list[PlanStep]:
    return [
        PlanStep(kind="job", name=job.name, within=job.within, poll=math.ceil(max(job.within / JOB_POLLS, 5)))
        for job in jobs
        if job.when == when
    ]


def _expand(step: StrategyStep, ready: PlanStep, poll: int, judge: str, ask: float) -> list[PlanStep]:
    if step.weight is not None:
        scale = PlanStep(kind="scale", weight=step.weight)
        return [scale, ready, PlanStep(kind="shift", weight=step.weight)]
    if step.judge is not None:
        return [_watched("judge", step.judge, poll, judge, ask)]
    if step.bake is not None:
        return [_watched("bake", step.bake, poll, judge, ask)]
    if step.approve is not None:
        return [PlanStep(kind="approve", within=float(step.approve.within), four_eyes=step.approve.four_eyes)]
    if step.smoke is not None:
        within = float(step.smoke.within)
        return [PlanStep(kind="smoke", within=within, poll=math.ceil(max(within / SMOKE_POLLS, 5)))]
    assert step.hook is not None
    hook = step.hook
    return [PlanStep(kind="hook", within=float(hook.within), name=hook.name, target=hook.target)]


def _watched(kind: StepKind, watch: Watch, poll: int, judge: str, ask: float) -> PlanStep:
    return PlanStep(
        kind=kind,
        within=float(watch.at_most),
        poll=poll,
        policy=watch.policy or judge,
        unclear=watch.unclear,
        ask_within=ask,
    )


def with_experiment(release: Release, place: int, *, weight: int, within: float) -> tuple[PlanStep, ...]:
    """The plan of a release with an experiment in front of the step at that place, which judges or bakes.

    `weight` is what the canary has and gets back; `within` how long a conclusion is waited for, in seconds. The step
    itself comes again after it, with all its time.
    """
    judged = release.plan[place]
    experiment = PlanStep(
        kind="experiment",
        within=within,
        poll=min(EXPERIMENT_POLL, judged.poll),
        policy=judged.policy,
        unclear=judged.unclear,
    )
    away, back = PlanStep(kind="shift", weight=0), PlanStep(kind="shift", weight=weight)
    return (*release.plan[:place], away, experiment, back, *release.plan[place:])


# What a person may promote a release without: everything that waits, looks at metrics or asks.
SKIPPED: frozenset[StepKind] = frozenset({"judge", "bake", "approve", "experiment"})


def with_promotion(plan: tuple[PlanStep, ...], by: str) -> tuple[PlanStep, ...]:
    """The plan of a release that a person promotes now: without judging, baking, questions, and weights but the last.

    No step changes its place, so that a machine goes on wherever it is. What was done already is marked as well. What
    deploys, tests, vetoes (a hook) or runs a Job is never skipped, nor is getting ready for the last weight.
    """
    last = max((at for at, step in enumerate(plan) if step.kind == "shift"), default=-1)
    skipped = {at for at, step in enumerate(plan) if step.kind in SKIPPED}
    for at, step in enumerate(plan):
        if step.kind != "shift" or at == last:
            continue
        skipped.add(at)
        if [each.kind for each in plan[max(0, at - 2) : at]] == ["scale", "ready"]:
            skipped |= {at - 2, at - 1}
    return tuple(
        msgspec.structs.replace(step, skipped_by=by) if at in skipped and not step.skipped_by else step
        for at, step in enumerate(plan)
    )


def promoter_of(plan: tuple[PlanStep, ...]) -> str:
    """The person who promotes the release without the rest of its steps; empty where nobody does."""
    return next((step.skipped_by for step in plan if step.skipped_by), "")


def past_skipped(plan: tuple[PlanStep, ...], index: int) -> int:
    """The place of the next step that is to be done, from a place in the plan."""
    while index < len(plan) and plan[index].skipped_by:
        index += 1
    return index


def fits_execution(plan: tuple[PlanStep, ...]) -> bool:
    """Whether an execution's history holds all looks of a plan."""
    return polls(plan) * LOOK_EVENTS + len(plan) * STEP_EVENTS <= MOST_EVENTS


def polls(plan: tuple[PlanStep, ...]) -> float:
    """The most looks that a plan can take."""
    return sum(step.within / pause(step.poll) for step in plan if step.poll)
