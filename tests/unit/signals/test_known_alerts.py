"""What published alerts lead to: every line is decided, and a company's own word comes first."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import yaml

from candlefish.catalog.defaults import ALERTS, known_alerts, shipped, with_defaults
from candlefish.catalog.model import Clue, Clues, PublishedAlert, ResponseRule, Responses
from candlefish.signals.classify import classify
from candlefish.signals.model import Alert, Signal
from tests.support.catalogs import catalog
from tests.support.signal_world import delivery, signal_of

NOW = 1_800_000_000.0
PUBLISHED = Path(__file__).parents[2] / "support" / "published_alerts.tsv"


def published() -> list[dict[str, str]]:
    with PUBLISHED.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def about(name: str, severity: str = "critical", **labels: str) -> Signal:
    said = {"alertname": name, "severity": severity, "environment": "production", **labels}
    return signal_of(Alert("f", "firing", said, NOW, NOW), at=NOW)


def test_every_published_alert_is_decided_once_and_with_a_reason() -> None:
    names = [name for group in yaml.safe_load(ALERTS.read_text()) for name in group["alerts"]]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    known = known_alerts()
    assert {line["alert"] for line in published()} <= set(known)
    assert all(each.why for each in known.values())


def test_no_published_alert_rolls_back_or_fails_over_and_few_hold() -> None:
    acts = Counter(each.do for each in known_alerts().values())
    assert acts["rollback"] == acts["failover"] == 0
    assert 0 < acts["hold"] < 15


@pytest.mark.parametrize("line", published(), ids=lambda line: line["alert"])
def test_a_published_alert_about_nothing_of_the_catalog_never_acts(line: dict[str, str]) -> None:
    found = about(line["alert"], line["severity"], node="node-1")
    assert found.kind == "other"
    assert found.do in ("notify", "nothing")
    assert found.why


def test_what_holds_holds_the_service_that_it_is_about_and_tells_of_others() -> None:
    crashing = about(
        "KubePodCrashLooping", "warning", namespace="example-prod", pod="website-blue-7d4b9c8f6d-x2x4k"
    )
    assert (crashing.about, crashing.do, crashing.severity, crashing.slot) == (
        "service/website",
        "hold",
        "P1",
        "blue",
    )
    other = about("KubePodCrashLooping", "warning", namespace="kube-system", pod="coredns-7d4b9c8f6d-x2x4k")
    assert (other.about, other.do) == ("other/KubePodCrashLooping kube-system/coredns", "notify")


def test_the_label_says_how_loud_it_is_where_the_list_does_not() -> None:
    assert about("KubeJobFailed", "warning").severity == "P1"
    assert about("KubeJobFailed", "critical").severity == "P0"
    assert about("AlertmanagerClusterDown", "critical").severity == "P1"


def test_what_a_company_writes_comes_first() -> None:
    own = Responses(
        clues=Clues(service=(Clue("job", "shop-(.+)"),)),
        rules={"mine": ResponseRule("mine", {"alertname": "KubeJobFailed"}, "P1")},
        alerts={"Watchdog": PublishedAlert("Watchdog", "notify", "P2", "we listen")},
    )
    merged = with_defaults(own)
    assert merged.clues.service[0] == Clue("job", "shop-(.+)")
    assert Clue("service") in merged.clues.service
    assert next(iter(merged.rules)) == "mine"
    assert merged.rules.keys() >= shipped().rules.keys()
    assert merged.alerts["Watchdog"].why == "we listen"
    assert len(merged.alerts) == len(shipped().alerts)
    ours = msgspec.structs.replace(catalog(), responses=merged)
    failed = Alert("f", "firing", {"alertname": "KubeJobFailed", "job": "shop-website"}, NOW, NOW)
    found = classify(failed, delivery(failed, at=NOW), catalog=ours, environment="production")
    assert (found.about, found.rule, found.severity, found.do) == ("service/website", "mine", "P1", "hold")


def test_who_wants_none_of_it_gets_none() -> None:
    own = Responses(defaults=False)
    assert with_defaults(own) is own


def test_findings_of_detectors_tell_whatever_they_are_about() -> None:
    for source, severity, level in (
        ("guardduty", "critical", "P0"),
        ("guardduty", "high", "P1"),
        ("securityhub", "medium", "P2"),
    ):
        one = Alert(
            "f",
            "firing",
            {"alertname": "X", "category": "security", "severity": severity, "service": "website"},
            NOW,
            NOW,
        )
        found = classify(
            one, delivery(one, at=NOW, source=source), catalog=catalog(), environment="production"
        )
        assert (found.severity, found.do) == (level, "notify")
