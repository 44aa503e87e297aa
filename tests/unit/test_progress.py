"""That something goes on: told in logs, turned at terminals, and nothing where it is quick."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from cli import progress
from cli.progress import Progress, hushed
from cli.stack import Stack
from cli.terminal import echo
from cli.watch import asked_for


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


def test_the_first_line_that_is_printed_is_the_name_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    def tell(text: str, *, err: bool) -> None:
        echo(text, err=err)
        told.set()

    monkeypatch.setattr(progress, "QUICK_IN_LOG", 0.0)
    monkeypatch.setattr(progress, "echo", tell)
    with progress.progress("waiting for request_release"):
        told.wait()
    asked_for(Stack("staging", "us-west-2"), "train-1", follow=False, train=True, as_json=False)
    printed, beside = capsys.readouterr()
    assert printed == "train-1\n"
    assert beside == "waiting for request_release ...\n"


def test_at_a_terminal_the_name_stands_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # Both streams are one screen.
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "QUICK_AT_TERMINAL", 0.0)
    with progress.progress("waiting for request_release"):
        until("waiting for request_release", screen)
    asked_for(Stack("staging", "us-west-2"), "train-1", follow=False, train=True, as_json=False)
    assert screen.getvalue().rpartition("\r\x1b[2K")[2] == "train-1\n"


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
