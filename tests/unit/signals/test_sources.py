"""Reading what the sources send."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.errors import InvalidInput
from candlefish.signals.model import Delivery
from candlefish.signals.payloads import SignalResponse
from candlefish.signals.pieces import MOST_LABELS
from candlefish.signals.sources import from_event, from_queue, from_webhook, split_delivery
from tests.support.signal_world import alert, delivery, signal_of

EVENTS = Path(__file__).parents[3] / "events" / "signals"
NOW = datetime.fromisoformat("2026-11-24T10:01:00Z").timestamp()
BEGAN = datetime.fromisoformat("2026-11-24T10:00:00Z").timestamp()


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return read


def test_alertmanager() -> None:
    found = from_webhook((EVENTS / "alertmanager.json").read_bytes(), NOW)
    (one,) = found.alerts
    assert (found.source, found.total, found.observed_at) == ("alertmanager", 1, NOW)
    assert one.fingerprint == "d1e5f0a2b3c4d5e6"
    assert one.labels["slot"] == "blue"
    assert one.started_at == one.as_of == pytest.approx(BEGAN + 0.123456)
    assert one.summary == "No instance of backend-api answers for 5 minutes"
    assert one.runbook.endswith("backend-api.md")


def test_a_resolved_alert_is_as_of_its_end() -> None:
    payload = sample("alertmanager.json")
    payload["alerts"][0] |= {"status": "resolved", "endsAt": "2026-11-24T10:00:30Z"}
    (one,) = from_webhook(json.dumps(payload), NOW).alerts
    assert (one.status, one.as_of) == ("resolved", BEGAN + 30)


def test_a_clock_that_is_ahead_does_not_make_later_news_look_old() -> None:
    payload = sample("alertmanager.json")
    payload["alerts"][0]["startsAt"] = "2027-11-24T10:00:00Z"
    (one,) = from_webhook(json.dumps(payload), NOW).alerts
    assert one.as_of == NOW


def test_alertmanager_by_sns_is_as_old_as_its_publication() -> None:
    found = from_queue((EVENTS / "alertmanager-sns.json").read_text(), NOW)
    assert found.observed_at == BEGAN + 4
    assert found.alerts == from_webhook((EVENTS / "alertmanager.json").read_bytes(), NOW).alerts


def test_a_cloudwatch_metric_alarm() -> None:
    found = from_queue((EVENTS / "cloudwatch-alarm.json").read_text(), NOW)
    (one,) = found.alerts
    assert (found.source, found.observed_at, one.status) == ("cloudwatch", BEGAN + 0.989, "firing")
    assert one.labels["service"] == "backend-api" and one.labels["slot"] == "blue"
    assert one.labels["severity"] == "critical"
    assert one.labels["TargetGroup"].startswith("targetgroup/")
    assert one.labels["alertname"] == "candlefish/production/backend-api/errors-critical/blue"
    assert one.summary.startswith("Over half of backend-api's answers") and "[" not in one.summary
    assert "alarm/candlefish%2Fproduction%2Fbackend-api%2Ferrors-critical%2Fblue" in one.link


def test_the_end_of_an_alarm_began_when_the_alarm_did() -> None:
    event = sample("cloudwatch-alarm.json")
    fired = from_event(event, NOW).alerts[0]
    event["detail"]["previousState"] = event["detail"]["state"]
    event["detail"]["state"] = {"value": "OK", "timestamp": "2026-11-24T10:00:40.000+0000"}
    ended = from_event(event, NOW).alerts[0]
    assert (ended.status, ended.started_at, ended.as_of) == ("resolved", fired.started_at, BEGAN + 40)
    assert ended.fingerprint == fired.fingerprint


def test_an_alarm_without_data_is_unknown_not_resolved() -> None:
    event = sample("cloudwatch-alarm.json")
    event["detail"]["state"]["value"] = "INSUFFICIENT_DATA"
    assert from_event(event, NOW).alerts[0].status == "unknown"


def test_a_composite_alarm() -> None:
    found = from_event(sample("cloudwatch-composite.json"), NOW)
    assert found.alerts[0].labels["alertname"] == "candlefish/production/backend-api/service-down"


def test_a_replay_is_known_by_its_name() -> None:
    event = {**sample("cloudwatch-alarm.json"), "replay-name": "after-the-outage"}
    assert from_event(event, NOW).replay == "after-the-outage"


def test_a_finding() -> None:
    (one,) = from_event(sample("finding.json"), NOW).alerts
    assert one.labels == {
        "alertname": "backup-snapshot-age",
        "environment": "production",
        "category": "backup",
        "about": "database/main",
    }


BAD: list[tuple[str, bytes, str]] = [
    ("empty", b"", "not JSON"),
    ("no JSON", b"{", "not JSON"),
    ("no object", b"[]", "Expected `object`, got `array`"),
    ("not UTF-8", b'{"version": "4", "x": "\xff"}', "not UTF-8"),
    ("another version", b'{"version": "3", "alerts": []}', "version '3' is not known"),
    ("no alerts", b'{"version": "4"}', "missing required field `alerts`"),
    ("alerts of another kind", b'{"version": "4", "alerts": [1]}', "$.alerts[0]"),
    ("another status", b'{"version": "4", "alerts": [{"status": "maybe"}]}', "$.alerts[...].status"),
    (
        "labels that are no text",
        b'{"version": "4", "alerts": [{"status": "firing", "labels": {"a": 1}, "startsAt": "x"}]}',
        "$.alerts[0].labels[...]",
    ),
    (
        "no time",
        b'{"version": "4", "alerts": [{"status": "firing", "labels": {}, "startsAt": "yesterday"}]}',
        "alerts[0].startsAt is 'yesterday'",
    ),
    (
        "a time without a zone",
        b'{"version": "4", "alerts": [{"status": "firing", "labels": {}, "startsAt": "2026-11-24T10:00"}]}',
        "alerts[0].startsAt",
    ),
    ("a negative count", b'{"version": "4", "alerts": [], "truncatedAlerts": -1}', "a count from 0"),
    (
        "a count of no alerts",
        b'{"version": "4", "alerts": [], "truncatedAlerts": 9223372036854775808}',
        "a count from 0",
    ),
]


@pytest.mark.parametrize(("body", "words"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_is_no_webhook_is_refused_with_what_is_wrong(body: bytes, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        from_webhook(body, NOW)
    assert words.replace("[0]", "[...]") in str(refusal.value).replace("[0]", "[...]")


@pytest.mark.parametrize("body", ["", "[]", '"x"', "{}", '{"detail-type": "x"}', '{"TopicArn": "t"}'])
def test_a_message_that_is_no_signal_is_refused(body: str) -> None:
    with pytest.raises(InvalidInput):
        from_queue(body, NOW)


@given(st.lists(st.integers(0, 3000), max_size=60), st.integers(200, 5000))
def test_cutting_loses_no_alert_and_doubles_none(sizes: list[int], limit: int) -> None:
    alerts = tuple(alert(f"A{i}", at=NOW, fingerprint=str(i), x="y" * n) for i, n in enumerate(sizes))
    whole = delivery(*alerts, at=NOW)
    parts = [from_queue(part.decode(), NOW) for part in split_delivery(whole, limit)]
    assert tuple(a for part in parts for a in part.alerts) == alerts
    assert all(part.total == whole.total for part in parts)


def test_10_000_alerts_fit_the_queue() -> None:
    alerts = tuple(alert(f"A{i}", at=NOW, pod=f"backend-api-blue-{i:05d}-x") for i in range(10_000))
    parts = list(split_delivery(delivery(*alerts, at=NOW)))
    assert max(map(len, parts)) < 256 * 1024
    assert sum(len(msgspec.json.decode(part, type=Delivery).alerts) for part in parts) == 10_000


def test_huge_labels_are_cut_and_kept() -> None:
    payload = sample("alertmanager.json")
    payload["alerts"][0]["labels"] = {"alertname": "X", "service": "y" * 100_000} | {
        f"l{i}": "v" for i in range(500)
    }
    (one,) = from_webhook(json.dumps(payload), NOW).alerts
    assert one.labels["alertname"] == "X" and len(one.labels) == MOST_LABELS
    assert max(map(len, one.labels.values())) == 512


def test_a_response_to_the_largest_alert_fits_a_state_machine() -> None:
    payload = sample("alertmanager.json")
    labels = {f"{i:03d}{chr(0x1F41F) * 200}": chr(0x1F41F) * 5000 for i in range(500)}
    payload["alerts"][0] |= {"labels": {"alertname": "ServiceDown", **labels}, "fingerprint": "f" * 5000}
    payload["alerts"][0]["annotations"] = {"summary": chr(0x1F41F) * 50_000}
    (one,) = from_webhook(json.dumps(payload, ensure_ascii=False), NOW).alerts
    signal = signal_of(one, at=NOW)
    response = SignalResponse("id", "production", "rollback", "service", "website", "why", NOW, signal, "r")
    assert len(msgspec.json.encode(response)) < 256 * 1024


def test_what_is_cut_is_still_another_alert() -> None:
    """Two long groups, or fingerprints, that begin alike are not one delivery that came twice."""
    seen = set()
    for last in "ab":
        payload = sample("alertmanager.json")
        payload["groupKey"] = "g" * 5000 + last
        payload["alerts"][0]["fingerprint"] = "f" * 5000 + last
        read = from_webhook(json.dumps(payload), NOW)
        seen.add((read.group, read.alerts[0].fingerprint))
    assert len({group for group, _ in seen}) == len({fingerprint for _, fingerprint in seen}) == 2
    assert all(len(fingerprint) <= 128 for _, fingerprint in seen)
