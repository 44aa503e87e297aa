"""That something goes on: told in logs, turned at terminals, and nothing where it is quick."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from cli import progress
from cli.progress import Progress, hushed


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.QUIET, raising=False)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(progress, "echo", lambda text, err: out.write(f"{text}\n"))
    return out


def until(text: str, out: io.StringIO) -> None:
    """Wait until something was written, however slow the machine is."""
    while text not in out.getvalue():
        threading.Event().wait(0.005)


def test_what_is_quick_says_nothing(log: io.StringIO) -> None:
    with progress.progress("asking"):
        pass
    assert log.getvalue() == ""


def test_a_log_is_told_once_and_again(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUICK_IN_LOG", 0.0)
    monkeypatch.setattr(progress, "AGAIN", 0.01)
    with progress.progress("asking"):
        until("asking: ", log)
    lines = log.getvalue().splitlines()
    assert lines[0] == "asking ..."
    assert "s so far" in lines[1]
    assert "\x1b" not in log.getvalue()


def test_a_terminal_gets_one_line_that_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Screen()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "QUICK_AT_TERMINAL", 0.0)
    with Progress("asking \x1b[31m\nevil") as shown:
        until("asking", out)
        shown.tell("a line")
    said = out.getvalue()
    assert said.endswith("\r\x1b[2K")
    assert "\x1b[31m" not in said
    assert "\n" not in said


def test_a_dumb_terminal_gets_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Screen()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(progress, "echo", lambda text, err: out.write(f"{text}\n"))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress, "QUICK_IN_LOG", 0.0)
    with Progress("asking"):
        until("asking ...", out)
    assert "\x1b" not in out.getvalue()


def test_one_at_a_time_and_none_over_a_screen(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUICK_IN_LOG", 0.0)
    with progress.progress("outer"), progress.progress("inner"):
        until("outer ...", log)
    with hushed(), progress.progress("behind a screen"):
        pass
    assert "inner" not in log.getvalue()
    assert "behind" not in log.getvalue()


def test_nobody_wants_to_hear_it(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(progress.QUIET, "1")
    monkeypatch.setattr(progress, "Progress", None)
    with progress.progress("asking"):
        pass
    assert log.getvalue() == ""
