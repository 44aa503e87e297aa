"""Starting, approving, giving up a failover. Every way in stands here; the executor is `advance`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from candlefish.catalog.model import Catalog, Environment
from candlefish.catalog.people import require_person
from candlefish.errors import FailoverRefused, InvalidInput
from candlefish.failover import runs as transitions
from candlefish.failover.advance import Stage
from candlefish.failover.facts import DatabaseFacts
from candlefish.failover.gate import Check, checks, expected_loss, refusals, risks
from candlefish.failover.model import OPEN, SIGNAL, Entry, PlanKind, Question, Run
from candlefish.failover.plans import FOUR_EYES, WORDS, baselines, compile_plan, default_plan
from candlefish.failover.ports import Runs
from candlefish.ports import Executions, Now


class FailoverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who wants what failed over and why (see events/failover.json).

    `to` is the region that shall serve; empty for the region itself (in-region plans) or the other
    one. `failing_since` is when users lost the target, epoch seconds; 0 when nothing is broken.
    `signal` names the alarm that asks; who asks otherwise is known from the credential.
    """

    target: str
    reason: str
    plan: PlanKind | Literal[""] = ""
    environment: str = ""
    to: str = ""
    failing_since: float = 0.0
    # Show the plan and its checks; change nothing.
    plan_only: bool = False


class Proposal(msgspec.Struct, frozen=True):
    """A plan before anything happened: steps in words, checks, and what people have to say yes to."""

    run: Run
    verdict: Literal["go", "ask", "no-go", "resume"]
    steps: tuple[str, ...]
    checks: tuple[Check, ...]


def propose(
    request: FailoverRequest,
    *,
    requested_by: str,
    environment: str,
    catalog: Catalog,
    runs: Runs,
    stage: Stage,
    now: Now,
    elsewhere: Callable[[], list[Run]] = list,
) -> Proposal:
    """Read the world and say what a failover would do and whether it may. Changes nothing.

    Raises
    ------
    InvalidInput, UnknownService
        The request does not fit the catalog.
    """
    at = now()
    env = _check(request, environment, catalog, at)
    plan = request.plan or default_plan(request.target)
    steps = compile_plan(plan, request.target, env, catalog)
    current = runs.current(request.target)
    to = request.to or _destination(plan, request.target, env)
    if current is not None and current.status in OPEN and (current.plan, current.to) == (plan, to):
        return Proposal(current, "resume", _words(current), ())
    run = Run(
        environment=environment,
        target=request.target,
        plan=plan,
        epoch=next_epoch(current, at),
        steps=steps,
        requested_by=requested_by,
        reason=request.reason,
        requested_at=at,
        to=to,
        failing_since=request.failing_since,
    )
    # The first look knows neither source nor target yet; the baselines come from it.
    world = stage.look(run)
    run = msgspec.structs.replace(run, before=baselines(plan, steps, env, world, to, _losses(request, at)))
    found = tuple(checks(run, world, env, [*runs.recent(), *elsewhere()]))
    needs = _needs(run, requested_by, env, catalog) + risks(found)
    run = msgspec.structs.replace(
        run,
        needs=needs,
        status="awaiting_approval" if needs else "running",
        why=f"asks for: {', '.join(needs)}" if needs else "",
    )
    verdict: Literal["go", "ask", "no-go"] = "no-go" if refusals(found) else "ask" if needs else "go"
    return Proposal(run, verdict, _words(run), found)


def next_epoch(current: Run | None, now: float) -> int:
    """The fencing token of a new run: larger than every earlier one, also of the other region's table.

    The two regions cannot count together when one is gone, so the seconds of the clock count for them.
    """
    return max(int(now), current.epoch + 1 if current else 0)


def _losses(request: FailoverRequest, at: float) -> Callable[[DatabaseFacts, str], float | None]:
    def loss(facts: DatabaseFacts, source: str) -> float | None:
        copy = facts.copies.get(source)
        up = copy is not None and copy.available
        return expected_loss(facts.lag, failing_since=request.failing_since, source_up=up, now=at)

    return loss


