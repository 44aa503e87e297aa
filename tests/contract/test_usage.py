"""Requests and usage from a real Prometheus, over two weeks that promtool wrote."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
import urllib3

from candlefish.adapters.http.usage import PrometheusUsage
from candlefish.cost.hints import hints
from candlefish.errors import Unavailable
from tests.support.waiting import rounds

NO_PROMETHEUS = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="Prometheus is not installed"
)
DAYS, STEP = 14, 150
MIB = 1024.0**2
# container -> (CPU requested, used at night, used by day; memory requested, used).
CONTAINERS = {
    "backend-api": (1.0, 0.05, 0.2, 1024 * MIB, 300 * MIB),
    "website": (0.2, 0.05, 0.17, 256 * MIB, 200 * MIB),
    "gateway": (0.5, 0.3, 0.42, 256 * MIB, 400 * MIB),
}


def open_metrics(now: int) -> str:
    """Counters and gauges of one Pod each, as cAdvisor and kube-state-metrics show them."""
    cpu, memory, requests = [], [], []
    for name, (asked, night, day, room, used) in CONTAINERS.items():
        own = f'namespace="staging",pod="{name}-1",container="{name}"'
        spent = 0.0
        for at in range(now - DAYS * 86400, now, STEP):
            busy = 8 <= (at % 86400) / 3600 < 20
            spent += (day if busy else night) * STEP
            cpu.append(f"container_cpu_usage_seconds_total{{{own}}} {spent} {at}")
            memory.append(f"container_memory_working_set_bytes{{{own}}} {used} {at}")
            requests.append(f'kube_pod_container_resource_requests{{{own},resource="cpu"}} {asked} {at}')
            requests.append(f'kube_pod_container_resource_requests{{{own},resource="memory"}} {room} {at}')
    blocks = [
        ("container_cpu_usage_seconds", "counter", cpu),
        ("container_memory_working_set_bytes", "gauge", memory),
        ("kube_pod_container_resource_requests", "gauge", sorted(requests, key=lambda line: line.split()[0])),
    ]
    text = "".join(f"# TYPE {name} {kind}\n" + "\n".join(lines) + "\n" for name, kind, lines in blocks)
    return text + "# EOF\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    now = int(time.time()) // STEP * STEP
    (folder / "metrics.om").write_text(open_metrics(now + STEP))
    write = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics.om", "data"]
    subprocess.run(write, cwd=folder, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--storage.tsdb.retention.time=30d", f"--web.listen-address=127.0.0.1:{port}"],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in rounds(lambda: f"Prometheus did not become ready; look at {folder}/log", every=0.1):
            try:
                if urllib3.request("GET", f"{url}/-/ready", retries=False, timeout=1).status == 200:
                    break
            except urllib3.exceptions.HTTPError:
                pass
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.mark.lab
@NO_PROMETHEUS
def test_what_is_asked_for_and_used_is_read_for_each_container(prometheus: str) -> None:
    seen = {usage.workload: usage for usage in PrometheusUsage(prometheus).usages("staging")}
    assert set(seen) == set(CONTAINERS)
    for name, (asked, _, day, room, used) in CONTAINERS.items():
        usage = seen[name]
        assert usage.cpu_requested == asked
        assert math.isclose(usage.cpu_used, day, rel_tol=0.02)
        assert (usage.memory_requested, usage.memory_used) == (room, used)
        assert math.isclose(usage.pods, 1, rel_tol=0.02)
        assert 13 <= usage.days <= 14.1


@pytest.mark.lab
@NO_PROMETHEUS
def test_hints_follow_from_it(prometheus: str) -> None:
    found = [(hint.workload, hint.resource) for hint in hints(PrometheusUsage(prometheus).usages("staging"))]
    assert found == [("gateway", "memory"), ("backend-api", "cpu"), ("backend-api", "memory")]


@pytest.mark.lab
@NO_PROMETHEUS
def test_a_namespace_without_containers_has_no_usage(prometheus: str) -> None:
    assert PrometheusUsage(prometheus).usages("elsewhere") == []


def test_what_is_no_prometheus_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="check the address"):
        PrometheusUsage("http://127.0.0.1:9").usages("staging")
