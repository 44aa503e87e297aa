"""CloudWatch's alarms about the control plane itself, as news: what it means, what to do next.

The alarms tell the topic of notices by themselves, also while the control plane is what is broken; this tells the rest of
the channels. `template.yaml` has them, and the rule by which these four and no others come here.
"""

from __future__ import annotations

import msgspec

from candlefish.signals.notification import (
    ConsoleLinks,
    Detail,
    Notification,
    facts_of,
    mapping,
    sentence,
)

ALARM_STATE = "CloudWatch Alarm State Change"
PREFIX = "candlefish-control-plane-{environment}-"
# The rule of the catalog's defaults that lets them stand in the log of signals, and lead to nothing.
OWN_ALARM_RULE = "own-alarm"


class OwnAlarm(msgspec.Struct, frozen=True):
    """How an alarm reads while it rings, and what to type."""

    title: str
    means: str
    command: str


OWN_ALARMS: dict[str, OwnAlarm] = {
    "dead-letters": OwnAlarm(
        "Something in {environment} failed for good",
        "A message is in the queue of dead letters: its body is what was to be done, its attributes say why it was not",
        "aws sqs receive-message --queue-url $(aws sqs get-queue-url --queue-name candlefish-{environment}-dead-letters "
        "--query QueueUrl --output text) --message-attribute-names All",
    ),
    "signals-late": OwnAlarm(
        "Nothing acts on alarms in {environment}",
        "Signals have waited for over two minutes; watch releases yourself, and roll back by hand what is bad",
        "candlefish signals -e {environment}",
    ),
    "reconciler": OwnAlarm(
        "The reconciler of {environment} has stopped",
        "It has not run for three minutes; nothing finishes what died, and nothing repairs drift",
        "candlefish status -e {environment}",
    ),
    "throttles": OwnAlarm(
        "Functions are refused for want of concurrent executions in the account of {environment}",
        "A rollback may be late. Raise Lambda's quota (make preflight has the command), or find what takes it all",
        "make preflight ENV={environment}",
    ),
}


def own_alarm_called(name: str, environment: str) -> str:
    """Which of the control plane's own an alarm is, by its name in CloudWatch; that name where it is none."""
    return name.removeprefix(PREFIX.format(environment=environment))


def own_alarm_of(detail: Detail, places: ConsoleLinks) -> Notification | None:
    """The message of a change of state; None for an alarm that is not the control plane's own, or knows nothing new."""
    environment = places.environment
    name = str(detail.get("alarmName", ""))
    which = OWN_ALARMS.get(own_alarm_called(name, environment))
    state, before = mapping(detail.get("state")), mapping(detail.get("previousState"))
    rings, rang = state.get("value") == "ALARM", before.get("value") == "ALARM"
    if which is None or not (rings or (rang and state.get("value") == "OK")):
        return None
    title = which.title.format(environment=environment)
    return Notification(
        title=title if rings else f"Over: {title[0].lower()}{title[1:]}",
        text=sentence(which.means) if rings else "",
        tone="bad" if rings else "good",
        facts=facts_of(("Alarm", name), ("CloudWatch", state.get("reason"))),
        command=which.command.format(environment=environment) if rings else "",
        told_by=("sns",),
    )
