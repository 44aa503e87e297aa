"""What can be done now, what it will do in numbers, and whether who reads may: the server asks all of it again (pure)."""

from __future__ import annotations

import msgspec

from candlefish.catalog.model import Catalog, Person
from candlefish.errors import NotAllowed
from candlefish.release.plan import with_promotion
from candlefish.release.steer_release import require_may_promote
from candlefish.views.facts import ReleaseFacts
from candlefish.views.model import ActionName, ActionView, QuestionView, Reader, Role, Who
from candlefish.views.people import NOBODY, approvers, everybody, lacks, named
from candlefish.views.questions import back_words, is_open, weight_now, why_may_not
from candlefish.views.steps import Whereabouts, legs_of
from candlefish.views.words import lasting, listing


def release_actions(
    facts: ReleaseFacts, at: Whereabouts, question: QuestionView | None, reader: Reader, catalog: Catalog
) -> tuple[ActionView, ...]:
    """What can be done to a release, what is asked for first."""
    if facts.holds_it:
        return (*_answers(facts, question, reader, catalog), *_steering(facts, at, reader, catalog))
    if facts.in_window and facts.record:
        release, left = facts.release, facts.record.window_until - facts.now
        does = f"{back_words(facts, remembered='bad')}; possible for {lasting(left)} more"
        return (
            _action(
                "rollback", does, "operator", reader, catalog, _on_service("rollback", facts, release.service)
            ),
        )
    return ()


def _answers(
    facts: ReleaseFacts, question: QuestionView | None, reader: Reader, catalog: Catalog
) -> list[ActionView]:
    if question is None or facts.question is None:
        return []
    why_not = lacks(reader, "approver") or why_may_not(facts.question, reader.name, catalog)
    left = question.needed - len(question.given)
    yes = (
        question.if_yes if left <= 1 else f"counts as one of {question.needed} yeses; then {question.if_yes}"
    )
    found: list[ActionView] = []
    answers: list[tuple[ActionName, str]] = [("approve", yes), ("deny", question.if_no)]
    for name, does in answers:
        command = f'candlefish {name} {facts.release.id} -e {facts.release.environment} --question {question.id} --reason "..."'
        found.append(ActionView(name, does, not why_not, why_not, question.may_answer, command))
    return found


def _steering(facts: ReleaseFacts, at: Whereabouts, reader: Reader, catalog: Catalog) -> list[ActionView]:
    assert facts.record
    release, weight = facts.release, weight_now(facts)
    pauses = [hold for hold in facts.record.holds if hold.is_pause]
    found = []
    if pauses:
        others = [hold.reason for hold in facts.record.stops if not hold.is_pause]
        does = (
            f"lifts the pause; it stays held: {'; '.join(others)}" if others else "it goes on where it stands"
        )
        resume = _action("resume", does, "operator", reader, catalog, _on_release("resume", facts))
        may_lift = {hold.by for hold in pauses} | {person.name for person in approvers(catalog)}
        if resume.may and reader.name not in may_lift:
            why = f"paused by {listing(sorted(hold.by for hold in pauses))}: they or an approver resume it"
            resume = msgspec.structs.replace(resume, may=False, why_not=why)
        found.append(
            msgspec.structs.replace(resume, who=tuple(who for who in resume.who if who.name in may_lift))
        )
    else:
        does = f"stays at {weight}% until somebody resumes it; harm still rolls it back"
        found.append(_action("pause", does, "operator", reader, catalog, _on_release("pause", facts)))
    if promotion := _promotion(facts, at, reader, catalog):
        found.append(promotion)
    taken = f"; the whole train {release.train} is taken back" if release.train else ""
    does = f"{back_words(facts, remembered='')}{taken}"
    found.append(_action("abort", does, "operator", reader, catalog, _on_release("abort", facts)))
    return found


def _promotion(facts: ReleaseFacts, at: Whereabouts, reader: Reader, catalog: Catalog) -> ActionView | None:
    """Promoting now; None where nothing could be skipped, harm was found, or the release began with older code."""
    release = facts.release
    after = with_promotion(release.plan, "somebody")
    skipped = [
        leg.title
        for leg in legs_of(release.plan)
        if leg.last >= at.here and after[leg.last].skipped_by and not release.plan[leg.last].skipped_by
    ]
    if not skipped or not release.passes_skipped or (facts.seen and facts.seen.action == "rollback"):
        return None
    does = (
        f"100% to {release.version.short} as soon as its Pods are ready, without {listing(skipped)}; smoke tests, "
        "readiness and the watch afterwards stay"
    )
    people = [person for _, person in sorted(catalog.people.items())]
    may = {person.name for person in people if not _why_not_promote(facts, person, catalog)}
    why_not = lacks(reader, "operator")
    if not why_not and facts.record and facts.record.stops:
        why_not = "it is held: resume it first, or wait until what holds it ends"
    if not why_not:
        person = catalog.people.get(reader.name)
        why_not = _why_not_promote(facts, _as(person, reader), catalog) if person else NOBODY
    who = tuple(named(person) for person in people if person.name in may)
    return ActionView("promote", does, not why_not, why_not, who, _on_release("promote", facts))


def _as(person: Person, reader: Reader) -> Person:
    """A person with no more than what the credential gives them."""
    return msgspec.structs.replace(person, approver=person.approver and "approver" in reader.roles)


def _why_not_promote(facts: ReleaseFacts, person: Person, catalog: Catalog) -> str:
    question = facts.question if is_open(facts.question, facts.now) else None
    try:
        require_may_promote(facts.release, person, question, catalog)
    except NotAllowed as refusal:
        return str(refusal)
    return ""


def freeze_actions(
    facts_service: str,
    environment: str,
    *,
    frozen_by: str | None,
    says: str,
    reader: Reader,
    catalog: Catalog,
) -> tuple[ActionView, ...]:
    """Freezing a service, or lifting what somebody froze; `frozen_by` is "" for the catalog's, None where nothing is."""
    if frozen_by is None:
        does = f"refuses new releases of {facts_service} until a time that you name; what is under way goes on, rollbacks too"
        command = f'candlefish freeze {facts_service} -e {environment} --until 2h --reason "..."'
        return (_action("freeze", does, "operator", reader, catalog, command),)
    if not frozen_by:
        return ()
    command = f'candlefish unfreeze {facts_service} -e {environment} --reason "..."'
    return (
        _action(
            "unfreeze",
            f"lets releases of {facts_service} begin again ({says})",
            "operator",
            reader,
            catalog,
            command,
        ),
    )


def _action(
    name: ActionName, does: str, role: Role, reader: Reader, catalog: Catalog, command: str
) -> ActionView:
    why_not = lacks(reader, role)
    who: tuple[Who, ...] = everybody(catalog)
    return ActionView(name, does, not why_not, why_not, who, command)


def _on_release(name: str, facts: ReleaseFacts) -> str:
    return f'candlefish {name} {facts.release.id} -e {facts.release.environment} --reason "..."'


def _on_service(name: str, facts: ReleaseFacts, service: str) -> str:
    return f'candlefish {name} {service} -e {facts.release.environment} --reason "..."'
