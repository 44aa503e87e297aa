"""The deploy action: one name a run, a summary that brings no markup of its own, and the judge's numbers as charts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PATH = Path(__file__).parents[3] / ".github/actions/deploy/deploy.py"


@pytest.fixture(scope="module")
def action() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_action", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry(kind: str, reason: str = "because", **evidence: Any) -> dict[str, Any]:
    return {"at": 1_795_500_000, "kind": kind, "reason": reason, "evidence": evidence}


class Fake:
    """A release that tells one state after another."""

    name, environment = "website-gh-1-1", "production"

    def __init__(self, *states: tuple[str, list[dict[str, Any]], str]) -> None:
        self.states = list(states)

    def status(self) -> str:
        return self.states[0][0]

    def timeline(self) -> list[dict[str, Any]]:
        return self.states[0][1]

    def described(self) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"status": state[2], "error": "ImageRefused", "cause": "no scan"}


def test_a_release_is_named_after_the_run_and_fits_step_functions(action: ModuleType) -> None:
    name = action.name_of("a" * 40 + "/x", "12345678901", "2")
    assert name == "a" * 30 + "-gh-12345678901-2"
    assert len(name) <= 60


def test_a_promoted_release_is_followed_to_its_end(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action.time, "sleep", lambda _: None)
    started, promoted = [entry("started")], [entry("started"), entry("promoted")]
    fake = Fake(("", [], "RUNNING"), ("running", started, "RUNNING"), ("promoted", promoted, "SUCCEEDED"))
    assert action.follow(fake) == ("promoted", "")


@pytest.mark.parametrize(
    ("states", "status", "words"),
    [
        ([("", [], "FAILED")], "refused", "ImageRefused: no scan"),
        ([("refused", [entry("refused", "frozen")], "FAILED")], "refused", "frozen"),
        (
            [("rolling_back", [], "FAILED"), ("rolled_back", [entry("rolled_back", "bad")], "FAILED")],
            "rolled_back",
            "bad",
        ),
    ],
    ids=["refused before it was written down", "refused", "rolled back after its execution ended"],
)
def test_a_bad_end_is_told_with_its_cause(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch, states: list[Any], status: str, words: str
) -> None:
    monkeypatch.setattr(action.time, "sleep", lambda _: None)
    assert action.follow(Fake(*states)) == (status, words)


def test_the_summary_has_a_row_an_entry_and_no_foreign_markup(action: ModuleType) -> None:
    entries = [entry("started"), entry("rolled_back", "<img src=x> | [x](http://y) `rm`\nsecond line")]
    text = action.summary(Fake(("rolled_back", entries, "FAILED")), "rolled_back", "bad")
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 3
    assert "<img" not in text and "[x](" not in text and "\\[x\\]" in text and "\\|" in text


def test_the_judges_numbers_are_charts_over_its_looks(action: ModuleType) -> None:
    entries = [
        entry("judged", errors={"e": 0.5}),
        entry("judged", errors={"e": 20}, note="x"),
        entry("judged", lone=1),
    ]
    text = "\n".join(action.picture(entries))
    assert text.count("xychart-beta") == 1
    assert "line [0.5, 20]" in text and "x-axis [1, 2]" in text


def test_without_judging_there_is_no_picture(action: ModuleType) -> None:
    assert action.picture([entry("started"), entry("judged", e=1)]) == []
