"""From the labels that alerts really carry to services, severities and actions."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import msgspec
import pytest

from candlefish.catalog.load import load
from candlefish.names import former_target_group_name, target_group_name
from candlefish.service.model import SLOTS
from candlefish.signals.classify import classify, matches
from candlefish.signals.model import Alert, Signal
from candlefish.signals.sources import from_event
from tests.support.catalogs import ACME, FIXTURES, catalog
from tests.support.signal_world import delivery, signal_of

NOW = 1_800_000_000.0


def signal(**labels: str) -> Signal:
    return signal_of(Alert("f", "firing", {"alertname": "X", **labels}, NOW, NOW), at=NOW)


@pytest.mark.parametrize(
    ("labels", "kind", "subject", "slot"),
    [
        ({"service": "website"}, "service", "website", ""),
        ({"service": "website", "slot": "green"}, "service", "website", "green"),
        (
            {"deployment": "backend-api-blue", "namespace": "example-prod"},
            "service",
            "backend-api",
            "blue",
        ),
        ({"deployment": "backend-api"}, "service", "backend-api", ""),
        ({"pod": "api-gateway-green-7d4b9c8f6d-x2x4k"}, "service", "api-gateway", "green"),
        ({"job": "example-prod/storefront"}, "service", "storefront", ""),
        (
            {"job": "blackbox", "instance": "https://careers.example.org/health"},
            "service",
            "careers",
            "",
        ),
        ({"host": "gateway.example.org"}, "service", "api-gateway", ""),
        ({"instance": "api.example.org:443"}, "service", "backend-api", ""),
        ({"TargetGroup": "targetgroup/website-prod-green/73e2d6bc24d8a067"}, "service", "website", "green"),
        (
            {"TargetGroup": "targetgroup/backend-api-prod-blue/73e2d6bc24d8a067"},
            "service",
            "backend-api",
            "blue",
        ),
        ({"DBInstanceIdentifier": "example-production"}, "database", "main", ""),
        ({"DBInstanceIdentifier": "example-production-replica"}, "database", "main", ""),
        ({"CacheClusterId": "example-production-001"}, "cache", "sessions", ""),
        ({"CacheClusterId": "example-production-0001-002"}, "cache", "sessions", ""),
        # As the Kubernetes mixin, ingress-nginx, Istio, blackbox and the exporters of postgres and redis say it.
        (
            {"service": "kube-state-metrics", "pod": "website-blue-7d4b9c8f6d-x2x4k", "container": "website"},
            "service",
            "website",
            "blue",
        ),
        ({"kubernetes_pod_name": "website-green-7d4b9c8f6d-x2x4k"}, "service", "website", "green"),
        ({"app": "website"}, "service", "website", ""),
        ({"container": "backend-api"}, "service", "backend-api", ""),
        ({"horizontalpodautoscaler": "website-green"}, "service", "website", ""),
        ({"exported_service": "website-blue"}, "service", "website", "blue"),
        ({"ingress": "website"}, "service", "website", ""),
        ({"destination_workload": "backend-api-blue"}, "service", "backend-api", "blue"),
        ({"job": "blackbox", "target": "https://api.example.org/health"}, "service", "backend-api", ""),
        ({"server": "example-production.c1x.us-west-2.rds.amazonaws.com:5432"}, "database", "main", ""),
        (
            {"instance": "rediss://master.example-production.a1b.usw2.cache.amazonaws.com:6379"},
            "cache",
            "sessions",
            "",
        ),
        ({"service": "somebody-elses"}, "other", "X service=somebody-elses", ""),
        (
            {"job": "node-exporter", "instance": "10.0.0.1:9100"},
            "other",
            "X job=node-exporter instance=10.0.0.1:9100",
            "",
        ),
        ({}, "other", "X", ""),
    ],
)
def test_labels_lead_to_a_subject(labels: dict[str, str], kind: str, subject: str, slot: str) -> None:
    found = signal(**labels)
    assert (found.kind, found.subject, found.slot) == (kind, subject, slot)


@pytest.mark.parametrize(("folder", "environment"), [(FIXTURES, "production"), (ACME, "prod-eu")])
def test_every_target_group_that_onboarding_made_leads_to_its_service(folder: Path, environment: str) -> None:
    theirs = load(folder)
    # Two whose names begin alike, and one that a load balancer takes only cut.
    more = ("checkout-prod", "a-service-with-a-name-that-is-cut")
    like = next(iter(theirs.services.values()))
    services = {**theirs.services, **{name: msgspec.structs.replace(like, name=name) for name in more}}
    theirs = msgspec.structs.replace(theirs, services=services)
    for service, slot in product(services, SLOTS):
        for called in (target_group_name, former_target_group_name):
            labels = {"TargetGroup": f"targetgroup/{called(service, environment, slot)}/73e2d6bc24d8a067"}
            alert = Alert("f", "firing", {"alertname": "X", **labels}, NOW, NOW)
            found = classify(alert, delivery(alert, at=NOW), catalog=theirs, environment=environment)
            assert (found.kind, found.subject, found.slot) == ("service", service, slot)


@pytest.mark.parametrize(
    ("labels", "environment"),
    [
        ({"environment": "production"}, "production"),
        ({"namespace": "example-staging"}, "staging"),
        ({"cluster": "example-development"}, "development"),
        ({"namespace": "kube-system"}, ""),
        ({"environment": "prod"}, ""),
        ({}, ""),
    ],
)
def test_labels_lead_to_an_environment_or_to_none(labels: dict[str, str], environment: str) -> None:
    assert signal(**labels).environment == environment


@pytest.mark.parametrize(
    ("labels", "severity", "do"),
    [
        ({"alertname": "ServiceDown", "service": "website"}, "P0", "rollback"),
        ({"alertname": "ErrorRateCritical", "service": "website"}, "P0", "rollback"),
        ({"alertname": "DatabaseUnavailable", "database": "main"}, "P0", "failover"),
        ({"alertname": "CacheUnavailable", "cache": "sessions"}, "P0", "failover"),
        (
            {"alertname": "X", "category": "security", "severity": "critical", "service": "website"},
            "P0",
            "rollback",
        ),
        ({"alertname": "X", "category": "security", "severity": "critical"}, "P0", "notify"),
        ({"alertname": "ErrorRateHigh", "service": "website"}, "P1", "hold"),
        ({"alertname": "LatencyHigh", "service": "website", "severity": "critical"}, "P1", "hold"),
        ({"alertname": "UtilisationHigh", "service": "website"}, "P2", "notify"),
        ({"alertname": "CertificateExpiring", "service": "website"}, "P1", "notify"),
        # What no rule names tells, however loud it is.
        ({"alertname": "Mine", "service": "website", "severity": "critical"}, "P0", "notify"),
        ({"alertname": "Mine", "service": "website", "severity": "CRITICAL"}, "P0", "notify"),
        ({"alertname": "Mine", "service": "website", "severity": "p0"}, "P0", "notify"),
        ({"alertname": "Mine", "service": "website", "severity": " Warning"}, "P1", "notify"),
        ({"alertname": "Mine", "service": "website", "severity": "P1"}, "P1", "notify"),
        ({"alertname": "X", "category": "security", "severity": "CRITICAL"}, "P0", "notify"),
        ({"alertname": "Mine", "service": "website", "severity": "none"}, "P2", "notify"),
        ({"alertname": "Mine", "service": "website"}, "P2", "notify"),
    ],
)
def test_rules_and_labels_lead_to_a_severity_and_an_action(
    labels: dict[str, str], severity: str, do: str
) -> None:
    found = signal(**labels)
    assert (found.severity, found.do) == (severity, do)


def test_what_the_samples_of_cloudwatch_lead_to() -> None:
    events = Path(__file__).parents[3] / "events" / "signals"
    for name, subject, do in (
        ("cloudwatch-alarm.json", "service/backend-api", "rollback"),
        ("cloudwatch-composite.json", "service/backend-api", "rollback"),
        ("finding.json", "other/backup-snapshot-age", "notify"),
    ):
        found = from_event(json.loads((events / name).read_text()), NOW)
        one = signal_of(found.alerts[0], at=NOW, source=found.source)
        assert (one.environment, one.about, one.do) == ("production", subject, do)


def test_a_pattern_must_match_the_whole_value() -> None:
    assert matches({"a": "x|y", "b": ""}, {"a": "x"})
    assert not matches({"a": "x"}, {"a": "xx"})


def test_owner_and_runbook_come_from_the_service() -> None:
    service = catalog().service("website")
    found = signal(service="website")
    assert (found.owner, found.runbook) == (service.owner, service.runbook)
