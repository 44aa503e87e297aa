"""Two labs always go on side by side; another begins only while processors have time to spare."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.turns import BUSY, turn

soon = partial(turn, settles=0.0, every=0.001)
idle = partial(turn, busy=lambda: 0.0, settles=60.0, every=0.001)


def test_two_begin_however_busy_the_machine_is_and_a_third_when_one_has_ended(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        assert first.enter_context(turn(tmp_path, lambda: 100.0))
        assert second.enter_context(turn(tmp_path, lambda: 100.0))
        with (
            pytest.raises(TimeoutError, match="busy 100% of the time"),
            soon(tmp_path, lambda: 100.0, patience=0.05),
        ):
            pass
        first.close()
        with turn(tmp_path, lambda: 100.0) as has_place:
            assert has_place


def test_others_begin_while_processors_have_time_to_spare(tmp_path: Path) -> None:
    told = iter([BUSY, 100.0, BUSY - 1])
    with turn(tmp_path), turn(tmp_path), soon(tmp_path, lambda: next(told)) as has_place:
        assert not has_place


def test_how_busy_the_machine_is_shows_a_while_after_the_last_one_began(tmp_path: Path) -> None:
    with turn(tmp_path), turn(tmp_path):
        with pytest.raises(TimeoutError), idle(tmp_path, patience=0.05):
            pass
        os.utime(tmp_path / "last", (0, 0))
        with idle(tmp_path), pytest.raises(TimeoutError), idle(tmp_path, patience=0.05):
            pass


def test_who_fails_leaves_the_place(tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(RuntimeError), turn(tmp_path, lambda: 100.0):
            raise RuntimeError("a lab that could not be brought up")
    with turn(tmp_path, lambda: 100.0) as has_place:
        assert has_place
