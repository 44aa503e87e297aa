"""Every way a run may change. Each function takes a run and returns the next one; none does I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.catalog.model import Person
from candlefish.catalog.people import require_approver, require_other_person
from candlefish.errors import InvalidInput, StaleGeneration
from candlefish.failover.model import SIGNAL, FailoverAnswer, FailoverStep, Question, Run
from candlefish.failover.steps.kinds import KINDS


def require_epoch(run: Run, epoch: int) -> None:
    """Raise `StaleGeneration` unless the caller works for the newest failover of the target."""
    if run.epoch != epoch:
        raise StaleGeneration(
            f"{run.target} in {run.environment} is at failover {run.epoch}, the caller works for {epoch}: "
            "a newer one took over; nothing was changed by this call"
        )


def note_reached(run: Run, step: FailoverStep, evidence: dict[str, Any], now: float) -> Run:
    """Write down that a step was seen done."""
    state = msgspec.structs.replace(run.state(step), done_at=now, failed="", evidence=evidence)
    return msgspec.structs.replace(run, progress={**run.progress, step.key: state})


def intend_step(run: Run, step: FailoverStep, now: float) -> Run:
    """Write down that a step is about to be acted on, before it is."""
    before = run.state(step)
    state = msgspec.structs.replace(before, intended_at=now, attempts=before.attempts + 1, failed="")
    return msgspec.structs.replace(run, progress={**run.progress, step.key: state})


def note_evidence(run: Run, step: FailoverStep, evidence: Mapping[str, Any]) -> Run:
    """Keep what an act returned; whether the step is done is for the next look to say."""
    if not evidence:
        return run
    before = run.state(step)
    state = msgspec.structs.replace(before, evidence={**before.evidence, **evidence})
    return msgspec.structs.replace(run, progress={**run.progress, step.key: state})


def note_refusal(run: Run, step: FailoverStep, why: str) -> Run:
    """Keep what the world said when it refused an act."""
    state = msgspec.structs.replace(run.state(step), failed=why)
    return msgspec.structs.replace(run, progress={**run.progress, step.key: state})


def ask_risk(run: Run, question: Question, why: str) -> Run:
    """Wait for a person to accept a risk by name."""
    needs = run.needs if question in run.needs else (*run.needs, question)
    return msgspec.structs.replace(run, needs=needs, status="awaiting_approval", why=why)


def stop_run(run: Run, why: str) -> Run:
    """Stop where it is; starting the same failover again goes on from here."""
    return msgspec.structs.replace(run, status="stopped", why=why)


def finish_run(run: Run, why: str, now: float) -> Run:
    """Every step is done; `why` says so, and what is left to a person."""
    if run.given_up:
        return msgspec.structs.replace(run, status="abandoned", ended_at=now)
    return msgspec.structs.replace(run, status="done", why=why, ended_at=now)


def resume_run(run: Run, now: float) -> Run:
    """Go on with a run that stopped: refusals are tried again, and its patience starts anew."""
    if run.status in ("done", "abandoned"):
        return run
    progress = {
        key: state if state.done_at else msgspec.structs.replace(state, attempts=0, failed="")
        for key, state in run.progress.items()
    }
    status = "awaiting_approval" if run.open_questions else "running"
    return msgspec.structs.replace(run, status=status, progress=progress, resumed_at=now)


def give_up_run(run: Run, by: str, reason: str, now: float) -> Run:
    """Give a run up, and take back what it closed.

    Raises
    ------
    InvalidInput
        It is over, or a promotion was asked for: from there the only way is forward.
    """
    if run.status in ("done", "abandoned"):
        raise InvalidInput(f"failover {run.id} is {run.status} already; there is nothing to give up")
    if any(s.intended_at and KINDS[key.partition("/")[0]].final for key, s in run.progress.items()):
        raise InvalidInput(
            f"failover {run.id} has asked for a promotion, which cannot be taken back; start it again, "
            "and go back afterwards with the failback plan"
        )
    undo = tuple(
        FailoverStep(back, step.subject)
        for step in run.steps
        if (back := KINDS[step.kind].undone_by) and run.state(step).intended_at
    )
    why = f"given up by {by}: {reason}"
    run = msgspec.structs.replace(run, given_up=True, why=why)
    if not undo:
        return msgspec.structs.replace(run, status="abandoned", ended_at=now)
    return msgspec.structs.replace(run, steps=undo, status="running", needs=(), why=why, resumed_at=now)


def answer_questions(
    run: Run,
    principal: str,
    accepts: tuple[Question, ...],
    reason: str,
    people: Mapping[str, Person],
    now: float,
    within: float,
) -> Run:
    """Record a person's yes to the named questions, each of which must be asked for by name.

    Raises
    ------
    NotAllowed
        Nobody goes by that principal, the person is no approver, or asked for the failover
        themselves, or it is unknown who did.
    InvalidInput
        Nothing is asked, the time to answer is over, or a question was named that is not open.
    """
    person = require_approver(principal, people)
    if not run.requested_by.startswith(SIGNAL):
        require_other_person(person, run.requested_by, people, what=f"failover {run.id}")
    if run.status != "awaiting_approval":
        raise InvalidInput(f"failover {run.id} is {run.status}: {run.why or 'it asks for nothing'}")
    if now - max(run.requested_at, run.resumed_at) > within:
        raise InvalidInput(
            f"failover {run.id} was to be approved within {within:.0f} s and the world has changed since; "
            f"look again with: candlefish failover {run.target} -e {run.environment} --plan"
        )
    for question in accepts:
        if question not in run.open_questions:
            raise InvalidInput(
                f"failover {run.id} does not ask about {question}; "
                f"it asks about {', '.join(run.open_questions)}"
            )
    answers = dict(run.answers)
    for question in accepts:
        answers[question] = FailoverAnswer(by=person.name, at=now, reason=reason)
    after = msgspec.structs.replace(run, answers=answers)
    left = after.open_questions
    return msgspec.structs.replace(
        after,
        status="awaiting_approval" if left else "running",
        why=f"still to be accepted by name: {', '.join(left)}" if left else f"approved by {person.name}",
    )
