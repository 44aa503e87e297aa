"""A release as people see it, from what was read: every part in its order (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.catalog.model import Catalog
from candlefish.release.model import Approval, ReleaseEntry, Status
from candlefish.views.actions import release_actions
from candlefish.views.entries import entry_view
from candlefish.views.evidence import evidence_view, lasting_words, points_of, seconds_more
from candlefish.views.facts import ReleaseFacts
from candlefish.views.model import (
    ActionView,
    EvidenceView,
    Left,
    QuestionView,
    Reader,
    ReleaseLine,
    ReleaseView,
    SlotView,
)
from candlefish.views.people import who_is
from candlefish.views.questions import approval_step, question_view, weight_now, who_may_answer
from candlefish.views.sentences import release_says
from candlefish.views.slots import slot_with, slots_view, version_view
from candlefish.views.steps import Whereabouts, leg_now, steps_done, steps_view, then_words

OVER: frozenset[Status] = frozenset({"promoted", "rolled_back", "refused"})


def release_view(facts: ReleaseFacts, reader: Reader, catalog: Catalog) -> ReleaseView:
    """Everything that is to be seen of a release; what could not be read is said in `unknown`."""
    release, at = facts.release, whereabouts(facts)
    evidence = evidence_of(facts, at)
    question = question_view(facts, at, evidence, catalog)
    says, tone = release_says(facts, at, evidence, question, catalog)
    steps, step = steps_view(release.plan, at, _status(facts), facts.now)
    actions = release_actions(facts, at, question, reader, catalog)
    holds = facts.record.stops if facts.record and facts.holds_it else ()
    return ReleaseView(
        id=release.id,
        environment=release.environment,
        service=release.service,
        status=_status(facts),
        says=says,
        tone=tone,
        old=version_view(release.replaces) if release.replaces else None,
        new=version_view(release.version),
        strategy=release.strategy,
        requested_by=who_is(release.requested_by, catalog, release.environment),
        reason=release.reason,
        started_at=release.started_at,
        ended_at=ended_at(facts.entries, release.status),
        now=facts.now,
        question=question,
        slots=_slots(facts),
        evidence=evidence,
        step=step,
        steps=steps,
        left=left_of(facts, at, question, catalog),
        then=_then(facts, at, catalog),
        holds=tuple(hold.reason for hold in holds),
        timeline=tuple(entry_view(entry, catalog, release.environment) for entry in facts.entries),
        older=facts.older,
        points=points_of(facts.windows),
        actions=actions,
        command=_command(facts, question, actions),
        train=release.train,
        unknown=_unknown(facts),
    )


def whereabouts(facts: ReleaseFacts) -> Whereabouts:
    """How far along it is: the record says so while it has the service, its timeline when it is over."""
    plan, oldest = facts.release.plan, list(reversed(facts.entries))
    skipping = next((entry.at for entry in facts.entries if entry.kind == "promote_now"), None)
    first = (
        steps_done(plan, [entry for entry in oldest if entry.at <= skipping]) if skipping is not None else 0
    )
    holder = facts.record.holder if facts.record and facts.holds_it else None
    if holder and holder.step:
        return Whereabouts(holder.step, holder.since, facts.release.status == "held", first)
    done = steps_done(plan, oldest)
    if facts.release.status == "held":
        return Whereabouts(done, waits=True, done_first=first)
    return Whereabouts(min(done + 1, len(plan)) if plan else 0, done_first=first)


def evidence_of(facts: ReleaseFacts, at: Whereabouts) -> EvidenceView:
    """What the judge knows; where it should look now and does not, that is what is known."""
    leg = leg_now(facts.release.plan, at)
    judging = facts.in_window or (
        facts.holds_it
        and facts.release.status == "running"
        and facts.judged_now
        and leg is not None
        and leg.kind in ("judge", "bake")
    )
    old = facts.release.replaces
    return evidence_view(
        facts.seen,
        old=old.short if old else "the old version",
        new=facts.release.version.short,
        now=facts.now,
        judging=judging,
    )


def left_of(
    facts: ReleaseFacts, at: Whereabouts, question: QuestionView | None, catalog: Catalog
) -> tuple[Left, ...]:
    """Times that run, the nearest that matters first."""
    record, release = facts.record, facts.release
    if record is None:
        return ()
    if facts.in_window:
        return (
            Left(
                "window",
                record.window_until,
                "then the version before is taken away; until then it goes back within seconds",
            ),
        )
    if not facts.holds_it or record.holder is None:
        return ()
    if record.holder.until <= facts.now:
        return (
            Left("lease", record.holder.until, "nobody is at it any more: it is rolled back within minutes"),
        )
    if question is not None:
        return (Left("approval", question.expires_at, f"if nobody answers {question.if_nobody}"),)
    if record.stops and release.status == "held":
        strategy = catalog.strategies.get(release.strategy)
        since = min(hold.since for hold in record.stops)
        longest = float(strategy.hold_at_most) if strategy else 0.0
        return (
            (Left("hold", since + longest, "if it is still held then, a person is asked"),) if longest else ()
        )
    freeze = facts.around.freeze_of(release.service)
    waits = freeze is not None and weight_now(facts) == 0
    frozen = (
        (Left("freeze", freeze.until, f"frozen until then: {freeze.reason}"),) if freeze and waits else ()
    )
    return (*frozen, *_of_step(facts, at))


def _of_step(facts: ReleaseFacts, at: Whereabouts) -> tuple[Left, ...]:
    plan = facts.release.plan
    if facts.seen and facts.seen.action == "rollback":
        return ()
    if at.waits or not 0 < at.begun <= len(plan) or not at.since:
        return ()
    step = plan[at.begun - 1]
    if not step.within or step.kind == "approve":
        return ()
    ends = at.since + step.within
    if step.kind == "bake":
        return (Left("bake", ends, "then it goes on, unless harm is found or nothing can be told"),)
    ending = {
        "judge": "it goes on" if step.unclear == "go_on" else "a person is asked",
        "experiment": "it goes on" if step.unclear == "go_on" else "a person is asked",
        "job": "a person is asked",
    }.get(step.kind, "it is rolled back")
    left = [Left("step", ends, f"if it cannot be told by then, {ending}")]
    more = seconds_more(facts.seen) if step.kind == "judge" and facts.seen and facts.judged_now else None
    if more is not None and facts.seen and facts.seen.until + more < ends:
        until = max(facts.seen.until + more, facts.now)
        left.insert(0, Left("judge", until, f"{lasting_words(until - facts.now)}, then it goes on"))
    return tuple(left)


def _then(facts: ReleaseFacts, at: Whereabouts, catalog: Catalog) -> str:
    if facts.in_window:
        return "the version before is taken away when the rollback window closes"
    if not facts.holds_it:
        return ""
    if facts.seen and facts.seen.action == "rollback":
        return "it is rolled back"
    release = facts.release
    strategy = catalog.strategies.get(release.strategy)
    window = float(strategy.rollback_window) if strategy else 0.0
    ahead = approval_step(release.plan, at)
    if ahead is None:
        can = 0
    else:
        coming = Approval(
            release.id,
            release.environment,
            release.service,
            ahead.name,
            release.requested_by,
            ahead.four_eyes,
            0.0,
        )
        can = len(who_may_answer(coming, catalog))
    return then_words(release.plan, at, can_answer=can, window=window)


def _status(facts: ReleaseFacts) -> Status:
    """The status; one that nobody wrote down in time follows the record, which is what happens."""
    return (
        "rolling_back"
        if facts.goes_back and facts.release.status not in OVER - {"promoted"}
        else facts.release.status
    )


def ended_at(entries: Sequence[ReleaseEntry], status: Status) -> float:
    """When it was over, epoch seconds; 0 while it is not, or where what was read does not say."""
    if status not in OVER:
        return 0.0
    return next((entry.at for entry in entries if entry.kind == status), 0.0)


def _slots(facts: ReleaseFacts) -> tuple[SlotView, ...]:
    """Both slots, while they are about this release; they are not when another one came after it."""
    record, release = facts.record, facts.release
    if record is None:
        return ()
    mine = facts.holds_it or facts.goes_back or facts.is_live
    if not mine and (
        slot_with(record, release.version) is None or record.holder or release.status == "refused"
    ):
        return ()
    return slots_view(record, weights=facts.weights, pods=facts.pods, seen=facts.seen, new=release.version)


def _unknown(facts: ReleaseFacts) -> tuple[str, ...]:
    pods = [f"Pods of {slot}: {view.unknown}" for slot, view in facts.pods.items() if view.unknown]
    return (*facts.unknown, *facts.around.unknown, *pods)


def _command(facts: ReleaseFacts, question: QuestionView | None, actions: Sequence[ActionView]) -> str:
    release = facts.release
    by_name = {action.name: action for action in actions}
    if question is not None and (answer := by_name.get("approve")) and answer.may:
        return answer.command
    if facts.in_window and (back := by_name.get("rollback")):
        return back.command
    if release.status in OVER:
        return f"candlefish status {release.service} -e {release.environment}"
    return f"candlefish watch {release.id} -e {release.environment}"


def release_line(view: ReleaseView) -> ReleaseLine:
    """A release in a list, which has its version beside what it says."""
    return ReleaseLine(
        view.id,
        view.service,
        view.new.label,
        view.status,
        view.says.removeprefix(f"{view.new.label} "),
        view.tone,
        view.started_at,
        view.requested_by,
        view.reason,
    )
