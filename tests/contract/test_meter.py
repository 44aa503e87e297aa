"""What is counted arrives: the meter of functions prints what CloudWatch reads, and the one in memory remembers the same."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from candlefish.adapters.emf import EmfMeter
from candlefish.measures import METRICS, NAMESPACE, Measure
from lab.aws.log_metrics import embedded
from lab.memory.meter import MemoryMeter

MEASURES = [
    Measure("ReleasesPromoted", service="api"),
    Measure("LeadTime", 90.5, "api"),
    Measure("LeadTime", 30.5, "api"),
    Measure("ReleasesPromoted", service="web"),
    Measure("CostForecast", 412.0),
    Measure("SignalsRefused"),
]


class Logged:
    """What CloudWatch makes of the lines that a meter prints: sums by metric and dimensions."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.meter = EmfMeter("production", lambda: 1_796_000_000.25, self.lines.append)

    @property
    def sums(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        found: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)
        for line in self.lines:
            for namespace, datum in embedded(line.encode()):
                assert namespace == NAMESPACE
                assert datum["Unit"] == METRICS[datum["MetricName"]].unit
                assert datum["Timestamp"] == 1_796_000_000.25
                named = tuple((each["Name"], each["Value"]) for each in datum["Dimensions"])
                found[datum["MetricName"], named] += datum["Value"]
        return dict(found)


def test_each_value_is_of_its_environment_and_of_its_service() -> None:
    logged = Logged()
    logged.meter.measure(MEASURES)
    here, api, web = ("Environment", "production"), ("Service", "api"), ("Service", "web")
    assert logged.sums == {
        ("ReleasesPromoted", (here,)): 2.0,
        ("ReleasesPromoted", (here, api)): 1.0,
        ("ReleasesPromoted", (here, web)): 1.0,
        ("LeadTime", (here,)): 121.0,
        ("LeadTime", (here, api)): 121.0,
        ("CostForecast", (here,)): 412.0,
        ("SignalsRefused", (here,)): 1.0,
    }


@pytest.fixture(params=["memory", "lines"])
def meter(request: pytest.FixtureRequest) -> Any:
    return MemoryMeter() if request.param == "memory" else Logged()


def test_all_values_of_all_services_are_the_environments(meter: MemoryMeter | Logged) -> None:
    if isinstance(meter, Logged):
        meter.meter.measure(MEASURES)
        totals = {name: value for (name, named), value in meter.sums.items() if len(named) == 1}
    else:
        meter.measure(MEASURES)
        totals = {each.metric: meter.total(each.metric) for each in meter.measured}
    assert totals == {
        "ReleasesPromoted": 2.0,
        "LeadTime": 121.0,
        "CostForecast": 412.0,
        "SignalsRefused": 1.0,
    }


def test_no_more_than_two_dimensions_whatever_is_counted() -> None:
    """What metrics cost grows with the services, and with nothing else."""
    logged = Logged()
    logged.meter.measure([Measure(name, service="api") for name in METRICS])
    assert {name for name, _ in logged.sums} == set(METRICS)
    for name, named in logged.sums:
        wanted = (
            [["Environment"], ["Environment", "Service"]] if METRICS[name].by_service else [["Environment"]]
        )
        assert [key for key, _ in named] in wanted


def test_what_is_not_counted_is_said_and_counts_nothing() -> None:
    logged = Logged()
    logged.meter.miss("the table does not answer")
    assert logged.sums == {} and "not counted: the table does not answer" in logged.lines[0]


def test_a_log_that_takes_no_line_fails_nobody() -> None:
    tried: list[str] = []

    def full(line: str) -> None:
        tried.append(line)
        raise OSError("no space left on device")

    meter = EmfMeter("production", lambda: 1_796_000_000.25, full)
    meter.measure([Measure("ReleasesPromoted", service="api")])
    meter.miss("the table does not answer")
    assert len(tried) == 2


def test_a_line_is_one_line() -> None:
    logged = Logged()
    logged.meter.measure([Measure("Repairs", service="a\nb")])
    assert len(logged.lines) == 1 and "\n" not in logged.lines[0]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"START RequestId: 1",
        b'{"level":"INFO","message":"_aws"}',
        b'{"_aws": 1}',
        json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "N"}]}}).encode(),
        # The dimension, and the value, are not in the line.
        json.dumps(
            {
                "_aws": {
                    "Timestamp": 1,
                    "CloudWatchMetrics": [
                        {"Namespace": "N", "Dimensions": [["Gone"]], "Metrics": [{"Name": "m"}]}
                    ],
                },
                "m": 1,
            }
        ).encode(),
        json.dumps(
            {
                "_aws": {
                    "Timestamp": 1,
                    "CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [[]], "Metrics": [{"Name": "m"}]}],
                },
                "m": "many",
            }
        ).encode(),
    ],
)
def test_other_lines_count_nothing(line: bytes) -> None:
    assert list(embedded(line)) == []
