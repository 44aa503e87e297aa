"""A small picture of both versions' rates: a PNG written with zlib alone.

The share of failed requests by window: the old version as a grey line, the new one as a line with a band between the bounds
of its share at 95%; below them the new version's weight. What there was no request for is a gap.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence

import msgspec

from candlefish.messages.glyphs import HIGH, lit
from candlefish.views.model import PointView, SideView

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
INK: Colour = (70, 80, 90)
LINES: Colour = (226, 230, 233)
# The same for a version in every picture: what was there before is grey.
OLD: Colour = (120, 134, 143)
NEW: Colour = (21, 101, 192)
BAND: Colour = (205, 224, 245)

WIDE, HIGH_ALL = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 34, 46
LETTER = 2
# Shares that an axis ends at.
ENDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Canvas:
    """Pixels of three bytes."""

    def __init__(self, wide: int, high: int) -> None:
        self.wide, self.high = wide, high
        self._rows = [bytearray(bytes(WHITE) * wide) for _ in range(high)]

    def dot(self, x: int, y: int, colour: Colour, cover: float = 1.0) -> None:
        """One pixel; `cover` is how much of what was there it hides."""
        if 0 <= x < self.wide and 0 <= y < self.high:
            row = self._rows[y]
            for n, shade in enumerate(colour):
                row[3 * x + n] = round(row[3 * x + n] * (1 - cover) + shade * cover)

    def column(self, x: int, top: float, bottom: float, colour: Colour) -> None:
        """A column one pixel wide between two heights, with soft ends."""
        for y in range(math.floor(top), math.floor(bottom) + 1):
            self.dot(x, y, colour, max(0.0, min(bottom, y + 1) - max(top, y)))

    def across(self, y: int, colour: Colour, left: int, right: int) -> None:
        for x in range(left, right):
            self.dot(x, y, colour)

    def write(self, x: int, y: int, text: str, colour: Colour = INK) -> None:
        for px, py in lit(text):
            for dx in range(LETTER):
                for dy in range(LETTER):
                    self.dot(x + px * LETTER + dx, y + py * LETTER + dy, colour)

    def png(self) -> bytes:
        """As a file. https://www.w3.org/TR/png-3/: eight bits a channel, no filter."""
        body = zlib.compress(b"".join(b"\0" + bytes(row) for row in self._rows), 9)
        head = struct.pack(">IIBBBBB", self.wide, self.high, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Bounds(msgspec.Struct, frozen=True):
    """A share between its bounds."""

    low: float
    share: float
    high: float


def bounds_of(side: SideView) -> Bounds | None:
    """A window's share of failed requests; None without requests."""
    if side.requests <= 0:
        return None
    share = min(1.0, side.errors / side.requests)
    return Bounds(share if side.low is None else side.low, share, share if side.high is None else side.high)


def rates_picture(points: Sequence[PointView]) -> bytes:
    """Both versions' shares of failed requests over time, as a PNG."""
    canvas = Canvas(WIDE, HIGH_ALL)
    old, new = [bounds_of(p.old) for p in points], [bounds_of(p.new) for p in points]
    end = axis_end([each.share for each in (*old, *new) if each] + [each.high for each in new if each])
    plot = _Plot(canvas, len(points), end)
    plot.frame(points)
    plot.weights([point.weight for point in points])
    plot.band(new)
    plot.line(old, OLD, 1.6)
    plot.line(new, NEW, 2.6)
    canvas.write(LEFT, 12, "failed requests", INK)
    canvas.write(WIDE - 250, 12, "new version", NEW)
    canvas.write(WIDE - 110, 12, "old version", OLD)
    return canvas.png()


def axis_end(shares: Sequence[float]) -> float:
    """The smallest end of an axis that has room for all shares, but for the last hundredth of the wildest."""
    most = max(shares, default=0.0)
    return next((end for end in ENDS if end >= most * 0.99), 1.0)


class _Plot:
    def __init__(self, canvas: Canvas, count: int, end: float) -> None:
        self._canvas, self._count, self._end = canvas, max(count, 2), end
        self._floor = canvas.high - BOTTOM
        self._tall = self._floor - TOP
        self._broad = canvas.wide - LEFT - RIGHT

    def frame(self, points: Sequence[PointView]) -> None:
        """Axes with their numbers: shares to the left, minutes below."""
        for part in range(3):
            y = round(self._floor - self._tall * part / 2)
            self._canvas.across(y, LINES, LEFT, self._canvas.wide - RIGHT)
            self._canvas.write(12, y - HIGH, f"{self._end * part / 2 * 100:g}%")
        if points:
            minutes = (points[-1].end - points[0].start) / 60
            below = self._canvas.high - 16
            self._canvas.write(LEFT, below, f"{minutes:.0f} min before")
            self._canvas.write(self._canvas.wide - RIGHT - 110, below, "last window")

    def weights(self, weights: Sequence[int]) -> None:
        """The new version's weight, as a strip below: full height is all of the traffic."""
        for x, at in self._places():
            weight = weights[min(len(weights) - 1, round(at))] if weights else 0
            if weight:
                self._canvas.column(x, self._floor + 24 - 16 * weight / 100, self._floor + 24, BAND)
        self._canvas.across(self._floor + 24, LINES, LEFT, self._canvas.wide - RIGHT)
        self._canvas.write(12, self._floor + 12, "weight")

    def band(self, found: Sequence[Bounds | None]) -> None:
        lows, highs = [b.low if b else None for b in found], [b.high if b else None for b in found]
        for x, at in self._places():
            low, high = _between(lows, at), _between(highs, at)
            if low is not None and high is not None:
                self._canvas.column(x, self._y(high), self._y(low), BAND)

    def line(self, found: Sequence[Bounds | None], colour: Colour, width: float) -> None:
        shares = [each.share if each else None for each in found]
        before: float | None = None
        for x, at in self._places():
            share = _between(shares, at)
            if share is not None:
                y = self._y(share)
                other = y if before is None else before
                self._canvas.column(x, min(y, other) - width / 2, max(y, other) + width / 2, colour)
            before = None if share is None else self._y(share)

    def _places(self) -> Iterator[tuple[int, float]]:
        """Each column, and which point it is at."""
        for x in range(self._broad):
            yield LEFT + x, x / (self._broad - 1) * (self._count - 1)

    def _y(self, share: float) -> float:
        return self._floor - self._tall * min(share / self._end, 1.0)


def _between(values: Sequence[float | None], at: float) -> float | None:
    """A value between two points; one that stands alone is seen half a point to both sides."""
    if not values:
        return None
    left = min(int(at), len(values) - 1)
    right = min(left + 1, len(values) - 1)
    one, two, part = values[left], values[right], at - left
    if one is not None and two is not None:
        return one * (1 - part) + two * part
    return one if part < 0.5 else two
