"""Steering from a terminal: pause, resume, promote, abort, freeze, unfreeze, undo."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import msgspec

from candlefish.errors import ControlPlaneError, InvalidInput, Unavailable
from candlefish.release.freeze import FreezesInForce
from candlefish.release.steer_release import Steered
from cli.acting import new_name
from cli.completion import complete_release, complete_service, remember
from cli.exits import Exit
from cli.looking import why_ended
from cli.options import in_environment_at_once, in_environment_to_change
from cli.progress import progress
from cli.screen.calendar import frozen_lines
from cli.screen.printing import show, width
from cli.stack import Stack
from cli.terminal import as_json, document, echo
from cli.views import Views
from cli.watch import asked_for

if TYPE_CHECKING:
    from candlefish.release.model import Release

# How many releases of a service an undo looks back at.
LOOKS_BACK = 100
# Seconds between two looks at a rollback.
POLL = 1.0


def _ask(stack: Stack, function: str, body: dict[str, Any]) -> Any:
    """Have it done as the person whose credentials these are; a refusal ends the command, and says why."""
    try:
        return stack.post(function, body)
    except (InvalidInput, Unavailable) as refusal:
        raise _ended(refusal) from refusal


def _ended(error: ControlPlaneError) -> SystemExit:
    echo(str(error), err=True)
    return SystemExit(Exit.UNKNOWN if isinstance(error, Unavailable) else Exit.REFUSED)


def _steer(stack: Stack, action: str, release: str, reason: str, plain: bool) -> None:
    answer = _ask(stack, "steer_release", {"action": action, "release": release, "reason": reason})
    said = msgspec.convert(answer, Steered)
    if plain:
        document(said)
    else:
        echo(said.says)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_at_once
@click.option("--reason", default="", help="Why; it is kept with the release.")
@as_json
def pause_command(stack: Stack, release: str, reason: str, as_json: bool) -> None:
    """Let RELEASE go no further until somebody resumes it; what harms users is still rolled back.

    A step that waits (judge, bake, a question) goes on being looked at, and no weight grows. After the time that a release
    may be held for, people are asked whether it shall go on.
    """
    _steer(stack, "pause", release, reason, as_json)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_to_change
@click.option("--reason", default="", help="Why; it is kept with the release.")
@as_json
def resume_command(stack: Stack, release: str, reason: str, as_json: bool) -> None:
    """Let RELEASE go on that you paused, or that somebody else did if you are an approver.

    What an alert holds ends with the alert, or by the answer to a question.
    """
    _steer(stack, "resume", release, reason, as_json)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_to_change
@click.option("--reason", required=True, help="Why; it is kept with the release.")
@as_json
def promote_command(stack: Stack, release: str, reason: str, as_json: bool) -> None:
    """Give RELEASE all traffic now and promote it, without the rest of judging, baking and waiting.

    Smoke tests, hooks, jobs and getting ready are never skipped, and its rollback window is watched as ever. In production an
    approver does it who did not ask for the release, as anywhere where its steps ask people.
    """
    _steer(stack, "promote", release, reason, as_json)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_at_once
@click.option("--reason", required=True, help="Why; it is kept with the release.")
@as_json
def abort_command(stack: Stack, release: str, reason: str, as_json: bool) -> None:
    """End RELEASE while it runs: all traffic back, and its version is not remembered as bad.

    After it was promoted that is a rollback of its service, and this command refuses.
    """
    from candlefish.service.record import check_running

    asked = stack.journal().read(release)
    try:
        check_running(stack.records().get(asked.service), release)
    except ControlPlaneError as refusal:
        raise _ended(refusal) from refusal
    name = f"{new_name(asked.service)}-rollback"
    request = {
        "service": asked.service,
        "release": release,
        "reason": reason,
        "disposition": "rejected",
        "only_running": True,
    }
    _ask(stack, "request_release", {"start": "rollback", "name": name, "input": request})
    echo(f"{release} is aborted: all traffic goes back; its Pods drain", err=as_json)
    with progress(f"{asked.service}: draining"):
        while (found := stack.execution("rollback", name))["status"] == "RUNNING":
            time.sleep(POLL)
    if found["status"] != "SUCCEEDED":
        echo(why_ended(found), err=True)
        raise SystemExit(Exit.REFUSED if found.get("error") == "NothingToRollBack" else Exit.FAILED)
    says = f"{asked.service} is back on what served before {release}"
    if as_json:
        document({"release": release, "service": asked.service, "says": says})
    else:
        echo(says)


@click.command()
@click.argument("service", required=False, default="", shell_complete=complete_service)
@in_environment_at_once
@click.option("--until", default="", help="Like 23:00, 2026-11-25T09:00 or 2h; local to the environment.")
@click.option("--reason", default="", help="Why; it is kept and told.")
@as_json
def freeze_command(stack: Stack, service: str, until: str, reason: str, as_json: bool) -> None:
    """Freeze releases of SERVICE, or of the whole environment, at once; without --until, show what is frozen.

    Rollbacks are never frozen. A release whose version users see already goes on; one that nobody sees yet ends.
    """
    if not until:
        if reason:
            raise click.UsageError("say until when: --until 23:00, 2026-12-01T09:00 or 2h")
        _show(stack, service, as_json)
        return
    if not reason.strip():
        raise click.UsageError("say why: --reason")
    _told(_ask(stack, "freeze", {"service": service, "until": until, "reason": reason}), as_json)


@click.command()
@click.argument("service", required=False, default="", shell_complete=complete_service)
@in_environment_to_change
@click.option("--reason", required=True, help="Why; it is told.")
@as_json
def unfreeze_command(stack: Stack, service: str, reason: str, as_json: bool) -> None:
    """Lift the freeze of SERVICE, or that of the whole environment, before it ends by itself.

    A freeze window of the catalog's calendar is not lifted by it.
    """
    _told(_ask(stack, "freeze", {"action": "lift", "service": service, "reason": reason}), as_json)


def _told(answer: Any, plain: bool) -> None:
    said = msgspec.convert(answer, FreezesInForce)
    if plain:
        document(said)
    else:
        echo(said.says)


def _show(stack: Stack, service: str, plain: bool) -> None:
    """What the calendar says that is frozen now: asked for, and by the catalog."""
    view = Views(stack).calendar()
    frozen = [
        each
        for each in view.days
        if each.state == "frozen"
        and each.start <= view.now < each.end
        and (not service or each.service in ("", service))
    ]
    if plain:
        document(msgspec.structs.replace(view, days=tuple(frozen)))
        return
    show(frozen_lines(frozen, width(), view.now, ZoneInfo(view.zone)))
    if not frozen:
        echo(f"{service or 'nothing'} is {'not ' if service else ''}frozen in {stack.environment}")


@click.command()
@click.argument("service", shell_complete=complete_service)
@in_environment_to_change
@click.option("--to", default="", help="Release, label or digest; by default what served before.")
@click.option("--reason", required=True, help="Why; it is kept with the release.")
@click.option("--break-glass", default="", help="Why a freeze window shall not stop this release.")
@click.option("--follow/--no-follow", default=True, help="Follow the release until it is promoted or over.")
@as_json
def undo_command(
    stack: Stack, service: str, to: str, reason: str, break_glass: str, follow: bool, as_json: bool
) -> None:
    """Release the version that served SERVICE before, or the one named by --to, through all steps.

    Its image and bundle come again, its configuration is the catalog's of today. A version known bad is refused. While the
    rollback window is open, `candlefish rollback` is there in seconds.
    """
    from candlefish.release.undo import find_earlier

    record = stack.records().get(service)
    try:
        found = find_earlier(record, stack.journal().recent(service, LOOKS_BACK), to)
    except ControlPlaneError as refusal:
        raise _ended(refusal) from refusal
    if not to and record.window_until > time.time():
        echo(f"the rollback window is open; this is faster: candlefish rollback {service}", err=True)
    name = new_name(service)
    request = _again(found, reason, record.stable_version.image if record.stable_version else "", break_glass)
    _ask(stack, "request_release", {"start": "release", "name": name, "input": request})
    remember(stack.environment, releases=[name])
    asked_for(stack, name, follow=follow, train=False, as_json=as_json)


def _again(release: Release, reason: str, live: str, break_glass: str) -> dict[str, Any]:
    """A request for the version of an earlier release, over just the image that is live now."""
    version = release.version
    fields = {
        "service": release.service,
        "image": version.image,
        "label": version.label,
        "bundle": version.bundle,
        "bundle_digest": version.bundle_digest,
        "reason": f"undo to {version.short} of {release.id}: {reason}",
        "replaces": live,
        "break_glass": break_glass,
    }
    return {key: value for key, value in fields.items() if value}
