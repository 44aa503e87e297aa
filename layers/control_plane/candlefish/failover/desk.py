"""The ways into a failover, as its functions take them: a person's question, and a signal's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from candlefish.catalog.model import Catalog
from candlefish.errors import InvalidInput, NotAllowed
from candlefish.failover.advance import Stage
from candlefish.failover.failover import FailoverRequest, Proposal, abandon, approve, begin
from candlefish.failover.model import SIGNAL, PlanKind, Question, Run
from candlefish.failover.ports import Runs
from candlefish.ports import Executions, Now


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person posts (see events/failover.json). Who asks is known from the credential."""

    do: Literal["plan", "start", "approve", "abandon"]
    target: str
    reason: str = ""
    plan: PlanKind | Literal[""] = ""
    to: str = ""
    failing_since: float = 0.0
    accept: tuple[Question, ...] = ()


class Desk(msgspec.Struct, frozen=True):
    """What answering takes."""

    environment: str
    catalog: Catalog
    runs: Runs
    stage: Stage
    executions: Executions
    now: Now
    # Runs of the other region's control plane, as far as it answers.
    elsewhere: Callable[[], list[Run]] = list


def ask(asked: Asked, *, principal: str, desk: Desk) -> dict[str, Any]:
    """Answer a person; the run, and the plan with its checks where one was made.

    Raises
    ------
    FailoverRefused, NotAllowed, InvalidInput, UnknownService
        The message says what to do.
    """
    rest: dict[str, Any] = {
        "catalog": desk.catalog,
        "runs": desk.runs,
        "executions": desk.executions,
        "now": desk.now,
    }
    if asked.do == "approve":
        return shown(approve(asked.target, asked.accept, asked.reason, principal=principal, **rest))
    if asked.do == "abandon":
        return shown(abandon(asked.target, asked.reason, principal=principal, **rest))
    request = FailoverRequest(
        target=asked.target,
        reason=asked.reason or ("a look at the plan" if asked.do == "plan" else ""),
        plan=asked.plan,
        to=asked.to,
        failing_since=asked.failing_since,
        plan_only=asked.do == "plan",
    )
    proposal = begin(request, requested_by=principal, environment=desk.environment, stage=desk.stage, **rest)
    return shown(proposal.run, proposal)


def shown(run: Run, proposal: Proposal | None = None) -> dict[str, Any]:
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


class SignalRequest(msgspec.Struct, frozen=True):
    """What the `respond` machine starts a failover with."""

    target: str
    requested_by: str
    reason: str
    environment: str = ""
    failing_since: float = 0.0


class Begun(msgspec.Struct, frozen=True):
    """What the machine goes on with."""

    target: str
    epoch: int
    status: str
    why: str


def begin_by_signal(
    request: SignalRequest,
    *,
    environment: str,
    catalog: Catalog,
    runs: Runs,
    stage: Stage,
    now: Now,
    elsewhere: Callable[[], list[Run]] = list,
) -> Begun:
    """Begin the in-region failover that a signal asks for; the machine that asked moves it.

    Raises
    ------
    NotAllowed
        The request does not come from a signal: people ask through the function URL, where their
        credentials say who they are.
    FailoverRefused, InvalidInput, UnknownService
        Nothing was changed.
    """
    if not request.requested_by.startswith(SIGNAL):
        raise NotAllowed(
            f"{request.requested_by!r} is no signal; people start failovers with: candlefish failover {request.target}"
        )
    if request.target.partition("/")[0] not in ("database", "cache"):
        raise InvalidInput(f"a signal fails over a database or a cache, not {request.target!r}")
    proposal = begin(
        FailoverRequest(
            target=request.target,
            reason=request.reason,
            environment=request.environment,
            failing_since=min(request.failing_since, now()),
        ),
        requested_by=request.requested_by,
        environment=environment,
        catalog=catalog,
        runs=runs,
        stage=stage,
        executions=None,
        now=now,
        elsewhere=elsewhere,
    )
    run = proposal.run
    return Begun(run.target, run.epoch, run.status, run.why)
