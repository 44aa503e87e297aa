"""Answer a release's question: a person says yes or no, and the machine that waits goes on.

Who decides is known from the credential that signed the call, never from what the call says. One use case
stands behind every way of deciding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import msgspec

from candlefish.catalog.model import Catalog, Person
from candlefish.catalog.people import require_approver, require_other_person
from candlefish.errors import InvalidInput
from candlefish.ports import Executions, Now
from candlefish.release.journal import Journal
from candlefish.release.model import Approval, ApprovalAnswer, ReleaseEntry
from candlefish.release.ports import Approvals
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord


class ApprovalDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person sends: which release, yes or no, and why."""

    release: str
    answer: ApprovalAnswer
    reason: str = ""


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
) -> Approval:
    """Answer a release's open question as `principal` (an IAM ARN or `github:name`, `slack:id`).

    Answering the same twice is one answer.

    Raises
    ------
    NotAllowed
        The principal may not decide this.
    InvalidInput
        There is no open question, it has expired, its release is over, or somebody answered otherwise before.
    """
    at = now()
    approval = approvals.read(decision.release)
    by = may_decide(approval, principal, catalog.people).name
    if approval.status == "pending":
        if at >= approval.expires_at:
            raise InvalidInput(
                f"the question of release {decision.release} expired; the release is being rolled back, start it again"
            )
        _require_waiting(approval, records.get(approval.service), journal)
    settled = approvals.answer(decision.release, approval.token, decision.answer, by)
    if (settled.status, settled.by) != (decision.answer, by):
        raise InvalidInput(
            f"release {decision.release} was {settled.status} by {settled.by} before; nothing was changed"
        )
    reason = decision.reason or "no reason given"
    if approval.status == "pending":
        journal.append(decision.release, ReleaseEntry(at, decision.answer, reason, by=by))
    match decision.answer:
        case "denied":
            executions.fail(approval.token, error="ApprovalDenied", cause=f"{by} said no: {reason}")
        case "approved":
            if approval.name == "hold":
                records.update(approval.service, lambda r: msgspec.structs.replace(r, holds=()))
            executions.succeed(approval.token, {"by": by, "reason": reason})
        case _:
            assert_never(decision.answer)
    return settled


def _require_waiting(approval: Approval, record: ServiceRecord, journal: Journal) -> None:
    """A release that was stopped or is being rolled back leaves its question behind: nobody waits for the answer."""
    if record.rollback is None and record.holder and record.holder.release == approval.release:
        return
    status = journal.read(approval.release).status
    raise InvalidInput(
        f"release {approval.release} waits for no answer any more, it is {status.replace('_', ' ')}; "
        "nothing was changed"
    )


def may_decide(approval: Approval, principal: str, people: Mapping[str, Person]) -> Person:
    """The person behind a principal, if that person may answer this question.

    Raises
    ------
    NotAllowed
        See `require_approver`, and `require_other_person` where the strategy asks for four eyes.
    """
    approver = require_approver(principal, people)
    if approval.four_eyes:
        require_other_person(approver, approval.requested_by, people, what=f"release {approval.release}")
    return approver
