"""Every execution that ends badly is news, also when nothing of ours could say so; what was told is not told twice."""

from __future__ import annotations

import pytest

from tests.support.scenario import SimulatedStage

SERVICE = "backend-api"


def told(stage: SimulatedStage, words: str) -> list[str]:
    """The messages about something, once whatever was under way has come."""
    stage.site.run(60.0)
    return [each.title for each in stage.site.told if words in each.plain()]


@pytest.mark.parametrize(
    "lost", [0, 1000], ids=["told by who refused it", "the event of who refused it is lost"]
)
def test_a_refusal_is_told_once(stage: SimulatedStage, lost: int) -> None:
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "deployed")
    strike = stage.strike("refused", "bus", count=lost)
    late = stage.start(SERVICE, "1.1.0")
    assert stage.ends(late)["error"] == "ServiceBusy"
    assert (strike.met > 0) == (lost > 0)
    assert told(stage, late) == [f"Release of {SERVICE} 1.1.0 to production was refused"]


@pytest.mark.parametrize(
    "lost", [0, 1000], ids=["told by the rollback", "the events of the rollback are lost"]
)
def test_a_rollback_is_told_once_to_its_end(stage: SimulatedStage, lost: int) -> None:
    strike = stage.strike("refused", "bus", function="finish_rollback", count=lost)
    release = stage.start(SERVICE, "crash")
    assert stage.ends(release)["error"] == "RolloutFailed"
    assert (strike.met > 0) == (lost > 0)
    titles = told(stage, release)
    assert titles.count(f"{SERVICE} crash in production was rolled back") == 1
    assert not [each for each in titles if "ended before it was done" in each]


def test_an_execution_that_somebody_stops_is_told_with_what_it_means(stage: SimulatedStage) -> None:
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "deployed")
    stage.stop(release)
    stage.follows(release, "rolled_back")
    titles = told(stage, release)
    assert f"Release {release} of {SERVICE} in production ended before it was done: ABORTED" in titles
    # And that the reconciler took it over, and how that ended.
    assert f"{SERVICE} 1.2.0 in production is rolled back: whoever released it is gone" in titles
    assert f"{SERVICE} 1.2.0 in production was rolled back" in titles
