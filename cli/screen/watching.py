"""The loop of the screen: looks come from one thread, keys from the terminal, what was confirmed goes by another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import tzinfo

import msgspec

from candlefish.errors import ControlPlaneError, Unavailable
from candlefish.views.model import ReleaseView
from cli.following import EVERY
from cli.looking import Look, Looker
from cli.screen.asking import Screen, Send, Tone, evidence_frame, framed, pressed, room_above, settled
from cli.screen.cells import Line, Span, cut, line, paragraph
from cli.screen.clock import clock
from cli.screen.release import release_lines
from cli.screen.terminal import Terminal
from cli.screen.train import train_lines

Act = Callable[[ReleaseView, Send], str]
# Screens are drawn anew so often at least: what is left gets less.
TICK = 1.0


class Seen(msgspec.Struct):
    """What the last look showed, and what has been wrong since when; written by the looking thread."""

    look: Look
    lost: str = ""
    lost_at: float = 0.0
    failed: BaseException | None = None


def frame(seen: Seen, state: Screen, width: int, height: int, now: float, zone: tzinfo | None) -> list[Line]:
    """The whole screen. Pure."""
    look = seen.look
    room = room_above(state, look.release, width, height)
    lost: list[Line] = []
    if seen.lost:
        said = f"not known since {clock(seen.lost_at, zone, seconds=True)}: {seen.lost}"
        lost = paragraph(said, width, 2, "unknown", first="? ", then="  ")
    room = max(room - len(lost), 1)
    if state.evidence and look.release is not None:
        drawn = evidence_frame(look.release, state, width, room)
    elif look.train is not None:
        drawn = train_lines(look.train, width, room, now, zone)
    elif look.release is not None:
        drawn = release_lines(look.release, width, room, now, zone)
    else:
        drawn = [line(Span(cut(f"● {look.name} has been asked for, and begins", width), "info"))]
    return framed([*lost, *drawn], state, look.release, width, height)


class Watching:
    """A screen that follows what `look` sees until it is over or the reader leaves."""

    def __init__(self, name: str, look: Looker, act: Act, zone: tzinfo | None) -> None:
        self._look, self._act, self._zone = look, act, zone
        self.seen = Seen(Look(name))
        self._state = Screen()
        # What an action led to, from the thread that sent it.
        self._answers: list[tuple[str, Tone]] = []
        self._over = threading.Event()

    def run(self, terminal: Terminal) -> bool:
        """Show it; True when it is over, False when the reader left.

        Raises
        ------
        BaseException
            What a look raised that no later one would not.
        """
        looking = threading.Thread(target=self._looks, args=(terminal.wake,), daemon=True, name="looks")
        looking.start()
        try:
            while True:
                while self._answers:
                    word, tone = self._answers.pop(0)
                    self._state = msgspec.structs.replace(self._state, sending=False, word=word, tone=tone)
                seen, size = self.seen, terminal.size()
                self._state = settled(self._state, seen.look.release, *size)
                terminal.draw(frame(seen, self._state, *size, time.time(), self._zone), size)
                if seen.failed is not None:
                    raise seen.failed
                if seen.look.end is not None:
                    return True
                for key in terminal.keys(TICK):
                    self._state, effect = pressed(self._state, key, seen.look.release)
                    if effect == "leave":
                        return False
                    if isinstance(effect, Send) and seen.look.release is not None:
                        self._send(effect, seen.look.release, terminal.wake)
        finally:
            self._over.set()

    def _looks(self, wake: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                self.seen = Seen(self._look())
            except Unavailable as error:
                before = self.seen
                self.seen = Seen(before.look, str(error), before.lost_at or time.time())
            except BaseException as error:  # noqa: BLE001 - raised by the loop, in the thread that can end the command
                self.seen = Seen(self.seen.look, failed=error)
            wake()
            if self.seen.failed is not None or self.seen.look.end is not None:
                return
            self._over.wait(EVERY)

    def _send(self, what: Send, view: ReleaseView, wake: Callable[[], None]) -> None:
        def send() -> None:
            try:
                self._answers.append((self._act(view, what) or "done", "good"))
            except ControlPlaneError as error:
                self._answers.append((str(error), "bad"))
            except Exception as error:  # noqa: BLE001 - said on the screen, which goes on
                self._answers.append((f"{type(error).__name__}: {error}", "bad"))
            wake()

        threading.Thread(target=send, daemon=True, name="sends").start()
