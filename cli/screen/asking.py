"""What keys do on the screen of a release: pure, from a state and a key to the next state and what is to be done."""

from __future__ import annotations

from typing import Literal

import msgspec

from candlefish.bounds import LONGEST_REASON
from candlefish.views.model import ActionName, ActionView, ReleaseView
from cli.screen.cells import Line, Span, clean, cut, fitted, line, paragraph, width_of
from cli.screen.release import people

# A key for each action; of two with the same key, the first that there is.
KEYS: tuple[tuple[str, ActionName, str], ...] = (
    ("a", "approve", "approve"),
    ("d", "deny", "deny"),
    ("p", "pause", "pause"),
    ("p", "resume", "resume"),
    ("m", "promote", "promote now"),
    ("r", "abort", "roll back"),
    ("r", "rollback", "roll back"),
)
# What is refused without a reason.
NEEDS_REASON: frozenset[ActionName] = frozenset({"deny", "pause", "resume", "promote", "abort", "rollback"})
Tone = Literal["good", "bad", "info"]


class Send(msgspec.Struct, frozen=True):
    """An action that a person confirmed."""

    action: ActionName
    reason: str


class Screen(msgspec.Struct, frozen=True):
    """What the screen shows beside the view: an action to confirm, evidence and how far down it, and a word."""

    asked: ActionView | None = None
    # The name of its key, as the footer says it.
    title: str = ""
    reason: str = ""
    evidence: bool = False
    down: int = 0
    word: str = ""
    tone: Tone = "info"
    sending: bool = False


Effect = Send | Literal["leave", ""]


def pressed(state: Screen, key: str, view: ReleaseView | None) -> tuple[Screen, Effect]:
    """What a key leads to. Keys are single characters, or `enter`, `esc`, `backspace`, `up`, `down`, `page-up`, `page-down`."""
    if state.asked is not None:
        return _confirming(state, key)
    if not state.sending:
        state = msgspec.structs.replace(state, word="")
    if key == "q":
        return state, "leave"
    if key == "e" or (key == "esc" and state.evidence):
        return msgspec.structs.replace(state, evidence=not state.evidence, down=0), ""
    if state.evidence and key in ("up", "down", "page-up", "page-down"):
        step = {"up": -1, "down": 1, "page-up": -10, "page-down": 10}[key]
        return msgspec.structs.replace(state, down=max(state.down + step, 0)), ""
    if view is None or state.sending:
        return state, ""
    for known, name, title in KEYS:
        action = next((each for each in view.actions if each.name == name), None)
        if key != known or action is None:
            continue
        if not action.may:
            who = f"; {people(action.who)} can" if action.who else ""
            why = action.why_not or "you may not"
            return msgspec.structs.replace(state, word=f"{title}: {why}{who}", tone="bad"), ""
        return msgspec.structs.replace(state, asked=action, title=title, reason=""), ""
    return state, ""


def _confirming(state: Screen, key: str) -> tuple[Screen, Effect]:
    asked = state.asked
    assert asked is not None
    if key == "esc":
        return msgspec.structs.replace(
            state, asked=None, word=f"{state.title}: nothing was sent", tone="info"
        ), ""
    if key == "enter":
        reason = state.reason.strip()
        if not reason and asked.name in NEEDS_REASON:
            return msgspec.structs.replace(state, word="say why: it is kept with the release", tone="bad"), ""
        state = msgspec.structs.replace(
            state, asked=None, sending=True, word=f"{state.title}: sending", tone="info"
        )
        return state, Send(asked.name, reason)
    if key == "backspace":
        return msgspec.structs.replace(state, reason=state.reason[:-1]), ""
    if len(key) == 1 and key.isprintable():
        return msgspec.structs.replace(state, reason=(state.reason + key)[:LONGEST_REASON], word=""), ""
    return state, ""


