"""A release's plan as people read it: deploy, smoke, 10%, judge, approve; which is done, now, next (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from candlefish.release.model import PlanStep, ReleaseEntry, Status, StepKind
from candlefish.views.model import StepView
from candlefish.views.words import lasting, many

State = Literal["done", "now", "next", "failed", "skipped"]
# Which entry of a timeline says that a step of a kind is done.
_DONE_BY: dict[StepKind, str] = {
    "deploy": "deployed",
    "ready": "ready",
    "smoke": "smoke_tested",
    "scale": "scaled",
    "shift": "shifted",
    "approve": "approved",
    "hook": "hook_passed",
    "job": "job_done",
    "experiment": "experiment_ended",
}


class Leg(msgspec.Struct, frozen=True):
    """Steps of a plan that people take for one: `first` to `last`, counted from 0."""

    kind: StepKind
    title: str
    first: int
    last: int
    weight: int = 0


def legs_of(plan: Sequence[PlanStep]) -> tuple[Leg, ...]:
    """The plan in legs: a shift has its scaling and its waiting for Pods in it, a deploy its waiting."""
    legs: list[Leg] = []
    for at, step in enumerate(plan):
        before = legs[-1] if legs else None
        opened = before is not None and before.last == at - 1
        if (step.kind == "ready" and before and opened and before.kind in ("deploy", "shift")) or (
            step.kind == "shift"
            and before
            and opened
            and before.weight == step.weight
            and plan[before.first].kind == "scale"
        ):
            legs[-1] = msgspec.structs.replace(before, last=at)
        elif step.kind in ("scale", "shift"):
            legs.append(Leg("shift", f"{step.weight}%", at, at, step.weight))
        else:
            legs.append(Leg(step.kind, title_of(step), at, at))
    return tuple(legs)


def title_of(step: PlanStep) -> str:
    """What people call a step."""
    if step.kind == "job":
        return f"job {step.name}"
    return step.name or "hook" if step.kind == "hook" else step.kind


class Whereabouts(msgspec.Struct, frozen=True):
    """Where a release is in its plan: how many steps have been begun, and whether the last of them is done."""

    begun: int
    since: float = 0.0
    # The last that was begun is done: the release waits before the next one, or is over.
    waits: bool = False
    # How many were done when a person skipped the rest.
    done_first: int = 0

    @property
    def here(self) -> int:
        """The step that runs, or before which it waits, counted from 0; -1 where none has begun."""
        return self.begun if self.waits else self.begun - 1


def steps_done(plan: Sequence[PlanStep], entries: Sequence[ReleaseEntry]) -> int:
    """How many steps are done, as far as the timeline tells; `entries` come oldest first."""
    done = 0
    for entry in entries:
        for at in range(done, len(plan)):
            step = plan[at]
            judged = (
                step.kind in ("judge", "bake")
                and entry.kind == "judged"
                and entry.evidence.get("action") == "promote"
            )
            if _DONE_BY.get(step.kind) == entry.kind or judged:
                same = step.kind != "shift" or entry.reason.startswith(f"{step.weight}%")
                if same:
                    done = at + 1
                break
            if step.kind not in ("judge", "bake", "approve", "ready"):
                break
    return done


def steps_view(
    plan: Sequence[PlanStep], at: Whereabouts, status: Status, now: float
) -> tuple[tuple[StepView, ...], int]:
    """The legs as they stand, and the number of the one that it is at, from 1; 0 before the first."""
    views, current = [], 0
    for number, leg in enumerate(legs_of(plan), 1):
        state = _state(leg, at, status)
        steps = plan[leg.first : leg.last + 1]
        if any(step.skipped_by for step in steps) and state in ("done", "next") and leg.last >= at.done_first:
            state = "skipped"
        if state in ("now", "failed"):
            current = number
        running = state == "now" and not at.waits and 0 < at.begun <= len(plan)
        within = plan[at.begun - 1].within if running else 0.0
        views.append(
            StepView(
                leg.kind,
                leg.title,
                state,
                at.since if running else 0.0,
                at.since + within if running and within and at.since else 0.0,
            )
        )
    if not current:
        current = sum(view.state in ("done", "skipped") for view in views)
    return tuple(views), current


def _state(leg: Leg, at: Whereabouts, status: Status) -> State:
    if status == "promoted":
        return "done"
    if status == "refused":
        return "next"
    if at.here > leg.last:
        return "done"
    if leg.first <= at.here <= leg.last:
        return "failed" if status in ("rolling_back", "rolled_back") else "now"
    return "next"


def leg_now(plan: Sequence[PlanStep], at: Whereabouts) -> Leg | None:
    """The leg that runs, or before which it waits."""
    return next((leg for leg in legs_of(plan) if leg.first <= at.here <= leg.last), None)


def legs_ahead(plan: Sequence[PlanStep], at: Whereabouts) -> list[Leg]:
    """The legs that are still to come."""
    return [leg for leg in legs_of(plan) if leg.first > at.here]


def next_weight(plan: Sequence[PlanStep], at: Whereabouts) -> int:
    """What the new version gets next, percent: 100 where no step says so, as it is promoted then."""
    ahead = plan[max(at.begun, 0) :]
    return next((step.weight for step in ahead if step.kind == "shift" and step.weight), 100)


def then_words(plan: Sequence[PlanStep], at: Whereabouts, *, can_answer: int, window: float) -> str:
    """What comes after what runs now, in a sentence; empty when there is no plan."""
    if not plan:
        return ""
    ahead = legs_ahead(plan, at)
    if not ahead:
        kept = f"; the old version is kept ready for {lasting(window)}" if window else ""
        return f"promotion{kept}"
    leg = ahead[0]
    words = leg_words(leg, plan, can_answer=can_answer)
    if leg.kind == "shift" and len(ahead) > 1 and ahead[1].kind in ("judge", "bake"):
        words += f", then {leg_words(ahead[1], plan, can_answer=can_answer)}"
    return words


def leg_words(leg: Leg, plan: Sequence[PlanStep], *, can_answer: int | None = None) -> str:
    """A leg that is to come; `can_answer` is how many people can answer it, where that is to be said."""
    step = plan[leg.last]
    within = f", within {lasting(step.within)}" if step.within else ""
    match leg.kind:
        case "approve":
            somebody = "somebody else" if step.four_eyes else "somebody"
            can = "" if can_answer is None else f" ({many(can_answer, 'person', 'people')} can)"
            return f"approval by {somebody}{can}{within}"
        case "judge":
            return f"it is judged for at most {lasting(step.within)}"
        case "bake":
            return f"it is watched for {lasting(step.within)}"
        case "shift":
            return f"{leg.weight}% of the traffic"
        case "smoke":
            return f"smoke tests without users{within}"
        case "job" | "hook":
            return f"{leg.title}{within}"
        case "experiment":
            return "an experiment without traffic, to see whose fault it is"
        case _:
            return leg.title
