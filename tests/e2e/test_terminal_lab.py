"""`candlefish watch` in real terminals (tmux) of three sizes, through a canary, a bad release and a train of the lab."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len

from tools import captures

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux: apt-get install tmux"),
]


def test_the_newest_entry_is_on_every_screen(tmp_path: Path) -> None:
    # A socket's path has a hundred bytes at most.
    with captures.staged(tmp_path) as stage:
        captures.canary(stage)
        captures.bad(stage)
        captures.train(stage, [captures.SERVICE, captures.SECOND])
        print(f"{stage.compared} looks, {len(stage.pictures)} pictures")
    # Each comparison raises where the newest entry is not there: six windows of a canary, one of them twice resized, and
    # three of each car of the train.
    assert stage.compared == 6 + 2 + 6
    for name, lines in stage.texts.items():
        columns, height = map(int, name.rpartition("-")[2].split("x"))
        assert len(lines) <= height, name
        assert all(cell_len(line) <= columns for line in lines), name
    for width in ("80x24", "50x24", "200x50"):
        asked = "\n".join(stage.texts[f"terminal-canary-question-{width}"])
        assert "? " in asked
        assert "a approve" in asked
        assert "q leave" in asked
    assert "exit 3" in "\n".join(stage.texts["terminal-rolled-back-80x24"])
    for picture in stage.pictures.values():
        assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
        assert "<script" not in picture
