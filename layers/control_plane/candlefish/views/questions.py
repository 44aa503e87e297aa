"""An open question as whoever must answer reads it: what, on what evidence, what each answer leads to (pure)."""

from __future__ import annotations

from candlefish.catalog.model import Catalog, Person
from candlefish.errors import NotAllowed
from candlefish.release.decide_approval import require_may_answer
from candlefish.release.model import Approval, PlanStep
from candlefish.release.request_approval import QUESTIONS
from candlefish.views.facts import ReleaseFacts
from candlefish.views.model import EvidenceView, QuestionView, Who
from candlefish.views.people import NOBODY, approvers, named, who_is
from candlefish.views.slots import candidate_of
from candlefish.views.steps import Whereabouts, leg_words, legs_ahead, next_weight
from candlefish.views.words import listing


def is_open(question: Approval | None, now: float) -> bool:
    """Whether a question waits for an answer."""
    return question is not None and question.status == "pending" and question.expires_at > now


def who_may_answer(question: Approval, catalog: Catalog) -> tuple[Person, ...]:
    """Who may answer it and has not said yes yet, by name."""
    return tuple(person for person in approvers(catalog) if not why_may_not(question, person.name, catalog))


def why_may_not(question: Approval, name: str, catalog: Catalog) -> str:
    """Why a person may not answer, or not again; empty when they may."""
    person = catalog.people.get(name)
    if person is None:
        return NOBODY
    try:
        require_may_answer(question, person, catalog)
    except NotAllowed as refusal:
        return str(refusal)
    return "you said yes already" if name in question.approvers else ""


def question_view(
    facts: ReleaseFacts, at: Whereabouts, evidence: EvidenceView, catalog: Catalog
) -> QuestionView | None:
    """The open question of a release, if it has one and waits for its answer."""
    question, release = facts.question, facts.release
    if question is None or not is_open(question, facts.now) or not facts.holds_it:
        return None
    weight, following = weight_now(facts), next_weight(release.plan, at)
    new = release.version.short
    return QuestionView(
        id=question.question,
        release=release.id,
        service=release.service,
        environment=release.environment,
        asks=_asks(question, new, release.service, weight, following),
        evidence=evidence.says if evidence.state != "none" else "nothing has been judged yet",
        weight=weight,
        next_weight=following,
        if_yes=_if_yes(facts, at),
        if_no=back_words(facts, remembered=""),
        if_nobody="it is rolled back",
        requested_by=who_is(question.requested_by, catalog, release.environment),
        reason=release.reason,
        expires_at=question.expires_at,
        needed=question.needed,
        given=tuple(who_is(name, catalog, release.environment) for name in question.approvers),
        may_answer=tuple(named(person) for person in who_may_answer(question, catalog)),
    )


def _asks(question: Approval, new: str, service: str, weight: int, following: int) -> str:
    if question.name:
        return f"{new} of {service}: {QUESTIONS.get(question.name, question.name)}"
    if following > weight:
        return f"shall {new} of {service} go on from {weight}% to {following}%?"
    return f"shall {new} of {service} go on?"


def _if_yes(facts: ReleaseFacts, at: Whereabouts) -> str:
    plan, new = facts.release.plan, facts.release.version.short
    ahead = legs_ahead(plan, at)
    if not ahead:
        return f"{new} is promoted"
    words = leg_words(ahead[0], plan)
    if ahead[0].kind == "shift":
        words = f"{ahead[0].weight}% to {new}"
        if len(ahead) > 1:
            words += f", then {leg_words(ahead[1], plan)}" if ahead[1].kind in ("judge", "bake") else ""
    return words


def weight_now(facts: ReleaseFacts) -> int:
    """What the release's version is to get now, percent."""
    record = facts.record
    slot = candidate_of(record) if record and facts.holds_it else None
    return record.desired.get(slot, 0) if record and slot else 0


def back_words(facts: ReleaseFacts, *, remembered: str) -> str:
    """What going back does, in numbers; `remembered` is what the version is remembered as ("bad"), or nothing."""
    record, new = facts.record, facts.release.version.short
    slot = candidate_of(record) if record else None
    in_place = bool(record and slot and record.slots[slot].incoming) or bool(record and record.stateful)
    old = facts.release.replaces or (record.stable_version if record and facts.holds_it else None)
    to = old.short if old else "what was there before"
    how = f"{to} is put back in place, Pod by Pod" if in_place else f"100% to {to} within seconds"
    if remembered:
        return f"{how}; {new} is remembered as {remembered}, and is refused until somebody insists"
    return f"{how}; {new} may be released again"


def approval_step(plan: tuple[PlanStep, ...], at: Whereabouts) -> PlanStep | None:
    """The approval that a plan still has ahead, if any."""
    return next((step for step in plan[max(at.begun, 0) :] if step.kind == "approve"), None)


def people_words(people: tuple[Who, ...]) -> str:
    """Who can, in a sentence: two by name, more by number."""
    names = [each.name for each in people]
    if not names:
        return "nobody that the catalog has"
    if len(names) > 3:
        return f"one of {len(names)} people"
    return listing(names, "or")
