"""`candlefish recovery`: what failovers and drills measured, what the audit of backups found."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from candlefish.adapters.table.drills import DynamoDrills
from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.backups.evidence import measure_drill
from candlefish.catalog.load import load
from candlefish.catalog.standby import peer_region
from candlefish.failover.evidence import Measured, measure_run
from candlefish.failover.model import Run
from cli.acting import new_name
from cli.options import CATALOG, in_environment, in_environment_to_change
from cli.progress import progress
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, failure, mark
from cli.view import utc

console, errors = PlainConsole(), PlainConsole(stderr=True)


@click.group("recovery")
def recovery_command() -> None:
    """Evidence: failovers, drills and the audit of backups."""


@recovery_command.command("report")
@click.argument("target", required=False, default="")
@in_environment
@as_json
@click.option("--write", type=click.Path(path_type=Path), help="Write the evidence as JSON to a file, too.")
def report_command(stack: Stack, target: str, as_json: bool, write: Path | None) -> None:
    """Show what failovers and drills measured; with a TARGET, the newest run's whole timeline."""
    env = load(CATALOG).environments[stack.environment]
    peer = peer_region(env, stack.region)
    stacks = [stack, *([Stack(stack.environment, peer)] if peer else [])]
    runs = _known(stacks, target)
    drills = [] if target else _drills(stack).recent()
    if write or as_json:
        evidence = {
            "promised": {"rto": float(env.recovery.rto), "rpo": float(env.recovery.rpo)},
            "failovers": [_evidence(where, run) for where, run in runs],
            "drills": [_builtins(drill) for drill in drills],
        }
    if write:
        write.write_text(json.dumps(evidence, indent=2) + "\n")
    if as_json:
        document(evidence)
        return
    if target and runs:
        where, run = runs[0]
        for entry in _runs(where).entries(run):
            console.print(f"{utc(entry.at)}  {entry.kind:18} {entry.reason}")
    table = Table(title=f"failovers of {stack.environment}", title_justify="left")
    for column in ("when", "target", "plan", "to", "status", "RTO", "RPO at most", "from", "by"):
        table.add_column(column, overflow="fold")
    for _, run in runs:
        found = measure_run(run)
        loss = "unknown" if found.rpo is None else seconds(found.rpo)
        table.add_row(
            utc(run.requested_at),
            run.target,
            run.plan,
            run.to,
            run.status,
            seconds(found.rto),
            loss,
            found.rpo_source or "-",
            run.requested_by.rpartition("/")[2],
        )
    console.print(table)
    console.print(f"promised: RTO {env.recovery.rto}, RPO {env.recovery.rpo}")
    if drills:
        table = Table(title=f"drills of {stack.environment}", title_justify="left")
        for column in ("when", "database", "snapshot", "outcome", "restored in", "data age", "why"):
            table.add_column(column, overflow="fold")
        for drill in drills:
            told = measure_drill(drill) if drill.outcome == "passed" else {}
            table.add_row(
                utc(drill.started_at),
                drill.database,
                drill.snapshot.identifier,
                drill.outcome or "running",
                seconds(told.get("restore_time")),
                seconds(told.get("data_age")),
                drill.why,
            )
        console.print(table)


def _known(stacks: list[Stack], target: str) -> list[tuple[Stack, Run]]:
    """Runs of both regions, newest first; a region that does not answer is said and left out."""
    from candlefish.errors import ControlPlaneError

    found: list[tuple[Stack, Run]] = []
    for stack in stacks:
        try:
            found += [(stack, run) for run in _runs(stack).recent(target)]
        except ControlPlaneError as error:
            errors.print(f"{stack.region} is left out: {error}", style="yellow")
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


def seconds(value: float | None) -> str:
    """A length of time as people read it."""
    if value is None:
        return "-"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


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
    report = _drills(stack).latest()
    if report is None:
        raise failure(f"the backups of {stack.environment} were never audited; run it with --now")
    bad = sum(finding.verdict != "pass" for finding in report.findings)
    if as_json:
        document(report)
        raise SystemExit(1 if bad else 0)
    table = Table(title=f"backups of {stack.environment}, audited {utc(report.at)}", title_justify="left")
    for column in ("", "rule", "of", "what was seen", "what to do"):
        table.add_column(column, overflow="fold")
    marks = {"pass": mark(True), "fail": mark(False), "unknown": mark(None)}
    for finding in report.findings:
        if everything or finding.verdict != "pass":
            table.add_row(marks[finding.verdict], finding.rule, finding.subject, finding.reason, finding.fix)
    console.print(table)
    console.print(f"{len(report.findings) - bad} of {len(report.findings)} rules pass")
    raise SystemExit(1 if bad else 0)


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
