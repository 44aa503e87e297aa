"""A canary that is worse in one way only, rolled back by what a real Prometheus counted of real traffic.

Prometheus asks who we are, as one outside a VPC must. Through CloudWatch: tests/scenarios/signals. Run with `-s` to see
the verdict. The lab runs thirty times as fast as the catalog says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.faults import Fault
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import answer, execution, record, start_release, timeline
from lab.scenes.prometheus import PASSWORD, USERNAME, Prometheus, program
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import rounds

ENVIRONMENT, SERVICE = "production", "backend-api"
# What the stable version does: a few errors, and a twentieth of its answers take 60 ms.
STABLE = Behaviour(error_rate=0.02, slow_rate=0.06, slow_seconds=0.06)
# Nothing but a p95 that has doubled.
SLOWER = Behaviour(error_rate=0.02, slow_rate=0.06, slow_seconds=0.12)

pytestmark = [
    pytest.mark.skipif(program() is None, reason="needs Debian's prometheus package; .ci/run installs them"),
]


def _catalog(folder: Path) -> Path:
    """Evidence is all there is: no objectives, a latency budget between the two versions' p95."""
    return quick_catalog(
        folder,
        ("strategies.yaml", "at_most: 1m", "at_most: 10m"),
        ("strategies.yaml", "rollback_window: 1h", "rollback_window: 15m"),
        ("policies.yaml", "slow_over: 2s", "slow_over: 0.1s"),
    )


class Monitored(World):
    """A lab whose stack is told of a Prometheus, and of the secret with the login at it."""

    prometheus: Prometheus

    def parameters(self) -> dict[str, str]:
        secret = self.clients("us-west-2")("secretsmanager").create_secret(
            Name="candlefish/prometheus",
            SecretString=json.dumps({"username": USERNAME, "password": PASSWORD}),
        )
        return {"PrometheusUrl": self.prometheus.url, "PrometheusSecretArn": secret["ARN"]}


@contextmanager
def monitored(folder: Path) -> Iterator[World]:
    """Production with one service under traffic, and Prometheus beside CloudWatch."""
    catalog = _catalog(folder / "catalog")
    with (
        Monitored(folder / "lab", time_scale=30, catalog=catalog) as made,
        Prometheus(made, ENVIRONMENT, login=True) as made.prometheus,
    ):
        bring_up(made, (ENVIRONMENT,), (SERVICE,))
        made.traffic.register(SERVICE, "1.0.0", STABLE)
        made.traffic.register(SERVICE, "slower", SLOWER)
        made.traffic.register(SERVICE, "as-good", STABLE)
        load = Load(made.sites[ENVIRONMENT].port, [made.catalog.services[SERVICE].host], 120.0)
        load.start()
        # A service has a past by which its burstiness is known.
        time.sleep(20)
        yield made
        load.stop()


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(monitored)


def released(world: World, version: str) -> tuple[str, str, list[dict[str, Any]]]:
    """Release a version, say yes whenever asked, and wait for the end: its name, status and timeline."""
    release = start_release(world, ENVIRONMENT, SERVICE, version, by="developer")
    asked = 0
    for _ in rounds(
        lambda: f"{release} did not end; its timeline is {timeline(world, ENVIRONMENT, release)}"
    ):
        entries = timeline(world, ENVIRONMENT, release)
        questions = [entry["kind"] for entry in entries].count("approval_requested")
        if questions > asked:
            asked = questions
            answer(world, ENVIRONMENT, release, "approved", person="platform-lead")
        status = execution(world, ENVIRONMENT, release)["status"]
        if status != "RUNNING":
            break
    return release, status, timeline(world, ENVIRONMENT, release)


def test_a_canary_that_is_worse_in_one_way_is_rolled_back_by_evidence(world: World) -> None:
    """CloudWatch is out of order meanwhile: unknown, and no reason to keep or blame a canary."""
    world.faults.add(
        Fault(boundary="aws", service="cloudwatch", operation="GetMetricData", kind="error", count=None)
    )
    try:
        _, status, entries = released(world, "slower")
    finally:
        world.faults.clear()
    judged = [entry for entry in entries if entry["kind"] == "judged"]
    print(f"\n{judged[-1]['reason']}")
    assert status == "FAILED"
    last = judged[-1]["evidence"]
    assert last["action"] == "rollback" and last["source"] == "prometheus"
    assert last["sources"] == {"prometheus": "rollback", "cloudwatch": "hold"}
    assert last["metric"] == "slow" and last["e_value"] >= last["threshold"]
    assert last["odds_ratio"] > 1.5
    stored = record(world, ENVIRONMENT, SERVICE)
    assert stored["desired"][stored["stable"]] == 100


def test_a_canary_that_is_as_good_is_promoted_and_watched(world: World) -> None:
    """Every function that reads Prometheus was let in: the judge's, the watch's, and who sees a slot drained."""
    release, status, entries = released(world, "as-good")
    assert status == "SUCCEEDED", entries
    judged = [entry for entry in entries if entry["kind"] == "judged"]
    assert "prometheus" in judged[-1]["evidence"]["sources"]
    for _ in rounds(lambda: f"the old slot was not retired: {timeline(world, ENVIRONMENT, release)}"):
        if {"window_closed", "retired"} <= {e["kind"] for e in timeline(world, ENVIRONMENT, release)}:
            break
    (closed,) = [e for e in timeline(world, ENVIRONMENT, release) if e["kind"] == "window_closed"]
    assert "requests since its promotion" in closed["reason"]
