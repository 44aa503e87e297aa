"""`candlefish failover TARGET`: show the plan, start it, approve it, give it up, follow it."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import datetime
from typing import Any, get_args

import click
from rich.table import Table

from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.catalog.load import load
from candlefish.catalog.model import Duration
from candlefish.catalog.standby import STAND_BY, no_standby
from candlefish.errors import ControlPlaneError, InvalidInput
from candlefish.failover.evidence import measure_run
from candlefish.failover.model import OPEN, PlanKind, Question, Run
from candlefish.failover.plans import default_plan
from cli.exits import Exit
from cli.options import CATALOG, in_environment, require_meant, say_environment
from cli.screen.clock import utc
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, mark

console, errors = PlainConsole(), PlainConsole(stderr=True)
# Plans that the stack of the region itself moves; the recovery region's moves the others.
AT_HOME = ("database-in-region", "cache-in-region", "database-unfence")


@click.command("failover")
@click.argument("target")
@in_environment
@click.option("--plan", "plan_only", is_flag=True, help="Show the plan and its checks; change nothing.")
@click.option(
    "--kind", type=click.Choice(get_args(PlanKind)), help="Which plan; in the region when left out."
)
@click.option("--to", default="", help="The region that shall serve when it is done.")
@click.option("--region", default="", help="The region whose control plane moves it.")
@click.option("--reason", default="", help="Why; it is kept with the failover.")
@click.option("--failing-since", default="", help="When users lost it: 10m (ago), or 2026-11-24T03:10Z.")
@click.option("--approve", is_flag=True, help="Say yes to a failover that somebody else asked for.")
@click.option(
    "--accept",
    multiple=True,
    type=click.Choice(get_args(Question)),
    help="A risk to accept by its name, with --approve.",
)
@click.option(
    "--abandon", is_flag=True, help="Give it up before its promotion, and open again what it closed."
)
@click.option("--follow/--no-follow", default=True, help="Follow it until it is over or waits for a person.")
@as_json
def failover_command(stack: Stack, target: str, as_json: bool, **options: Any) -> None:
    """Fail over TARGET: database/NAME, cache/NAME, application or region.

    Exits 0 when it is done (or was only shown), 1 when it stopped or was given up, 4 when it was refused, 5 when it waits
    for an approval.
    """
    if options["approve"] or options["abandon"]:
        say_environment(stack)
    elif not options["plan_only"]:
        require_meant(stack)
    kind = options["kind"] or default_plan(target)
    if (options["approve"] or options["abandon"]) and not options["region"]:
        stack = _moving(stack, target)
    else:
        stack = _where(stack, kind, options["region"])
    if options["abandon"]:
        answer = _post(stack, do="abandon", target=target, reason=options["reason"])
    elif options["approve"]:
        accept = ["go", *options["accept"]] if "go" not in options["accept"] else list(options["accept"])
        asked = _runs(stack).current(target)
        wanted = [q for q in accept if asked is None or q in asked.open_questions] or accept
        answer = _post(stack, do="approve", target=target, reason=options["reason"], accept=wanted)
    else:
        answer = _post(
            stack,
            do="plan" if options["plan_only"] else "start",
            target=target,
            plan=kind,
            to=options["to"],
            reason=options["reason"],
            failing_since=moment(options["failing_since"], time.time()),
        )
        if not as_json:
            _show(answer)
        elif options["plan_only"] or answer["status"] == "awaiting_approval" or not options["follow"]:
            document(answer)
        if options["plan_only"]:
            raise SystemExit(0 if answer["verdict"] != "no-go" else 1)
    if answer["status"] == "awaiting_approval":
        _tell_approvers(stack, answer, errors if as_json else console)
        raise SystemExit(Exit.WAITS)
    if answer["status"] == "running" and not options["follow"]:
        (errors if as_json else console).print(
            f"{answer['id']} is running; follow it with: candlefish recovery report {target}"
        )
        return
    run = _follow(stack, target, errors if as_json else console)
    if as_json:
        document({"run": run, "measured": measure_run(run)})
    else:
        _summary(run)
    raise SystemExit({"done": Exit.DONE, "awaiting_approval": Exit.WAITS}.get(run.status, Exit.FAILED))


def _where(stack: Stack, kind: str, region: str) -> Stack:
    """The stack that moves the plan: at home inside the region, else in the recovery region."""
    env = load(CATALOG).environments[stack.environment]
    if not region and kind not in AT_HOME and not env.recovery_region:
        raise InvalidInput(
            f"{kind} leads to another region, and {env.name} names none; write recovery_region in the catalog"
        )
    if not region and kind not in AT_HOME and not env.recovery.standby:
        raise InvalidInput(f"{kind} is moved from {env.recovery_region}, but {no_standby(env)}; {STAND_BY}")
    return Stack(stack.environment, region or (env.region if kind in AT_HOME else env.recovery_region))


def _moving(stack: Stack, target: str) -> Stack:
    """The stack whose failover of the target is open: the recovery region's, or the one at home."""
    env = load(CATALOG).environments[stack.environment]
    for region in reversed(env.regions):
        there = Stack(stack.environment, region)
        with contextlib.suppress(ControlPlaneError):
            run = _runs(there).current(target)
            if run is not None and run.status in OPEN:
                return there
    raise InvalidInput(
        f"no failover of {target} is open in {' or '.join(env.regions)}, as far as they answer"
    )


