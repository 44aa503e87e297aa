"""What the sources send, read into `Delivery`.

- Alertmanager's webhook, version 4, over HTTPS or as the message of an SNS notification:
  https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
- CloudWatch's `CloudWatch Alarm State Change` from EventBridge, metric and composite alarms:
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
- `finding` events of this control plane's own audits, from its bus.
- findings of GuardDuty and Security Hub, from EventBridge (`aws_findings`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from candlefish.bounds import Moment, decoded, explained, fit
from candlefish.catalog.model import Source
from candlefish.errors import InvalidInput
from candlefish.names import bounded_name
from candlefish.signals.aws_findings import FINDINGS
from candlefish.signals.model import Alert, Delivery, Status
from candlefish.signals.pieces import (
    LONGEST_LABEL,
    LONGEST_TEXT,
    fingerprint,
    fingerprint_of,
    kept_labels,
    moment,
    web_link,
)

# More than any Alertmanager has; what is queued has to be read again, and nothing reads more than 64 bits.
MOST_LEFT_OUT = 1_000_000_000
WEBHOOK_VERSION = "4"
# An SQS message may be 1 MiB; messages are kept well below the 256 KiB of older limits.
CHUNK = 200_000


class _WebhookAlert(msgspec.Struct, frozen=True, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: str
    ends_at: str = ""
    annotations: dict[str, str] = {}
    generator: str = msgspec.field(default="", name="generatorURL")
    fingerprint: str = ""


class _Webhook(msgspec.Struct, frozen=True, rename="camel"):
    version: str
    alerts: list[_WebhookAlert]
    group_key: str = ""
    truncated_alerts: int = 0


class _AlarmState(msgspec.Struct, frozen=True):
    value: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    timestamp: str
    reason: str = ""


class _Metric(msgspec.Struct, frozen=True):
    dimensions: dict[str, str] | None = None


class _MetricStat(msgspec.Struct, frozen=True):
    metric: _Metric | None = None


class _MetricOfAlarm(msgspec.Struct, frozen=True, rename="camel"):
    # Metric math has none.
    metric_stat: _MetricStat | None = None


class _Configuration(msgspec.Struct, frozen=True):
    description: str | None = None
    # Composite alarms have none.
    metrics: list[_MetricOfAlarm] | None = None


class _AlarmDetail(msgspec.Struct, frozen=True, rename="camel"):
    alarm_name: str
    state: _AlarmState
    previous_state: _AlarmState | None = None
    configuration: _Configuration = _Configuration()


class _Finding(msgspec.Struct, frozen=True):
    name: str
    status: Literal["firing", "resolved"]
    started_at: Moment
    ended_at: Moment = 0.0
    labels: dict[str, str] = {}
    summary: str = ""


class _Event(msgspec.Struct, frozen=True, rename="kebab"):
    detail_type: str
    detail: Any = None
    time: str = ""
    resources: list[str] = []
    # The name of an archive replay, when it is one.
    replay_name: str = ""


_webhook = msgspec.json.Decoder(_Webhook)


def from_webhook(body: bytes | str, received_at: float) -> Delivery:
    """What Alertmanager posted.

    Raises
    ------
    InvalidInput
        It is not UTF-8, not JSON, another version, or lacks what version 4 has; the message says what.
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        payload = _webhook.decode(text)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"the body is not UTF-8 (byte {error.start}); send Alertmanager's webhook JSON"
        ) from error
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"this is not Alertmanager's webhook, version {WEBHOOK_VERSION}: {error}"
        ) from error
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}; send Alertmanager's webhook JSON") from error
    except RecursionError as error:
        raise InvalidInput("the body nests without end; send Alertmanager's webhook JSON") from error
    if payload.version != WEBHOOK_VERSION:
        raise InvalidInput(
            f"webhook version {payload.version[:20]!r} is not known here; "
            f"Alertmanager sends version {WEBHOOK_VERSION}"
        )
    if not 0 <= payload.truncated_alerts <= MOST_LEFT_OUT:
        raise InvalidInput(f"truncatedAlerts must be a count from 0 to {MOST_LEFT_OUT:,}")
    alerts = tuple(_from_webhook_alert(a, f"alerts[{i}]", received_at) for i, a in enumerate(payload.alerts))
    return Delivery(
        source="alertmanager",
        alerts=alerts,
        observed_at=received_at,
        received_at=received_at,
        total=len(alerts) + payload.truncated_alerts,
        truncated=payload.truncated_alerts,
        group=bounded_name(payload.group_key, longest=LONGEST_LABEL),
    )


