"""Whoever answers in the captures answers what is open, and does not wait for ever."""

from __future__ import annotations

from typing import Any

import pytest

from tools import captures


class Watched:
    """A release with questions, and a screen of it that looks late: it has the question before for some answers."""

    def __init__(self, *questions: str, late: int = 0) -> None:
        self.open, self._late = list(questions), late
        self._shown = self.open[0]
        self._prompt = False
        self.sent: list[tuple[str, str]] = []
        self._typed = ""

    def view(self, _release: str) -> dict[str, Any]:
        return {"question": {"id": self.open[0]} if self.open else None}

    def text(self) -> list[str]:
        if self._prompt:
            return ["approve? it goes on", f"reason: {self._typed}_", "Enter sends it, Esc does nothing"]
        return [f"asks {self._shown}", "a approve  d deny  e evidence  q leave (it goes on)"]

    def press(self, *keys: str) -> None:
        if keys == ("a",):
            self._prompt, self._typed = True, ""
        else:
            self._prompt = False
            self.sent.append((self._shown, self._typed))
            if self.open and self.open[0] == self._shown:
                self.open.pop(0)
            elif self._late:
                self._late -= 1
            if self.open and not self._late:
                self._shown = self.open[0]

    def type(self, text: str) -> None:
        self._typed += text


def test_the_question_that_is_open_is_answered_where_the_screen_still_has_the_one_before() -> None:
    watched = Watched("verdict", "plan", late=2)
    assert captures.approve(watched.view, watched, "r", "go on") == 4
    assert watched.open == []
    assert watched.sent == [("verdict", "go on")] * 3 + [("plan", "go on")]


def test_a_screen_that_never_has_the_open_question_is_an_error() -> None:
    watched = Watched("verdict", "plan", late=1000)
    with pytest.raises(TimeoutError, match=r"still asks .*plan.* after 12 answers"):
        captures.approve(watched.view, watched, "r")
    assert len(watched.sent) == captures.MOST_ANSWERS


def test_nothing_is_sent_where_nothing_is_open() -> None:
    watched = Watched("verdict")
    watched.open.clear()
    assert captures.approve(watched.view, watched, "r") == 0
    assert watched.sent == []
