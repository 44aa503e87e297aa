"""Every sample in events/ is what the function that takes it accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.adapters.aws.eventbridge import SOURCE
from candlefish.backups.model import AuditFinding
from candlefish.backups.news import finding_signals, signal_event
from candlefish.capacity.command_capacity import CapacityCommand
from candlefish.release.freeze import FreezeCommand
from candlefish.release.payloads import ReleaseRequest, TrainRequest
from candlefish.release.request import check_request
from candlefish.release.steer_release import SteerCommand
from candlefish.service.model import RollbackRequest
from candlefish.until import parse_until
from tests.support.release_world import CATALOG

EVENTS = Path(__file__).parents[2] / "events"
NOON = 1_795_000_000.0


def sample(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


@pytest.mark.parametrize("environment", sorted(CATALOG.environments))
def test_the_release_sample_is_a_release(environment: str) -> None:
    request = msgspec.convert(sample("release.json"), ReleaseRequest)
    check_request(request, environment=environment, catalog=CATALOG, now=NOON)


def test_the_train_sample_is_a_train_of_services_in_the_catalog() -> None:
    train = msgspec.convert(sample("train.json"), TrainRequest)
    for car in train.releases:
        request = ReleaseRequest(car.service, car.image, train.reason)
        check_request(request, environment="production", catalog=CATALOG, now=NOON)


def test_the_rollback_sample_is_a_rollback_request() -> None:
    assert msgspec.convert(sample("rollback.json"), RollbackRequest).service in CATALOG.services


def test_the_finding_sample_is_what_the_audit_of_backups_publishes() -> None:
    event = sample("signals/finding.json")
    detail = event["detail"]
    rule, summary = detail["name"].removeprefix("backup-"), detail["summary"]
    found = AuditFinding(rule, detail["labels"]["about"], "fail", summary, since=detail["started_at"])
    (told,) = finding_signals((found,), None, detail["labels"]["environment"], NOON)
    assert (event["detail-type"], detail) == signal_event(told)
    assert event["source"] == SOURCE


def test_the_samples_of_people_who_steer_are_commands_that_are_understood() -> None:
    assert msgspec.convert(sample("steer.json"), SteerCommand).action == "pause"
    command = msgspec.convert(sample("freeze.json"), FreezeCommand)
    assert command.service in CATALOG.services
    assert parse_until(str(command.until), "America/Los_Angeles", NOON, at_most=86400) > NOON


def test_the_wake_sample_is_a_command_that_is_understood() -> None:
    command = msgspec.convert(sample("wake.json"), CapacityCommand)
    assert parse_until(command.until, "America/Los_Angeles", NOON, at_most=86400) > NOON
