"""Metrics stores to read windows from, filled with traffic that is known: CloudWatch and a real Prometheus."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import boto3
import msgspec
import urllib3
from botocore.exceptions import EndpointConnectionError

from candlefish.adapters.aws.cloudwatch_metrics import CloudWatchWindows
from candlefish.adapters.aws.custom_metrics import CustomMetricWindows
from candlefish.adapters.http.prometheus import PrometheusWindows
from candlefish.analysis.model import Arm, MetricTarget, Survey, Window
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import CustomMetrics
from lab.moto import metrics
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer
from lab.simulator.metrics import ON_TIME, Metrics
from tests.support.analysis import FakeWindows
from tests.support.waiting import rounds

# A round moment an hour ago: stores forget what is old.
BEGAN = (time.time() - 3600) // 60 * 60
# What the memory tells apart.
EDGES = (0.5, 2.0)
BUCKETS = (0.5, 1.0, 2.0, 5.0)

TARGET = MetricTarget(
    environment="production",
    service="backend-api",
    load_balancer="app/example-production/50dc6c495c0c9188",
    baseline_slot="blue",
    canary_slot="green",
    baseline_group="targetgroup/backend-api-blue/73e2d6bc24d8a067",
    canary_group="targetgroup/backend-api-green/943f017f100becff",
    namespace="example-prod",
    window=60.0,
    settle=30.0,
    slow_over=2.0,
    custom=CustomMetrics(
        namespace="Shop/{service}",
        dimensions={"Slot": "{slot}"},
        requests="Orders",
        errors="Refused",
        latency="Took",
        unit="milliseconds",
    ),
)


class Served(msgspec.Struct, frozen=True):
    """What one slot did in one minute: answers by code, and seconds they took by how many."""

    slot: str
    minute: int
    ok: int = 0
    failed: int = 0
    times: dict[float, int] = {}


class Store(Protocol):
    """A metrics store under test."""

    def source(self, served: Sequence[Served], minutes: int) -> WindowSource: ...


class MemoryStore:
    """The windows that stores make of the traffic, as unit tests have them."""

    def __init__(self) -> None:
        self._made: list[FakeWindows] = []

    def source(self, served: Sequence[Served], minutes: int) -> WindowSource:
        made = FakeWindows(self._window(served, minute) for minute in range(minutes))
        made.surveyed = Survey(edges=EDGES, reported=("errors", "slow"))
        self._made.append(made)
        return made

    @staticmethod
    def _window(served: Sequence[Served], minute: int) -> Window:
        def arm(slot: str) -> Arm:
            alike = [one for one in served if (one.slot, one.minute) == (slot, minute)]
            slow = sum(n for one in alike for took, n in one.times.items() if took > TARGET.slow_over)
            failed = sum(one.failed for one in alike)
            requests = sum(one.ok for one in alike) + failed
            over = {
                f"over:{edge:g}": sum(n for one in alike for took, n in one.times.items() if took > edge)
                for edge in EDGES
            }
            beside = {name: (requests, count) for name, count in over.items()}
            return Arm(requests, failed, slow, beside=beside)

        start = BEGAN + 60 * minute
        return Window(start, start + 60, arm(TARGET.baseline_slot), arm(TARGET.canary_slot))

    def stop(self) -> None:
        for each in self._made:
            each.down = True


class CloudWatchStore:
    """moto with the lab's metrics: periods, trimmed counts, no zeros, as an ALB reports."""

    def source(self, served: Sequence[Served], minutes: int) -> WindowSource:
        client = _lab_cloudwatch()
        for one in served:
            group = TARGET.baseline_group if one.slot == TARGET.baseline_slot else TARGET.canary_group
            for second, data in ((10, _first_half(one)), (40, _second_half(one))):
                self._put(client, group, BEGAN + 60 * one.minute + second, data)
        return CloudWatchWindows(client)

    @staticmethod
    def _put(client: Any, group: str, at: float, data: dict[str, Any]) -> None:
        dimensions = [
            {"Name": "LoadBalancer", "Value": TARGET.load_balancer},
            {"Name": "TargetGroup", "Value": group},
        ]
        report = [
            ("RequestCount", {"Value": data["ok"] + data["failed"]}),
            ("HTTPCode_Target_2XX_Count", {"Value": data["ok"]}),
            ("HTTPCode_Target_5XX_Count", {"Value": data["failed"]}),
        ]
        report = [(name, value) for name, value in report if value["Value"]]
        if data["times"]:
            values = {"Values": list(data["times"]), "Counts": [float(n) for n in data["times"].values()]}
            report.append(("TargetResponseTime", values))
        if report:
            client.put_metric_data(
                Namespace="AWS/ApplicationELB",
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": dimensions,
                        "Timestamp": datetime.fromtimestamp(at, UTC),
                        **value,
                    }
                    for name, value in report
                ],
            )