def _from_webhook_alert(alert: _WebhookAlert, where: str, received_at: float) -> Alert:
    started = moment(alert.starts_at, f"{where}.startsAt")
    as_of = started
    if alert.status == "resolved":
        as_of = max(started, moment(alert.ends_at, f"{where}.endsAt"))
    labels = kept_labels(alert.labels)
    notes = alert.annotations
    return Alert(
        fingerprint=bounded_name(alert.fingerprint, longest=128) or fingerprint_of(labels),
        status=alert.status,
        labels=labels,
        # A clock ahead of ours must not make what comes later look old.
        started_at=min(started, received_at),
        as_of=min(as_of, received_at),
        summary=(notes.get("summary") or notes.get("description") or notes.get("message") or "")[
            :LONGEST_TEXT
        ],
        description=_description(notes),
        link=web_link(alert.generator),
        runbook=web_link(notes.get("runbook_url", "")),
    )


def _description(notes: dict[str, str]) -> str:
    """What an alert's rule says beside its summary."""
    said = notes.get("description") or notes.get("message") or ""
    return said[:LONGEST_TEXT] if notes.get("summary") else ""


def from_event(event: dict[str, Any], received_at: float) -> Delivery:
    """An EventBridge event: a CloudWatch alarm's change of state, a finding of our own audits or of AWS' detectors.

    Raises
    ------
    InvalidInput
        It is some other event, or lacks what such an event has.
    """
    try:
        read = msgspec.convert(event, _Event)
        source: Source
        alerts: tuple[Alert, ...]
        if read.detail_type == "CloudWatch Alarm State Change":
            alert, observed_at = _from_alarm(read)
            source, alerts = "cloudwatch", (alert,)
        elif read.detail_type == "finding":
            alert, observed_at = _from_finding(read)
            source, alerts = "finding", (alert,)
        elif found := FINDINGS.get(read.detail_type):
            source, observed_at = found.source, moment(read.time, "time")
            alerts = found.alerts(read.detail)
        else:
            raise InvalidInput(
                f"event {fit(read.detail_type, 60)!r} is no signal; the rule that sent it here is wrong"
            )
    except msgspec.ValidationError as error:
        kind = fit(str(event.get("detail-type")), 60)
        raise InvalidInput(f"this {kind} event is not what it should be: {explained(error)}") from error
    return Delivery(
        source=source,
        alerts=alerts,
        observed_at=observed_at,
        received_at=received_at,
        total=len(alerts),
        group=alerts[0].fingerprint if alerts else "",
        replay=bounded_name(read.replay_name, longest=LONGEST_LABEL),
    )


_ALARM_STATUS: dict[str, Status] = {"ALARM": "firing", "OK": "resolved", "INSUFFICIENT_DATA": "unknown"}
_LABEL = re.compile(r"[A-Za-z_]\w*=[^\s\[\]]+")


def described_labels(description: str) -> tuple[str, dict[str, str]]:
    """A description without the labels at its end, and those: "... for 2 minutes. [service=website severity=P0]".

    Each character is looked at a fixed number of times: descriptions are written by whoever may make an alarm.
    """
    text = description.rstrip()
    head, bracket, inside = text.removesuffix("]").rpartition("[")
    pairs = inside.split()
    if not (text.endswith("]") and bracket and pairs and all(map(_LABEL.fullmatch, pairs))):
        return description, {}
    return head.rstrip(), dict(pair.split("=", 1) for pair in pairs)


def _from_alarm(event: _Event) -> tuple[Alert, float]:
    detail = msgspec.convert(event.detail, _AlarmDetail)
    at = moment(detail.state.timestamp, "detail.state.timestamp")
    started = at
    before = detail.previous_state
    if detail.state.value != "ALARM" and before and before.value == "ALARM":
        started = moment(before.timestamp, "detail.previousState.timestamp")
    labels: dict[str, str] = {}
    for each in detail.configuration.metrics or ():
        if each.metric_stat and each.metric_stat.metric:
            labels |= each.metric_stat.metric.dimensions or {}
    alert = _alarm(
        detail.alarm_name,
        arn=next(iter(event.resources), ""),
        status=_ALARM_STATUS[detail.state.value],
        description=detail.configuration.description or "",
        reason=detail.state.reason,
        labels=labels,
        started_at=started,
        as_of=at,
    )
    resumed = alert.status == "firing" and before is not None and before.value == "INSUFFICIENT_DATA"
    return (msgspec.structs.replace(alert, resumed=True) if resumed else alert), at


