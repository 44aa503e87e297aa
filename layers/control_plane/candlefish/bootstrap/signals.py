"""Composition root of signals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.capacity import store
from candlefish.bootstrap.core import (
    bus,
    catalog,
    declared,
    environment,
    executions,
    journal,
    now,
    records,
    switchboard,
    table,
)
from candlefish.bootstrap.release import rules
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.alarms import CloudWatchAlarms
    from candlefish.adapters.aws.secrets import SecretTokens
    from candlefish.adapters.aws.sqs import SqsQueue
    from candlefish.adapters.table.signals import DynamoGuards, DynamoLedger, DynamoSignalLog
    from candlefish.signals.notification import ConsoleLinks
    from candlefish.signals.ports import Channel, SignalPorts

__all__ = ["catalog", "environment", "now", "records", "rules"]


class SignalSettings(Settings):
    """What functions of signals are told."""

    signals_queue_url = Setting(str)
    tokens_secret = Setting(str)
    notices_topic = Setting(str)
    # Empty where there is no Slack.
    slack_secret = Setting(str, optional="")


settings = SignalSettings()


@cache
def guards() -> DynamoGuards:
    from candlefish.adapters.table.signals import DynamoGuards

    return DynamoGuards(client("dynamodb"), table(), environment())


@cache
def log() -> DynamoSignalLog:
    from candlefish.adapters.table.signals import DynamoSignalLog

    return DynamoSignalLog(client("dynamodb"), table(), environment())


@cache
def ledger() -> DynamoLedger:
    from candlefish.adapters.table.signals import DynamoLedger

    return DynamoLedger(client("dynamodb"), table())


@cache
def queue() -> SqsQueue:
    from candlefish.adapters.aws.sqs import SqsQueue

    return SqsQueue(client("sqs"), settings.signals_queue_url)


@cache
def tokens() -> SecretTokens:
    from candlefish.adapters.aws.secrets import SecretTokens

    return SecretTokens(client("secretsmanager"), settings.tokens_secret, now)


@cache
def ports() -> SignalPorts:
    from candlefish.signals.ports import SignalPorts

    return SignalPorts(
        environment=environment(),
        catalog=catalog(),
        guards=guards(),
        log=log(),
        records=records(),
        journal=journal(),
        executions=executions(),
        events=bus(),
        switchboard=switchboard(),
        asleep=asleep,
        now=now,
    )


def asleep() -> str:
    """Why the environment sleeps, read fresh; empty while it is awake or never sleeps."""
    if declared().schedule is None:
        return ""
    phase = store().get().phase
    return "" if phase == "awake" else f"{environment()} is {phase.replace('_', ' ')}"


@cache
def links() -> ConsoleLinks:
    from candlefish.signals.notification import ConsoleLinks

    return ConsoleLinks(environment(), settings.machines.get("release", ""))


@cache
def channels() -> Mapping[str, Channel]:
    """SNS always; Slack where a secret with its webhook is named."""
    from candlefish.adapters.aws.sns import SnsChannel

    found: dict[str, Channel] = {"sns": SnsChannel(client("sns"), settings.notices_topic)}
    if secret := settings.slack_secret:
        from candlefish.adapters.aws.secrets import read_secret
        from candlefish.adapters.http.slack import SlackChannel

        found["slack"] = SlackChannel(partial(read_secret, client("secretsmanager"), secret))
    return found


@cache
def alarms() -> CloudWatchAlarms:
    from candlefish.adapters.aws.alarms import CloudWatchAlarms

    return CloudWatchAlarms(client("cloudwatch"))