class CustomStore:
    """moto with what a service publishes itself: both sums whenever it did something, zeros too; two Pods of a slot."""

    def source(self, served: Sequence[Served], minutes: int) -> WindowSource:
        client = _lab_cloudwatch()
        for one in served:
            for second, half in ((10, _first_half), (40, _second_half)):
                at, told = datetime.fromtimestamp(BEGAN + 60 * one.minute + second, UTC), half(one)
                sums = {"Orders": told["ok"] + told["failed"], "Refused": told["failed"]}
                data: list[dict[str, Any]] = [
                    {"MetricName": name, "Value": value} for name, value in sums.items()
                ]
                if told["times"]:
                    values = [1000.0 * seconds for seconds in told["times"]]
                    counts = [float(n) for n in told["times"].values()]
                    data.append({"MetricName": "Took", "Values": values, "Counts": counts})
                where = {"Timestamp": at, "Dimensions": [{"Name": "Slot", "Value": one.slot}]}
                client.put_metric_data(
                    Namespace=f"Shop/{TARGET.service}", MetricData=[{**each, **where} for each in data]
                )
        return CustomMetricWindows(client)


class SimulatedStore:
    """The simulator's CloudWatch, when everything has been reported."""

    def __init__(self) -> None:
        self._made: list[Metrics] = []

    def source(self, served: Sequence[Served], minutes: int) -> WindowSource:
        kernel = Kernel(start=BEGAN + 3600)
        balancer = LoadBalancer(kernel)
        made = Metrics(kernel, balancer, ON_TIME)
        for one in served:
            group = TARGET.baseline_group if one.slot == TARGET.baseline_slot else TARGET.canary_group
            balancer.by_dimension[group] = group
            counts = made.counts(group, int(BEGAN // 60) + one.minute)
            counts.requests, counts.failed, counts.times = one.ok + one.failed, one.failed, one.times
        self._made.append(made)
        return CloudWatchWindows(made)

    def stop(self) -> None:
        def gone() -> None:
            raise EndpointConnectionError(endpoint_url="https://monitoring")

        for each in self._made:
            each.before_read = gone


class PrometheusStore:
    """Debian's Prometheus over blocks that promtool wrote: two Pods per slot, one restarted half-way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def source(self, served: Sequence[Served], minutes: int) -> WindowSource:
        return self.over(_open_metrics(served, minutes))

    def over(self, metrics: str) -> PrometheusWindows:
        """Windows from a Prometheus that has these samples, written as OpenMetrics."""
        (self._folder / "metrics.om").write_text(metrics)
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics.om", "data"],
            cwd=self._folder,
            check=True,
            capture_output=True,
        )
        return PrometheusWindows(self.start())

    def start(self, *flags: str) -> str:
        """Start it on what is in its folder; its address."""
        (self._folder / "prometheus.yml").write_text("global: {}\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        command += ["--storage.tsdb.retention.time=100y", f"--web.listen-address={address}", *flags]
        log = (self._folder / "log").open("wb")
        self._running.append(subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log))
        _ready(f"http://{address}/-/ready", self._folder / "log")
        return f"http://{address}"

    def stop(self) -> None:
        for process in self._running:
            process.terminate()
            process.wait(10)


@contextmanager
def prometheus(folder: Path) -> Iterator[PrometheusStore]:
    """A Prometheus that ends with the block."""
    store = PrometheusStore(folder)
    try:
        yield store
    finally:
        store.stop()


def _lab_cloudwatch() -> Any:
    return boto3.client(
        "cloudwatch", region_name="us-west-2", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def forget() -> None:
    """Empty the lab's CloudWatch."""
    metrics.reset()


def _first_half(one: Served) -> dict[str, Any]:
    return {
        "ok": one.ok // 2,
        "failed": one.failed // 2,
        "times": {seconds: n // 2 for seconds, n in one.times.items() if n // 2},
    }


def _second_half(one: Served) -> dict[str, Any]:
    return {
        "ok": one.ok - one.ok // 2,
        "failed": one.failed - one.failed // 2,
        "times": {seconds: n - n // 2 for seconds, n in one.times.items() if n - n // 2},
    }


def _open_metrics(served: Sequence[Served], minutes: int) -> str:
    """Cumulative counters of two Pods per slot, scraped every 15 s from two minutes before the first window.

    The second Pod of each slot is replaced after minute 2: its counters vanish and its successor's
    begin at zero. A code is not reported before it first occurs.
    """
    samples: dict[str, list[tuple[str, float, float]]] = {"requests": [], "buckets": []}
    by_slot = {
        slot: [one for one in served if one.slot == slot] for slot in sorted({one.slot for one in served})
    }
    for slot, minutes_served in by_slot.items():
        for pod, half in (("a", _first_half), ("b", _second_half)):
            for begin, end, name in _lives(pod, minutes):
                where = f'namespace="{TARGET.namespace}",service="{TARGET.service}",slot="{slot}"'
                where += f',instance="{slot}-{name}",pod="{slot}-{name}"'
                at = BEGAN + begin
                # A slot without any traffic has no Pods yet.
                while at <= BEGAN + end and minutes_served:
                    past = [
                        half(o)
                        for o in minutes_served
                        if begin - 15 <= 60 * o.minute and BEGAN + 60 * o.minute + 60 <= at
                    ]
                    _sample(samples, where, at, past)
                    at += 15
    lines = ["# TYPE http_requests counter"]
    lines += [
        f"http_requests_total{labels} {value:g} {at:.0f}"
        for labels, value, at in _grouped(samples["requests"])
    ]
    lines.append("# TYPE http_request_duration_seconds_bucket gauge")
    lines += [
        f"http_request_duration_seconds_bucket{labels} {value:g} {at:.0f}"
        for labels, value, at in _grouped(samples["buckets"])
    ]
    return "\n".join([*lines, "# EOF", ""])


def _lives(pod: str, minutes: int) -> list[tuple[float, float, str]]:
    end = 60.0 * minutes + 60
    return [(-120.0, end, pod)] if pod == "a" else [(-120.0, 120.0, "b"), (135.0, end, "c")]


def _sample(
    samples: dict[str, list[tuple[str, float, float]]], where: str, at: float, past: Sequence[dict[str, Any]]
) -> None:
    for code, key in (("200", "ok"), ("503", "failed")):
        value = sum(one[key] for one in past)
        if value or code == "200":
            samples["requests"].append((f'{{{where},code="{code}"}}', value, at))
    times = [pair for one in past for pair in one["times"].items()]
    for bound in (*BUCKETS, float("inf")):
        value = sum(n for seconds, n in times if seconds <= bound)
        le = "+Inf" if bound == float("inf") else str(bound)
        samples["buckets"].append((f'{{{where},le="{le}"}}', value, at))


def _grouped(samples: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    return sorted(samples, key=lambda sample: (sample[0], sample[2]))


def _ready(url: str, log: Path) -> None:
    pool = urllib3.PoolManager(retries=False, timeout=1.0)
    for _ in rounds(lambda: f"Prometheus did not become ready:\n{log.read_text()[-2000:]}", every=0.1):
        try:
            if pool.request("GET", url).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
