"""`candlefish recovery`: what failovers and drills measured, what the audit of backups found."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from candlefish.adapters.table.drills import DynamoDrills
from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.catalog.load import load
from candlefish.catalog.standby import peer_region
from candlefish.errors import ControlPlaneError
from candlefish.failover.evidence import Measured, measure_run
from candlefish.failover.model import Run
from candlefish.views.model import RecoveryView
from cli.acting import new_name
from cli.options import CATALOG, in_environment, in_environment_to_change
from cli.progress import progress
from cli.screen.cells import Span, line
from cli.screen.printing import show, width
from cli.screen.recovery import audit_found, audit_of, failovers_of, recovery_lines
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, echo, failure
from cli.views import Views

console, errors = PlainConsole(), PlainConsole(stderr=True)


@click.group("recovery")
def recovery_command() -> None:
    """Evidence: failovers, drills and the audit of backups."""


@recovery_command.command("report")
@click.argument("target", required=False, default="")
@in_environment
@click.option(
    "--region", default="", help="Only the stack of this region; by default also that of the recovery region."
)
@as_json
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    help="Write the evidence to a file, too: JSON of every run and its whole timeline, as they are stored.",
)
def report_command(stack: Stack, target: str, region: str, as_json: bool, write: Path | None) -> None:
    """Show whether we could recover: drills, failovers, the newest audit; with a TARGET, its failovers with a timeline.

    Two stacks are two documents.
    """
    stacks = [Stack(stack.environment, region)] if region else _both(stack)
    if write:
        write.write_text(json.dumps(_evidence_of(stack, stacks, target), indent=2) + "\n")
    for number, (where, view) in enumerate(_seen(stacks)):
        if as_json:
            document(replace(view, runs=failovers_of(view, target)) if target else view)
            continue
        if len(stacks) > 1:
            show([*([()] if number else []), line(Span(where.region, "bold"))])
        show(recovery_lines(view, width(), time.time(), None, target=target))


def _both(stack: Stack) -> list[Stack]:
    """The stack, and that of the region that the environment could be recovered in."""
    env = load(CATALOG).environments.get(stack.environment) if CATALOG.exists() else None
    peer = peer_region(env, stack.region) if env else ""
    return [stack, *([Stack(stack.environment, peer)] if peer else [])]


def _seen(stacks: list[Stack]) -> list[tuple[Stack, RecoveryView]]:
    """What the stacks show; one that does not answer is said and left out, where another does."""
    found: list[tuple[Stack, RecoveryView]] = []
    for stack in stacks:
        try:
            found.append((stack, Views(stack).recovery()))
        except ControlPlaneError as error:
            if len(stacks) == 1 or (stack is stacks[-1] and not found):
                raise
            echo(f"{stack.region} is left out: {error}", err=True)
    return found


def _evidence_of(stack: Stack, stacks: list[Stack], target: str) -> dict[str, Any]:
    recovery = load(CATALOG).environments[stack.environment].recovery
    return {
        "promised": {"rto": float(recovery.rto), "rpo": float(recovery.rpo)},
        "failovers": [_evidence(where, run) for where, run in _known(stacks, target)],
        "drills": [] if target else [_builtins(drill) for drill in _drills(stack).recent()],
    }


def _known(stacks: list[Stack], target: str) -> list[tuple[Stack, Run]]:
    """Runs of both regions, newest first; a region that does not answer is said and left out."""
    found: list[tuple[Stack, Run]] = []
    for stack in stacks:
        try:
            found += [(stack, run) for run in _runs(stack).recent(target)]
        except ControlPlaneError as error:
            echo(f"{stack.region} is left out: {error}", err=True)
    return sorted(found, key=lambda pair: -pair[1].requested_at)


def _evidence(stack: Stack, run: Run) -> dict[str, Any]:
    found: Measured = measure_run(run)
    return {
        "region": stack.region,
        "run": _builtins(run),
        "measured": _builtins(found),
        "timeline": [_builtins(entry) for entry in _runs(stack).entries(run)],
    }


def _builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def _runs(stack: Stack) -> DynamoRuns:
    return DynamoRuns(stack.client("dynamodb"), stack.table, stack.environment)


def _drills(stack: Stack) -> DynamoDrills:
    return DynamoDrills(stack.client("dynamodb"), stack.table, stack.environment)


@recovery_command.command("audit")
@in_environment
@click.option("--now", "run_it", is_flag=True, help="Audit now instead of showing the newest audit.")
@click.option("--all", "everything", is_flag=True, help="Show what passed, too.")
@as_json
def audit_command(stack: Stack, run_it: bool, everything: bool, as_json: bool) -> None:
    """Show what the audit of backups found. Exits 1 when something is not well or unknown."""
    if run_it:
        stack.invoke("audit_backups", {})
    audit = audit_of(Views(stack).recovery())
    if audit is None:
        raise failure(f"the backups of {stack.environment} were never audited; run it with --now")
    if as_json:
        document(audit)
    else:
        show(audit_found(audit, width(), time.time(), None, everything=everything))
    raise SystemExit(1 if audit.evidence.get("findings") else 0)


@recovery_command.command("drill")
@click.argument("database", required=False, default="")
@in_environment_to_change
@click.option("--follow/--no-follow", default=True, help="Wait until it is over.")
@as_json
def drill_command(stack: Stack, database: str, follow: bool, as_json: bool) -> None:
    """Restore the newest snapshot of DATABASE (or of all) into a scratch instance, read it, delete it.

    Exits 1 when a drill failed.
    """
    name = new_name("drill")
    request = {"requested_by": stack.caller} | ({"database": database} if database else {})
    stack.start("drill", name, request)
    (errors if as_json else console).print(f"{name} was started")
    if not follow:
        if as_json:
            document({"drill": name})
        return
    with progress("restoring, reading, deleting"):
        while (ended := stack.execution("drill", name))["status"] == "RUNNING":
            time.sleep(2)
    drills = [drill for drill in _drills(stack).recent() if drill.id.startswith(f"{name}-")]
    if as_json:
        document({"drill": name, "status": ended["status"], "drills": drills})
    for drill in () if as_json else drills:
        console.print(f"{drill.database}: {drill.outcome}: {drill.why}")
    if ended["status"] != "SUCCEEDED":
        raise failure(f"{ended['status']}: {ended.get('cause') or ended.get('error') or ''}")
