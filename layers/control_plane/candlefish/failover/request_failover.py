"""What a person asks of a failover: its plan, to start it, to approve it, to give it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, assert_never

import msgspec

from candlefish.bounds import Moment, Sentence, Subject, Title
from candlefish.catalog.people import require_caller
from candlefish.failover.model import PlanKind, Question, Run
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.propose import FailoverRequest, Proposal
from candlefish.failover.start import abandon_failover, approve_failover, start_failover
from candlefish.ports import Executions


class FailoverCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person posts (see events/failover.json). Who asks is known from the credential."""

    do: Literal["plan", "start", "approve", "abandon"]
    target: Subject
    reason: Sentence = ""
    plan: PlanKind | Literal[""] = ""
    to: Title = ""
    failing_since: Moment = 0.0
    accept: Annotated[tuple[Question, ...], msgspec.Meta(max_length=20)] = ()


def request_failover(
    command: FailoverCommand,
    *,
    principal: str,
    ports: FailoverPorts,
    executions: Executions,
    elsewhere: Callable[[], list[Run]] = list,
) -> dict[str, Any]:
    """Answer a person; the run, and the plan with its checks where one was made.

    Raises
    ------
    FailoverRefused, NotAllowed, InvalidInput, UnknownService
        The message says what to do.
    """
    target, reason = command.target, command.reason
    by = require_caller(principal, ports.catalog, ports.environment.name).name
    match command.do:
        case "approve":
            accepts = command.accept
            run = approve_failover(target, accepts, reason, principal=by, ports=ports, executions=executions)
            return describe_run(run)
        case "abandon":
            run = abandon_failover(target, reason, principal=by, ports=ports, executions=executions)
            return describe_run(run)
        case "plan" | "start":
            request = FailoverRequest(
                target=target,
                reason=reason or ("a look at the plan" if command.do == "plan" else ""),
                plan=command.plan,
                to=command.to,
                failing_since=command.failing_since,
                plan_only=command.do == "plan",
            )
            proposal = start_failover(
                request, requested_by=by, ports=ports, executions=executions, elsewhere=elsewhere
            )
            return describe_run(proposal.run, proposal)
        case _:
            assert_never(command.do)


def describe_run(run: Run, proposal: Proposal | None = None) -> dict[str, Any]:
    """A run as an answer: what a person needs to go on."""
    answer: dict[str, Any] = {
        "id": run.id,
        "target": run.target,
        "plan": run.plan,
        "epoch": run.epoch,
        "to": run.to,
        "status": run.status,
        "why": run.why,
        "asks": list(run.open_questions),
    }
    if proposal is not None:
        answer |= {
            "verdict": proposal.verdict,
            "steps": list(proposal.steps),
            "checks": msgspec.to_builtins(proposal.checks),
        }
    return answer
