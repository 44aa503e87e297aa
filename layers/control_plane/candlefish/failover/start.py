"""Starting, approving, giving up a failover: what every way in comes to. The executor is `step_failover`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from candlefish.catalog.people import require_person
from candlefish.errors import FailoverRefused, InvalidInput
from candlefish.failover import record
from candlefish.failover.journal import write_entry
from candlefish.failover.model import FailoverEntry, Question, Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.preconditions import refusals
from candlefish.failover.propose import FailoverRequest, Proposal, propose_failover
from candlefish.names import EXECUTION, bounded_name
from candlefish.ports import Executions


def start_failover(
    request: FailoverRequest,
    *,
    requested_by: str,
    ports: FailoverPorts,
    executions: Executions | None,
    elsewhere: Callable[[], list[Run]] = list,
) -> Proposal:
    """Start a failover, or go on with one that is under way. Asking twice is asking once.

    Without `executions` no machine is started: the caller moves the run itself. `elsewhere` are the runs
    of the other region's control plane, as far as it answers.

    Raises
    ------
    FailoverRefused
        A precondition does not hold; nothing was changed.
    InvalidInput, UnknownService
        The request does not fit the catalog.
    """
    proposal = propose_failover(request, requested_by=requested_by, ports=ports, elsewhere=elsewhere)
    if request.plan_only:
        return proposal
    if proposal.verdict == "no-go":
        why = "; ".join(check.reason for check in refusals(proposal.checks))
        raise FailoverRefused(f"{request.target} in {ports.environment.name} is not failed over: {why}")
    if proposal.verdict == "resume":
        run = ports.runs.update(request.target, lambda r: record.resume_run(r, ports.now()))
        write_entry(run, FailoverEntry(ports.now(), "resumed", request.reason, by=requested_by), ports)
    else:
        run = ports.runs.create(proposal.run)
        if run == proposal.run:
            found = [f"{check.name}: {check.reason}" for check in proposal.checks]
            evidence = {"plan": run.plan, "to": run.to, "checks": found}
            entry = FailoverEntry(run.requested_at, "requested", run.reason, requested_by, evidence)
            write_entry(run, entry, ports)
    if executions is not None:
        start_machine(run, executions=executions)
    return msgspec.structs.replace(proposal, run=run)


def approve_failover(
    target: str,
    accepts: tuple[Question, ...],
    reason: str,
    *,
    principal: str,
    ports: FailoverPorts,
    executions: Executions,
) -> Run:
    """Answer a failover's open questions as `principal`; each risk must be accepted by its name.

    Raises
    ------
    NotAllowed, InvalidInput
        See `record.answer_questions`.
    """
    if ports.runs.current(target) is None:
        raise InvalidInput(f"there is no failover of {target}; start one with: candlefish failover {target}")
    accepts = accepts or ("go",)
    within, people = ports.environment.recovery.approve_within, ports.catalog.people
    run = ports.runs.update(
        target,
        lambda r: record.answer_questions(r, principal, accepts, reason, people, ports.now(), within),
    )
    by = next(a.by for q, a in run.answers.items() if q in accepts)
    evidence = {"accepted": list(accepts)}
    entry = FailoverEntry(ports.now(), "approved", reason or "no reason given", by=by, evidence=evidence)
    write_entry(run, entry, ports)
    start_machine(run, executions=executions)
    return run


def abandon_failover(
    target: str, reason: str, *, principal: str, ports: FailoverPorts, executions: Executions
) -> Run:
    """Give a failover up before its promotion, and open again what it closed.

    Raises
    ------
    NotAllowed, InvalidInput
        Nobody knows who asks; or see `record.give_up_run`.
    """
    person = require_person(principal, ports.catalog.people)
    run = ports.runs.update(target, lambda r: record.give_up_run(r, person.name, reason, ports.now()))
    write_entry(run, FailoverEntry(ports.now(), "given_up", reason, by=person.name), ports)
    start_machine(run, executions=executions)
    return run


def start_machine(run: Run, *, executions: Executions) -> None:
    """Start an execution that moves the run, unless it waits for a person or is over.

    More than one execution moving a run is harmless, so this needs not know of others. The name has
    the run's revision: whoever changed the run last gets an execution that has seen the change.
    """
    if run.status == "running":
        name = bounded_name(run.id, str(run.revision), longest=EXECUTION)
        executions.start("failover", name, {"target": run.target, "epoch": run.epoch})
