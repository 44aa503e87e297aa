"""Lines of a terminal: spans of text with a style, counted in cells. What comes from outside is made text here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.cells import cell_len, split_graphemes

from candlefish.bounds import ELLIPSIS, legible

Style = Literal["", "bold", "dim", "good", "info", "warning", "bad", "unknown", "accent", "ask"]

# Select Graphic Rendition by style: with colours, and without (NO_COLOR), where a sign and a word say it already.
_SGR: dict[str, tuple[str, str]] = {
    "bold": ("1", "1"),
    "dim": ("2", "2"),
    "good": ("32", ""),
    "info": ("36", ""),
    "warning": ("33", ""),
    "bad": ("1;31", "1"),
    "unknown": ("35", ""),
    "accent": ("1;36", "1"),
    "ask": ("1;33", "1"),
}
# Joiners and selectors of emoji: terminals disagree about the width of what they make, and not about its parts.
_JOINERS = re.compile("[\u200b\u200d\u2060\ufe00-\ufe0f\ufeff]")


class Span(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def clean(text: str) -> str:
    """A text from outside as one line: nothing in it moves a cursor, joins cells or breaks the line."""
    return " ".join(legible(_JOINERS.sub("", text)).split())


def cut(text: str, width: int) -> str:
    """A text of at most so many cells; what is cut away is said by an ellipsis."""
    if cell_len(text) <= width:
        return text
    return _first(text, width - 1) + ELLIPSIS if width > 0 else ""


def _first(text: str, width: int) -> str:
    """As many whole characters as have room in so many cells."""
    spans, _ = split_graphemes(text)
    end = used = 0
    for _, after, cells in spans:
        if used + cells > width:
            break
        used, end = used + cells, after
    return text[:end]


def padded(text: str, width: int, *, right: bool = False) -> str:
    """A text of exactly so many cells."""
    short = cut(text, width)
    blank = " " * (width - cell_len(short))
    return blank + short if right else short + blank


def line(*parts: str | Span) -> Line:
    """A line of texts and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def fitted(spans: Iterable[Span], width: int) -> Line:
    """A line of at most so many cells."""
    made: list[Span] = []
    left = width
    for span in spans:
        took = cell_len(span.text)
        if took > left:
            made.append(Span(cut(span.text, left), span.style))
            break
        made.append(span)
        left -= took
    return tuple(span for span in made if span.text)


def width_of(spans: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(cell_len(span.text) for span in spans)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """A text in at most `most` lines, broken between words where it can be."""
    rest = clean(text)
    lines: list[str] = []
    while rest and len(lines) < most - 1 and cell_len(rest) > width:
        head = _first(rest, width)
        if not head:
            # A character wider than the line: there is nothing to show of it.
            return lines
        at = head.rfind(" ") if not rest[len(head) :].startswith(" ") else len(head)
        # A word longer than half a line is broken where the line ends.
        head = head[:at] if at > len(head) // 2 else head
        lines.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return [*lines, cut(rest, width)] if rest else lines


def paragraph(
    text: str, width: int, most: int, style: Style = "", *, first: str = "", then: str = ""
) -> list[Line]:
    """A text as lines, `first` before the first one and `then` before the others."""
    room = max(width - max(cell_len(first), cell_len(then)), 1)
    return [
        fitted(line(Span(then if number else first, style), Span(each, style)), width)
        for number, each in enumerate(wrapped(text, room, most))
    ]


def plain(spans: Iterable[Span]) -> str:
    """A line without its styles."""
    return "".join(span.text for span in spans).rstrip()


def painted(spans: Iterable[Span], *, colour: bool) -> str:
    """A line with the escapes of its styles."""
    out = []
    for span in spans:
        code = _SGR[span.style][0 if colour else 1] if span.style else ""
        out.append(f"\x1b[{code}m{span.text}\x1b[0m" if code else span.text)
    return "".join(out)