def begin(
    request: FailoverRequest,
    *,
    requested_by: str,
    environment: str,
    catalog: Catalog,
    runs: Runs,
    stage: Stage,
    executions: Executions | None,
    now: Now,
    elsewhere: Callable[[], list[Run]] = list,
) -> Proposal:
    """Start a failover, or go on with one that is under way. Asking twice is asking once.

    Without `executions` nothing is started: the caller moves the run itself. `elsewhere` are the runs
    of the other region's control plane, as far as it answers.

    Raises
    ------
    FailoverRefused
        A precondition does not hold; nothing was changed.
    InvalidInput, UnknownService
        The request does not fit the catalog.
    """
    proposal = propose(
        request,
        requested_by=requested_by,
        environment=environment,
        catalog=catalog,
        runs=runs,
        stage=stage,
        now=now,
        elsewhere=elsewhere,
    )
    if request.plan_only:
        return proposal
    if proposal.verdict == "no-go":
        why = "; ".join(check.reason for check in refusals(proposal.checks))
        raise FailoverRefused(f"{request.target} in {environment} is not failed over: {why}")
    if proposal.verdict == "resume":
        run = runs.update(request.target, lambda r: transitions.resumed(r, now()))
        runs.append(run, Entry(now(), "resumed", request.reason, by=requested_by))
    else:
        run = runs.create(proposal.run)
        if run == proposal.run:
            found = [f"{check.name}: {check.reason}" for check in proposal.checks]
            evidence = {"plan": run.plan, "to": run.to, "checks": found}
            runs.append(run, Entry(run.requested_at, "requested", run.reason, requested_by, evidence))
    if executions is not None:
        drive(run, executions=executions)
    return msgspec.structs.replace(proposal, run=run)


def approve(
    target: str,
    accepts: tuple[Question, ...],
    reason: str,
    *,
    principal: str,
    catalog: Catalog,
    runs: Runs,
    executions: Executions,
    now: Now,
) -> Run:
    """Answer a failover's open questions as `principal`; each risk must be accepted by its name.

    Raises
    ------
    NotAllowed, InvalidInput
        See `runs.answered`.
    """
    current = runs.current(target)
    if current is None:
        raise InvalidInput(f"there is no failover of {target}; start one with: candlefish failover {target}")
    within = catalog.environment(current.environment).recovery.approve_within
    run = runs.update(
        target,
        lambda r: transitions.answered(
            r, principal, accepts or ("go",), reason, catalog.people, now(), within
        ),
    )
    by = next(a.by for q, a in run.answers.items() if q in (accepts or ("go",)))
    runs.append(
        run,
        Entry(
            now(),
            "approved",
            reason or "no reason given",
            by=by,
            evidence={"accepted": list(accepts or ("go",))},
        ),
    )
    drive(run, executions=executions)
    return run


def abandon(
    target: str,
    reason: str,
    *,
    principal: str,
    catalog: Catalog,
    runs: Runs,
    executions: Executions,
    now: Now,
) -> Run:
    """Give a failover up before its promotion, and open again what it closed."""
    person = require_person(principal, catalog.people)
    run = runs.update(target, lambda r: transitions.abandoned(r, person.name, reason, now()))
    runs.append(run, Entry(now(), "given_up", reason, by=person.name))
    drive(run, executions=executions)
    return run


def drive(run: Run, *, executions: Executions) -> None:
    """Start an execution that moves the run, unless it waits for a person or is over.

    More than one execution moving a run is harmless, so this needs not know of others. The name has
    the run's revision: whoever changed the run last gets an execution that has seen the change.
    """
    if run.status == "running":
        name = f"{run.id}-{run.revision}"[-80:]
        executions.start("failover", name, {"target": run.target, "epoch": run.epoch})


def _check(request: FailoverRequest, environment: str, catalog: Catalog, now: float) -> Environment:
    if request.environment not in ("", environment):
        raise InvalidInput(
            f"this control plane recovers {environment}, the request names {request.environment!r}"
        )
    if not request.reason.strip() or len(request.reason) > 1000:
        raise InvalidInput('"reason" must say something, in at most 1000 characters')
    if request.failing_since > now + 60:
        raise InvalidInput('"failing_since" is in the future; write when it began, in epoch seconds')
    env = catalog.environment(environment)
    if request.to and request.to not in (env.region, env.recovery_region):
        raise InvalidInput(
            f'"to" is {request.to!r}; {environment} has {env.region} and {env.recovery_region}'
        )
    return env


def _destination(plan: PlanKind, target: str, env: Environment) -> str:
    if plan in ("database-in-region", "cache-in-region", "database-failback", "database-unfence"):
        return env.region
    return env.recovery_region


def _needs(run: Run, requested_by: str, env: Environment, catalog: Catalog) -> tuple[Question, ...]:
    """A second person for everything that changes region; a person, or the policy, for the rest."""
    if run.plan in FOUR_EYES:
        return ("go",)
    if requested_by.startswith(SIGNAL):
        allowed = run.target.partition("/")[0] in env.recovery.automatic
        return () if allowed else ("go",)
    require_person(requested_by, catalog.people)
    return ()


def _words(run: Run) -> tuple[str, ...]:
    return tuple(f"{step.key}: {WORDS[step.kind]}" for step in run.steps)
