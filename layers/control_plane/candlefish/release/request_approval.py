"""Ask a person whether a release may go on, and keep the token of the task that waits for the answer.

The task token stays on the server.
"""

from __future__ import annotations

from candlefish.ports import Now
from candlefish.release.journal import Journal
from candlefish.release.model import LEASE_MARGIN, Approval, ReleaseEntry
from candlefish.release.payloads import ApprovalRequest
from candlefish.release.ports import Approvals
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import renew_lease


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
        ReleaseEntry(
            at,
            "approval_requested",
            f"{release.version.short} of {request.service}: {question}",
            evidence={"expires_at": expires, "four_eyes": request.step.four_eyes},
        ),
    )
