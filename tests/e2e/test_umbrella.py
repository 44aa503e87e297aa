"""The first user's six services from one umbrella chart: what the scene claims, in a running lab."""

from __future__ import annotations

from pathlib import Path

from lab.scenes.umbrella import run

# Slots' Pods still carry the chart's own labels (docs/limits.md); this goes with the limit.
NOT_YET = {"the live Service gets no Pod of a canary that has its label in the chart"}


def test_the_umbrella_chart_is_released_part_by_part(tmp_path: Path) -> None:
    said: list[str] = []
    found = run(tmp_path, said.append)
    assert len(found) == 6
    assert {claim.text for claim in found if not claim.holds} <= NOT_YET, "\n".join(said)
