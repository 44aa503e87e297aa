"""The first user's six services from one umbrella chart: what the scene claims, in a running lab."""

from __future__ import annotations

from pathlib import Path

from lab.scenes.umbrella import run


def test_the_umbrella_chart_is_released_part_by_part(tmp_path: Path) -> None:
    said: list[str] = []
    found = run(tmp_path, said.append)
    assert len(found) == 9
    assert "each of 6 services" in found[0].text
    assert all(claim.holds for claim in found), "\n".join(said)
