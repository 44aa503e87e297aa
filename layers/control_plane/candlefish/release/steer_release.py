"""What a person does to a release that runs: pause it, let it go on, promote it now.

Nothing here moves traffic: a pause is a hold in the record, a promotion a rewritten plan. The machine finds both at its
next step, with all that keeps weight from what is not healthy (docs/decisions/0045).
"""

from __future__ import annotations

from typing import Any, Literal, assert_never

import msgspec

from candlefish.bounds import Id, Sentence
from candlefish.catalog.model import Catalog, Duration, Person
from candlefish.catalog.people import person_of, require_caller, require_other_person
from candlefish.catalog.roles import Caller
from candlefish.errors import Held, InvalidInput, NotAllowed, RecordContested, ReleaseOver
from candlefish.ports import Executions, Now
from candlefish.release.decide_approval import (
    HOLD,
    ApprovalDecision,
    decide_approval,
    outlast,
    require_may_answer,
)
from candlefish.release.journal import Journal
from candlefish.release.model import Approval, PlanStep, Release, ReleaseEntry, answer_question
from candlefish.release.plan import SKIPPED, with_promotion
from candlefish.release.ports import Approvals
from candlefish.release.request_approval import NOT_ANSWERED
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, check_running, lift_pauses, pause_release

# As many looks may put something into the plan at the same moment; the last of more is told to try again.
ATTEMPTS = 5


class SteerCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person sends: what to do to which release, and why (see events/steer.json)."""

    action: Literal["pause", "resume", "promote"]
    release: Id
    reason: Sentence = ""


class Steered(msgspec.Struct, frozen=True):
    """What came of it, in a sentence; `skipped` are the steps that the release is promoted without."""

    release: str
    says: str
    skipped: tuple[str, ...] = ()


def steer_release(
    command: SteerCommand,
    *,
    caller: Caller,
    environment: str,
    catalog: Catalog,
    records: ServiceRecords,
    approvals: Approvals,
    executions: Executions,
    journal: Journal,
    now: Now,
) -> Steered:
    """Pause a release, let it go on, or promote it now, as whoever calls; doing it twice is doing it once.

    What approvers may is done by whom both the credential and the catalog say so of.

    Raises
    ------
    NotAllowed
        The principal is nobody in the catalog, or may not promote it, or may not lift what holds it.
    InvalidInput
        There is no such release here, or no reason for a promotion.
    ReleaseOver
        It does not run any more.
    Held
        It cannot be promoted while something holds it.
    RecordContested
        Others wrote at the same moment; nothing was changed.
    """
    person = require_caller(caller.principal, catalog, environment)
    person = msgspec.structs.replace(person, approver=person.approver and "approver" in caller.roles)
    release = journal.read(command.release)
    if release.environment != environment:
        raise InvalidInput(
            f"release {release.id} is of {release.environment}, this control plane is that of {environment}"
        )
    at, reason = now(), command.reason.strip()
    ports: dict[str, Any] = {
        "catalog": catalog,
        "approvals": approvals,
        "records": records,
        "executions": executions,
        "journal": journal,
        "now": now,
    }
    match command.action:
        case "pause":
            return _pause(release, person, reason, at, catalog, records, journal)
        case "resume":
            steered, question = _resume(release, person, reason, at, catalog, records, approvals, journal)
            if question:
                _say_yes(question, reason or "resumed", caller.principal, **ports)
            return steered
        case "promote":
            steered, question = _promote(release, person, reason, at, catalog, records, approvals, journal)
            if question:
                _say_yes(question, f"promoted now: {reason}", caller.principal, **ports)
            return steered
        case _:
            assert_never(command.action)


def _pause(
    release: Release,
    person: Person,
    reason: str,
    at: float,
    catalog: Catalog,
    records: ServiceRecords,
    journal: Journal,
) -> Steered:
    why = f"paused by {person.name}" + (f": {reason}" if reason else "")

    def change(record: ServiceRecord) -> tuple[ServiceRecord, bool]:
        after = pause_release(record, release=release.id, by=person.name, reason=why, now=at)
        return after, after is not record

    record, new = records.update(release.service, change)
    longest = Duration(catalog.strategy(release.environment).hold_at_most)
    says = (
        f"{release.id} goes no further until somebody resumes it; after {longest} people are asked whether it shall go on. "
        f"{_where(record, release)}, and harm still rolls it back"
    )
    if new:
        journal.append(release.id, ReleaseEntry(at, "paused", reason or "no reason given", by=person.name))
    return Steered(release.id, says if new else f"{release.id} was paused by {person.name} before; {says}")


def _where(record: ServiceRecord, release: Release) -> str:
    weight = record.desired[release.slot] if release.slot else 0
    return f"its version keeps the {weight}% of the traffic that it has"


def _say_yes(question: Approval, reason: str, principal: str, **ports: Any) -> None:
    """Answer an open question as the person who steers, by the rules of every answer."""
    yes = ApprovalDecision(question.release, question.question, "approved", reason)
    try:
        decide_approval(yes, principal=principal, **ports)
    except InvalidInput:
        # Somebody else may have said yes at the same moment; the machine may be at its next question.
        newest = ports["approvals"].read(question.release)
        if newest.question == question.question and newest.status != "approved":
            raise


def _resume(
    release: Release,
    person: Person,
    reason: str,
    at: float,
    catalog: Catalog,
    records: ServiceRecords,
    approvals: Approvals,
    journal: Journal,
) -> tuple[Steered, Approval | None]:
    """Lift what the person may; and the question whether it shall go on all the same, where that is answered by it."""

    def change(record: ServiceRecord) -> tuple[ServiceRecord, bool]:
        after = lift_pauses(record, release=release.id, by=person.name, of_others=person.approver)
        return after, after is not record

    record, lifted = records.update(release.service, change)
    others = [hold.by for hold in record.stops if hold.is_pause]
    holds = [hold.reason for hold in record.stops if not hold.is_pause]
    if not lifted and others:
        raise NotAllowed(
            f"release {release.id} was paused by {' and '.join(others)}; only they or an approver may resume it"
        )
    if not lifted and holds:
        raise Held(
            f"nobody paused release {release.id}, it is held ({'; '.join(holds)}): that ends when its cause does, or by "
            f"the answer to the question that follows. To end the release: candlefish abort {release.id}"
        )
    if not lifted:
        return Steered(release.id, f"{release.id} is not paused"), None
    journal.append(release.id, ReleaseEntry(at, "resumed", reason or "no reason given", by=person.name))
    if still := [f"paused by {name}" for name in others] + holds:
        return Steered(release.id, f"{release.id} is still held: {'; '.join(still)}"), None
    asked = _newest_question(release, approvals)
    question = asked if _is_open(asked, at) else None
    if question is None or (question.name == HOLD and _may_answer(question, person, catalog)):
        return Steered(release.id, f"{release.id} goes on"), question
    waits = f"{release.id} is paused no more, and waits for an answer to its question {question.question}"
    return Steered(release.id, waits), None


def _may_answer(question: Approval, person: Person, catalog: Catalog) -> bool:
    if not person.approver:
        return False
    try:
        require_may_answer(question, person, catalog)
    except NotAllowed:
        return False
    return True


def _promote(
    release: Release,
    person: Person,
    reason: str,
    at: float,
    catalog: Catalog,
    records: ServiceRecords,
    approvals: Approvals,
    journal: Journal,
) -> tuple[Steered, Approval | None]:
    """Rewrite the plan; and the question that it waits in, which is answered by that.

    The plan comes first, and says who rewrote it: whatever dies after that, a machine that comes to it goes on. One that
    asks at the same moment stores its question first and looks at the plan then, so one of both sees the other.
    """
    if not reason:
        raise InvalidInput('"reason" must say why the release is promoted without the rest of its steps')
    for _ in range(ATTEMPTS):
        record = records.get(release.service)
        release = journal.read(release.id)
        asked = _newest_question(release, approvals)
        question = asked if _is_open(asked, at) else None
        _require_promotable(release, record, question, catalog, journal)
        require_may_promote(release, person, question, catalog)
        after = with_promotion(release.plan, person.name)
        if after == release.plan:
            break
        if asked and asked.status == "pending" and question is None:
            raise ReleaseOver(
                f"nobody answered question {asked.question} of release {release.id} in time, so it is being rolled back; "
                "nothing was changed. Release the version again"
            )
        try:
            journal.replan(release, after)
        except RecordContested:
            continue
        break
    else:
        raise RecordContested(f"the plan of release {release.id} is being changed; try again")
    skipped = _left_out(after, record)
    if not any(entry.kind == "promote_now" for entry in journal.entries(release.id)):
        without = f"; without {', '.join(skipped)}" if skipped else ""
        journal.append(
            release.id,
            ReleaseEntry(
                at, "promote_now", f"{reason}{without}", by=person.name, evidence={"skipped": list(skipped)}
            ),
        )
    says = f"{release.id} goes to 100% and is promoted as soon as its Pods are ready"
    says = f"{says}, without {', '.join(skipped)}" if skipped else says
    newest = _newest_question(release, approvals)
    mine = newest if newest and _is_answered_by_it(newest, question, person, catalog, at) else None
    if newest and _is_open(newest, at) and mine is None:
        says += (
            f". It was asked its question {newest.question} at the same moment, which this does not answer; whether it waits "
            f"for that: candlefish status {release.id} -e {release.environment}"
        )
    return Steered(release.id, says, skipped), mine


def _is_answered_by_it(
    asked: Approval, seen: Approval | None, person: Person, catalog: Catalog, at: float
) -> bool:
    """Whether a promotion says yes to a question, that stands there after the plan was written.

    It is the one that was `seen` before; or was asked meanwhile, and the person may answer it; or the person said yes to
    it: who did so may have died before the machine heard of it.
    """
    if seen and asked.question == seen.question:
        return True
    # Answering a hold's again would lift what has held the release since.
    if asked.name in NOT_ANSWERED or asked.expires_at <= at:
        return False
    if asked.status == "pending":
        enough = answer_question(asked, "approved", person.name).status == "approved"
        return enough and _may_answer(asked, person, catalog)
    return asked.status == "approved" and person.name in asked.approvers


def _newest_question(release: Release, approvals: Approvals) -> Approval | None:
    """What the release asked last, answered or not; None where it asked nothing."""
    try:
        return approvals.read(release.id)
    except InvalidInput:
        return None


def _is_open(asked: Approval | None, at: float) -> bool:
    """Whether the release waits for an answer."""
    return asked is not None and asked.status == "pending" and asked.expires_at > at


def _require_promotable(
    release: Release, record: ServiceRecord, question: Approval | None, catalog: Catalog, journal: Journal
) -> None:
    """Refuse what runs no more, is judged harmed, or is held by what nobody has answered."""
    check_running(record, release.id)
    if not release.passes_skipped:
        raise ReleaseOver(
            f"release {release.id} began with an older version of the control plane, which goes through all its steps; "
            "nothing was changed. Answer its questions instead"
        )
    told = journal.verdict(release.id)
    if told and told.evidence.get("action") == "rollback":
        raise ReleaseOver(f"release {release.id} was judged bad and is rolled back: {told.reason}")
    answered = question is not None and question.name == HOLD
    if stops := outlast(record.stops, question, catalog) if question and answered else record.stops:
        why = "; ".join(hold.reason for hold in stops)
        raise Held(
            f"release {release.id} is held ({why}); nothing was changed. Resume it first, or wait until what holds it ends"
        )
    if question and not answered and question.name in NOT_ANSWERED:
        raise Held(
            f"release {release.id} waits for an answer first: {NOT_ANSWERED[question.name]}; nothing was changed"
        )


def require_may_promote(
    release: Release, person: Person, question: Approval | None, catalog: Catalog
) -> None:
    """Refuse whoever may not say yes to what is skipped: in production that is a question in any case (I7).

    Raises
    ------
    NotAllowed
        The person is no approver, or asked for the release (`require_other_person`); or two people have to say yes, and a promotion is one.
    """
    production = catalog.environment(release.environment).production
    asked = [step for step in release.plan if step.kind == "approve"]
    if not (production or asked or question):
        return
    if not person.approver:
        raise NotAllowed(
            f"{person.name} is no approver in catalog/people.yaml, or signed in without that role; ask somebody who is"
        )
    if not (production or any(step.four_eyes for step in asked) or (question and question.four_eyes)):
        return
    if person_of(release.requested_by, catalog.people) is None:
        raise NotAllowed(
            f"release {release.id} was requested by {release.requested_by}, whom nobody knows, so two people must say "
            "yes to it: answer its questions; nothing was changed"
        )
    require_other_person(person, release.requested_by, catalog.people, what=f"release {release.id}")


def _left_out(plan: tuple[PlanStep, ...], record: ServiceRecord) -> tuple[str, ...]:
    """What the release is promoted without, from where it is, in the order of its plan."""
    begun = record.holder.step if record.holder else 0
    # The step that was begun last waits as the others do, unless it shifts.
    named = [
        step
        for place, step in enumerate(plan, start=1)
        if step.skipped_by
        and ((step.kind in SKIPPED and place >= begun) or (step.kind == "shift" and place > begun))
    ]
    return tuple(f"{step.weight}%" if step.kind == "shift" else str(step) for step in named)
