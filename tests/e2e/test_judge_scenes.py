"""Canaries that most judges get wrong, each with real traffic, CloudWatch and a real Prometheus: how they must end.

Run with `-s` to see the timelines. `candlefish lab scene NAME` plays them for people and draws them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.scenes.judging.picture import draw
from lab.scenes.judging.play import VERSION, Played, play
from lab.scenes.judging.scenes import SCENES
from lab.scenes.prometheus import program
from lab.world import FIRST_VERSION

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(program() is None, reason="needs Debian's prometheus package; .ci/run installs it"),
]


def played(folder: Path, name: str) -> Played:
    """A scene that ended as it must, and has a picture."""
    found = play(folder / "lab", SCENES[name], lambda text: print(f"       {text}"))
    told = [f"{entry['kind']}: {entry['reason']}" for entry in found.entries]
    assert found.status == found.scene.ends, told
    other = "promoted" if found.scene.ends == "rolled_back" else "rolling_back"
    assert found.reasons(other) == [], told
    draw(found, folder / "scene.png")
    assert (folder / "scene.png").stat().st_size < 120_000
    return found


def verdict(found: Played) -> dict[str, Any]:
    """The evidence of the judge's last word."""
    evidence: dict[str, Any] = [e["evidence"] for e in found.entries if e["kind"] == "judged"][-1]
    return evidence


def rolled_back(found: Played) -> None:
    """All traffic is on the old version, and the new one is known to be bad."""
    stable = found.record["stable"]
    assert found.record["desired"][stable] == 100
    assert found.record["slots"][stable]["version"]["label"] == FIRST_VERSION
    (other,) = (slot for slot in found.record["slots"] if slot != stable)
    assert found.record["slots"][other]["state"] == "bad"


def of(found: Played, version: str) -> list[Any]:
    return [sample for sample in found.samples if sample.version == version]


def test_a_median_that_doubles_far_below_the_budget_is_rolled_back(tmp_path: Path) -> None:
    found = played(tmp_path, "p50")
    rolled_back(found)
    last = verdict(found)
    assert last["action"] == "rollback" and last["metric"].startswith("over:"), last
    edge = float(last["metric"].removeprefix("over:"))
    assert edge < 2.0


def test_one_endpoint_that_is_broken_is_named(tmp_path: Path) -> None:
    found = played(tmp_path, "endpoint")
    rolled_back(found)
    last = verdict(found)
    assert (last["action"], last["metric"], last["source"]) == ("rollback", "at:/export", "prometheus"), last
    assert "/export" in found.reasons("judged")[-1]


def test_who_overloads_the_shared_database_is_rolled_back_with_proof(tmp_path: Path) -> None:
    found = played(tmp_path, "database")
    rolled_back(found)
    ended = [entry for entry in found.entries if entry["kind"] == "experiment_ended"]
    proof = ended[-1]["evidence"]
    assert proof["outcome"] == "recovered", ended
    share = {
        name: proof[name]["events"] / proof[name]["requests"] for name in ("with_canary", "without_canary")
    }
    assert share["with_canary"] > 0.1 > share["without_canary"]
    # Both versions had it: comparing them says nothing.
    assert any(sample.failed for sample in of(found, VERSION))
    assert "it was the canary" in found.reasons("rolling_back")[0]


def test_an_outage_of_the_world_costs_no_release(tmp_path: Path) -> None:
    found = played(tmp_path, "outage")
    assert [says for _, says in found.turned] == ["the database is out", "the database is back"]
    ended = [entry for entry in found.entries if entry["kind"] == "experiment_ended"]
    assert ended[0]["evidence"]["outcome"] == "persists", ended
    assert "it is not the canary" in ended[0]["reason"]
    assert found.record["slots"][found.record["stable"]]["version"]["label"] == VERSION


def test_a_cold_start_is_forgiven_where_a_warm_up_is_declared(tmp_path: Path) -> None:
    found = played(tmp_path, "cold-start")
    first = of(found, VERSION)[:80]
    cold = found.scene.canary
    assert sum(sample.seconds >= cold.slow_seconds for sample in first) > 20
    assert sum(sample.failed for sample in of(found, VERSION)) > 0
    assert found.record["slots"][found.record["stable"]]["version"]["label"] == VERSION
