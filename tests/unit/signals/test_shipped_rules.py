"""The Prometheus rules we ship lead to what the issue of the first user asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from candlefish.signals.model import Alert, Signal
from lab.scenes.prometheus import discovered
from tests.support.catalogs import catalog
from tests.support.signal_world import signal_of

MONITORING = Path(__file__).parents[3] / "monitoring"
RULES = MONITORING / "prometheus" / "candlefish.rules.yaml"
NOW = 1_800_000_000.0

# Alert -> labels that its series have beside those of the rule; severity, action, `for`.
LEADS_TO: dict[str, tuple[dict[str, str], str, str, str]] = {
    "ServiceDown": ({"namespace": "example-prod", "service": "website"}, "P0", "rollback", "5m"),
    "ErrorRateCritical": (
        {"namespace": "example-prod", "service": "website", "slot": "blue"},
        "P0",
        "rollback",
        "2m",
    ),
    "ErrorRateHigh": (
        {"namespace": "example-prod", "service": "website", "slot": "blue"},
        "P1",
        "hold",
        "5m",
    ),
    "LatencyHigh": (
        {"namespace": "example-prod", "service": "website", "slot": "blue"},
        "P1",
        "hold",
        "5m",
    ),
    "DatabaseUnavailable": ({"environment": "production", "database": "main"}, "P0", "failover", "1m"),
    "CacheUnavailable": ({"environment": "production", "cache": "sessions"}, "P0", "failover", "1m"),
    "CertificateExpiring": (
        {"environment": "production", "instance": "https://example.org"},
        "P1",
        "notify",
        "10m",
    ),
    "SecurityBreach": (
        {"namespace": "example-prod", "pod": "website-blue-7d4b9c8f6d-x2x4k"},
        "P0",
        "rollback",
        "",
    ),
    "UtilisationHigh": (
        {"namespace": "example-prod", "pod": "website-blue-7d4b9c8f6d-x2x4k"},
        "P2",
        "notify",
        "",
    ),
}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_every_alert_is_known_here() -> None:
    assert {rule["alert"] for rule in alerts()} == set(LEADS_TO)


@pytest.mark.parametrize("rule", alerts(), ids=[f"{i}-{r['alert']}" for i, r in enumerate(alerts())])
def test_each_alert_leads_to_its_action(rule: dict[str, Any]) -> None:
    labels, severity, do, lasting = LEADS_TO[rule["alert"]]
    found: Signal = signal_of(
        Alert("f", "firing", {"alertname": rule["alert"], **rule["labels"], **labels}, NOW, NOW), at=NOW
    )
    assert (found.environment, found.severity, found.do) == ("production", severity, do)
    assert not lasting or rule["for"] == lasting
    assert rule["labels"]["candlefish"] == "true", "Alertmanager's route would not find it"
    assert rule["annotations"]["summary"]


def test_the_catalog_knows_the_namespaces_that_the_scrape_job_finds() -> None:
    (job,) = yaml.safe_load((MONITORING / "prometheus" / "scrape.yaml").read_text())
    targets = {relabel.get("target_label") for relabel in job["relabel_configs"]}
    clues = {clue.label for clue in catalog().responses.clues.service}
    assert {"namespace", "service", "slot", "pod"} <= targets and "service" in clues


def test_the_scrape_job_keeps_the_labs_pods() -> None:
    labels = {"candlefish.ai/service": "website", "candlefish.ai/slot": "blue"}
    pod = {
        "metadata": {"namespace": "example-prod", "name": "website-blue-1", "labels": labels},
        "status": {"phase": "Running"},
    }
    (job,) = yaml.safe_load((MONITORING / "prometheus" / "scrape.yaml").read_text())
    found = discovered(pod)
    for rule in job["relabel_configs"]:
        value = ";".join(found.get(label, "") for label in rule["source_labels"])
        assert value, f"nothing that the lab finds has {rule['source_labels']}"
        assert rule.get("action") != "keep" or re.fullmatch(rule["regex"], value), rule


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (apt-get install prometheus)")
def test_promtool_takes_the_rules_and_their_tests_pass() -> None:
    for command in (
        ["check", "rules", RULES],
        ["test", "rules", RULES.with_name("candlefish.rules.test.yaml")],
    ):
        done = subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="needs amtool (apt-get install prometheus-alertmanager)"
)
def test_amtool_takes_the_configurations(tmp_path: Path) -> None:
    for file in ("alertmanager.yaml", "alertmanager-sns.yaml"):
        text = (MONITORING / "alertmanager" / file).read_text()
        here = re.sub(
            "/etc/alertmanager/candlefish-sns.tmpl",
            str(MONITORING / "alertmanager/candlefish-sns.tmpl"),
            text,
        )
        (tmp_path / file).write_text(here)
        done = subprocess.run(
            ["amtool", "check-config", str(tmp_path / file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
