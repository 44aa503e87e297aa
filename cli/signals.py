"""`candlefish signals`: what alarms led to and why, mutes, the endpoint's token, the alarms."""

from __future__ import annotations

import time

import click
from msgspec.structs import replace

from candlefish.adapters.aws.alarms import CloudWatchAlarms
from candlefish.adapters.aws.secrets import SecretTokens
from candlefish.adapters.table.signals import DynamoGuards, DynamoSignalLog
from candlefish.catalog.model import Duration
from candlefish.errors import InvalidInput
from candlefish.signals.record import (
    EVERYTHING,
    Mute,
    add_mute,
    drop_mute,
)
from candlefish.signals.sync_alarms import forget_old_alarms
from candlefish.signals.token_rotation import rotate_token
from candlefish.views.model import SignalsPage, SignalView
from cli.options import in_environment, require_meant, say_environment
from cli.screen.clock import utc
from cli.screen.printing import show, width
from cli.screen.signals import signals_lines
from cli.stack import Stack
from cli.terminal import as_json, document, echo
from cli.views import Views

# Signals that a read gives at most (candlefish.views.see_signals), and reads for those that were asked for.
AT_ONCE, READS = 50, 20


@click.group("signals", invoke_without_command=True)
@in_environment
@click.option(
    "--limit", default=30, show_default=True, type=click.IntRange(min=1), help="How many of the newest."
)
@click.option("--about", default="", help="Only those about one subject, like service/website.")
@click.option("--acted", is_flag=True, help="Only those that led to something.")
@click.option("--before", default="", help="Older ones: what the last page ended with.")
@as_json
@click.pass_context
def signals_command(
    context: click.Context, stack: Stack, limit: int, about: str, acted: bool, before: str, as_json: bool
) -> None:
    """Show recent signals, what was decided about each, and why."""
    context.obj = stack
    if context.invoked_subcommand:
        return
    page = _read(Views(stack), limit, about, acted, before)
    if as_json:
        document(page)
    else:
        show(signals_lines(page, width(), time.time(), None))


def _read(views: Views, limit: int, about: str, acted: bool, before: str) -> SignalsPage:
    """So many of the newest that were asked for, as far as some reads of the log go."""
    page = views.signals(before, min(limit, AT_ONCE))
    found, older = _meant(page, about, acted), page.older
    for _ in range(READS - 1):
        if not older or len(found) >= limit:
            break
        more = views.signals(older, min(limit - len(found), AT_ONCE))
        found, older = found + _meant(more, about, acted), more.older
    # What is said of one page is not said of more, or of some of it.
    return replace(page, signals=found, older=older, says=page.says if found == page.signals else "")


def _meant(page: SignalsPage, about: str, acted: bool) -> tuple[SignalView, ...]:
    return tuple(
        each for each in page.signals if (not about or each.about == about) and (not acted or each.acted)
    )


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
