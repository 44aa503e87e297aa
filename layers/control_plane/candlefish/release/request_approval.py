"""Ask a person whether a release may go on, and keep the token of the task that waits for the answer.

The task token stays on the server.
"""

from __future__ import annotations

from candlefish.catalog.model import Catalog
from candlefish.catalog.people import person_of, require_person
from candlefish.errors import ApprovalDenied, ApprovalExpired, NotAllowed, NotAsked, RecordContested
from candlefish.ports import Now
from candlefish.release.decide_approval import ATTEMPTS, HOLD, require_may_answer
from candlefish.release.journal import Journal
from candlefish.release.model import (
    LEASE_MARGIN,
    Approval,
    Release,
    ReleaseEntry,
    answer_question,
    question_id,
)
from candlefish.release.payloads import ApprovalRequest
from candlefish.release.plan import promoter_of
from candlefish.release.ports import Approvals
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import renew_lease

# A question that could be answered for fewer seconds is over: the machine's clock and ours are not the same one.
LEAST_OPEN = 1.0
# Questions that a promotion does not answer, and why.
NOT_ANSWERED = {
    HOLD: "something holds it",
    "job": "how a Job of it ended is not known, and going on as if it had ended well is a decision of its own",
}
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
    NotAsked
        A person promoted the release since the machine came here, or said yes before it asked again: the question is closed.
    ApprovalDenied
        A person said no before it asked again.
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    expires = request.since + request.step.within
    release = journal.read(request.release)
    late = expires - at < LEAST_OPEN
    if late and _none_promoted(release, request.step.name):
        raise _expired(request)
    records.update(
        request.service, lambda r: renew_lease(r, generation=request.generation, until=expires + LEASE_MARGIN)
    )
    step, id = request.step, question_id(request.release, request.step.name, request.since)
    four_eyes = step.four_eyes or catalog.environment(request.environment).production
    known = person_of(release.requested_by, catalog.people) is not None
    needed = 2 if four_eyes and not known else 1
    asked = Approval(
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
    new = approvals.ask(asked)
    # After it was asked: whoever promotes the release writes the plan, and looks for a question then.
    newest = journal.read(request.release)
    by = _promoter(newest, step.name)
    # Whoever answers it from here on reaches this task; an answer to an earlier asking may have reached none.
    settled = asked if new and not by else _settled(asked, by, catalog, approvals)
    if settled.status == "denied" and not new:
        raise ApprovalDenied(f"{settled.by} said no to release {request.release} before it was asked again")
    # The machine of an older release knows no such end: there who said yes says it again.
    if settled.status == "approved" and newest.passes_skipped:
        if newest.status == "awaiting_approval" and settled.by == by:
            # Its first asking was told; who promoted it may have found the answer given.
            said = f"release {request.release} is promoted without this question"
            journal.append(request.release, ReleaseEntry(at, "approved", said, by=by))
        raise NotAsked(f"{settled.by} lets release {request.release} go on without this question")
    if late:
        raise _expired(request)
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


def _expired(request: ApprovalRequest) -> ApprovalExpired:
    return ApprovalExpired(
        f"nobody answered in time whether the release of {request.service} may go on: the question was open for "
        f"{request.step.within:.0f} s; release the version again when somebody is there"
    )


def _none_promoted(release: Release, question: str) -> bool:
    """Whether there is nobody whose promotion answers it: one may have died between that and the answer."""
    return not _promoter(release, question)


def _promoter(release: Release, question: str) -> str:
    """Who says yes to a question by having promoted its release; empty where nobody does."""
    return promoter_of(release.plan) if question not in NOT_ANSWERED else ""


def _settled(asked: Approval, by: str, catalog: Catalog, approvals: Approvals) -> Approval:
    """The question as it stands: with the answers that it got, and with the yes of who promotes the release, if anybody."""
    for _ in range(ATTEMPTS):
        kept = approvals.read(asked.release)
        if kept.question != asked.question:
            # A machine that nobody hears any more.
            return asked
        if kept.status != "pending" or not by:
            return kept
        answered = answer_question(kept, "approved", by)
        if answered.status != "approved" or not _may_still(kept, by, catalog):
            return kept
        if approvals.answer(kept, answered):
            return answered
    raise RecordContested(
        f"others answered the question of release {asked.release} meanwhile; it is asked again"
    )


def _may_still(question: Approval, by: str, catalog: Catalog) -> bool:
    """Whether who promotes the release may answer its question: looked at as it was promoted, but catalogs change.

    Where nothing asks for four eyes a promotion takes less than an answer does, as long as no question is open.
    """
    if not catalog.environment(question.environment).production:
        return True
    try:
        require_may_answer(question, require_person(by, catalog.people), catalog)
    except NotAllowed:
        return False
    return True
