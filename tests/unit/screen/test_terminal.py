"""A real terminal (a pty) is taken whole and given back as it was, whichever way the screen ends."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from cli.screen.terminal import ENTER, LEAVE, Terminal
from tools.layers import ROOT

# A screen that shows a sample for ever, or until it is told otherwise.
PROGRAM = """
import os, sys, time
from cli.exits import Exit
from cli.looking import Look
from cli.screen.terminal import Terminal
from cli.screen.watching import Watching
from tests.support.views import SAMPLES
how = sys.argv[1]
view = SAMPLES["release-question"]()
def look():
    if how == "fails":
        raise RuntimeError("it broke")
    return Look(view.id, view, end=Exit.WAITS if how == "ends" else None)
def act(view, what):
    return f"did {what.action} because {what.reason}"
try:
    with Terminal(colour=False) as terminal:
        over = Watching(view.id, look, act, None).run(terminal)
    print("over" if over else "left")
except KeyboardInterrupt:
    print("interrupted")
"""


class Child:
    """A process with a terminal of its own, and what it wrote there."""

    def __init__(self, how: str, columns: int = 80, lines: int = 24) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Tests that a shell began in the background ignore it, and so would this.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(ROOT)
            os.environ |= {"PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}", "TERM": "xterm"}
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, how])
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.fd)
        self.out = b""
        self.status = -1

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def take_up(self) -> bool:
        """Take up what was written; False when it is over."""
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.out += data
        return bool(data)

    def until(self, text: str, since: int = 0) -> int:
        """Read until a text was written; where it ends."""
        while text.encode() not in self.out[since:]:
            assert self.take_up(), self.out.decode(errors="replace")[-2000:]
        return self.out.index(text.encode(), since) + len(text.encode())

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> str:
        """All that was written until it ended."""
        while self.take_up():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status, self.pid = os.waitstatus_to_exitcode(status), 0
        return self.out.decode(errors="replace")


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    made: list[Child] = []

    def start(*arguments: object) -> Child:
        made.append(Child(*arguments))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for each in made:
        if each.pid:
            os.kill(each.pid, signal.SIGKILL)
            os.waitpid(each.pid, 0)
        os.close(each.fd)


def given_back(out: str) -> None:
    assert out.count(ENTER) == out.count(LEAVE)
    assert out.rindex(LEAVE) > out.rindex(ENTER)
    # Nothing of the screen is written after it was given back.
    assert "\x1b" not in out[out.rindex(LEAVE) + len(LEAVE) :]


def test_q_leaves_and_gives_it_back(child: Callable[..., Child]) -> None:
    it = child("goes on")
    it.until("leave (it goes on)")
    it.type("q")
    it.until("left", it.until(LEAVE))
    assert termios.tcgetattr(it.fd) == it.before
    given_back(it.end())
    assert it.status == 0


def test_ctrl_c_leaves(child: Callable[..., Child]) -> None:
    it = child("goes on")
    it.until("leave (it goes on)")
    it.type("\x03")
    out = it.end()
    given_back(out)
    assert "interrupted" in out


def test_what_is_over_ends_it(child: Callable[..., Child]) -> None:
    out = child("ends").end()
    given_back(out)
    assert "over" in out.rpartition(LEAVE)[2]


def test_what_breaks_gives_it_back_and_is_raised(child: Callable[..., Child]) -> None:
    it = child("fails")
    out = it.end()
    given_back(out.split("Traceback")[0])
    assert "it broke" in out
    assert it.status == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_ends_the_process_gets_the_terminal_back(child: Callable[..., Child], number: int) -> None:
    it = child("goes on")
    it.until("leave (it goes on)")
    os.kill(it.pid, number)
    given_back(it.end())
    assert it.status == 128 + number


def test_it_stops_and_goes_on(child: Callable[..., Child]) -> None:
    it = child("goes on")
    at = it.until("leave (it goes on)")
    os.kill(it.pid, signal.SIGTSTP)
    at = it.until(LEAVE, at)
    while os.waitpid(it.pid, os.WUNTRACED | os.WNOHANG)[0] == 0:
        time.sleep(0.01)
    assert termios.tcgetattr(it.fd) == it.before
    os.kill(it.pid, signal.SIGCONT)
    at = it.until(ENTER, at)
    it.until("leave (it goes on)", at)
    it.type("q")
    given_back(it.end())


def test_a_resized_window_is_drawn_anew_and_nothing_is_wider(child: Callable[..., Child]) -> None:
    it = child("goes on", 80, 24)
    at = it.until("leave (it goes on)")
    for columns, lines in ((50, 24), (200, 50), (20, 8)):
        it.resize(columns, lines)
        at = it.until("\x1b[2J", at)
        it.until("leave", at)
    it.type("q")
    out = it.end()
    given_back(out)
    # Each line is put where it belongs; no newline can scroll the screen.
    assert "\n" not in out[out.index(ENTER) : out.rindex(LEAVE)]


def test_an_answer_is_confirmed_and_what_came_of_it_is_said(child: Callable[..., Child]) -> None:
    it = child("goes on", 100, 40)
    it.until("leave (it goes on)")
    it.type("d")
    at = it.until("Enter sends it")
    it.type("too slow\r")
    it.until("did deny because too slow", at)
    it.type("q")
    given_back(it.end())


def test_a_look_that_comes_back_later_wakes_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "r+b", buffering=0) as ours, os.fdopen(master, "rb", buffering=0):
        monkeypatch.setattr(sys, "stdin", ours)
        monkeypatch.setattr(sys, "stdout", ours)
        with Terminal(colour=False) as terminal:
            number = terminal._wake
        read, write = os.pipe()
        try:
            # What is opened next has the number that was free again.
            assert write == number
            os.set_blocking(read, False)
            terminal.wake()
            with pytest.raises(BlockingIOError):
                os.read(read, 1)
        finally:
            os.close(read)
            os.close(write)
