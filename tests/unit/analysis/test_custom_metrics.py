"""Windows from a service's own metrics in CloudWatch: what was told, what was told in part, and what was not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from candlefish.adapters.aws.custom_metrics import CustomMetricWindows
from candlefish.analysis.judge_windows import judge_windows
from candlefish.analysis.model import Arm, MetricTarget, Survey
from candlefish.catalog.model import CUSTOM, CustomMetrics, Duration, JudgePolicy, Reading
from candlefish.errors import Unavailable
from candlefish.release.targets import sources_of
from candlefish.service.model import SHARE_OF_PODS, SLOTS, Slot, SlotRecord
from candlefish.service.record import ServiceRecord

OWN = CustomMetrics(
    namespace="Acme/{service}",
    dimensions={"Environment": "{environment}", "Slot": "{slot}"},
    requests="Jobs",
    errors="Failed",
    latency="Took",
    unit="milliseconds",
)
TARGET = MetricTarget(
    "production",
    "mailer",
    "",
    "blue",
    "green",
    "b",
    "g",
    settle=30.0,
    custom=OWN,
    baseline_version="1.0",
    canary_version="1.1",
)
AT = 1_790_000_040.0 // 60 * 60
Row = list[float | None]


class CloudWatch:
    """Answers GetMetricData from sums by the value of the last dimension and the metric, a minute each."""

    def __init__(self, told: dict[tuple[str, str], Row]) -> None:
        self.told = told
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        results = []
        for query in request["MetricDataQueries"]:
            self.asked.append(query["MetricStat"])
            metric, stat = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
            name = metric["MetricName"] if stat == "Sum" else f"{metric['MetricName']} {stat}"
            row = self.told.get((metric["Dimensions"][-1]["Value"], name), [])
            pairs = [
                (AT + 60 * n, value)
                for n, value in enumerate(row)
                if value is not None
                and request["StartTime"].timestamp() <= AT + 60 * n < request["EndTime"].timestamp()
            ]
            results.append(
                {
                    "Id": query["Id"],
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in pairs],
                    "Values": [value for _, value in pairs],
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results}


def told(**rows: Row) -> dict[tuple[str, str], Row]:
    """Rows by slot and metric: `blue_Jobs=[...]`."""
    return {tuple(name.split("_", 1)): row for name, row in rows.items()}  # type: ignore[misc]


def windows(rows: dict[tuple[str, str], Row], minutes: int, *, late: float = 600.0, **changes: Any) -> Any:
    """The windows as they read `late` seconds after the last of them."""
    target = msgspec.structs.replace(TARGET, **changes)
    found = CustomMetricWindows(CloudWatch(rows)).windows(target, AT, AT + 60 * minutes + late)
    return [each for each in found if each.start < AT + 60 * minutes]


FULL = told(
    blue_Jobs=[300.0, 310.0], blue_Failed=[3.0, 0.0], green_Jobs=[30.0, 31.0], green_Failed=[9.0, 40.0]
)


def test_sums_of_both_metrics_are_asked_for_by_all_dimensions_of_each_version() -> None:
    client = CloudWatch(FULL)
    found = CustomMetricWindows(client).windows(TARGET, AT, AT + 120 + 30)
    assert [(w.baseline, w.canary) for w in found] == [
        (Arm(300, 3), Arm(30, 9)),
        # No part exceeds the whole: a job that fails in another minute than it was counted.
        (Arm(310, 0), Arm(31, 31)),
    ]
    assert {w.source for w in found} == {CUSTOM}
    assert {each["Metric"]["Namespace"] for each in client.asked} == {"Acme/mailer"}
    (sums,) = {
        tuple(sorted((pair["Name"], pair["Value"]) for pair in each["Metric"]["Dimensions"]))
        for each in client.asked
        if each["Metric"]["MetricName"] == "Failed" and each["Metric"]["Dimensions"][-1]["Value"] == "green"
    }
    assert sums == (("Environment", "production"), ("Slot", "green"))
    assert {each["Period"] for each in client.asked} == {60}


def test_a_budget_in_milliseconds_and_rounding_that_accuses_nobody() -> None:
    rows = FULL | {
        ("blue", "Took SampleCount"): [300.0, 310.0],
        ("blue", "Took TC(2000:)"): [4.2, None],
        ("green", "Took TC(2000:)"): [4.8, None],
    }
    first, second = windows(rows, 2)
    assert (first.baseline.slow, first.canary.slow) == (5, 4)
    assert (second.baseline.slow, second.canary.slow, second.absent) == (0, 0, ())


def test_latency_that_nobody_tells_is_unknown_and_one_that_nobody_names_is_not_asked_for() -> None:
    assert [w.absent for w in windows(FULL, 2)] == [("slow",), ("slow",)]
    plain = msgspec.structs.replace(OWN, latency="")
    assert [w.absent for w in windows(FULL, 2, custom=plain)] == [(), ()]


@pytest.mark.parametrize("lacking", ["green_Failed", "green_Jobs", "blue_Failed", "blue_Jobs"])
def test_a_side_that_tells_a_minute_in_part_has_no_window_of_it(lacking: str) -> None:
    """Failures that nobody told are unknown, not none."""
    slot, metric = lacking.split("_")
    rows = FULL | {(slot, metric): [FULL[slot, metric][0], None]}
    assert [w.start for w in windows(rows, 2)] == [AT]


def test_what_is_told_in_part_is_waited_for_while_it_may_come() -> None:
    rows = FULL | {("green", "Failed"): [None, 40.0]}
    assert windows(rows, 2, late=31.0) == []
    assert [w.start for w in windows(rows, 2, late=600.0)] == [AT + 60]


def test_one_side_that_says_nothing_did_nothing_and_two_are_not_believed_at_once() -> None:
    rows = {key: row for key, row in FULL.items() if key[0] == "blue"}
    assert [w.canary for w in windows(rows, 2)] == [Arm(0), Arm(0)]
    assert [w.end for w in windows(rows, 4, late=31.0)] == [AT + 60, AT + 120, AT + 180]
    assert windows({}, 1, late=31.0) == []
    assert [w.baseline for w in windows({}, 1, late=91.0)] == [Arm(0)]


def test_a_drain_asks_for_no_failures() -> None:
    rows = {key: row for key, row in FULL.items() if key[1] == "Jobs"}
    found = windows(rows, 2, requests_only=True)
    assert [(w.baseline, w.canary) for w in found] == [(Arm(300), Arm(30)), (Arm(310), Arm(31))]


def test_versions_under_one_name_are_not_compared() -> None:
    by_version = msgspec.structs.replace(OWN, dimensions={"Version": "{version}"})
    rows: dict[tuple[str, str], Row] = {("1.0", "Jobs"): [10.0], ("1.0", "Failed"): [0.0]}
    rows |= {("1.1", "Jobs"): [1.0], ("1.1", "Failed"): [1.0]}
    (window,) = windows(rows, 1, custom=by_version)
    assert (window.baseline, window.canary) == (Arm(10), Arm(1, 1))
    with pytest.raises(Unavailable, match=r"same dimensions \(Version=1.0\).*\{slot\}.*CANDLEFISH_SLOT"):
        windows(rows, 1, custom=by_version, canary_version="1.0")
    # What was before the release is the old version's alone.
    (past,) = windows(rows, 1, custom=by_version, canary_version="1.0", canary_group="")
    assert past.baseline == Arm(10)


def test_a_survey_names_edges_and_what_was_ever_told() -> None:
    rows: dict[tuple[str, str], Row] = {("blue", "Failed SampleCount"): [60.0]}
    source = CustomMetricWindows(CloudWatch(rows))
    assert source.survey(TARGET, AT, AT + 3600) == Survey(reported=("errors",))
    rows |= {("blue", f"Took {stat}"): [value] for stat, value in (("p50", 120.0), ("p99", 900.0))}
    assert source.survey(TARGET, AT, AT + 3600) == Survey(edges=(0.12, 0.9, 2.0), reported=("errors", "slow"))
    alone = msgspec.structs.replace(TARGET, baseline_group="")
    assert source.survey(alone, AT, AT + 3600) == Survey()


POLICY = JudgePolicy(
    name="counted",
    settle=Duration(30),
    sources={
        CUSTOM: Reading(
            namespace="Acme/{service}", dimensions={"Slot": "{slot}"}, requests="Jobs", errors="Failed"
        )
    },
)


def verdict(rows: dict[tuple[str, str], Row], minutes: int, policy: JudgePolicy = POLICY) -> Any:
    found, states = None, {}
    for minute in range(1, minutes + 1):
        states, found = judge_windows(
            {CUSTOM: CustomMetricWindows(CloudWatch(rows))},
            policy,
            TARGET,
            states,
            mode="judge",
            since=AT,
            now=AT + 60 * minute + 31,
            deadline=AT + 60 * (minutes + 100),
        )
    return found


def steady(canary_failed: float | None, minutes: int, baseline_failed: float = 3.0) -> Any:
    return told(
        blue_Jobs=[900.0] * minutes,
        blue_Failed=[baseline_failed] * minutes,
        green_Jobs=[100.0] * minutes,
        green_Failed=[canary_failed] * minutes,
    )


def test_a_version_that_fails_its_jobs_is_rolled_back_and_one_that_does_not_is_promoted() -> None:
    assert verdict(steady(40.0, 20), 10).action == "rollback"
    assert verdict(steady(0.0, 60), 60).action == "promote"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({}, "the sums of Jobs and Failed in namespace Acme/mailer with Slot=green"),
        (steady(None, 60), "publish both in each period"),
        ({key: row for key, row in steady(0.0, 60).items() if key[0] == "blue"}, "no request"),
    ],
    ids=["nothing", "failures of one version untold", "one version silent"],
)
def test_not_knowing_is_neither_for_a_version_nor_against_it(
    rows: dict[tuple[str, str], Row], said: str
) -> None:
    found = verdict(rows, 30)
    assert (found.action, said in found.reason) == ("hold", True), found


def test_who_is_asked_about_a_service_without_a_load_balancer() -> None:
    def asked(policy: JudgePolicy, *, balanced: bool) -> list[str]:
        arn = "arn:aws:elasticloadbalancing:us-west-2:1:listener-rule/app/x/1/2/3"
        rule = arn if balanced else f"{SHARE_OF_PODS}worker:rule/shop/mailer"
        slots: dict[Slot, SlotRecord] = {slot: SlotRecord("") for slot in SLOTS}
        record = ServiceRecord("production", "mailer", rule, "", slots, {"blue": 100, "green": 0})
        assert record.balanced == balanced
        return list(sources_of(record, dict.fromkeys(("cloudwatch", CUSTOM, "prometheus")), policy))  # type: ignore[arg-type]

    other = JudgePolicy(name="p", sources={"prometheus": Reading(preset="worker")})
    both = JudgePolicy(name="p", sources={**POLICY.sources, **other.sources})
    assert asked(POLICY, balanced=False) == [CUSTOM]
    assert asked(other, balanced=False) == ["prometheus"]
    assert asked(both, balanced=False) == [CUSTOM, "prometheus"]
    assert asked(POLICY, balanced=True) == ["cloudwatch", CUSTOM]
    assert asked(JudgePolicy(name="p"), balanced=True) == ["cloudwatch", "prometheus"]
