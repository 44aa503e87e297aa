"""Approvals: a person says yes or no, and the machine that waits goes on.

The task token stays on the server. Who decides is known from the credential that signed the call,
never from what the call says. One use case stands behind every way of deciding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from candlefish.catalog.model import Catalog, Person
from candlefish.catalog.people import require_approver, require_other_person
from candlefish.errors import InvalidInput
from candlefish.ports import Executions, Now
from candlefish.release.begin import LEASE_MARGIN
from candlefish.release.journal import Entry, Journal
from candlefish.release.steps import StepInput
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import renew_lease

Answer = Literal["approved", "denied"]


class Approval(msgspec.Struct, frozen=True):
    """One question to a person. `expires_at` is epoch seconds."""

    release: str
    environment: str
    service: str
    name: str
    requested_by: str
    four_eyes: bool
    expires_at: float
    token: str
    status: Literal["pending", "approved", "denied"] = "pending"
    by: str = ""


class Approvals(Protocol):
    """Where open questions are kept; one a release at a time."""

    def ask(self, approval: Approval) -> None:
        """Store a question in place of an earlier one of the same release."""

    def read(self, release: str) -> Approval:
        """The newest question of a release.

        Raises
        ------
        InvalidInput
            The release never asked one.
        """

    def answer(self, release: str, token: str, status: Answer, by: str) -> Approval:
        """Store the first answer; the stored question, which carries an earlier answer if there was one."""


class ApprovalRequest(StepInput, frozen=True):
    """A step, and the token of the task that waits for its answer."""

    token: str


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person sends: which release, yes or no, and why."""

    release: str
    answer: Answer
    reason: str = ""


def request_approval(
    request: ApprovalRequest, *, approvals: Approvals, records: ServiceRecords, journal: Journal, now: Now
) -> None:
    """Store the question and the token of the task that waits for its answer.

    The lease is kept for as long as the question may stay open.

    Raises
    ------
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    release = journal.read(request.release)
    expires = request.since + request.step.within
    records.update(
        request.service, lambda r: renew_lease(r, generation=request.generation, until=expires + LEASE_MARGIN)
    )
    approvals.ask(
        Approval(
            release=request.release,
            environment=request.environment,
            service=request.service,
            name=request.step.name,
            requested_by=release.requested_by,
            four_eyes=request.step.four_eyes,
            expires_at=expires,
            token=request.token,
        )
    )
    question = {
        "": "shall it go on?",
        "hold": "it has been held for long, shall it go on all the same?",
        "verdict": "the judge cannot tell, shall it go on?",
    }.get(request.step.name, request.step.name)
    journal.append(
        request.release,
        Entry(
            at,
            "approval_requested",
            f"{release.version.short} of {request.service}: {question}",
            evidence={"expires_at": expires, "four_eyes": request.step.four_eyes},
        ),
    )


def decide(
    decision: Decision,
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
        There is no open question, it has expired, or somebody answered otherwise before.
    """
    at = now()
    approval = approvals.read(decision.release)
    by = may_decide(approval, principal, catalog.people).name
    if at >= approval.expires_at and approval.status == "pending":
        raise InvalidInput(
            f"the question of release {decision.release} expired; the release is being rolled back, start it again"
        )
    settled = approvals.answer(decision.release, approval.token, decision.answer, by)
    if (settled.status, settled.by) != (decision.answer, by):
        raise InvalidInput(
            f"release {decision.release} was {settled.status} by {settled.by} before; nothing was changed"
        )
    reason = decision.reason or "no reason given"
    if approval.status == "pending":
        journal.append(decision.release, Entry(at, decision.answer, reason, by=by))
    if decision.answer == "denied":
        executions.fail(approval.token, error="ApprovalDenied", cause=f"{by} said no: {reason}")
        return settled
    if approval.name == "hold":
        records.update(approval.service, lambda r: msgspec.structs.replace(r, holds=()))
    executions.succeed(approval.token, {"by": by, "reason": reason})
    return settled


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
