"""Canaries that are worse in one way only, rolled back by evidence from real traffic, through each source.

The lab's load balancer and a real Prometheus count the same requests; the real release machine
judges them. Run with `-s` to see the verdicts. The lab runs thirty times as fast as the catalog says.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.faults import Fault
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import answer, execution, record, start_release, timeline
from lab.scenes.monitoring import Monitoring, programs
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import rounds

ENVIRONMENT, SERVICE = "production", "backend-api"
# What the stable version does: a few errors, and a twentieth of its answers take 60 ms.
STABLE = Behaviour(error_rate=0.02, slow_rate=0.06, slow_seconds=0.06)
CANARIES = {
    # Nothing but three times the errors.
    "errors": Behaviour(error_rate=0.06, slow_rate=0.06, slow_seconds=0.06),
    # Nothing but a p95 that has doubled.
    "p95": Behaviour(error_rate=0.02, slow_rate=0.06, slow_seconds=0.12),
}
METRICS = {"errors": "errors", "p95": "slow"}

pytestmark = [
    pytest.mark.skipif(
        programs() is None, reason="needs Debian's prometheus packages; .ci/run installs them"
    ),
]


def _catalog(folder: Path) -> Path:
    """Evidence is all there is: no objectives, a latency budget between the two versions' p95."""
    return quick_catalog(
        folder,
        ("strategies.yaml", "at_most: 1m", "at_most: 45m"),
        ("policies.yaml", "slow_over: 2s", "slow_over: 0.1s"),
    )


class Door:
    """The way to Prometheus; closed, it answers 503."""

    def __init__(self) -> None:
        door = self
        self.open, self.to = True, ""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = door.ask(self.path, body, self.headers["Content-Type"])
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def ask(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        if not self.open:
            return 503, b'{"status":"error","error":"closed for the test"}'
        request = urllib.request.Request(self.to + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=8) as answer:
            return int(answer.status), answer.read()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def monitored(folder: Path) -> Iterator[tuple[World, Door]]:
    """Production with one service under traffic, and Prometheus beside CloudWatch."""
    catalog = _catalog(folder / "catalog")
    with World(folder / "lab", time_scale=30, catalog=catalog) as made, closing(Door()) as door:
        made.aws.functions.environment["PROMETHEUS_URL"] = door.url
        bring_up(made, (ENVIRONMENT,), (SERVICE,))
        made.traffic.register(SERVICE, "1.0.0", STABLE)
        for name, behaviour in CANARIES.items():
            for source in ("cloudwatch", "prometheus"):
                made.traffic.register(SERVICE, f"{name}-{source}", behaviour)
        host = made.catalog.services[SERVICE].host
        load = Load(made.sites[ENVIRONMENT].port, [host], 120.0)
        with Monitoring(made, ENVIRONMENT) as monitoring:
            door.to = f"http://127.0.0.1:{monitoring.port}"
            load.start()
            # A service has a past by which its burstiness is known.
            time.sleep(20)
            yield made, door
            load.stop()


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(monitored)[0]


@pytest.fixture
def door(labs: Labs) -> Door:
    return labs.get(monitored)[1]


def released(world: World, version: str) -> tuple[str, list[dict[str, Any]]]:
    """Release a version, say yes whenever asked, and wait for the end: status and timeline."""
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
    return status, timeline(world, ENVIRONMENT, release)


@pytest.mark.parametrize("source", ["cloudwatch", "prometheus"])
@pytest.mark.parametrize("what", list(CANARIES))
def test_a_canary_that_is_worse_in_one_way_is_rolled_back_by_evidence(
    world: World, door: Door, what: str, source: str
) -> None:
    """The other source is out of order meanwhile: unknown, and no reason to keep or blame a canary."""
    door.open = source == "prometheus"
    if door.open:
        world.faults.add(
            Fault(boundary="aws", service="cloudwatch", operation="GetMetricData", kind="error", count=None)
        )
    try:
        status, entries = released(world, f"{what}-{source}")
    finally:
        world.faults.clear()
        door.open = True
    judged = [entry for entry in entries if entry["kind"] == "judged"]
    print(f"\n{what} through {source}: {judged[-1]['reason']}")
    assert status == "FAILED"
    last = judged[-1]["evidence"]
    assert last["action"] == "rollback" and last["source"] == source
    assert last["sources"] == {source: "rollback", ({"cloudwatch", "prometheus"} - {source}).pop(): "hold"}
    assert last["metric"] == METRICS[what] and last["e_value"] >= 100
    assert last["odds_ratio"] > 1.5
    stored = record(world, ENVIRONMENT, SERVICE)
    assert stored["desired"][stored["stable"]] == 100
