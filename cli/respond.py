"""`candlefish respond --dry-run FILE`: what an alarm or alert would lead to, and why."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.bounds import decoded
from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog
from candlefish.catalog.problems import CatalogError
from candlefish.errors import InvalidInput
from candlefish.release.model import Release
from candlefish.service.model import SLOTS, Slot, Version, other
from candlefish.service.record import ServiceRecord, acquire, new_record, promote
from candlefish.signals.classify import classify
from candlefish.signals.clues import clue_yaml
from candlefish.signals.dry_run import DryRunSources, run_dry
from candlefish.signals.model import Delivery, Signal
from candlefish.signals.news import notification_of
from candlefish.signals.notification import ConsoleLinks
from candlefish.signals.record import GuardRecord
from candlefish.signals.sources import from_queue, from_webhook
from candlefish.views.see_signals import signal_view
from cli.automation import switch_of
from cli.options import CATALOG, in_environment
from cli.screen.printing import show, width
from cli.screen.signals import signal_rows
from cli.signals import guards, log
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, echo
from cli.yaml_edit import append_at, edit

console = PlainConsole()
SITUATIONS = ("releasing", "promoted", "quiet")
# A supposed release began this long before the alerts, in seconds.
BEFORE = 600.0


@click.command("respond")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@in_environment
@click.option(
    "--dry-run", is_flag=True, help="Needed: this command never acts. To act, post to the endpoint."
)
@click.option(
    "--add-clue",
    is_flag=True,
    help="Write the clues that are missing into the catalog's responses.yaml, comments and all else as they are.",
)
@click.option(
    "--suppose",
    type=click.Choice(SITUATIONS),
    help="Without AWS: suppose that every service is inside a release, inside its rollback window, or quiet.",
)
@as_json
def respond_command(
    stack: Stack, file: Path, dry_run: bool, add_clue: bool, suppose: str | None, as_json: bool
) -> None:
    """Say what the alerts in FILE would lead to now: the decision, its reason, the message people would get.

    Also what was understood and by which rule, and the clue that is missing. FILE is what a source sends: Alertmanager's webhook, an SNS notification, or an EventBridge event
    (see events/signals/).
    """
    if not (dry_run or add_clue):
        raise click.UsageError("say --dry-run, or --add-clue; to act for real, post the file to the endpoint")
    delivery = read_delivery(file)
    if add_clue:
        write_clues(delivery, stack.environment, CATALOG, to_errors=as_json)
        if not dry_run:
            return
    if suppose:
        # As if the alerts had come just when they began or ended.
        now = max((a.as_of for a in delivery.alerts), default=delivery.observed_at)
        delivery = msgspec.structs.replace(delivery, observed_at=now, received_at=now)
        sight = supposed(load(CATALOG), stack.environment, suppose, now)
    else:
        sight = real(stack)
    rehearsal = run_dry(delivery, sight)
    if as_json:
        document(
            {
                "signals": rehearsal.lines,
                "would_start": [{"machine": machine, "name": name} for machine, name in rehearsal.started],
                "would_publish": [{"kind": kind, "detail": detail} for kind, detail in rehearsal.published],
            }
        )
        return
    seen = [signal_view(line) for line in rehearsal.lines]
    show(signal_rows(seen, width(), time.time(), None))
    for each in dict.fromkeys(understood(line.signal) for line in rehearsal.lines):
        echo(f"\n{each}")
    for machine, name in rehearsal.started:
        console.print(f"\nwould start {machine} {name}", style="bold")
    for kind, detail in rehearsal.published:
        text = notification_of(kind, detail, ConsoleLinks(stack.environment))
        if text:
            echo(f"\nwould tell:\n{text.plain()}")


def understood(signal: Signal) -> str:
    """What an alert is about, what said so, and what its rule leads to, in lines for people."""
    rule = f"rule {signal.rule}" if signal.rule else "no rule; its label severity says how loud it is"
    lines = [
        f"{signal.name} is about {signal.about}"
        + (f", slot {signal.slot}" if signal.slot else "")
        + f", in {signal.environment or 'no environment that it names'}",
        f"  {rule}: {signal.severity}, {signal.do}",
    ]
    if signal.why:
        lines.append(f"  why: {signal.why}")
    if signal.clue:
        lines.append(f"  add a clue for label {signal.clue[0]}: {clue_yaml(*signal.clue)}")
        lines.append("  under clues, service, in the catalog's responses.yaml; --add-clue writes it")
    return "\n".join(lines)


def write_clues(delivery: Delivery, environment: str, folder: Path, *, to_errors: bool = False) -> None:
    """Write the clues that a delivery's alerts miss into responses.yaml; say what was written.

    Raises
    ------
    InvalidInput, CatalogError
        The catalog or the file is not as it must be; nothing was written.
    """
    catalog = load(folder)
    signals = [classify(a, delivery, catalog=catalog, environment=environment) for a in delivery.alerts]
    missing = dict.fromkeys(each.clue for each in signals if each.clue)
    if not missing:
        echo(
            "no clue is missing: each alert leads to what the catalog has, or no label names a service of it",
            err=to_errors,
        )
        return
    file = folder / "responses.yaml"
    if not file.exists():
        raise InvalidInput(f"there is no {file} to write to; create it with a line of comment, and try again")

    def added(text: str) -> str:
        for label, pattern in missing:
            text = append_at(text, ["clues", "service"], {"label": label, "pattern": pattern})
        return text

    before = file.read_text(encoding="utf-8")
    edit(file, added)
    try:
        load(folder)
    except CatalogError:
        edit(file, lambda text: before)
        raise
    for label, pattern in missing:
        echo(f"wrote to {file}: {clue_yaml(label, pattern)}", err=to_errors)


def read_delivery(file: Path) -> Delivery:
    """What a source sent, whichever it is."""
    text = file.read_text(encoding="utf-8", errors="replace")
    now = time.time()
    sent = decoded(text, str(file))
    if not isinstance(sent, dict):
        raise InvalidInput(f"{file} is no JSON object")
    if "detail-type" in sent or "TopicArn" in sent:
        return from_queue(text, now)
    return from_webhook(text, now)


def real(stack: Stack) -> DryRunSources:
    """What the deployed control plane knows now."""
    catalog = load(CATALOG)
    capacity = DynamoCapacity(stack.client("dynamodb"), stack.table, stack.environment)

    def asleep() -> str:
        phase = capacity.get().phase if catalog.environment(stack.environment).schedule else "awake"
        return "" if phase == "awake" else f"{stack.environment} is {phase.replace('_', ' ')}"

    return DryRunSources(
        environment=stack.environment,
        catalog=catalog,
        guard=guards(stack).get,
        seen=log(stack).seen,
        record=stack.records().get,
        release=stack.journal().read,
        switched_off=switch_of(stack).off,
        asleep=asleep,
        now=time.time,
    )


def supposed(catalog: Catalog, environment: str, situation: str, now: float) -> DryRunSources:
    """A world without AWS in which every service is in one situation."""

    def release(name: str) -> Release:
        return Release(
            id=name,
            environment=environment,
            service="",
            version=Version("", name.replace("supposed", "version")),
            requested_by="somebody",
            reason="supposed",
            started_at=now - BEFORE,
            status="promoted" if situation == "promoted" else "running",
        )

    return DryRunSources(
        environment=environment,
        catalog=catalog,
        guard=GuardRecord,
        seen=lambda fingerprints: {},
        record=lambda service: situated(environment, service, situation, now),
        release=release,
        switched_off=lambda: "",
        asleep=lambda: "",
        now=lambda: now,
    )


def situated(environment: str, service: str, situation: str, now: float) -> ServiceRecord:
    """The record of a service that is inside a release, inside its rollback window, or quiet."""
    groups: dict[Slot, str] = {"blue": "supposed-blue", "green": "supposed-green"}
    record = new_record(environment, service, rule="", smoke_rule="", smoke_token="", target_groups=groups)
    record = _release(record, 1, weight=100, window=0, now=now)
    if situation == "quiet":
        return record
    weight, window = (100, 3600) if situation == "promoted" else (10, 0)
    return _release(record, 2, weight=weight, window=window, now=now)


def _release(record: ServiceRecord, number: int, *, weight: int, window: float, now: float) -> ServiceRecord:
    record = acquire(
        record,
        release=f"supposed-{number}",
        execution="",
        version=Version(f"{record.service}@sha256:{number:064x}", f"version-{number}"),
        in_place=False,
        now=now - BEFORE,
        lease=86400,
    )
    slot = next(s for s in SLOTS if record.slots[s].state == "candidate")
    record = msgspec.structs.replace(record, desired={slot: weight, other(slot): 100 - weight})
    if weight < 100:
        return record
    return promote(record, generation=record.generation, now=now, window=window)
