"""Two labs always go on side by side; another begins only while processors have time to spare."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.turns import BUSY, turn


def test_two_begin_however_busy_the_machine_is_and_a_third_when_one_has_ended(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        assert first.enter_context(turn(tmp_path, lambda: 100.0))
        assert second.enter_context(turn(tmp_path, lambda: 100.0))
        with (
            pytest.raises(TimeoutError, match="busy 100% of the time"),
            turn(tmp_path, lambda: 100.0, 0.01, 0.05),
        ):
            pass
        first.close()
        with turn(tmp_path, lambda: 100.0) as has_place:
            assert has_place


def test_others_begin_while_processors_have_time_to_spare(tmp_path: Path) -> None:
    told = iter([BUSY, 100.0, BUSY - 1])
    with turn(tmp_path), turn(tmp_path), turn(tmp_path, lambda: next(told), 0.001) as has_place:
        assert not has_place


def test_who_fails_leaves_the_place(tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(RuntimeError), turn(tmp_path, lambda: 100.0):
            raise RuntimeError("a lab that could not be brought up")
    with turn(tmp_path, lambda: 100.0) as has_place:
        assert has_place
