"""An environment's sleep from a terminal: wake, sleep, keep-awake, and the capacity commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.capacity.model import CapacityRecord
from candlefish.capacity.never_production import require_schedule
from candlefish.catalog.load import load
from candlefish.cost.savings import hours_asleep, naps_of
from cli.options import CATALOG, in_environment, in_environment_to_change
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, echo

POLL = 3.0
WEEK = 7 * 86400.0
STYLE = {"awake": "green", "asleep": "blue", "going_down": "yellow", "waking": "yellow"}
console = PlainConsole()


def _command(action: str, text: str) -> click.Command:
    @click.command(action.replace("_", "-"), help=text)
    @in_environment_to_change
    @click.option(
        "--until", required=True, help="Like 23:00, 2026-11-25T09:00 or 2h; local to the environment."
    )
    @click.option("--reason", required=True, help="Why; it is kept and told.")
    @click.option("--follow", is_flag=True, help="Follow until the environment is there.")
    @as_json
    def run(stack: Stack, until: str, reason: str, follow: bool, as_json: bool) -> None:
        _say(stack, {"action": action, "until": until, "reason": reason}, as_json=as_json)
        if follow:
            tell = partial(click.echo, err=True) if as_json else click.echo
            _follow(stack, "asleep" if action == "sleep" else "awake", tell)

    return run


wake_command = _command("wake", "Wake an environment until a time, whatever its schedule says.")
sleep_command = _command("sleep", "Put an environment to sleep until a time, whatever its schedule says.")
keep_awake_command = _command(
    "keep_awake", "Keep an environment awake until a time, whatever anybody else says."
)
freeze_command = _command("freeze", "Change nothing about an environment's capacity until a time.")


@click.group("capacity")
def capacity_command() -> None:
    """What is awake and what sleeps, what it was before, and what would be done now."""


capacity_command.add_command(freeze_command)


@capacity_command.command("clear")
@in_environment_to_change
@as_json
def clear_command(stack: Stack, as_json: bool) -> None:
    """Drop every wake, sleep, keep-awake and freeze: the schedule alone decides again."""
    _say(stack, {"action": "clear"}, as_json=as_json)


@capacity_command.command("plan")
@in_environment
@as_json
def plan_command(stack: Stack, as_json: bool) -> None:
    """Say what would be done now, and do nothing."""
    _may_sleep(stack)
    decision = stack.invoke("reconcile_capacity", {"dry_run": True})
    if as_json:
        document(decision)
    else:
        echo(f"{decision['action']}: {decision['reason']}")


@capacity_command.command("show")
@in_environment
@click.option("--all", "everything", is_flag=True, help="Each thing that was saved, and what it was.")
@as_json
def show_command(stack: Stack, everything: bool, as_json: bool) -> None:
    """Show where an environment is on its way, what was saved, and what people said."""
    zone = _may_sleep(stack)
    record = _store(stack).get()
    if as_json:
        document(record)
    else:
        console.print(capacity_view(record, zone, time.time(), everything=everything))


def capacity_view(record: CapacityRecord, zone: str, now: float, *, everything: bool) -> RenderableType:
    """An environment's capacity record for a terminal. Pure."""

    def clock(moment: float) -> str:
        return f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%a %d %b %H:%M}"

    head = Text.assemble(
        (record.environment, "bold"),
        " ",
        (record.phase.replace("_", " "), STYLE[record.phase]),
        f" since {clock(record.phase_at)}: {record.reason}" if record.phase_at else ", and never slept",
    )
    parts: list[RenderableType] = [head]
    if record.postponed_since:
        parts.append(f"It waits for releases since {clock(record.postponed_since)}.")
    week = hours_asleep(naps_of(record, now), now - WEEK, now)
    parts.append(f"Asleep for {week:.1f} hours of the last 168.")
    if record.overrides:
        parts.append(
            _rows(
                ("said", "until", "by", "why"),
                [
                    (each.kind.replace("_", "-"), clock(each.until), each.by, each.reason)
                    for each in record.overrides
                ],
            )
        )
    if record.notes:
        parts.append(
            _rows(
                ("thing", "is", "how"),
                [(key, note.why, note.detail) for key, note in sorted(record.notes.items())],
            )
        )
    if record.queue:
        parts.append(_rows(("waits", "since"), [(each.release, clock(each.at)) for each in record.queue]))
    if record.saved:
        parts.append(f"{len(record.saved.things)} things were saved at {clock(record.saved.at)}.")
        if everything:
            parts.append(
                _rows(
                    ("thing", "was", "sleeps as"),
                    [
                        (key, str(each.original), str(each.parked))
                        for key, each in record.saved.things.items()
                    ],
                )
            )
    return Group(*parts)


def _rows(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(*heads, box=None, header_style="dim")
    for row in rows:
        table.add_row(*row)
    return table


def _store(stack: Stack) -> DynamoCapacity:
    return DynamoCapacity(stack.client("dynamodb"), stack.table, stack.environment)


def _may_sleep(stack: Stack) -> str:
    """The time zone of the environment's hours; production is refused here already."""
    return require_schedule(load(CATALOG), stack.environment)[1].timezone


def _say(stack: Stack, request: dict[str, Any], *, as_json: bool) -> None:
    zone = _may_sleep(stack)
    answer = stack.post("command_capacity", request)
    if as_json:
        document(answer)
        return
    wanted = answer["desired"]
    until = wanted.get("until")
    when = f" until {datetime.fromtimestamp(until, ZoneInfo(zone)):%a %d %b %H:%M}" if until else ""
    echo(f"{stack.environment} should be {wanted['state']}{when}: {wanted['reason']}")


def _follow(stack: Stack, phase: str, tell: Callable[[str], None] = click.echo) -> None:
    store, told = _store(stack), ""
    while True:
        record = store.get()
        line = f"{record.phase.replace('_', ' ')}, {len(record.tried)} things in hand"
        if line != told:
            tell(line)
            told = line
        if record.phase == phase:
            return
        time.sleep(POLL)
