"""Releasing from a terminal: deploy, train, approve, deny, rollback, onboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
import msgspec

from candlefish.errors import ControlPlaneError
from candlefish.release.model import Answered
from cli.acting import new_name
from cli.completion import complete_release, complete_service, remember
from cli.exits import Exit
from cli.looking import why_ended
from cli.options import CATALOG, in_environment_at_once, in_environment_to_change
from cli.progress import progress
from cli.screen.fleet import service_lines
from cli.screen.printing import show, width
from cli.stack import Stack
from cli.terminal import as_json, document, echo
from cli.watch import asked_for

if TYPE_CHECKING:
    from candlefish.views.model import ServiceView

# How a rollback ends that had nothing to do.
NOTHING_DONE = frozenset(
    {"NothingToRollBack", "NotOnboarded", "UnknownService", "InvalidInput", "NotAllowed"}
)


@click.command()
@click.argument("service", shell_complete=complete_service)
@click.argument("image", required=False)
@in_environment_to_change
@click.option("--configuration", is_flag=True, help="Release what is live with the configuration of today.")
@click.option(
    "--expect", default="", help="Digest of the configuration that plan showed; no other is released."
)
@click.option("--reason", required=True, help="Why; it is kept with the release.")
@click.option("--label", default="", help="What people call the version (a tag or commit).")
@click.option("--bundle", default="", help="S3 URI of rendered manifests (see: candlefish bundle).")
@click.option("--bundle-digest", default="", help="SHA-256 of the bundle.")
@click.option("--break-glass", default="", help="Why a freeze window shall not stop this release.")
@click.option("--allow-bad", is_flag=True, help="Insist on a version that was rolled back before.")
@click.option("--follow/--no-follow", default=True, help="Follow the release until it is promoted or over.")
@as_json
def deploy_command(
    stack: Stack,
    service: str,
    image: str | None,
    configuration: bool,
    expect: str,
    follow: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Release IMAGE (by digest) to SERVICE.

    With --configuration and no IMAGE it is what is live, with the configuration that the stack carries by now.
    Exits as `candlefish watch` does: 0 when it was promoted, 3 rolled back, 4 refused.
    """
    if configuration == bool(image):
        raise click.UsageError("name an IMAGE, or --configuration for the one that is live")
    name = new_name(service)
    request = {"service": service, "image": image, **fields, "configuration": expect}
    if configuration:
        request |= _of_live(stack, service)
    stack.ask("release", name, {key: value for key, value in request.items() if value})
    remember(stack.environment, releases=[name])
    asked_for(stack, name, follow=follow, train=False, as_json=as_json)


def _of_live(stack: Stack, service: str) -> dict[str, str]:
    """The version that is live, as a release names it: only over just this image."""
    from cli.plan import of_live

    live = of_live(stack.records().get(service).stable_version, service)
    return {**live, "replaces": live["image"]}


@click.command()
@click.argument("file", type=click.File())
@in_environment_to_change
@click.option("--follow/--no-follow", default=True, help="Follow the train until it has ended.")
@as_json
def train_command(stack: Stack, file: Any, follow: bool, as_json: bool) -> None:
    """Release several services in the order of their dependencies, all or nothing (see events/train.json).

    Exits 0 when every one of them was promoted, 3 when they were taken back, 4 refused, 7 when they wait for morning.
    """
    from cli.files import read_train

    request = read_train(file.read(), file.name)
    name = new_name("train")
    stack.ask("train", name, msgspec.to_builtins(request))
    asked_for(stack, name, follow=follow, train=True, as_json=as_json)


_question_option = click.option(
    "--question", default="", help="Its id, as it was shown (message, status, watch); else it is shown now."
)


def _decide(stack: Stack, release: str, question: str, answer: str, reason: str, *, as_json: bool) -> None:
    """Answer the question that the person saw: the one named, or the one that is shown now and confirmed."""
    if not question:
        question = _shown(stack, release, {"approved": "approve", "denied": "deny"}[answer])
    body = {"release": release, "question": question, "answer": answer, "reason": reason}
    said = msgspec.convert(stack.post("decide_approval", body), Answered)
    if as_json:
        document({**msgspec.to_builtins(said), "says": said.words})
    else:
        echo(said.words)