def footer(state: Screen, view: ReleaseView | None, width: int) -> list[Line]:
    """The last lines: what a key did, then what is to be confirmed, or the keys."""
    lines = paragraph(state.word, width, 3, state.tone) if state.word else []
    if state.asked is not None:
        lines += paragraph(f"{state.asked.does}", width, 3, "ask", first=f"{state.title}? ", then="  ")
        room = max(width - len("reason: _"), 1)
        # What is typed is seen: the end of a long reason.
        typed = clean(state.reason)
        while width_of([Span(typed)]) > room:
            typed = typed[1:]
        lines.append(fitted(line(Span("reason: ", "bold"), typed, Span("_", "accent")), width))
        lines += [fitted(line(Span("Enter sends it, Esc does nothing", "dim")), width)]
        return lines
    return [*lines, *_keys(state, view, width)]


def _keys(state: Screen, view: ReleaseView | None, width: int) -> list[Line]:
    names = {each.name for each in view.actions} if view else set()
    words: dict[str, str] = {}
    for key, name, title in KEYS:
        if name in names:
            words.setdefault(key, title)
    words["e"] = "back" if state.evidence else "evidence"
    words["q"] = "leave (it goes on)" if view is None or not view.ended_at else "leave"
    lines: list[list[Span]] = [[]]
    for key, title in words.items():
        spans = [Span(key, "bold"), Span(f" {title}")]
        if lines[-1] and width_of(lines[-1]) + 2 + width_of(spans) > width:
            lines.append([])
        lines[-1] += [Span("  "), *spans] if lines[-1] else spans
    return [fitted(each, width) for each in lines]


def evidence_lines(view: ReleaseView, width: int) -> list[Line]:
    """How it was decided: numbers of the newest look, and each entry's evidence, newest first."""
    lines = [*paragraph(view.evidence.says, width, 3, "bold"), *paragraph(view.evidence.odds, width, 2)]
    lines += _facts(view.evidence.decided, width)
    for entry in view.timeline:
        lines += [(), *paragraph(f"{entry.word}: {entry.says}", width, 4, "bold")]
        lines += _facts(entry.evidence, width)
    lines += [(), line(Span("identifiers", "bold")), line("  ", clean(view.id))]
    for name, version in (("old", view.old), ("new", view.new)):
        if version:
            lines += paragraph(f"{name}: {version.label} {version.image} {version.configuration}", width, 4, first="  ", then="  ")  # fmt: skip
    return [fitted(each, width) for each in lines]


def _facts(facts: dict[str, object], width: int) -> list[Line]:
    lines: list[Line] = []
    for name, value in facts.items():
        said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        lines += paragraph(f"{name}: {said}", width, 4, "dim", first="  ", then="    ")
    return lines


def framed(drawn: list[Line], state: Screen, view: ReleaseView | None, width: int, height: int) -> list[Line]:
    """A whole screen: what is `drawn` above, the footer as its last lines."""
    last = footer(state, view, width)[-max(height - 1, 1) :]
    room = height - len(last)
    shown = drawn[:room]
    return [*shown, *([()] * (room - len(shown))), *last]


def room_above(state: Screen, view: ReleaseView | None, width: int, height: int) -> int:
    """Lines that are left for the view above the footer."""
    return max(height - len(footer(state, view, width)), 1)


def settled(state: Screen, view: ReleaseView | None, width: int, height: int) -> Screen:
    """A state that is scrolled no further down than there is something to see."""
    if not state.evidence or view is None:
        return state
    last = max(len(evidence_lines(view, width)) - room_above(state, view, width, height) + 1, 0)
    return msgspec.structs.replace(state, down=min(state.down, last))


def evidence_frame(view: ReleaseView, state: Screen, width: int, height: int) -> list[Line]:
    """The part of the evidence that is scrolled to, with a line that says which."""
    lines = evidence_lines(view, width)
    room = max(height - 1, 1)
    first = min(state.down, max(len(lines) - room, 0))
    last = min(first + room, len(lines))
    where = line(Span(cut(f"how it was decided, lines {first + 1} to {last} of {len(lines)} (arrows move)", width), "accent"))  # fmt: skip
    return [where, *lines[first:last]][:height]
