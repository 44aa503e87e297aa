"""docs/adopt.md, followed in the lab: another company's world, its catalog guessed, a live service over and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.follow_adoption import follow

pytestmark = pytest.mark.lab


@pytest.mark.skipif(
    not (shutil.which("aws") and shutil.which("kubectl")), reason="aws and kubectl are wanted"
)
def test_a_live_service_comes_over_and_goes_back_without_a_failed_request(tmp_path: Path) -> None:
    said: list[str] = []
    assert follow(tmp_path, said.append) == 0, "\n".join(said)