def _post(stack: Stack, **body: Any) -> dict[str, Any]:
    # A region that does not answer costs the look its timeouts.
    answer: dict[str, Any] = stack.post("request_failover", body, timeout=130)
    return answer


def _runs(stack: Stack) -> DynamoRuns:
    return DynamoRuns(stack.client("dynamodb"), stack.table, stack.environment)


def moment(text: str, now: float) -> float:
    """Epoch seconds of `10m` (ago), of an ISO 8601 time, or 0 for nothing."""
    if not text:
        return 0.0
    if re.fullmatch(r"[\d.]+[smhd].*", text):
        try:
            return now - Duration.parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is neither like 10m nor like 2026-11-24T03:10Z") from error
    if at.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no time zone; write Z for UTC")
    return at.timestamp()


def _show(answer: dict[str, Any]) -> None:
    table = Table(title=f"{answer['plan']} of {answer['target']} to {answer['to']}", title_justify="left")
    table.add_column("")
    table.add_column("check")
    table.add_column("what was seen", overflow="fold")
    for check in answer["checks"]:
        asks = f" [accept it by name: {check['asks']}]" if check.get("asks") and not check["passed"] else ""
        table.add_row(mark(check["passed"]), check["name"], check["reason"] + asks)
    if answer["checks"]:
        console.print(table)
    for number, step in enumerate(answer["steps"], start=1):
        console.print(f"  {number:2}. {step}")
    words = {
        "go": "go: nothing more is asked",
        "ask": f"asks for: {', '.join(answer['asks'])}",
        "no-go": "no-go: nothing was changed",
        "resume": f"{answer['id']} is {answer['status']}; starting it again goes on from where it is",
    }
    console.print(f"verdict: {words[answer['verdict']]}")


def _tell_approvers(stack: Stack, answer: dict[str, Any], where: PlainConsole) -> None:
    risks = "".join(f" --accept {q}" for q in answer["asks"] if q != "go")
    where.print(
        f"{answer['id']} waits for somebody else: {answer['why']}\n"
        f"  candlefish failover {answer['target']} -e {stack.environment} --approve{risks}"
    )


def _follow(stack: Stack, target: str, where: PlainConsole) -> Run:
    """Print a run's timeline as it grows, until it is over or waits for a person."""
    runs = _runs(stack)
    said = 0
    while True:
        run = runs.current(target)
        assert run is not None
        entries = runs.entries(run)
        for entry in entries[said:]:
            by = f" (by {entry.by})" if entry.by != "control-plane" else ""
            where.print(f"{utc(entry.at)}  {entry.kind:18} {entry.reason}{by}")
        said = len(entries)
        if run.status != "running":
            return run
        time.sleep(1)


def _summary(run: Run) -> None:
    numbers = measure_run(run)
    console.print(f"{run.id} is {run.status}: {run.why}")
    if numbers.rto is not None:
        loss = "unknown" if numbers.rpo is None else f"at most {numbers.rpo:.0f} s ({numbers.rpo_source})"
        console.print(f"RTO {numbers.rto:.0f} s, RPO {loss}")
