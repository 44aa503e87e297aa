"""Whatever goes wrong, a release ends in the right place: a clear reason, traffic on a good version,
the lock free, nothing left behind. Real functions and real state machines, in virtual time."""

from __future__ import annotations

import uuid

import pytest

from candlefish.service.model import other
from lab.simulator.machines import Refused
from tests.support.scenario import SimulatedStage

SERVICE = "backend-api"
FAILS_BY_ITSELF = [
    ("unpullable", "RolloutFailed", "image"),
    ("crash", "RolloutFailed", "exit"),
    ("never-ready", "RolloutFailed", "ready"),
    ("unhealthy", "RolloutFailed", "healthy"),
    ("smoke-fails", "SmokeTestFailed", "500"),
    ("often-fails", "JudgedBad", "of the canary failed"),
]


@pytest.mark.parametrize(
    ("version", "error", "words"), FAILS_BY_ITSELF, ids=[v for v, _, _ in FAILS_BY_ITSELF]
)
def test_a_version_that_does_not_work_is_taken_back(
    stage: SimulatedStage, version: str, error: str, words: str
) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, version, allow_bad=True)
    ended = stage.ends(release)
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert words in ended["cause"]
    assert stage.status(release) == "rolled_back"
    record = stage.settled(SERVICE, before)
    assert record.bad, "a version that failed is remembered as bad"


def test_the_cluster_is_down_when_the_release_begins(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    strike = stage.strike("refused", "cluster", count=1000)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "rolling_back")
    record = stage.records.get(SERVICE)
    assert record.desired[other(record.stable)] == 0
    strike.count = 0
    ended = stage.ends(release)
    assert ended["error"] == "Unavailable"
    stage.settled(SERVICE, before)


def test_the_cluster_is_away_for_a_moment(stage: SimulatedStage) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "deployed")
    strike = stage.strike("lost", "cluster", count=4)
    denied(stage, release)
    assert strike.met == 4
    stage.settled(SERVICE, before)


def denied(stage: SimulatedStage, release: str) -> None:
    """Wait for a release's question and say no."""
    stage.comes_to(release, "approval_requested")
    assert stage.answer(release, "denied", "product-lead")[0] == 200
    stage.ends(release)


@pytest.mark.parametrize("kind", ["throttled", "refused", "lost", "late", "dies_before", "dies_after"])
def test_a_release_survives_trouble_at_the_load_balancer(stage: SimulatedStage, kind: str) -> None:
    """Throttled, failing, answers lost or late, the function killed before and after the rule was written."""
    before = stage.version(SERVICE)
    write = stage.strike(kind, "rules", "write", function="shift_weights", count=2, seconds=5.0)
    read = stage.strike("throttled", "rules", "read", count=2)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "shifted")
    assert stage.reason(release, "shifted").startswith("10%")
    assert (write.met, read.met) == (2, 2)
    denied(stage, release)
    stage.settled(SERVICE, before)


def test_a_handler_that_times_out_half_way_is_repeated(stage: SimulatedStage) -> None:
    """The record says 10%, the rule does not yet: the function is killed between the two."""
    before = stage.version(SERVICE)
    slow = stage.strike("slow", "rules", "write", function="shift_weights", seconds=30.0)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "shifted")
    assert slow.met == 1
    denied(stage, release)
    stage.settled(SERVICE, before)


REFUSED = [
    ({"service": "payments"}, "UnknownService"),
    ({"service": SERVICE, "image": "ghcr.io/example-org/backend-api:latest"}, "InvalidInput"),
    ({"service": SERVICE, "surprise": 1}, "InvalidInput"),
    ({"service": 7}, "InvalidInput"),
    ([1, 2, 3], "InvalidInput"),
    ("text", "InvalidInput"),
    ({}, "InvalidInput"),
    ({"service": SERVICE, "reason": "x" * 200_000}, "InvalidInput"),
]


@pytest.mark.parametrize(("request_", "error"), REFUSED, ids=[str(r)[:40] for r, _ in REFUSED])
def test_a_bad_request_is_refused_and_changes_nothing(
    stage: SimulatedStage, request_: object, error: str
) -> None:
    whole = {
        "service": SERVICE,
        "image": stage.site.image(SERVICE, "1.2.0"),
        "reason": "test",
    }
    sent = {**whole, **request_} if isinstance(request_, dict) and request_ else request_
    before = stage.records.get(SERVICE)
    ended = stage.ends(stage.start_raw(sent, f"refused-{uuid.uuid4().hex[:8]}"))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert len(ended["cause"]) > 40, "an operator needs more than a name"
    assert stage.records.get(SERVICE) == before


def test_an_input_that_is_too_large_is_refused_at_the_door(stage: SimulatedStage) -> None:
    """Step Functions takes at most 256 KiB."""
    with pytest.raises(Refused, match="ValidationException"):
        stage.start_raw({"service": SERVICE, "reason": "x" * 300_000}, f"large-{uuid.uuid4().hex[:8]}")


def test_a_retirement_on_its_way_takes_no_pods_from_the_release_that_comes(stage: SimulatedStage) -> None:
    first = stage.start("website", "1.1.0")
    assert stage.approve_all(first)["status"] == "SUCCEEDED"
    slow = stage.strike("slow", "cluster", "retire", seconds=20.0)
    stage.site.until(lambda: slow.met, "a slot to be retired")
    release = stage.start("website", "1.2.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert "retired" not in stage.kinds(first), "the slot was the next release's by then"
    stage.settled("website", "1.2.0")
    assert stage.without_service("website") == 0
