"""docs/adopt.md, followed in the lab: another company's world, its catalog guessed, live services over and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.scenes.monitoring import programs
from tools.follow_adoption import follow
from tools.layers import ROOT
from tools.runtime import NAME, find

pytestmark = [pytest.mark.lab, pytest.mark.long]


def missing() -> str:
    """What the page needs and this machine does not have."""
    commands = [name for name in ("aws", "kubectl", "make", "bash") if shutil.which(name) is None]
    if not (ROOT / ".venv-sam/.ready").exists():
        commands.append("SAM (make sam)")
    if programs() is None:
        commands.append("Prometheus and Alertmanager")
    try:
        find()
    except SystemExit:
        commands.append(NAME)
    return ", ".join(commands)


@pytest.mark.skipif(bool(missing()), reason=f"there is no {missing()}")
def test_live_services_come_over_and_go_back_without_a_failed_request(tmp_path: Path) -> None:
    said: list[str] = []
    assert follow(tmp_path, said.append) == 0, "\n".join(said)
