"""Composition root of signals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.capacity import store
from candlefish.bootstrap.core import (
    bus,
    catalog,
    declared,
    environment,
    executions,
    journal,
    meter,
    now,
    records,
    switchboard,
    table,
)
from candlefish.bootstrap.release import rules, taking_back
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.aws.alarms import CloudWatchAlarms
    from candlefish.adapters.aws.secrets import RememberedSecret, SecretTokens
    from candlefish.adapters.aws.sqs import SqsQueue
    from candlefish.adapters.http.slack_chat import SlackChat
    from candlefish.adapters.http.slack_secret import SlackSecret
    from candlefish.adapters.table.signals import DynamoGuards, DynamoLedger, DynamoSignalLog
    from candlefish.signals.notification import ConsoleLinks, Notification
    from candlefish.signals.notify import BusEvent
    from candlefish.signals.ports import Channel, Look, SignalPorts

__all__ = ["catalog", "environment", "now", "records", "rules"]


class SignalSettings(Settings):
    """What functions of signals are told."""

    signals_queue_url = Setting(str)
    tokens_secret = Setting(str)
    notices_topic = Setting(str)
    # Empty where there is no Slack.
    slack_secret = Setting(str, optional="")
    slack_api = Setting(str, optional="https://slack.com/api")
    # How long whoever takes a service over waits for older writers of weights, in seconds.
    writers_live_seconds = Setting(float)


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
        meter=meter(),
    )


@cache
def handling_ports() -> SignalPorts:
    """For who decides: it reads at once what a delivery needs, and takes users back itself."""
    import msgspec

    return msgspec.structs.replace(
        ports(), look=sight_of_all(), take_back=taking_back(), writers_live=settings.writers_live_seconds
    )


@cache
def sight_of_all() -> Look:
    from candlefish.adapters.table.sight import DynamoLook

    return DynamoLook(
        client("dynamodb"),
        table(),
        environment(),
        guards=guards(),
        log=log(),
        records=records(),
        asleep=_asleep_by if declared().schedule else None,
    )


def asleep() -> str:
    """Why the environment sleeps, read fresh; empty while it is awake or never sleeps."""
    return _asleep_in(store().get().phase) if declared().schedule else ""


def _asleep_by(item: Mapping[str, Any] | None) -> str:
    return _asleep_in(item["phase"]["S"] if item else "awake")


def _asleep_in(phase: str) -> str:
    return "" if phase == "awake" else f"{environment()} is {phase.replace('_', ' ')}"


@cache
def links() -> ConsoleLinks:
    from candlefish.signals.notification import ConsoleLinks

    return ConsoleLinks(environment(), settings.machines.get("release", ""))


@cache
def channels() -> Mapping[str, Channel]:
    """Everybody's. SNS always; Slack where a secret with its webhook is named."""
    from candlefish.adapters.aws.sns import SnsChannel
    from candlefish.messages.model import EVERYBODY

    found: dict[str, Channel] = {"sns": SnsChannel(client("sns"), settings.notices_topic)}
    if settings.slack_secret:
        found["slack"] = _slack(EVERYBODY)
    return found


def owners_channels(event: BusEvent) -> Mapping[str, Channel]:
    """`signals.notify.OwnersChannels`."""
    from candlefish.signals.owners import whose_news

    whole = catalog()
    return _of_owner(whose_news(event.detail_type, event.detail, whole.services))


def shown_in_chat(event: BusEvent, message: Notification, channel: str) -> bool:
    """`signals.notify.ShownElsewhere`: a release's news stand in its own message, where Slack lets us edit it.

    So does its execution's end, which leads to a look as well, where there is a release of that name to look at.
    """
    from candlefish.signals.endings import release_ended

    if channel != "slack" or not slack_chat().edits():
        return False
    if event.detail_type.startswith("release."):
        return bool(event.detail.get("release"))
    ended = release_ended(message.key)
    return bool(ended) and journal().find(ended) is not None


@cache
def _of_owner(name: str) -> Mapping[str, Channel]:
    from candlefish.adapters.aws.sns import SnsChannel

    owner = catalog().responses.owners.get(name)
    found: dict[str, Channel] = {}
    if owner and owner.topic:
        beside = settings.notices_topic.rpartition(":")[0]
        found["sns"] = SnsChannel(client("sns"), f"{beside}:{owner.topic}")
    if owner and owner.slack and settings.slack_secret:
        found["slack"] = _slack(owner.slack)
    return found


def _slack(name: str) -> Channel:
    from candlefish.adapters.http.slack import SlackChannel

    return SlackChannel(slack_access, name, slack_chat())


@cache
def slack_chat() -> SlackChat:
    from candlefish.adapters.http.slack_api import SlackApi
    from candlefish.adapters.http.slack_chat import SlackChat

    return SlackChat(SlackApi(settings.slack_api), slack_access)


def slack_access() -> SlackSecret:
    """What Slack's secret holds."""
    from candlefish.adapters.http.slack_secret import slack_secret

    return slack_secret(_slack_text().read())


@cache
def _slack_text() -> RememberedSecret:
    from candlefish.adapters.aws.secrets import RememberedSecret

    return RememberedSecret(client("secretsmanager"), settings.slack_secret, now)


@cache
def alarms() -> CloudWatchAlarms:
    from candlefish.adapters.aws.alarms import CloudWatchAlarms

    return CloudWatchAlarms(client("cloudwatch"))
