"""Which modules of tests come first: the longest, as they were measured, and before them those that never ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import durations
from tests.support.durations import HINT, measured, place, remember


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "reports/durations.json"


def test_what_was_measured_is_kept_beside_what_other_runs_measured(report: Path) -> None:
    none = report.with_name("none.json")
    assert measured(report, none) == {}
    remember({"tests/a.py": 1.0, "tests/b.py": 2.0}, report)
    remember({"tests/b.py": 3.0}, report)
    assert measured(report, none) == {"tests/a.py": 1.0, "tests/b.py": 3.0}


def test_a_fresh_checkout_has_a_hint_which_what_was_measured_here_goes_before(report: Path) -> None:
    hint = report.with_name("hint.json")
    remember({"tests/a.py": 300.0, "tests/b.py": 200.0}, hint)
    assert measured(report, hint) == {"tests/a.py": 300.0, "tests/b.py": 200.0}
    remember({"tests/a.py": 1.0}, report)
    assert measured(report, hint) == {"tests/a.py": 1.0, "tests/b.py": 200.0}


def test_the_hint_names_modules_that_are_there() -> None:
    hinted = json.loads(HINT.read_text())
    assert hinted
    assert [module for module in hinted if not (HINT.parents[2] / module).exists()] == []


def test_a_run_goes_by_what_it_read_first_whatever_another_one_measures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = iter([{"tests/a.py": 1.0}, {"tests/a.py": 9.0}])
    monkeypatch.setattr(durations, "measured", lambda: next(told))
    run = pytest.Stash()
    assert [durations.known_to(run) for _ in range(2)] == [{"tests/a.py": 1.0}] * 2


def test_the_longest_comes_first_and_before_it_what_nobody_measured_by_its_lines(tmp_path: Path) -> None:
    for name, lines in (("quick", 90), ("slow", 10), ("new", 20), ("newer", 30)):
        (tmp_path / f"{name}.py").write_text("\n" * lines)
    known = {"quick.py": 0.5, "slow.py": 100.0}
    order = sorted(tmp_path.glob("*.py"), key=lambda path: place(path, tmp_path, known))
    assert [path.stem for path in order] == ["newer", "new", "slow", "quick"]