def _alarm(
    name: str,
    *,
    arn: str,
    status: Status,
    description: str,
    reason: str,
    labels: dict[str, str],
    started_at: float,
    as_of: float,
) -> Alert:
    description, written = described_labels(description)
    labels = labels | written
    # arn:aws:cloudwatch:<region>:<account>:alarm:<name>
    _, _, _, region, account, *_ = (*arn.split(":"), *[""] * 5)
    labels = labels | {"alertname": name, "account": account, "region": region}
    return Alert(
        fingerprint=fingerprint(arn or name),
        status=status,
        labels=kept_labels(labels),
        started_at=started_at,
        as_of=as_of,
        summary=" ".join(filter(None, (description, reason)))[:LONGEST_TEXT],
        link=f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#alarmsV2:alarm/{quote(name, safe='')}",
    )


def from_described(alarms: Iterable[dict[str, Any]], now: float) -> Delivery:
    """The alarms of DescribeAlarms that are in ALARM, as said now: CloudWatch itself says a change once."""
    alerts = []
    for each in alarms:
        if each.get("StateValue") != "ALARM":
            continue
        since = each.get("StateTransitionedTimestamp") or each["StateUpdatedTimestamp"]
        alerts.append(
            _alarm(
                each["AlarmName"],
                arn=each["AlarmArn"],
                status="firing",
                description=each.get("AlarmDescription") or "",
                reason=each.get("StateReason") or "",
                labels={d["Name"]: d["Value"] for d in each.get("Dimensions") or ()},
                started_at=since.timestamp(),
                as_of=since.timestamp(),
            )
        )
    return Delivery(
        source="cloudwatch",
        alerts=tuple(alerts),
        observed_at=now,
        received_at=now,
        total=len(alerts),
        group="repeated",
    )


def _from_finding(event: _Event) -> tuple[Alert, float]:
    found = msgspec.convert(event.detail, _Finding)
    labels = kept_labels({**found.labels, "alertname": found.name})
    as_of = max(found.started_at, found.ended_at) if found.status == "resolved" else found.started_at
    return (
        Alert(
            fingerprint=fingerprint_of(labels),
            status=found.status,
            labels=labels,
            started_at=found.started_at,
            as_of=as_of,
            summary=found.summary[:LONGEST_TEXT],
        ),
        moment(event.time, "time"),
    )


def from_queue(body: str, received_at: float) -> Delivery:
    """A message of the signals queue: a `Delivery`, an EventBridge event, or an SNS notification.

    Raises
    ------
    InvalidInput
        It is none of these; the message says why.
    """
    try:
        message = decoded(body, "the message")
        if not isinstance(message, dict):
            raise InvalidInput("the message is no JSON object; something else writes to the signals queue")
        if "detail-type" in message:
            return from_event(message, received_at)
        if "TopicArn" in message:
            # SNS carries the time of publishing, which is when Alertmanager said it.
            said = moment(str(message.get("Timestamp", "")), "Timestamp")
            return msgspec.structs.replace(
                from_webhook(str(message.get("Message", "")), received_at), observed_at=said
            )
        return msgspec.convert(message, Delivery)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the message is no signal: {explained(error)}") from error


def split_delivery(delivery: Delivery, limit: int = CHUNK) -> Iterator[bytes]:
    """The delivery as JSON messages of at most about `limit` bytes; every alert is in exactly one."""
    head = msgspec.structs.replace(delivery, alerts=())
    chunk: list[Alert] = []
    size = 0
    for alert in delivery.alerts:
        length = len(msgspec.json.encode(alert))
        if chunk and size + length > limit:
            yield msgspec.json.encode(msgspec.structs.replace(head, alerts=tuple(chunk)))
            chunk, size = [], 0
        chunk.append(alert)
        size += length
    yield msgspec.json.encode(msgspec.structs.replace(head, alerts=tuple(chunk)))
