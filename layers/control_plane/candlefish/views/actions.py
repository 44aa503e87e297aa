"""What can be done now, what it will do in numbers, and whether who reads may: the server asks all of it again (pure)."""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.catalog.people import person_of
from candlefish.views.facts import ReleaseFacts
from candlefish.views.model import ActionName, ActionView, QuestionView, Reader, Role, Who
from candlefish.views.people import approvers, everybody, lacks, named
from candlefish.views.questions import back_words, weight_of, why_may_not
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
    release, weight = facts.release, weight_of(facts)
    paused = [hold for hold in facts.record.holds if hold.is_pause]
    found = []
    if paused:
        others = [hold.reason for hold in facts.record.stops if not hold.is_pause]
        does = "it goes on where it stands"
        if others:
            does = f"lifts what people hold; it stays held: {'; '.join(others)}"
        found.append(_action("resume", does, "operator", reader, catalog, _on_release("resume", facts)))
    else:
        does = f"stays at {weight}% until somebody resumes it; harm still rolls it back"
        found.append(_action("pause", does, "operator", reader, catalog, _on_release("pause", facts)))
    if _can_be_promoted(facts, at):
        found.append(_promotion(facts, at, reader, catalog))
    found.append(
        _action(
            "abort",
            f"{back_words(facts, remembered='')}",
            "operator",
            reader,
            catalog,
            _on_release("abort", facts),
        )
    )
    if release.train:
        last = found[-1]
        does = f"{last.does}; the whole train {release.train} is taken back"
        found[-1] = ActionView(last.name, does, last.may, last.why_not, last.who, last.command)
    return found


def _can_be_promoted(facts: ReleaseFacts, at: Whereabouts) -> bool:
    """Whether anything is left that could be skipped, and nothing speaks against it."""
    harmed = facts.seen is not None and facts.seen.action == "rollback"
    here = at.begun if at.waits else at.begun - 1
    ahead = [leg.kind for leg in legs_of(facts.release.plan) if leg.last >= here]
    return not harmed and any(kind in ("judge", "bake") for kind in ahead)


def _promotion(facts: ReleaseFacts, at: Whereabouts, reader: Reader, catalog: Catalog) -> ActionView:
    here = at.begun if at.waits else at.begun - 1
    ahead = [leg for leg in legs_of(facts.release.plan) if leg.last >= here]
    skipped = [leg.title for leg in ahead if leg.kind in ("judge", "bake", "experiment")]
    does = (
        f"100% to {facts.release.version.short} as soon as its Pods are ready: skips {listing(skipped)}; "
        "smoke tests, readiness and the watch after it stay"
    )
    command = _on_release("promote", facts)
    environment = catalog.environments.get(facts.release.environment)
    if environment is None or not environment.production:
        return _action("promote", does, "operator", reader, catalog, command)
    asked = person_of(facts.release.requested_by, catalog.people)
    others = tuple(named(p) for p in approvers(catalog) if asked is None or p.name != asked.name)
    why_not = lacks(reader, "approver")
    if not why_not and asked is not None and reader.name == asked.name:
        why_not = f"{reader.name} asked for the release; in production somebody else promotes it"
    return ActionView("promote", does, not why_not, why_not, others, command)


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
