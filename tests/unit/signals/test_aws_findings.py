"""Findings of GuardDuty and Security Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from candlefish.errors import InvalidInput
from candlefish.signals.sources import from_event

EVENTS = Path(__file__).parents[3] / "events" / "signals"
NOW = 1_800_000_000.0


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def test_a_finding_of_guardduty() -> None:
    found = from_event(sample("guardduty"), NOW)
    (alert,) = found.alerts
    assert (found.source, alert.status, alert.labels["severity"]) == ("guardduty", "firing", "high")
    assert alert.labels["alertname"] == "Execution:Kubernetes/ExecInKubeSystemPod"
    assert alert.labels["resource"] == "EKSCluster shop-production"
    assert alert.labels["category"] == "security"
    assert alert.started_at < alert.as_of
    assert alert.link.startswith("https://us-west-2.console.aws.amazon.com/guardduty/")


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (9.0, "critical"),
        (8.9, "high"),
        (7.0, "high"),
        (6.9, "medium"),
        (4.0, "medium"),
        (1, "low"),
        (-8, "low"),
    ],
)
def test_numbers_of_guardduty_are_words(number: float, word: str) -> None:
    event = sample("guardduty")
    event["detail"]["severity"] = number
    assert from_event(event, NOW).alerts[0].labels["severity"] == word


def test_an_archived_finding_has_ended() -> None:
    event = sample("guardduty")
    event["detail"]["service"]["archived"] = True
    assert from_event(event, NOW).alerts[0].status == "resolved"


def test_a_finding_of_security_hub() -> None:
    found = from_event(sample("securityhub"), NOW)
    (alert,) = found.alerts
    assert (found.source, alert.status, alert.labels["severity"]) == ("securityhub", "firing", "critical")
    assert alert.labels["product"] == "Inspector"
    assert alert.description


@pytest.mark.parametrize("change", [{"RecordState": "ARCHIVED"}, {"Workflow": {"Status": "RESOLVED"}}])
def test_what_security_hub_calls_over_has_ended(change: dict[str, Any]) -> None:
    event = sample("securityhub")
    event["detail"]["findings"][0] |= change
    assert from_event(event, NOW).alerts[0].status == "resolved"


@pytest.mark.parametrize(("name", "without"), [("guardduty", "severity"), ("securityhub", "findings")])
def test_what_is_no_finding_says_so(name: str, without: str) -> None:
    event = sample(name)
    del event["detail"][without]
    with pytest.raises(InvalidInput, match=without):
        from_event(event, NOW)


def test_a_finding_at_no_time_says_so() -> None:
    event = sample("guardduty")
    event["detail"]["updatedAt"] = "yesterday"
    with pytest.raises(InvalidInput, match="its last change"):
        from_event(event, NOW)
