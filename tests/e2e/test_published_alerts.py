"""Every published alert, through a real Prometheus and a real Alertmanager: what it led to is what the pages say."""

from __future__ import annotations

import pytest

from candlefish.catalog.model import FITS
from lab import ROOT
from lab.scenes.monitoring import programs
from tests.support.arrivals import PAGE, Arrival, arrivals, led_to, page

pytestmark = pytest.mark.skipif(
    programs() is None, reason="needs Debian's prometheus and prometheus-alertmanager (apt-get install)"
)
# What the word in an alert's label means where the list says nothing (default_responses.yaml).
BY_LABEL = {"critical": "P0", "warning": "P1"}


def decided() -> dict[str, tuple[str, str]]:
    """What docs/alerts.md says of each alert: what it leads to, and how loud."""
    rows = (ROOT / "docs" / "alerts.md").read_text().partition("## Rules")[0].splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows if row.startswith("| ")]
    return {name: (do, level) for name, do, level, _ in cells if name != "alert"}


def led(arrival: Arrival) -> tuple[str, str]:
    """What it came to, in the words of docs/alerts.md, and how loud."""
    words = {"hold": "hold", "told": "notify", "log only": "nothing", "kept": "nothing"}
    return words.get(led_to(arrival), led_to(arrival)), arrival.line.signal.severity if arrival.line else ""


def test_every_published_alert_leads_to_what_the_pages_say() -> None:
    listed, arrived = decided(), arrivals()
    assert {arrival.case.alert for arrival in arrived} == set(listed)
    for arrival in arrived:
        do, level = listed[arrival.case.alert]
        kind = arrival.line.signal.kind if arrival.line else "other"
        wanted = do if kind in FITS[do] else "notify"  # type: ignore[index]
        loud = BY_LABEL.get(arrival.case.severity, "P2") if level == "by its label" else level
        assert led(arrival) == (wanted, loud if arrival.line else ""), arrival
    kept = {arrival.case.alert for arrival in arrived if arrival.line is None}
    assert kept == {"Watchdog", "InfoInhibitor"}
    assert PAGE.read_text() == page(arrived), "write it with: python -m tests.support.arrivals"
