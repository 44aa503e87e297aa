"""`candlefish watch` in real terminals (tmux) of three sizes, through a canary, a bad release and a train of the lab."""

from __future__ import annotations

import re
import shutil
import sys
from datetime import UTC
from pathlib import Path

import pytest
from rich.cells import cell_len

from cli.looking import Look
from cli.screen.asking import Screen
from cli.screen.cells import plain
from cli.screen.watching import Seen, frame
from tests.support.wide import view
from tools import captures
from tools.layers import ROOT

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux: apt-get install tmux"),
]


# Wide, combining, joined and hostile text in every place, shown for ever.
PROGRAM = """
from msgspec.structs import replace
from cli.looking import Look
from cli.screen.terminal import Terminal
from cli.screen.watching import Watching
from tests.support.wide import view
with Terminal(colour=True) as terminal:
    Watching("r", lambda: Look("r", view()), lambda *_: "", None).run(terminal)
"""


@pytest.mark.parametrize("size", captures.SIZES)
def test_a_real_terminal_has_each_sign_where_it_was_counted(tmp_path: Path, size: tuple[int, int]) -> None:
    environ = {"PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}", "LANG": "C.UTF-8", "TZ": "UTC"}
    window = captures.Window(tmp_path / "tmux", "wide", size, environ, sys.executable, "-c", PROGRAM)
    try:
        shown = [line.rstrip() for line in window.until("leave (it goes on)")]
        now = view().now
        made = frame(Seen(Look("r", view())), Screen(), *size, now, UTC)
        wanted = [plain(line).rstrip() for line in made]
        # Below the head, which says how long it has run by now, and the question, which says how long is left.
        assert len(shown) == len(wanted)
        moving = re.compile(r"\d+ (?:s|min|h|days)\b|over since")
        for seen, want in zip(shown, wanted, strict=True):
            assert seen == want or moving.search(seen) or moving.search(want)
        assert sum(seen == want for seen, want in zip(shown, wanted, strict=True)) > len(wanted) // 2
    finally:
        window.close()


@pytest.mark.long
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
