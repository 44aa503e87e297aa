"""The CloudWatch alarms of services: the same cases in memory and in moto."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from candlefish.adapters.aws.alarms import CloudWatchAlarms
from candlefish.service.record import new_record
from candlefish.signals.alarms import Alarm
from candlefish.signals.classify import classify
from candlefish.signals.model import Alert, Delivery
from candlefish.signals.sources import from_described, from_event, from_queue
from candlefish.signals.sync_alarms import AlarmSync, sync_alarms
from lab.memory.alarms import MemoryAlarms
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemoryQueue
from lab.moto import alarms as lab_alarms
from lab.moto import restore
from tests.support.catalog import catalog
from tests.support.clock import Clock
from tests.support.signal_world import World

BALANCER = "app/candlefish-production/50dc6c495c0c9188"


Alarms = CloudWatchAlarms | MemoryAlarms


@pytest.fixture(params=["memory", "cloudwatch"])
def alarms(request: pytest.FixtureRequest) -> Iterator[Alarms]:
    if request.param == "memory":
        yield MemoryAlarms(Clock())
        return
    with mock_aws():
        lab_alarms.Alarms(time_scale=1.0).install()
        yield CloudWatchAlarms(boto3.client("cloudwatch", region_name="us-west-2"))
    restore()


def make(alarms: Alarms, records: MemoryRecords) -> AlarmSync:
    return sync(alarms, records, MemoryQueue())


def sync(alarms: Alarms, records: MemoryRecords, queue: MemoryQueue, *, repeat: bool = False) -> AlarmSync:
    return sync_alarms(
        environment="production",
        catalog=catalog(),
        records=records,
        alarms=alarms,
        queue=queue,
        now=Clock(),
        repeat=repeat,
    )


def state(alarms: Alarms, name: str, value: str) -> None:
    """Have CloudWatch find an alarm in a state."""
    if isinstance(alarms, MemoryAlarms):
        alarms.set_state(name, value, "crossed")
        return
    boto3.client("cloudwatch", region_name="us-west-2").set_alarm_state(
        AlarmName=name, StateValue=value, StateReason="crossed"
    )


WEBSITE = "candlefish-production-website-"


def make_all(alarms: Alarms, records: MemoryRecords) -> None:
    """Make every alarm of a website: CloudWatch has seen it healthy."""
    make(alarms, records)
    state(alarms, f"{WEBSITE}unhealthy-green", "OK")
    make(alarms, records)


def test_a_service_gets_its_alarms_once(alarms: Alarms) -> None:
    records = World().quiet("website").records
    first = make(alarms, records)
    # Eight for the service, one for the database.
    assert len(first.put) == 9 and not first.deleted
    state(alarms, f"{WEBSITE}unhealthy-blue", "OK")
    assert make(alarms, records).put == ["candlefish-production-website-service-down"]
    assert make(alarms, records) == AlarmSync([], [])


def test_a_service_that_cloudwatch_has_never_seen_healthy_is_not_down_but_new(
    alarms: Alarms,
) -> None:
    records = World().quiet("website").records
    make(alarms, records)
    for value in ("INSUFFICIENT_DATA", "ALARM"):
        state(alarms, f"{WEBSITE}unhealthy-blue", value)
        state(alarms, f"{WEBSITE}unhealthy-green", value)
        assert make(alarms, records) == AlarmSync([], [])
    state(alarms, f"{WEBSITE}unhealthy-green", "OK")
    assert make(alarms, records) == AlarmSync(["candlefish-production-website-service-down"], [])
    # It stays, whatever becomes of the service.
    state(alarms, f"{WEBSITE}unhealthy-green", "ALARM")
    assert make(alarms, records) == AlarmSync([], [])


def test_a_service_whose_record_cannot_be_read_keeps_its_alarms(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make_all(alarms, records)
    records.unreadable["website"] = "its record cannot be read"
    assert make(alarms, records) == AlarmSync([], [])
    assert f"{WEBSITE}service-down" in alarms.existing(WEBSITE)


def test_an_alarm_that_somebody_changed_is_put_right(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make_all(alarms, records)
    name = "candlefish-production-website-latency-high-blue"
    alarms.put(
        Alarm(
            name,
            {
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "TargetResponseTime",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 9,
                "ComparisonOperator": "GreaterThanThreshold",
            },
        )
    )
    assert make(alarms, records) == AlarmSync([name], [])


def test_a_service_that_has_gone_loses_its_alarms_and_nobody_elses_are_touched(
    alarms: Alarms,
) -> None:
    records = World().quiet("website").quiet("paintbox").records
    make(alarms, records)
    state(alarms, "candlefish-production-paintbox-unhealthy-green", "OK")
    make(alarms, records)
    mine = "candlefish-production-my-own"
    alarms.put(
        Alarm(
            mine,
            {
                "Namespace": "x",
                "MetricName": "y",
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanThreshold",
            },
        )
    )
    del records.stored["paintbox"]
    assert len(make(alarms, records).deleted) == 9
    left = alarms.existing("candlefish-production-")
    assert mine in left and not any("paintbox" in name for name in left)


def test_a_service_without_a_stable_version_pages_nobody(alarms: Alarms) -> None:
    record = new_record(
        "production",
        "website",
        rule="r",
        smoke_rule="s",
        smoke_token="t",
        target_groups={"blue": "b", "green": "g"},
    )
    assert make(alarms, MemoryRecords(record)) == AlarmSync(
        ["candlefish-production-main-utilisation-high"], []
    )


def test_what_is_still_in_alarm_is_said_again_as_the_event_said_it(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make(alarms, records)
    critical, half = (f"candlefish-production-website-{n}-blue" for n in ("errors-critical", "unhealthy"))
    for name in (critical, half):
        state(alarms, name, "ALARM")
    queue = MemoryQueue()
    assert sync(alarms, records, queue, repeat=True).repeated == 1
    (one,) = from_queue(queue.messages[0].decode(), 0.0).alerts
    described = alarms.existing(critical)[critical]
    event = {
        "detail-type": "CloudWatch Alarm State Change",
        "resources": [described["AlarmArn"]],
        "detail": {
            "alarmName": critical,
            "state": {
                "value": "ALARM",
                "reason": "crossed",
                "timestamp": described["StateUpdatedTimestamp"].isoformat(),
            },
            "configuration": {"description": described["AlarmDescription"]},
        },
    }
    assert one == from_event(event, 0.0).alerts[0]


def test_when_nothing_is_in_alarm_nothing_is_said(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make(alarms, records)
    queue = MemoryQueue()
    assert sync(alarms, records, queue, repeat=True).repeated == 0
    assert queue.messages == []


@pytest.mark.parametrize(
    ("what", "severity", "do"),
    [
        ("errors-critical-blue", "P0", "rollback"),
        ("errors-high-blue", "P1", "hold"),
        ("latency-high-blue", "P1", "hold"),
        ("service-down", "P0", "rollback"),
        ("unhealthy-blue", "P2", "nothing"),
    ],
)
def test_what_each_alarm_leads_to(alarms: Alarms, what: str, severity: str, do: str) -> None:
    make_all(alarms, World().quiet("website").records)
    name = f"candlefish-production-website-{what}"
    made = alarms.existing(name)[name]
    event = {
        "detail-type": "CloudWatch Alarm State Change",
        "region": "us-west-2",
        "account": "333333333333",
        "resources": [made["AlarmArn"]],
        "detail": {
            "alarmName": name,
            "state": {"value": "ALARM", "timestamp": "2026-11-24T10:00:00.000+0000"},
            "configuration": {"description": made["AlarmDescription"]},
        },
    }
    found: Delivery = from_event(event, 0.0)
    alert: Alert = found.alerts[0]
    signal = classify(alert, found, catalog=catalog(), environment="production")
    assert (signal.subject, signal.environment, signal.severity, signal.do) == (
        "website",
        "production",
        severity,
        do,
    )
    assert signal.slot == ("blue" if what.endswith("blue") else "")


def test_a_database_that_works_hard_is_told_of(alarms: Alarms) -> None:
    make(alarms, MemoryRecords())
    name = "candlefish-production-main-utilisation-high"
    state(alarms, name, "ALARM")
    found = from_described(alarms.existing(name).values(), 0.0)
    signal = classify(found.alerts[0], found, catalog=catalog(), environment="production")
    assert (signal.about, signal.severity, signal.do) == ("database/main", "P2", "notify")


def test_an_alarm_that_is_defined_anew_keeps_its_state(alarms: Alarms) -> None:
    make_all(alarms, World().quiet("website").records)
    name = f"{WEBSITE}errors-critical-blue"
    state(alarms, name, "ALARM")
    before = alarms.existing(name)[name]
    arguments = {key: value for key, value in before.items() if not key.startswith(("State", "Alarm"))}
    alarms.put(Alarm(name, {**arguments, "AlarmDescription": "another"}))
    after = alarms.existing(name)[name]
    assert (after["StateValue"], after["AlarmDescription"]) == ("ALARM", "another")


def test_what_is_described_is_a_copy(alarms: Alarms) -> None:
    make_all(alarms, World().quiet("website").records)
    name = f"{WEBSITE}latency-high-blue"
    described = alarms.existing(name)
    described[name]["Dimensions"].clear()
    described.clear()
    assert len(alarms.existing(name)[name]["Dimensions"]) == 2


def test_deleting_what_is_not_there_is_harmless(alarms: Alarms) -> None:
    make_all(alarms, World().quiet("website").records)
    names = [f"{WEBSITE}service-down", f"{WEBSITE}latency-high-blue"]
    alarms.delete(names)
    assert not set(names) & set(alarms.existing(WEBSITE))
    alarms.delete([])
