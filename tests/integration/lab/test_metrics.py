"""CloudWatch in the lab: statistics, metric math, alarms."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import floats, sampled_from

from lab.alarms import metric_math
from lab.alarms.states import State, composite, state_of
from lab.moto import ACCOUNT, metrics
from tests.support.lab_account import REGION, Account
from tests.support.waiting import eventually

MISSING = None


def datum(name: str, at: float, **more: Any) -> dict[str, Any]:
    dimensions = [{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}]
    moment = datetime.fromtimestamp(at, UTC)
    return {"MetricName": name, "Dimensions": dimensions, "Timestamp": moment, **more}


def query(query_id: str, name: str, stat: str, period: int = 1) -> dict[str, Any]:
    metric = {
        "Namespace": "Test",
        "MetricName": name,
        "Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def test_statistics_percentiles_and_math_over_periods_of_a_second(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    start = float(int(time.time()) - 30)
    cloudwatch.put_metric_data(
        Namespace="Test",
        MetricData=[
            datum("Requests", start, Value=100),
            datum("Requests", start + 1, Value=50),
            datum("Errors", start + 1, Value=5),
            datum("Time", start, Values=[0.1, 0.2, 3.0], Counts=[90, 5, 5]),
        ],
    )
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            query("r", "Requests", "Sum"),
            query("e", "Errors", "Sum"),
            query("p50", "Time", "p50"),
            query("p95", "Time", "p95"),
            query("p99", "Time", "p99"),
            query("both", "Requests", "Sum", 60),
            {"Id": "rate", "Expression": "100 * FILL(e, 0) / r"},
        ],
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(start + 5, UTC),
        ScanBy="TimestampAscending",
    )
    found = {row["Id"]: row["Values"] for row in answer["MetricDataResults"]}
    assert found["r"] == [100, 50]
    assert (found["p50"], found["p95"], found["p99"]) == ([0.1], [0.2], [3.0])
    assert sum(found["both"]) == 150
    assert found["rate"] == [0, 10]


def test_other_dimensions_are_another_metric(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    now = time.time()
    cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": "Alone", "Value": 1}])
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[query("q", "Alone", "Sum", 60)],
        StartTime=datetime.fromtimestamp(now, UTC) - timedelta(minutes=5),
        EndTime=datetime.fromtimestamp(now, UTC) + timedelta(minutes=1),
    )
    assert answer["MetricDataResults"][0]["Values"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", {1: 11.0, 2: 2.0}),
        ("b - a", {1: 9.0, 2: -2.0}),
        ("a / b", {1: 0.1}),
        ("nothing + nothing", {}),
        ("a - nothing", {1: 1.0, 2: 2.0}),
        ("a / zero", {}),
        ("FILL(b, 0)", {1: 10.0, 2: 0.0}),
        ("FILL(b, REPEAT)", {1: 10.0, 2: 10.0}),
        ("IF(a > 1, a, 0)", {1: 0.0, 2: 2.0}),
        ("IF(a > 1 AND a < 3, 1, 0)", {1: 0.0, 2: 1.0}),
        ("SUM([a, FILL(b, 0)])", {1: 11.0, 2: 2.0}),
        ("-a * 2", {1: -2.0, 2: -4.0}),
        ("MAX(a)", {1: 2.0, 2: 2.0}),
    ],
)
def test_metric_math(text: str, expected: dict[float, float]) -> None:
    series = {"a": {1.0: 1.0, 2.0: 2.0}, "b": {1.0: 10.0}, "zero": {1.0: 0.0, 2.0: 0.0}, "nothing": {}}
    assert metric_math.evaluate(text, series, [1.0, 2.0]) == expected


def test_unknown_metric_math_is_refused() -> None:
    with pytest.raises(metric_math.UnknownExpression):
        metric_math.evaluate("ANOMALY_DETECTION_BAND(a, 2)", {"a": {}}, [])


@pytest.mark.parametrize(
    ("values", "to_alarm", "missing", "before", "after"),
    [
        ([1, 9, 9], 2, None, "OK", "ALARM"),
        ([9, 1, 1], 2, None, "ALARM", "OK"),
        ([9, None, 9], 2, None, "OK", "ALARM"),
        ([None, None, None], 2, None, "OK", "INSUFFICIENT_DATA"),
        ([None, None, None], 2, "notBreaching", "ALARM", "OK"),
        ([None, None, 9], 3, "breaching", "OK", "ALARM"),
        ([None, None, None], 2, "ignore", "ALARM", "ALARM"),
    ],
)
def test_the_state_of_an_alarm(
    values: list[float | None], to_alarm: int, missing: str | None, before: State, after: State
) -> None:
    assert state_of(values, "GreaterThanThreshold", 5, to_alarm, missing, before) == after


FINE, OVER, NONE = 1.0, 9.0, None


@pytest.mark.parametrize(
    ("values", "to_alarm", "states"),
    # What AWS's page on missing data says of five points of which three are judged; for missing, ignore (None: as it
    # was), breaching and notBreaching.
    [
        ([FINE, NONE, OVER, NONE, OVER], 3, ["OK", "OK", "OK", "OK"]),
        ([FINE, NONE, NONE, NONE, NONE], 3, ["OK", "OK", "OK", "OK"]),
        ([NONE] * 5, 3, ["INSUFFICIENT_DATA", None, "ALARM", "OK"]),
        ([FINE, OVER, OVER, NONE, OVER], 3, ["ALARM"] * 4),
        ([NONE, NONE, OVER, NONE, NONE], 3, ["ALARM", None, "ALARM", "OK"]),
        ([FINE, NONE, OVER, NONE, OVER], 2, ["ALARM"] * 4),
        ([FINE, FINE, OVER, FINE, OVER], 2, ["ALARM"] * 4),
        ([FINE, NONE, OVER, NONE, NONE], 2, ["OK", "OK", "ALARM", "OK"]),
        ([NONE, NONE, NONE, NONE, FINE], 2, ["OK", "OK", "ALARM", "OK"]),
        ([NONE, NONE, NONE, OVER, NONE], 2, ["ALARM", None, "ALARM", "OK"]),
    ],
)
def test_missing_points_count_only_when_too_few_are_there(
    values: list[float | None], to_alarm: int, states: list[State | None]
) -> None:
    for missing, expected in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True):
        for before in ("OK", "ALARM"):
            found = state_of(values, "GreaterThanThreshold", 5, to_alarm, missing, before, 3)
            assert found == (expected or before), missing


def test_composite_rules() -> None:
    states = {"a": "ALARM", "b b": "OK"}
    assert composite('ALARM("a") AND NOT ALARM("b b")', states)
    assert composite("(ALARM(a) AND OK(b b)) OR FALSE", states)
    assert not composite('ALARM("a") AND ALARM("arn:aws:cloudwatch:us-west-2:1:alarm:b b")', states)
    with pytest.raises(ValueError, match="cannot read"):
        composite("__import__('os')", states)


def test_an_alarm_that_breaches_is_an_event_and_a_notice(account: Account) -> None:
    url, arn = account.queue()
    sns, events, cloudwatch = account.client("sns"), account.client("events"), account.client("cloudwatch")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    account.allow("sns.amazonaws.com", arn, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail": {"alarmName": ["errors"], "state": {"value": ["ALARM"]}},
    }
    rule = events.put_rule(Name="alarms", EventPattern=json.dumps(pattern))["RuleArn"]
    account.allow("events.amazonaws.com", arn, rule)
    events.put_targets(Rule="alarms", Targets=[{"Id": "1", "Arn": arn}])
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="Test",
        MetricName="Broken",
        Dimensions=[{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    (state,) = cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
    assert state["StateValue"] == "INSUFFICIENT_DATA"

    def breach() -> bool:
        """Go on until it has been seen: an alarm looks at the newest periods only."""
        cloudwatch.put_metric_data(Namespace="Test", MetricData=[datum("Broken", time.time(), Value=11)])
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"]
        return bool(alarm["StateValue"] == "ALARM")

    eventually(breach)
    received = account.received(url, 2)
    event = next(body for body in received if "detail" in body)
    notice = next(body for body in received if "AlarmName" in body)
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "Broken"
    assert (notice["AlarmName"], notice["NewStateValue"]) == ("errors", "ALARM")


@given(now=floats(1.79e9, 1.81e9), period=sampled_from([0.6, 0.7, 1.0, 60 / 35, 2.0, 60.0]))
def test_no_point_is_lost_between_periods_that_are_fractions(now: float, period: float) -> None:
    """One point in the middle of each period is a point in each of them, whatever the clock says."""
    store = metrics.Metrics()
    end = math.floor(now / period)
    for number in range(end - 7, end):
        store.put("Test", {"MetricName": "Hosts", "Value": 1, "Timestamp": (number + 0.5) * period}, now)
    found = metrics.recent(store, ("Test", "Hosts", frozenset()), "Maximum", period, now, 7)
    assert found == [1.0] * 7
    stat = {
        "Metric": {"Namespace": "Test", "MetricName": "Hosts", "Dimensions": []},
        "Period": period,
        "Stat": "Maximum",
    }
    queries = [{"Id": "m", "MetricStat": stat}]
    assert metrics.recent_math(store, queries, period, now, 7) == [1.0] * 7


def test_an_alarm_waits_for_what_is_reported_late(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    until = float(int(time.time()) - 60)
    dimensions = [{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}]
    store = metrics.store(ACCOUNT, REGION)
    store.report("Late", until)
    healthy = [datum("HealthyHosts", until - ago, Value=1) for ago in range(1, 11)]
    cloudwatch.put_metric_data(Namespace="Late", MetricData=healthy)
    cloudwatch.put_metric_alarm(
        AlarmName="down",
        Namespace="Late",
        MetricName="HealthyHosts",
        Dimensions=dimensions,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=5,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
    )

    def state() -> str:
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=["down"])["MetricAlarms"]
        return str(alarm["StateValue"])

    eventually(lambda: state() == "OK")
    # Its reporter is there again and says nothing of it: what is missing is missing.
    store.report("Late", time.time())
    eventually(lambda: state() == "ALARM")
