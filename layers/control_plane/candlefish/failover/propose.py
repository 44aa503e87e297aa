"""What a failover would do, and whether it may: read from the world, changing nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from candlefish.catalog.model import Environment
from candlefish.catalog.people import require_person
from candlefish.errors import InvalidInput
from candlefish.failover.facts import DatabaseFacts
from candlefish.failover.model import OPEN, SIGNAL, PlanKind, Question, Run
from candlefish.failover.plans import FOUR_EYES, baselines, compile_failover, default_plan
from candlefish.failover.ports import FailoverPorts
from candlefish.failover.preconditions import Check, check_preconditions, expected_loss, refusals, risks
from candlefish.failover.steps.kinds import KINDS
from candlefish.failover.world import read_world


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


def propose_failover(
    request: FailoverRequest,
    *,
    requested_by: str,
    ports: FailoverPorts,
    elsewhere: Callable[[], list[Run]] = list,
) -> Proposal:
    """Read the world and say what a failover would do and whether it may. Changes nothing.

    `elsewhere` are the runs of the other region's control plane, as far as it answers.

    Raises
    ------
    InvalidInput, UnknownService
        The request does not fit the catalog.
    NotAllowed
        Nobody knows who asks.
    """
    at, env = ports.now(), ports.environment
    _check(request, env, at)
    plan = request.plan or default_plan(request.target)
    steps = compile_failover(plan, request.target, env, ports.catalog)
    current = ports.runs.current(request.target)
    to = request.to or _destination(plan, env)
    if current is not None and current.status in OPEN and (current.plan, current.to) == (plan, to):
        return Proposal(current, "resume", _words(current), ())
    run = Run(
        environment=env.name,
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
    world = read_world(run, ports)
    run = msgspec.structs.replace(run, before=baselines(plan, steps, env, world, to, _losses(request, at)))
    found = tuple(check_preconditions(run, world, env, [*ports.runs.recent(), *elsewhere()]))
    needs = _needs(run, ports) + risks(found)
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


def _check(request: FailoverRequest, env: Environment, now: float) -> None:
    if request.environment not in ("", env.name):
        raise InvalidInput(
            f"this control plane recovers {env.name}, the request names {request.environment!r}"
        )
    if not request.reason.strip() or len(request.reason) > 1000:
        raise InvalidInput('"reason" must say something, in at most 1000 characters')
    if request.failing_since > now + 60:
        raise InvalidInput('"failing_since" is in the future; write when it began, in epoch seconds')
    if request.to and request.to not in env.regions:
        regions = " and ".join(env.regions)
        raise InvalidInput(f'"to" is {request.to!r}; {env.name} has {regions}')


def _destination(plan: PlanKind, env: Environment) -> str:
    if plan in ("database-in-region", "cache-in-region", "database-failback", "database-unfence"):
        return env.region
    if not env.recovery_region:
        raise InvalidInput(
            f"{plan} leads to another region, and {env.name} names none; write recovery_region in "
            f"catalog/environments/{env.name}.yaml (docs/recovery.md)"
        )
    return env.recovery_region


def _needs(run: Run, ports: FailoverPorts) -> tuple[Question, ...]:
    """A second person for everything that changes region; a person, or the policy, for the rest."""
    if run.plan in FOUR_EYES:
        return ("go",)
    if run.requested_by.startswith(SIGNAL):
        allowed = run.target.partition("/")[0] in ports.environment.recovery.automatic
        return () if allowed else ("go",)
    require_person(run.requested_by, ports.catalog.people)
    return ()


def _words(run: Run) -> tuple[str, ...]:
    return tuple(f"{step.key}: {KINDS[step.kind].words}" for step in run.steps)
