"""Ask a person whether a release may go on, and keep the token of the task that waits for the answer.

The task token stays on the server.
"""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.catalog.people import person_of
from candlefish.errors import ApprovalExpired
from candlefish.ports import Now
from candlefish.release.journal import Journal
from candlefish.release.model import LEASE_MARGIN, Approval, ReleaseEntry, question_id
from candlefish.release.payloads import ApprovalRequest
from candlefish.release.ports import Approvals
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import renew_lease

# A question that could be answered for fewer seconds is over: the machine's clock and ours are not the same one.
LEAST_OPEN = 1.0
# What is asked, by the name of the step that asks.
QUESTIONS = {
    "": "shall it go on?",
    "hold": "it has been held for long, shall it go on all the same?",
    "experiment": "whose fault the trouble of both versions is does not show; shall it get its traffic back?",
    "job": "a Job of it was started and is gone, and what it did is not known: look (timeline, database); shall the "
    "release go on as if it had ended well?",
    "verdict": "the judge cannot tell, shall it go on?",
    "not_judged": "the judge itself failed, which says nothing of the version: look at the log of the function "
    "run-analysis and at the metrics; shall it go on?",
}


def request_approval(
    request: ApprovalRequest,
    *,
    catalog: Catalog,
    approvals: Approvals,
    records: ServiceRecords,
    journal: Journal,
    now: Now,
) -> None:
    """Store the question and the token of the task that waits for its answer.

    The lease is kept for as long as the question may stay open. When nobody that the catalog knows asked for
    the release, two people have to say yes: four eyes, of which none can be the requester's.

    Raises
    ------
    ApprovalExpired
        Its time is over: the machine asks again when the task has timed out.
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    expires = request.since + request.step.within
    if expires - at < LEAST_OPEN:
        raise ApprovalExpired(
            f"nobody answered in time whether the release of {request.service} may go on: the question was open for "
            f"{request.step.within:.0f} s; release the version again when somebody is there"
        )
    release = journal.read(request.release)
    records.update(
        request.service, lambda r: renew_lease(r, generation=request.generation, until=expires + LEASE_MARGIN)
    )
    step, id = request.step, question_id(request.release, request.step.name, request.since)
    four_eyes = step.four_eyes or catalog.environment(request.environment).production
    known = person_of(release.requested_by, catalog.people) is not None
    needed = 2 if four_eyes and not known else 1
    approvals.ask(
        Approval(
            release=request.release,
            environment=request.environment,
            service=request.service,
            name=step.name,
            requested_by=release.requested_by,
            four_eyes=step.four_eyes,
            expires_at=expires,
            token=request.token,
            question=id,
            needed=needed,
        )
    )
    question = QUESTIONS.get(step.name, step.name)
    more = (
        ""
        if needed == 1
        else f" {release.requested_by} asked for it, whom nobody knows: two people must say yes"
    )
    journal.append(
        request.release,
        ReleaseEntry(
            at,
            "approval_requested",
            f"{release.version.short} of {request.service}: {question}{more}",
            evidence={"question": id, "expires_at": expires, "four_eyes": step.four_eyes, "needed": needed},
        ),
    )
