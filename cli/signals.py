"""`candlefish signals`: what alarms led to and why, mutes, the endpoint's token, the alarms."""

from __future__ import annotations

import time

import click
from rich.text import Text

from candlefish.adapters.aws.alarms import CloudWatchAlarms
from candlefish.adapters.aws.secrets import SecretTokens
from candlefish.adapters.table.signals import DynamoGuards, DynamoSignalLog
from candlefish.catalog.model import Duration
from candlefish.errors import InvalidInput
from candlefish.signals.model import LoggedSignal
from candlefish.signals.record import (
    EVERYTHING,
    GuardRecord,
    Mute,
    add_mute,
    drop_mute,
)
from candlefish.signals.sync_alarms import forget_old_alarms
from candlefish.signals.token_rotation import rotate_token
from cli.automation import switch_of
from cli.options import in_environment, require_meant, say_environment
from cli.stack import Stack
from cli.terminal import PlainConsole, as_json, document, echo
from cli.view import utc

console = PlainConsole()
STYLE = {"rollback": "bold red", "failover": "bold red", "hold": "yellow", "join": "yellow", "lift": "green"}
SEVERITY_STYLE = {"P0": "red", "P1": "yellow", "P2": "dim"}


@click.group("signals", invoke_without_command=True)
@in_environment
@click.option("--limit", default=30, show_default=True, help="How many of the newest.")
@click.option("--about", default="", help="Only those about one subject, like service/website.")
@click.option("--acted", is_flag=True, help="Only those that led to something.")
@as_json
@click.pass_context
def signals_command(
    context: click.Context, stack: Stack, limit: int, about: str, acted: bool, as_json: bool
) -> None:
    """Show recent signals, what was decided about each, and why."""
    context.obj = stack
    if context.invoked_subcommand:
        return
    guard = guards(stack).get()
    off = switch_of(stack).off()
    if not as_json:
        console.print(guard_view(guard, off))
    wanted = about or acted
    lines = log(stack).recent(limit * 20 if wanted else limit)
    lines = [
        line
        for line in lines
        if (not about or line.signal.about == about) and (not acted or line.decision.action != "none")
    ]
    if as_json:
        document({"why_off": off, "mutes": guard.mutes, "claims": guard.claims, "signals": lines[:limit]})
    else:
        console.print(signals_view(lines[:limit]) if lines else "no signals yet")


@signals_command.command("mute")
@click.argument("about", default=EVERYTHING)
@click.option("--for", "lasting", required=True, help="How long, like 30m or 2h.")
@click.option("--reason", required=True, help="Why.")
@as_json
@click.pass_obj
def mute_command(stack: Stack, about: str, lasting: str, reason: str, as_json: bool) -> None:
    """Neither act on nor tell of signals about ABOUT (service/website, database/main; everything by default)."""
    if about != EVERYTHING and "/" not in about:
        about = f"service/{about}"
    now = time.time()
    try:
        until = now + Duration.parse(lasting)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    say_environment(stack)
    mute = Mute(about, reason, stack.caller, until)
    guards(stack).update(lambda r: add_mute(r, mute, now))
    if as_json:
        document(mute)
    else:
        echo(f"{about} is muted until {utc(until)}")


@signals_command.command("unmute")
@click.argument("about", default=EVERYTHING)
@as_json
@click.pass_obj
def unmute_command(stack: Stack, about: str, as_json: bool) -> None:
    """Listen to ABOUT again."""
    if about != EVERYTHING and "/" not in about:
        about = f"service/{about}"
    require_meant(stack)
    guards(stack).update(lambda r: drop_mute(r, about))
    if as_json:
        document({"about": about, "muted": False})
    else:
        echo(f"{about} is heard again")


@signals_command.command("rotate-token")
@click.option("--overlap", default="24h", show_default=True, help="How long the old token stays valid.")
@as_json
@click.pass_obj
def rotate_token_command(stack: Stack, overlap: str, as_json: bool) -> None:
    """Make a new bearer token for Alertmanager and print it, once. The old one goes on for a while."""
    secret = f"candlefish/{stack.environment}/alert-tokens"
    require_meant(stack)
    tokens = SecretTokens(stack.client("secretsmanager"), secret, time.time)
    try:
        seconds = Duration.parse(overlap)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    new, stored = rotate_token(tokens.read(0), now=time.time(), overlap=seconds)
    tokens.store(stored)
    if as_json:
        document({"token": new.token, "overlap": float(seconds)})
    else:
        echo(new.token)
    echo(f"put it into Alertmanager's credentials_file within {seconds}", err=True)


@signals_command.command("alarms")
@click.option(
    "--forget-old", is_flag=True, help="Delete those of the names that there were before, with your rights."
)
@as_json
@click.pass_obj
def alarms_command(stack: Stack, forget_old: bool, as_json: bool) -> None:
    """Make the CloudWatch alarms of every onboarded service what they shall be, now instead of in some minutes."""
    require_meant(stack)
    if forget_old:
        for name in forget_old_alarms(stack.environment, CloudWatchAlarms(stack.client("cloudwatch"))):
            echo(f"deleted {name}", err=as_json)
    done = stack.invoke("sync_alarms", {})
    if as_json:
        document(done)
        return
    echo(f"{len(done['put'])} written, {len(done['deleted'])} deleted")
    for name in (*done["put"], *done["deleted"]):
        echo(f"  {name}")


def guards(stack: Stack) -> DynamoGuards:
    """The guard's memory of a stack."""
    return DynamoGuards(stack.client("dynamodb"), stack.table, stack.environment)


def log(stack: Stack) -> DynamoSignalLog:
    """The log of signals of a stack."""
    return DynamoSignalLog(stack.client("dynamodb"), stack.table, stack.environment)


def guard_view(guard: GuardRecord, off: str) -> Text:
    """What is muted and what cools down; `off` says why automation is off."""
    now = time.time()
    text = Text()
    if off:
        text.append(f"AUTOMATION IS OFF: {off}\n", style="bold red")
    for mute in guard.mutes:
        if mute.until > now:
            text.append(f"muted until {utc(mute.until)}: {mute.about} ({mute.by}: {mute.reason})\n", "yellow")
    for claim in guard.claims:
        if claim.until > now:
            text.append(f"{claim.action} of {claim.about} cools down until {utc(claim.until)}\n", "cyan")
    return text


def signals_view(lines: list[LoggedSignal]) -> Text:
    """Lines of the log: when, which alert about what, the decision; and below it why."""
    text = Text()
    for line in lines:
        signal, decision = line.signal, line.decision
        said: str = decision.action
        if decision.action == "none":
            said = (
                f"refused by {decision.gate}" if decision.gate else "told" if decision.notify else "nothing"
            )
        if line.outcome:
            said = f"{decision.action} {line.outcome}"
        text.append(f"{utc(line.at)}  ", "dim")
        text.append(f"{signal.severity} ", SEVERITY_STYLE[signal.severity])
        text.append(signal.name + (f" x{line.count}" if line.count > 1 else ""), "bold")
        if signal.alert.status != "firing":
            text.append(f" ({signal.alert.status})")
        text.append(f"  {signal.about}  ")
        text.append(said, STYLE.get(decision.action, "dim"))
        text.append(f"\n    {decision.reason}\n")
    return text
