"""The CloudWatch alarms of services: the same cases in memory and in moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from candlefish.adapters.aws.alarms import CloudWatchAlarms
from candlefish.catalog.model import Catalog
from candlefish.service.record import new_record
from candlefish.signals.alarms import Alarm
from candlefish.signals.classify import classify
from candlefish.signals.model import Alert, Delivery
from candlefish.signals.sources import from_described, from_event, from_queue
from candlefish.signals.sync_alarms import AlarmSync, forget_old_alarms, sync_alarms
from candlefish.traffic.shares import rule_name
from lab.memory.alarms import MemoryAlarms
from lab.memory.service import MemoryRecords
from lab.memory.signals import MemoryQueue
from lab.moto import alarms as lab_alarms
from lab.moto import restore
from tests.support.catalogs import catalog
from tests.support.clock import Clock
from tests.support.signal_world import World

BALANCER = "app/example-production/50dc6c495c0c9188"


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


def sync(
    alarms: Alarms,
    records: MemoryRecords,
    queue: MemoryQueue,
    *,
    repeat: bool = False,
    service: str = "",
    of: Catalog | None = None,
) -> AlarmSync:
    return sync_alarms(
        environment="production",
        catalog=of or catalog(),
        records=records,
        alarms=alarms,
        queue=queue,
        now=Clock(),
        repeat=repeat,
        service=service,
    )


def state(alarms: Alarms, name: str, value: str) -> None:
    """Have CloudWatch find an alarm in a state."""
    if isinstance(alarms, MemoryAlarms):
        alarms.set_state(name, value, "crossed")
        return
    boto3.client("cloudwatch", region_name="us-west-2").set_alarm_state(
        AlarmName=name, StateValue=value, StateReason="crossed"
    )


WEBSITE = "candlefish/production/website/"
MINE: dict[str, Any] = {
    "Namespace": "x",
    "MetricName": "y",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
ALWAYS = ["candlefish/production/lb/own-errors", "candlefish/production/main/utilisation-high"]
AT_REST = [f"{WEBSITE}errors-high/green"]
ON_TRIAL = [f"{WEBSITE}{kind}/blue" for kind in ("errors-critical", "errors-high", "service-down")]


def names(alarms: Alarms) -> list[str]:
    return sorted(alarms.existing("candlefish/production/"))


def metrics_of(alarm: dict[str, Any]) -> int:
    """How many metrics an alarm is billed for."""
    return len([each for each in alarm.get("Metrics", ()) if "MetricStat" in each]) or 1


def releasing() -> MemoryRecords:
    """Half of the users of a website are on a version that a release brings."""
    world = World().quiet("website")
    record = world.records.stored["website"]
    blue = msgspec.structs.replace(record.slots["blue"], state="candidate")
    world.records.stored["website"] = msgspec.structs.replace(
        record, slots={**record.slots, "blue": blue}, desired={"blue": 50, "green": 50}
    )
    return world.records


def test_at_rest_a_service_costs_two_metrics_and_on_trial_it_has_the_alarms_that_act(alarms: Alarms) -> None:
    records = World().quiet("website").records
    assert sorted(make(alarms, records).put) == sorted(AT_REST + ALWAYS)
    assert make(alarms, records) == AlarmSync([], [])
    assert metrics_of(alarms.existing(AT_REST[0])[AT_REST[0]]) == 2
    made = make(alarms, releasing())
    assert sorted(made.put) == sorted(ON_TRIAL) and not made.deleted
    assert sum(metrics_of(alarms.existing(name)[name]) for name in ON_TRIAL) == 9
    assert make(alarms, records) == AlarmSync([], sorted(ON_TRIAL))


def test_nothing_is_alarmed_of_what_no_load_balancer_counts(alarms: Alarms) -> None:
    records = World().quiet("website").quiet("storefront").records
    worker = msgspec.structs.replace(
        records.stored["storefront"],
        rule=rule_name("worker", "shop", "storefront"),
        window_until=Clock()() + 3600,
    )
    records.stored["storefront"] = worker
    assert sorted(make(alarms, records).put) == sorted(AT_REST + ALWAYS)
    assert sync(alarms, records, MemoryQueue(), service="storefront") == AlarmSync([], [])


def test_alarms_of_a_service_with_websockets_count_what_failed_and_not_what_has_no_answer(
    alarms: Alarms,
) -> None:
    known = catalog()
    service = msgspec.structs.replace(known.services["website"], websockets=True)
    with_them = msgspec.structs.replace(known, services={**known.services, "website": service})
    sync(alarms, releasing(), MemoryQueue(), of=with_them)
    for name in ON_TRIAL[:2]:
        asked = {
            each["MetricStat"]["Metric"]["MetricName"]
            for each in alarms.existing(name)[name]["Metrics"]
            if "MetricStat" in each
        }
        assert asked == {"RequestCount", "HTTPCode_Target_5XX_Count"}


def test_a_slot_that_cloudwatch_has_never_seen_healthy_is_not_down_but_new(alarms: Alarms) -> None:
    records = releasing()
    make(alarms, records)
    down = ON_TRIAL[2]

    def silence() -> str:
        return str(alarms.existing(down)[down]["TreatMissingData"])

    def does() -> str:
        (alert,) = (
            each
            for each in from_described(alarms.existing(down).values(), Clock()()).alerts
            if each.labels["alertname"] == down
        )
        delivery = Delivery(
            source="cloudwatch", alerts=(alert,), observed_at=0, received_at=0, total=1, group="g"
        )
        return classify(alert, delivery, catalog=catalog(), environment="production").do

    assert silence() == "ignore"
    state(alarms, down, "ALARM")
    assert make(alarms, records) == AlarmSync([], []) and does() == "nothing"
    state(alarms, down, "OK")
    assert make(alarms, records) == AlarmSync([down], []) and silence() == "breaching"
    # It stays so, whatever becomes of the slot.
    state(alarms, down, "ALARM")
    assert does() == "rollback"
    assert make(alarms, records) == AlarmSync([], []) and silence() == "breaching"


def test_what_was_promoted_is_on_trial_until_its_window_closes(alarms: Alarms) -> None:
    records = World().quiet("website").records
    before = records.stored["website"]
    records.stored["website"] = msgspec.structs.replace(before, window_until=Clock()() + 3600)
    make(alarms, records)
    assert f"{WEBSITE}errors-critical/green" in names(alarms)
    records.stored["website"] = before
    make(alarms, records)
    assert names(alarms) == sorted(AT_REST + ALWAYS)


def test_an_event_of_a_release_is_about_its_service_alone(alarms: Alarms) -> None:
    records = World().quiet("website").quiet("storefront").records
    make(alarms, records)
    del records.stored["storefront"]
    world = releasing()
    assert sorted(sync(alarms, world, MemoryQueue(), service="website").put) == sorted(ON_TRIAL)
    assert "candlefish/production/storefront/errors-high/green" in names(alarms)
    assert sync(alarms, records, MemoryQueue(), service="website").deleted == sorted(ON_TRIAL)


def test_a_service_whose_record_cannot_be_read_keeps_its_alarms(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make(alarms, records)
    records.unreadable["website"] = "its record cannot be read"
    make(alarms, records)
    assert AT_REST[0] in names(alarms)


def test_an_alarm_that_somebody_changed_is_put_right(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make(alarms, records)
    alarms.put(Alarm(AT_REST[0], MINE))
    assert make(alarms, records) == AlarmSync(AT_REST, [])


def test_a_service_that_has_gone_loses_its_alarms_and_nobody_elses_are_touched(
    alarms: Alarms,
) -> None:
    records = World().quiet("website").quiet("storefront").records
    make(alarms, records)
    ours = alarms.existing(AT_REST[0])[AT_REST[0]]["AlarmDescription"]
    # Somebody's own; one of another environment; one that is called like ours and does not say that it is.
    for name, description in {
        "candlefish/production/my-own": ours,
        "candlefish/production-eu/website/errors-high/green": ours.replace("production", "production-eu"),
        "candlefish/production/storefront/errors-critical/blue": "mine",
    }.items():
        alarms.put(Alarm(name, {**MINE, "AlarmDescription": description}))
    del records.stored["storefront"]
    assert make(alarms, records).deleted == ["candlefish/production/storefront/errors-high/green"]
    left = alarms.existing("candlefish/")
    assert {
        "candlefish/production/my-own",
        "candlefish/production-eu/website/errors-high/green",
        "candlefish/production/storefront/errors-critical/blue",
    } < set(left)


OLD = {
    "candlefish-production-website-errors-critical-blue": "[service=website slot=blue environment=production]",
    "candlefish-production-website-latency-high-green": "[service=website slot=green environment=production]",
    "candlefish-production-website-service-down": "[service=website environment=production severity=critical]",
    "candlefish-production-main-utilisation-high": "[database=main environment=production severity=info]",
}
OTHERS = {
    "candlefish-production-eu-website-errors-critical-blue": "[service=website slot=blue environment=production-eu]",
    "candlefish-production-eu-website-service-down": "[service=eu-website environment=production-eu]",
    "candlefish-production-website-payroll": "[service=website environment=production]",
    "candlefish-production-website-errors-high-blue": "somebody's own",
}


def test_alarms_of_the_old_names_are_deleted_once_and_no_other_environments(alarms: Alarms) -> None:
    for name, labels in {**OLD, **OTHERS}.items():
        alarms.put(Alarm(name, {**MINE, "AlarmDescription": f"It was so. {labels}"}))
    make(alarms, World().quiet("website").records)
    assert set(alarms.existing("candlefish-")) == {*OLD, *OTHERS}, "the function cannot reach them"
    assert forget_old_alarms("production", alarms) == sorted(OLD)
    assert set(alarms.existing("candlefish-")) == set(OTHERS)
    assert forget_old_alarms("production", alarms) == []


def test_a_service_without_a_stable_version_pages_nobody(alarms: Alarms) -> None:
    record = new_record(
        "production",
        "website",
        rule="r",
        smoke_rule="s",
        smoke_token="t",
        target_groups={"blue": "b", "green": "g"},
    )
    assert make(alarms, MemoryRecords(record)) == AlarmSync(ALWAYS[1:], [])


def test_what_is_still_in_alarm_is_said_again_as_the_event_said_it(alarms: Alarms) -> None:
    records = World().quiet("website").records
    make(alarms, records)
    (high,) = AT_REST
    state(alarms, high, "ALARM")
    queue = MemoryQueue()
    assert sync(alarms, records, queue, repeat=True).repeated == 1
    (one,) = from_queue(queue.messages[0].decode(), 0.0).alerts
    described = alarms.existing(high)[high]
    event = {
        "detail-type": "CloudWatch Alarm State Change",
        "resources": [described["AlarmArn"]],
        "detail": {
            "alarmName": high,
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
    ("name", "severity", "do"),
    [(ON_TRIAL[0], "P0", "rollback"), (ON_TRIAL[1], "P1", "hold"), (ON_TRIAL[2], "P0", "rollback")],
)
@pytest.mark.parametrize("described", [True, False], ids=["by its labels", "by its name"])
def test_what_each_alarm_leads_to(alarms: Alarms, name: str, severity: str, do: str, described: bool) -> None:
    make(alarms, releasing())
    state(alarms, name, "OK")
    make(alarms, releasing())
    made = alarms.existing(name)[name]
    description = made["AlarmDescription"] if described else ""
    event = {
        "detail-type": "CloudWatch Alarm State Change",
        "region": "us-west-2",
        "account": "333333333333",
        "resources": [made["AlarmArn"]],
        "detail": {
            "alarmName": name,
            "state": {"value": "ALARM", "timestamp": "2026-11-24T10:00:00.000+0000"},
            "configuration": {"description": description},
        },
    }
    found: Delivery = from_event(event, 0.0)
    alert: Alert = found.alerts[0]
    signal = classify(alert, found, catalog=catalog(), environment="production")
    assert (signal.subject, signal.environment, signal.slot) == ("website", "production", "blue")
    assert (signal.severity, signal.do) == (severity, do)


@pytest.mark.parametrize(
    ("name", "about"), [(ALWAYS[0], f"other/{ALWAYS[0]}"), (ALWAYS[1], "database/main")], ids=str
)
def test_what_concerns_no_service_is_told(alarms: Alarms, name: str, about: str) -> None:
    make(alarms, World().quiet("website").records)
    state(alarms, name, "ALARM")
    found = from_described(alarms.existing(name).values(), 0.0)
    signal = classify(found.alerts[0], found, catalog=catalog(), environment="production")
    assert (signal.about, signal.do) == (about, "notify")


def test_an_alarm_that_is_defined_anew_keeps_its_state(alarms: Alarms) -> None:
    make(alarms, World().quiet("website").records)
    (name,) = AT_REST
    state(alarms, name, "ALARM")
    before = alarms.existing(name)[name]
    arguments = {key: value for key, value in before.items() if not key.startswith(("State", "Alarm"))}
    alarms.put(Alarm(name, {**arguments, "AlarmDescription": "another"}))
    after = alarms.existing(name)[name]
    assert (after["StateValue"], after["AlarmDescription"]) == ("ALARM", "another")


def test_what_is_described_is_a_copy(alarms: Alarms) -> None:
    make(alarms, releasing())
    name = ON_TRIAL[2]
    described = alarms.existing(name)
    described[name]["Dimensions"].clear()
    described.clear()
    assert len(alarms.existing(name)[name]["Dimensions"]) == 2


def test_deleting_what_is_not_there_is_harmless(alarms: Alarms) -> None:
    make(alarms, releasing())
    alarms.delete([*AT_REST, f"{WEBSITE}nothing"])
    assert not set(AT_REST) & set(names(alarms))
    alarms.delete([])
