"""The bus: the same cases in memory and on EventBridge (moto), seen by whoever has a rule on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto import mock_aws

from candlefish.adapters.aws.eventbridge import BestEffort, EventBus
from candlefish.errors import ControlPlaneError
from candlefish.ports import EventPublisher
from lab.memory.events import MemoryEvents

Seen = list[tuple[str, dict[str, Any]]]


def bus_in_memory() -> tuple[EventPublisher, Callable[[], Seen], Callable[[], None]]:
    events = MemoryEvents()
    return events, lambda: events.published, lambda: setattr(events, "broken", True)


def bus_on_aws() -> tuple[EventPublisher, Callable[[], Seen], Callable[[], None]]:
    """A bus, what a queue behind a rule of it gets, and how it goes away."""
    client, sqs = (boto3.client(name, region_name="us-west-2") for name in ("events", "sqs"))
    client.create_event_bus(Name="candlefish")
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.put_rule(
        Name="all", EventBusName="candlefish", EventPattern='{"source": ["candlefish.control-plane"]}'
    )
    client.put_targets(Rule="all", EventBusName="candlefish", Targets=[{"Id": "q", "Arn": arn}])

    def seen() -> Seen:
        found: Seen = []
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            bodies = [json.loads(each["Body"]) for each in got]
            found += [(body["detail-type"], body["detail"]) for body in bodies]
        return found

    def goes() -> None:
        def refuse(**asked: Any) -> Any:
            refused = [{"ErrorCode": "InternalFailure"} for _ in asked["Entries"]]
            return {"FailedEntryCount": len(refused), "Entries": refused}

        client.put_events = refuse

    return EventBus(client, "candlefish"), seen, goes


@pytest.fixture(params=["fake", "eventbridge"])
def bus(request: pytest.FixtureRequest) -> Any:
    with mock_aws():
        yield bus_in_memory() if request.param == "fake" else bus_on_aws()


def test_an_event_arrives_with_its_kind_and_detail(bus: Any) -> None:
    events, seen, _ = bus
    events.publish("signal.decided", {"about": "service/website", "share": 0.25})
    assert seen() == [("signal.decided", {"about": "service/website", "share": 0.25})]


def test_many_events_arrive_and_none_is_none(bus: Any) -> None:
    events, seen, _ = bus
    events.publish_all([])
    assert seen() == []
    many = [("finding", {"number": number}) for number in range(23)]
    events.publish_all(many)
    assert sorted(seen(), key=lambda event: event[1]["number"]) == many


def test_a_detail_that_changes_afterwards_has_been_published(bus: Any) -> None:
    events, seen, _ = bus
    detail = {"labels": {"number": 1}, "list": (1, 2)}
    events.publish("finding", detail)
    detail["labels"]["number"] = 2
    assert seen() == [("finding", {"labels": {"number": 1}, "list": [1, 2]})]


def test_what_json_cannot_hold_is_no_event(bus: Any) -> None:
    events, seen, _ = bus
    with pytest.raises(TypeError):
        events.publish("finding", {"what": object()})
    assert seen() == []


def test_a_bus_that_does_not_take_it_is_an_error(bus: Any) -> None:
    events, _, goes = bus
    goes()
    with pytest.raises(ControlPlaneError):
        events.publish("finding", {})


def test_news_that_must_not_stop_anybody_is_logged_when_the_bus_is_down(bus: Any) -> None:
    events, seen, goes = bus
    told: list[str] = []
    best = BestEffort(lambda: events, told.append)
    best.publish("release.started", {"release": "r1"})
    assert (len(seen()), told) == (1, [])
    goes()
    best.publish("release.promoted", {"release": "r1"})
    assert len(told) == 1 and "release.promoted could not be published" in told[0]
