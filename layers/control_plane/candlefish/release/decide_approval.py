"""Answer a release's question: a person says yes or no, and the machine that waits goes on.

Who decides is known from the credential that signed the call, never from what the call says. One use case
stands behind every way of deciding.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from candlefish.bounds import Id, Sentence, Word
from candlefish.catalog.model import Catalog, Person
from candlefish.catalog.people import person_of, require_approver, require_caller, require_other_person
from candlefish.errors import InvalidInput, RecordContested
from candlefish.ports import Executions, Now
from candlefish.release.journal import Journal
from candlefish.release.model import Answered, Approval, ApprovalAnswer, ReleaseEntry, answer_question
from candlefish.release.ports import Approvals
from candlefish.service.model import Hold
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord

# The question whether a release that was held for long shall go on all the same.
HOLD = "hold"
# As many people may answer at the same moment; the last of more is told to try again.
ATTEMPTS = 5


class ApprovalDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person sends: which release and which of its questions (the id that was shown), yes or no, and why."""

    release: Id
    question: Word
    answer: ApprovalAnswer
    reason: Sentence = ""


def decide_approval(
    decision: ApprovalDecision,
    *,
    principal: str,
    catalog: Catalog,
    approvals: Approvals,
    records: ServiceRecords,
    executions: Executions,
    journal: Journal,
    now: Now,
) -> Answered:
    """Answer a release's open question as `principal` (an IAM ARN or `slack:id`).

    Answering the same twice is one answer. Where two people have to say yes, the machine goes on with the second.

    Raises
    ------
    NotAllowed
        The principal may not decide this.
    InvalidInput
        The question is not the open one, has expired, its release is over, or somebody answered otherwise before.
    RecordContested
        Too many people answered at the same moment; nothing was changed.
    """
    at = now()
    for _ in range(ATTEMPTS):
        approval = approvals.read(decision.release)
        by = may_decide(approval, principal, catalog).name
        _require_open(approval, decision, by)
        if approval.status != "pending" or (decision.answer == "approved" and by in approval.approvers):
            settled, new = approval, False
            break
        if at >= approval.expires_at:
            raise InvalidInput(
                f"the question of release {decision.release} expired; the release is being rolled back, start it again"
            )
        _require_waiting(approval, records.get(approval.service), journal)
        settled, new = answer_question(approval, decision.answer, by), True
        if approvals.answer(approval, settled):
            break
    else:
        raise RecordContested(
            f"others answered the question of release {decision.release} meanwhile; try again"
        )
    reason = decision.reason or "no reason given"
    if new:
        journal.append(decision.release, _entry(settled, reason, at))
    match settled.status:
        case "denied":
            executions.fail(approvals.token(settled), error="ApprovalDenied", cause=f"{by} said no: {reason}")
        case "approved":
            token = approvals.token(settled)
            if settled.name == HOLD:
                records.update(
                    settled.service,
                    lambda r: msgspec.structs.replace(r, holds=outlast(r.holds, settled, catalog)),
                )
            executions.succeed(token, {"by": by, "reason": reason})
        case "pending":
            # Somebody else has to say yes too.
            pass
        case _:
            assert_never(settled.status)
    left = settled.needed - len(settled.approvers)
    answered = Answered(settled.release, settled.status, settled.by, settled.approvers, left)
    return msgspec.structs.replace(answered, says=answered.words)


def _entry(settled: Approval, reason: str, at: float) -> ReleaseEntry:
    if settled.status != "pending":
        return ReleaseEntry(at, settled.status, reason, by=settled.by)
    left = settled.needed - len(settled.approvers)
    return ReleaseEntry(at, "approval_given", f"{reason}; {left} more must say yes", by=settled.by)


def _require_open(approval: Approval, decision: ApprovalDecision, by: str) -> None:
    """Refuse an answer to another question than the newest, and one that contradicts what was decided."""
    release = decision.release
    if decision.question != approval.question:
        raise InvalidInput(
            f"{decision.question!r} is not the open question of release {release}; nothing was changed, look at what "
            f"is asked now: candlefish status {release}"
        )
    given = approval.approvers if approval.status == "approved" else (approval.by,)
    if approval.status != "pending" and (approval.status != decision.answer or by not in given):
        raise InvalidInput(
            f"release {release} was {approval.status} by {approval.by} before; nothing was changed"
        )


def _require_waiting(approval: Approval, record: ServiceRecord, journal: Journal) -> None:
    """A release that was stopped or is being rolled back leaves its question behind: nobody waits for the answer."""
    if record.rollback is None and record.holder and record.holder.release == approval.release:
        return
    status = journal.read(approval.release).status
    raise InvalidInput(
        f"release {approval.release} waits for no answer any more, it is {status.replace('_', ' ')}; "
        "nothing was changed"
    )


def outlast(holds: tuple[Hold, ...], question: Approval, catalog: Catalog) -> tuple[Hold, ...]:
    """The holds that a yes to the question about them lets stand: pauses by people since it was asked."""
    asked = question.expires_at - catalog.strategy(question.environment).ask_within
    return tuple(hold for hold in holds if hold.is_pause and hold.since > asked)


def may_decide(approval: Approval, principal: str, catalog: Catalog) -> Person:
    """The person behind a principal, if that person may answer this question.

    Raises
    ------
    NotAllowed
        See `require_caller`, `require_approver`, and `require_other_person` where the strategy asks for four eyes
        (where nobody knows who asked, two others make them).
    """
    return require_may_answer(approval, require_caller(principal, catalog, approval.environment), catalog)


def require_may_answer(approval: Approval, person: Person, catalog: Catalog) -> Person:
    """The person, who may answer this question; raises `NotAllowed` where it is somebody who may not."""
    people = catalog.people
    approver = require_approver(person.name, people)
    unknown = person_of(approval.requested_by, people) is None
    if approval.four_eyes and not (unknown and approval.needed > 1):
        require_other_person(approver, approval.requested_by, people, what=f"release {approval.release}")
    return approver
