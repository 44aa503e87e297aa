"""Composition root of signals: builds each adapter once, when a function first asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.bootstrap import release as wire
from candlefish.bootstrap.release import catalog, environment, now, rules, settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.alarms import CloudWatchAlarms
    from candlefish.adapters.aws.eventbridge import EventBus
    from candlefish.adapters.aws.secrets import SecretTokens
    from candlefish.adapters.aws.sqs import SqsQueue
    from candlefish.adapters.aws.tag_switch import TagSwitch
    from candlefish.adapters.table.signals import DynamoGuards, DynamoLedger, DynamoSignalLog
    from candlefish.signals.handle import Desk
    from candlefish.signals.messages import Places
    from candlefish.signals.notify import Channel

__all__ = ["catalog", "environment", "now", "rules", "settings"]


@cache
def guards() -> DynamoGuards:
    from candlefish.adapters.table.signals import DynamoGuards

    return DynamoGuards(client("dynamodb"), settings()["TABLE_NAME"], environment())


@cache
def log() -> DynamoSignalLog:
    from candlefish.adapters.table.signals import DynamoSignalLog

    return DynamoSignalLog(client("dynamodb"), settings()["TABLE_NAME"], environment())


@cache
def ledger() -> DynamoLedger:
    from candlefish.adapters.table.signals import DynamoLedger

    return DynamoLedger(client("dynamodb"), settings()["TABLE_NAME"])


@cache
def bus() -> EventBus:
    from candlefish.adapters.aws.eventbridge import EventBus

    return EventBus(client("events"), settings()["BUS_NAME"])


@cache
def switchboard() -> TagSwitch:
    from candlefish.adapters.aws.tag_switch import TagSwitch

    return TagSwitch(client("stepfunctions"), settings()["SWITCH_MACHINE"])


@cache
def queue() -> SqsQueue:
    from candlefish.adapters.aws.sqs import SqsQueue

    return SqsQueue(client("sqs"), settings()["SIGNALS_QUEUE_URL"])


@cache
def tokens() -> SecretTokens:
    from candlefish.adapters.aws.secrets import SecretTokens

    return SecretTokens(client("secretsmanager"), settings()["TOKENS_SECRET"], now)


@cache
def desk() -> Desk:
    from candlefish.signals.handle import Desk

    return Desk(
        environment=environment(),
        catalog=catalog(),
        guards=guards(),
        log=log(),
        records=wire.records(),
        journal=wire.journal(),
        executions=wire.executions(),
        bus=bus(),
        switchboard=switchboard(),
        asleep=asleep,
        now=now,
    )


def asleep() -> str:
    """Why the environment sleeps, read fresh; empty while it is awake or never sleeps."""
    if catalog().environments[environment()].schedule is None:
        return ""
    from candlefish.adapters.table.capacity import DynamoCapacity

    phase = DynamoCapacity(client("dynamodb"), settings()["TABLE_NAME"], environment()).get().phase
    return "" if phase == "awake" else f"{environment()} is {phase.replace('_', ' ')}"


@cache
def places() -> Places:
    from candlefish.signals.messages import Places

    return Places(environment(), settings().machines.get("release", ""))


@cache
def channels() -> Mapping[str, Channel]:
    """SNS always; Slack where a secret with its webhook is named."""
    from candlefish.adapters.aws.sns import SnsChannel

    found: dict[str, Channel] = {"sns": SnsChannel(client("sns"), settings()["NOTICES_TOPIC"])}
    secret = settings().values.get("SLACK_SECRET", "")
    if secret:
        from candlefish.adapters.aws.secrets import read_secret
        from candlefish.adapters.http.slack import SlackChannel

        found["slack"] = SlackChannel(partial(read_secret, client("secretsmanager"), secret))
    return found


@cache
def alarms() -> CloudWatchAlarms:
    from candlefish.adapters.aws.alarms import CloudWatchAlarms

    return CloudWatchAlarms(client("cloudwatch"))
