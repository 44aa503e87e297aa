"""Findings of GuardDuty and Security Hub, and AWS WAF's alarm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from candlefish.errors import InvalidInput
from candlefish.signals.alarms import made_by_us
from candlefish.signals.aws_findings import FINDINGS
from candlefish.signals.classify import classify
from candlefish.signals.sources import from_event
from tests.support.catalogs import catalog

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


def test_both_hubs_tell_of_one_finding_alike() -> None:
    (ours,), (theirs,) = (from_event(sample(name), NOW).alerts for name in ("securityhub-v2", "securityhub"))
    assert ours == theirs


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"activity_name": "Close"}, "resolved", "critical"),
        ({"status": "Suppressed"}, "resolved", "critical"),
        ({"status": "Resolved"}, "resolved", "critical"),
        ({"status": "In Progress", "severity": "Fatal"}, "firing", "critical"),
        ({"severity": "High"}, "firing", "high"),
    ],
)
def test_how_a_finding_in_ocsf_stands(change: dict[str, Any], status: str, word: str) -> None:
    event = sample("securityhub-v2")
    event["detail"]["findings"][0] |= change
    (alert,) = from_event(event, NOW).alerts
    assert (alert.status, alert.labels["severity"]) == (status, word)


@pytest.mark.parametrize(
    ("name", "without"),
    [("guardduty", "severity"), ("securityhub", "findings"), ("securityhub-v2", "findings")],
)
def test_what_is_no_finding_says_so(name: str, without: str) -> None:
    event = sample(name)
    del event["detail"][without]
    with pytest.raises(InvalidInput, match=without):
        from_event(event, NOW)


def test_every_rule_of_the_stack_that_brings_findings_brings_what_is_read() -> None:
    resources = yaml_parse((EVENTS.parents[1] / "template.yaml").read_text())["Resources"]
    brought = {
        kind
        for each in resources.values()
        if each["Type"] == "AWS::Events::Rule"
        for pattern in [each["Properties"]["EventPattern"]]
        if pattern["source"][0] in ("aws.guardduty", "aws.securityhub")
        for kind in pattern["detail-type"]
    }
    assert brought == set(FINDINGS)


def test_what_aws_waf_blocks_is_told_and_nobodys_fault() -> None:
    """With the name, the description and the dimensions that the stack's alarm has."""
    alarm = yaml_parse((EVENTS.parents[1] / "template.yaml").read_text())["Resources"]["WafAlarm"][
        "Properties"
    ]
    event = sample("cloudwatch-alarm")
    event["detail"]["alarmName"] = alarm["AlarmName"]["Fn::Sub"].replace("${Environment}", "production")
    event["detail"]["configuration"] = {
        "description": alarm["AlarmDescription"],
        "metrics": [
            {"metricStat": {"metric": {"dimensions": {each["Name"]: "shop" for each in alarm["Dimensions"]}}}}
        ],
    }
    delivery = from_event(event, NOW)
    found = classify(delivery.alerts[0], delivery, catalog=catalog(), environment="production")
    assert (found.environment, found.kind, found.severity, found.do) == (
        "production",
        "other",
        "P1",
        "notify",
    )
    assert found.subject.endswith("WebACL=shop")
    assert not made_by_us(found.name, {"AlarmDescription": alarm["AlarmDescription"]}, "production")


def test_a_finding_at_no_time_says_so() -> None:
    event = sample("guardduty")
    event["detail"]["updatedAt"] = "yesterday"
    with pytest.raises(InvalidInput, match="its last change"):
        from_event(event, NOW)
