"""Whatever goes wrong, a release ends in the right place: a clear reason, traffic on a good version,
the lock free, nothing left behind. Real handlers, real state machines, real HTTP traffic."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError

from candlefish.service.model import other
from tests.support.stage import Stage
from tests.support.waiting import eventually

SERVICE = "backend-api"
FAILS_BY_ITSELF = [
    ("unpullable", "RolloutFailed", "image"),
    ("crash", "RolloutFailed", "exit"),
    ("never-ready", "RolloutFailed", "ready"),
    ("unhealthy", "RolloutFailed", "healthy"),
    ("smoke-fails", "SmokeTestFailed", "500"),
    ("mostly-broken", "JudgedBad", "of the canary failed"),
]


@pytest.mark.parametrize(
    ("version", "error", "words"), FAILS_BY_ITSELF, ids=[v for v, _, _ in FAILS_BY_ITSELF]
)
def test_a_version_that_does_not_work_is_taken_back(
    stage: Stage, version: str, error: str, words: str
) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, version, allow_bad=True)
    ended = stage.ends(release)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert words in ended["cause"]
    assert stage.status(release) == "rolled_back"
    record = stage.settled(SERVICE, before)
    assert record.bad, "a version that failed is remembered as bad"


def test_the_cluster_is_down_when_the_release_begins(stage: Stage) -> None:
    before = stage.version(SERVICE)
    fault = stage.fault(boundary="kubernetes", kind="error", status=503, count=None)
    release = stage.start(SERVICE, "1.2.0")
    eventually(lambda: "rolling_back" in stage.kinds(release))
    assert stage.records.get(SERVICE).desired[other(stage.records.get(SERVICE).stable or "blue")] == 0
    stage.world.faults.remove(fault)
    ended = stage.ends(release)
    assert ended["error"] == "Unavailable"
    stage.settled(SERVICE, before)


def test_the_cluster_is_away_for_a_moment(stage: Stage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "deployed")
    stage.fault(boundary="kubernetes", kind="reset", count=4)
    stage.comes_to(release, "approval_requested")
    stage.answer(release, "denied", "product-lead")
    stage.ends(release)
    stage.settled(SERVICE, before)


@pytest.mark.parametrize("kind", ["throttle", "error", "lost_answer", "kill_caller", "kill_caller_after"])
def test_a_release_survives_trouble_at_the_load_balancer(stage: Stage, kind: str) -> None:
    """Throttled, failing, answers lost, the function killed before and after the rule was written."""
    before = stage.version(SERVICE)
    stage.fault(
        boundary="aws", service="elbv2", operation="ModifyRule", kind=kind, count=3, caller="*shift-weights"
    )
    stage.fault(boundary="aws", service="elbv2", operation="Describe*", kind="throttle", count=3)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "approval_requested")
    assert stage.reason(release, "shifted").startswith("10%")
    stage.answer(release, "denied", "product-lead")
    stage.ends(release)
    stage.settled(SERVICE, before)


def test_a_handler_that_times_out_half_way_is_repeated(stage: Stage) -> None:
    """The record says 10%, the rule does not yet: the function is killed between the two."""
    before = stage.version(SERVICE)
    stage.fault(
        boundary="aws",
        service="elbv2",
        operation="ModifyRule",
        kind="timeout",
        seconds=30,
        caller="*shift-weights",
    )
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "approval_requested")
    stage.answer(release, "denied", "product-lead")
    stage.ends(release)
    stage.settled(SERVICE, before)


REFUSED = [
    ({"service": "payments"}, "UnknownService"),
    ({"service": SERVICE, "image": "ghcr.io/candlefish-ai/backend-api:latest"}, "InvalidInput"),
    ({"service": SERVICE, "surprise": 1}, "InvalidInput"),
    ({"service": 7}, "InvalidInput"),
    ([1, 2, 3], "InvalidInput"),
    ("text", "InvalidInput"),
    ({}, "InvalidInput"),
    ({"service": SERVICE, "reason": "x" * 200_000}, "InvalidInput"),
]


@pytest.mark.parametrize(("request_", "error"), REFUSED, ids=[str(r)[:40] for r, _ in REFUSED])
def test_a_bad_request_is_refused_and_changes_nothing(stage: Stage, request_: object, error: str) -> None:
    whole = {
        "service": SERVICE,
        "image": stage.world.image(SERVICE, "1.2.0"),
        "requested_by": "developer",
        "reason": "test",
    }
    sent = {**whole, **request_} if isinstance(request_, dict) and request_ else request_
    before = stage.records.get(SERVICE)
    ended = stage.ends(stage.start_raw(sent, f"refused-{uuid.uuid4().hex[:8]}"))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert len(ended["cause"]) > 40, "an operator needs more than a name"
    assert stage.records.get(SERVICE) == before


def test_an_input_that_is_too_large_is_refused_at_the_door(stage: Stage) -> None:
    """Step Functions takes at most 256 KiB."""
    with pytest.raises(ClientError, match=r"InvalidExecutionInput|ValidationException"):
        stage.start_raw({"service": SERVICE, "reason": "x" * 300_000}, f"large-{uuid.uuid4().hex[:8]}")
