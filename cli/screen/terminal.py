"""A terminal that is taken whole and given back as it was, on every way out."""

from __future__ import annotations

import codecs
import os
import select
import signal
import sys
import termios
import tty
from contextlib import suppress
from types import FrameType
from typing import Any

from cli.screen.cells import Line, painted
from cli.terminal import takes_escapes

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J\x1b[H"
# Attributes, wrapping and cursor as they were, then the screen that was there before.
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_ESCAPES = {
    "[A": "up",
    "[B": "down",
    "OA": "up",
    "OB": "down",
    "[5~": "page-up",
    "[6~": "page-down",
    "[3~": "backspace",
}
_KEYS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace"}


def fit_for_screen() -> bool:
    """Whether there is a terminal on both sides that understands a screen."""
    return sys.stdin.isatty() and takes_escapes(sys.stdout)


class Terminal:
    """The whole screen of this process's terminal, for as long as the `with` lasts."""

    def __init__(self, *, colour: bool) -> None:
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._colour = colour
        self._saved: list[Any] = []
        self._shown: list[str] = []
        self._size = (0, 0)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Terminal:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._end)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: self.wake())
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        # A look that comes back later shall not wake what has this number then.
        wake, self._wake = self._wake, -1
        os.close(wake)
        os.close(self._woken)

    def wake(self) -> None:
        """Let `keys` return now; from any thread or signal."""
        try:
            os.write(self._wake, b".")
        except OSError:
            # It is full, and so awake, or the terminal is given back.
            return

    def size(self) -> tuple[int, int]:
        """Columns and lines, now."""
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            columns, lines = 80, 24
        return columns or 80, lines or 24

    def draw(self, lines: list[Line], size: tuple[int, int]) -> None:
        """Show lines; only those that changed are sent, so that a slow connection keeps up."""
        made = [painted(each, colour=self._colour) for each in lines[: size[1]]]
        whole = size != self._size
        out = ["\x1b[2J"] if whole else []
        before = [] if whole else self._shown
        for number, text in enumerate(made):
            if number >= len(before) or before[number] != text:
                out.append(f"\x1b[{number + 1};1H\x1b[2K{text}")
        if len(before) > len(made):
            out.append(f"\x1b[{len(made) + 1};1H\x1b[J")
        self._shown, self._size = made, size
        if out:
            self._write("".join(out))

    def keys(self, seconds: float) -> list[str]:
        """What was pressed; returns at once when something is, when woken, or after so many seconds."""
        ready, _, _ = select.select([self._in, self._woken], [], [], seconds)
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)
        if self._in not in ready:
            return []
        data = os.read(self._in, 4096)
        if not data:
            # The terminal is gone.
            raise EOFError
        return keys_of(self._decode.decode(data))

    def _take(self) -> None:
        self._saved = termios.tcgetattr(self._in)
        tty.setcbreak(self._in, termios.TCSANOW)
        self._shown, self._size = [], (0, 0)
        self._write(ENTER)

    def _give_back(self) -> None:
        if self._saved:
            # Where the terminal itself is gone there is nothing to give back.
            with suppress(OSError, termios.error):
                self._write(LEAVE)
                termios.tcsetattr(self._in, termios.TCSANOW, self._saved)
            self._saved = []

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: give the terminal back, stop, and take it again when the shell says so."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
        self.wake()

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _write(self, text: str) -> None:
        """All of it, however slowly the other side reads."""
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:
                select.select([], [self._out], [])
            except InterruptedError:
                continue


def keys_of(text: str) -> list[str]:
    """Keys in what a terminal sent: characters, and names for those that are none."""
    keys, at = [], 0
    while at < len(text):
        sign = text[at]
        if sign == "\x1b":
            found = next((known for known in _ESCAPES if text.startswith(known, at + 1)), "")
            if found:
                keys.append(_ESCAPES[found])
                at += 1 + len(found)
                continue
            if text[at + 1 : at + 2] in ("[", "O"):
                # A key that nobody knows here: all of it is left out.
                at += 2
                while at < len(text) and not text[at].isalpha() and text[at] != "~":
                    at += 1
            else:
                keys.append("esc")
        elif sign in _KEYS:
            keys.append(_KEYS[sign])
        elif sign.isprintable():
            keys.append(sign)
        at += 1
    return keys
