"""What comes late to the cluster, under load: no user meets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.faults import Fault
from lab.traffic.load import Load
from tests.support.labs import Labs
from tests.support.stage import Stage, running
from tests.support.waiting import eventually

ENVIRONMENT, SERVICE = "staging", "website"
RATE = 40.0


@contextmanager
def releasing(folder: Path) -> Iterator[Stage]:
    with running(folder, (ENVIRONMENT,), (SERVICE,)) as world:
        yield Stage(world, ENVIRONMENT)


@pytest.fixture
def stage(labs: Labs) -> Stage:
    return labs.get(releasing)


@contextmanager
def users(stage: Stage) -> Iterator[None]:
    """Users ask all the time, and none of them must fail."""
    load = Load(stage.site.port, [stage.world.host(ENVIRONMENT, SERVICE)], RATE)
    load.start()
    try:
        yield
    finally:
        samples = load.stop()
    assert samples
    assert [sample for sample in samples if sample.failed] == []


def release(stage: Stage, version: str) -> str:
    stage.publish(SERVICE, version)
    return stage.start(SERVICE, version)


def succeeds(stage: Stage, name: str) -> None:
    ended = stage.ends(name)
    assert ended["status"] == "SUCCEEDED", ended


def test_a_retirement_that_comes_late_takes_nothing_of_the_next_release(stage: Stage) -> None:
    """The next release starts the moment the window closes, while the request that scales its slot down is on its way."""
    with users(stage):
        first = release(stage, "1.1.0")
        succeeds(stage, first)
        # The next write to a Deployment is the retirement's.
        late = Fault(
            boundary="kubernetes", service="deployments", operation="patch", kind="latency", seconds=8.0
        )
        stage.world.faults.add(late)
        eventually(lambda: late.hits)
        assert "window_closed" in stage.kinds(first)
        second = release(stage, "1.2.0")
        succeeds(stage, second)
        record = stage.settled(SERVICE, "1.2.0")
    running_there = stage.replicas(SERVICE, str(record.stable))
    assert running_there >= 2
    deployed = next(e for e in stage.journal.entries(second) if e.kind == "deployed")
    assert any(line.startswith(f"Deployment {SERVICE}-") for line in deployed.evidence["changed"])
