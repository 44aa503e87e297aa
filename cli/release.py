"""Releasing from a terminal: deploy, train, status, watch, approve, deny, rollback, onboard."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Group
from rich.text import Text

from candlefish.automation import why_off
from candlefish.errors import InvalidInput
from candlefish.names import RELEASE, bounded_name
from candlefish.release.model import Answered, Release
from candlefish.service.model import name_of_car
from cli.automation import switch_of
from cli.completion import complete_either, complete_release, complete_service, remember
from cli.options import CATALOG, in_environment, in_environment_at_once, in_environment_to_change
from cli.stack import Stack
from cli.terminal import PlainConsole, echo, failure
from cli.view import entry_line, release_view, releases_view, service_view

if TYPE_CHECKING:
    from rich.live import Live

    from candlefish.adapters.table.journal import DynamoJournalStore

OVER = ("promoted", "rolled_back", "refused")
console = PlainConsole()


def new_name(service: str) -> str:
    """An execution name that sorts by time and is unique."""
    last = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    return bounded_name(service, last, longest=RELEASE)


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
def deploy_command(
    stack: Stack,
    service: str,
    image: str | None,
    configuration: bool,
    expect: str,
    follow: bool,
    **fields: Any,
) -> None:
    """Release IMAGE (by digest) to SERVICE.

    With --configuration and no IMAGE it is what is live, with the configuration that the stack carries by now.
    Exits 0 when the version was promoted, 1 when it was refused or rolled back.
    """
    if configuration == bool(image):
        raise click.UsageError("name an IMAGE, or --configuration for the one that is live")
    name = new_name(service)
    request = {"service": service, "image": image, **fields, "configuration": expect}
    if configuration:
        request |= _of_live(stack, service)
    stack.ask("release", name, {key: value for key, value in request.items() if value})
    remember(stack.environment, releases=[name])
    echo(name)
    if follow and not _follow(stack, name):
        raise SystemExit(1)


def _of_live(stack: Stack, service: str) -> dict[str, str]:
    """The version that is live, as a release names it: only over just this image."""
    from cli.plan import of_live

    live = of_live(stack.records().get(service).stable_version, service)
    return {**live, "replaces": live["image"]}


@click.command()
@click.argument("file", type=click.File())
@in_environment_to_change
@click.option("--follow/--no-follow", default=True, help="Follow the train until it has ended.")
def train_command(stack: Stack, file: Any, follow: bool) -> None:
    """Release several services in the order of their dependencies, all or nothing (see events/train.json).

    Exits 0 when every one of them was promoted, 1 when they were refused, queued or taken back.
    """
    from cli.files import read_train

    request = read_train(file.read(), file.name)
    name = new_name("train")
    stack.ask("train", name, msgspec.to_builtins(request))
    echo(name)
    if follow:
        _follow_train(stack, name, [car.service for car in request.releases])


@click.command()
@click.argument("name", required=False, shell_complete=complete_either)
@in_environment
@click.option("--question", is_flag=True, help="Print the id of RELEASE's newest question and nothing else.")
def status_command(stack: Stack, name: str | None, question: bool) -> None:
    """Show every service; or one SERVICE with its releases; or one RELEASE with its timeline."""
    if question:
        echo(stack.approvals().read(name or "").question)
        return
    known = stack.records().all()
    records = {record.service: record for record in known}
    remember(stack.environment, services=records)
    journal = stack.journal()
    if off := why_off(switch_of(stack)):
        console.print(Text(f"AUTOMATION IS OFF: {off}", style="bold red"))
    for lost in known.unreadable:
        echo(f"{lost.service}: {lost.why}", err=True)
    if name is None:
        console.print(Group(*(service_view(record, time.time()) for record in records.values())))
    elif name in records:
        console.print(service_view(records[name], time.time()))
        recent = journal.recent(name)
        remember(stack.environment, releases=[release.id for release in recent])
        console.print(releases_view(recent))
    else:
        console.print(release_view(journal.read(name), journal.entries(name)))


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment
@click.option("--until-question", is_flag=True, help="End as well when the release waits for an answer.")
def watch_command(stack: Stack, release: str, until_question: bool) -> None:
    """Follow RELEASE live until it is promoted or over; exits 1 when it was refused or rolled back."""
    if not _follow(stack, release, ("promoted", "awaiting_approval") if until_question else ("promoted",)):
        raise SystemExit(1)


def _follow(stack: Stack, name: str, good: tuple[str, ...] = ("promoted",)) -> bool:
    """Show a release until it is over, or comes to a status in `good`; whether it came to one.

    A terminal shows it as it stands; a log gets each entry once, when it is there.
    """
    journal, records, told = stack.journal(), stack.records(), Counter[str]()
    with _screen() as live:
        while True:
            try:
                release = journal.read(name)
            except InvalidInput:
                _fail_when_over(stack, name)
                time.sleep(0.5)
                continue
            if live:
                live.update(_both(release, journal, records))
            else:
                _tell(release, journal, told)
            if release.status in (*OVER, *good):
                return release.status in good
            time.sleep(1)


def _screen() -> Live | nullcontext[None]:
    """What a terminal shows anew all the time; nothing where there is none."""
    if not console.is_terminal:
        return nullcontext()
    from rich.live import Live

    return Live(console=console, refresh_per_second=4)


def _tell(release: Release, journal: DynamoJournalStore, told: Counter[str], before: str = "") -> None:
    """Print the entries of a release that were not told yet, each with `before` in front."""
    entries = journal.entries(release.id)
    for entry in entries[told[release.id] :]:
        echo(f"{before}{entry_line(release, entry)}")
    told[release.id] = len(entries)


def _follow_train(stack: Stack, name: str, services: list[str]) -> None:
    """Show a train's releases, one after the other, until it has ended.

    Raises
    ------
    click.ClickException
        It ended without arriving; says why.
    """
    journal, told = stack.journal(), Counter[str]()
    with _screen() as live:
        while True:
            # First how it stands: what its releases say after that is the last of it.
            found = stack.execution("train", name)
            begun = sorted(_begun(journal, name, services), key=lambda release: release.started_at)
            if live and begun:
                newest = release_view(begun[-1], journal.entries(begun[-1].id))
                live.update(Group(releases_view(begun), newest))
            for release in () if live else begun:
                _tell(release, journal, told, f"{release.id} ")
            if found["status"] != "RUNNING":
                break
            time.sleep(1)
    if found["status"] != "SUCCEEDED":
        raise _failure(found)
    released = json.loads(found["output"])["released"]
    echo(f"{name} arrived: {', '.join(released) or 'every version was stable before'}")


def _begun(journal: DynamoJournalStore, train: str, services: list[str]) -> Iterator[Release]:
    for service in services:
        with suppress(InvalidInput):
            yield journal.read(name_of_car(train, service))


def _both(release: Release, journal: Any, records: Any) -> Group:
    timeline = release_view(release, journal.entries(release.id))
    if release.slot is None:
        return Group(timeline)
    return Group(service_view(records.get(release.service), time.time()), timeline)


def _fail_when_over(stack: Stack, name: str) -> None:
    """A release that was refused before it could be written down has only its execution to tell."""
    found = stack.execution("release", name)
    if found["status"] != "RUNNING":
        raise _failure(found)


def _failure(found: dict[str, Any]) -> click.ClickException:
    """Why an execution ended, as Step Functions describes it."""
    return failure(f"{found.get('error', found['status'])}: {found.get('cause', '')}")


_question_option = click.option(
    "--question", default="", help="Its id, as it was shown (message, status, watch); else it is shown now."
)


def _decide(stack: Stack, release: str, question: str, answer: str, reason: str) -> None:
    """Answer the question that the person saw: the one named, or the one that is shown now and confirmed."""
    if not question:
        asked = stack.approvals().read(release)
        entries = [e for e in stack.journal().entries(release) if e.kind == "approval_requested"]
        echo(f"question {asked.question}: {entries[-1].reason if entries else 'shall it go on?'}")
        verb = {"approved": "Approve", "denied": "Deny"}[answer]
        click.confirm(f"{verb} it?", abort=True)
        question = asked.question
    body = {"release": release, "question": question, "answer": answer, "reason": reason}
    echo(msgspec.convert(stack.post("decide_approval", body), Answered).words)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_at_once
@_question_option
@click.option("--reason", default="", help="Why; it is kept with the release.")
def approve_command(stack: Stack, release: str, question: str, reason: str) -> None:
    """Say yes to a question of RELEASE, as the person your credentials name."""
    _decide(stack, release, question, "approved", reason)


@click.command()
@click.argument("release", shell_complete=complete_release)
@in_environment_at_once
@_question_option
@click.option("--reason", required=True, help="Why not; it is kept with the release.")
def deny_command(stack: Stack, release: str, question: str, reason: str) -> None:
    """Say no to a question of RELEASE; it is rolled back."""
    _decide(stack, release, question, "denied", reason)


@click.command()
@click.argument("service", shell_complete=complete_service)
@in_environment_at_once
@click.option("--reason", required=True, help="Why; it is kept with the release.")
@click.option("--bad/--not-bad", default=True, help="Whether the version shall be remembered as bad.")
def rollback_command(stack: Stack, service: str, reason: str, bad: bool) -> None:
    """Put all traffic of SERVICE back on the version known to be good."""
    name = f"{new_name(service)}-rollback"
    request = {"service": service, "reason": reason, "disposition": "bad" if bad else "rejected"}
    stack.ask("rollback", name, request)
    with console.status("restoring traffic, then draining"):
        while (found := stack.execution("rollback", name))["status"] == "RUNNING":
            time.sleep(1)
    if found["status"] != "SUCCEEDED":
        raise failure(f"{found.get('error', '')}: {found.get('cause', '')}")
    console.print(service_view(stack.records().get(service), time.time()))


@click.command()
@click.argument("services", nargs=-1, shell_complete=complete_service)
@in_environment_to_change
@click.option("--all", "everything", is_flag=True, help="Every service of the catalog.")
def onboard_command(stack: Stack, services: tuple[str, ...], everything: bool) -> None:
    """Make the target groups, rules and first record of SERVICES; may be run again at any time."""
    from candlefish.catalog.load import load

    for service in sorted(load(CATALOG).services) if everything else services:
        record = stack.invoke("onboard", {"service": service})
        echo(f"{service}: rule {record['rule']}")