def _shown(stack: Stack, release: str, action: str) -> str:
    """Show what is asked now, on what evidence, and what the answer does; the id of what the person says yes to."""
    from cli.screen.cells import clean, plain
    from cli.screen.release import people, question_parts
    from cli.views import Views

    view = Views(stack).release(release)
    if view.question is None:
        echo(f"nothing is asked: {clean(view.says)}", err=True)
        raise SystemExit(Exit.REFUSED)
    known = next((each for each in view.actions if each.name == action), None)
    if known is not None and not known.may:
        echo(f"{clean(known.why_not)}; {people(known.who) or 'nobody'} can", err=True)
        raise SystemExit(Exit.REFUSED)
    for _, part in question_parts(view.question, width(), time.time(), None):
        for each in part:
            echo(plain(each), err=True)
    click.confirm(f"{action.capitalize()} it?", abort=True, err=True)
    return view.question.id


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_at_once
@_question_option
@click.option("--reason", default="", help="Why; it is kept with the release.")
@as_json
def approve_command(stack: Stack, release: str, question: str, reason: str, as_json: bool) -> None:
    """Say yes to a question of RELEASE, as the person your credentials name."""
    _decide(stack, release, question, "approved", reason, as_json=as_json)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_at_once
@_question_option
@click.option("--reason", required=True, help="Why not; it is kept with the release.")
@as_json
def deny_command(stack: Stack, release: str, question: str, reason: str, as_json: bool) -> None:
    """Say no to a question of RELEASE; it is rolled back."""
    _decide(stack, release, question, "denied", reason, as_json=as_json)


@click.command()
@click.argument("service", shell_complete=complete_service)
@in_environment_at_once
@click.option("--reason", required=True, help="Why; it is kept with the release.")
@click.option("--bad/--not-bad", default=True, help="Whether the version shall be remembered as bad.")
@as_json
def rollback_command(stack: Stack, service: str, reason: str, bad: bool, as_json: bool) -> None:
    """Put all traffic of SERVICE back on the version known to be good."""
    name = f"{new_name(service)}-rollback"
    request = {"service": service, "reason": reason, "disposition": "bad" if bad else "rejected"}
    stack.ask("rollback", name, request)
    with progress(f"{service}: all traffic goes back, then the version is drained"):
        while (found := stack.execution("rollback", name))["status"] == "RUNNING":
            time.sleep(1)
    if found["status"] != "SUCCEEDED":
        said = why_ended(found)
        if as_json:
            document({"id": name, "service": service, "says": said})
        else:
            echo(f"{service} was not rolled back: {said}", err=True)
        raise SystemExit(Exit.REFUSED if found.get("error") in NOTHING_DONE else Exit.FAILED)
    view = _service(stack, service)
    if as_json:
        document({"id": name, "service": service, "view": view})
    elif view is None:
        echo(f"{service} was rolled back; candlefish status {service} -e {stack.environment} shows it")
    else:
        show(service_lines(view, width(), time.time(), None))


def _service(stack: Stack, service: str) -> ServiceView | None:
    """How the service stands; None where that cannot be told: what was asked for is done all the same."""
    from cli.views import Views

    try:
        return Views(stack).service(service)
    except ControlPlaneError:
        return None


@click.command()
@click.argument("services", nargs=-1, shell_complete=complete_service)
@in_environment_to_change
@click.option("--all", "everything", is_flag=True, help="Every service of the catalog.")
@as_json
def onboard_command(stack: Stack, services: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Make the target groups, rules and first record of SERVICES; may be run again at any time."""
    from candlefish.catalog.load import load

    made = []
    for service in sorted(load(CATALOG).services) if everything else services:
        record = stack.invoke("onboard", {"service": service})
        made.append({"service": service, "rule": record["rule"]})
        if not as_json:
            echo(f"{service}: rule {record['rule']}")
    if as_json:
        document(made)
