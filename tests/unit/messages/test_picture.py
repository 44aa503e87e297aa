"""The picture of both versions' rates: a file that everything can open, whatever the windows say."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.messages.glyphs import lit
from candlefish.messages.picture import HIGH_ALL, LEFT, NEW, OLD, WIDE, axis_end, rates_picture
from candlefish.views.model import PointView, SideView
from tests.support import views

Colour = tuple[int, int, int]


def opened(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of pixels of a PNG, by the letter of the specification."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, head = 8, b"", b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        head, data = (body if kind == b"IHDR" else head), data + (body if kind == b"IDAT" else b"")
        at += 12 + size
    wide, high, depth, colours, *_ = struct.unpack(">IIBBBBB", head)
    assert (depth, colours) == (8, 2)
    raw = zlib.decompress(data)
    assert len(raw) == high * (3 * wide + 1)
    rows = [raw[n * (3 * wide + 1) : (n + 1) * (3 * wide + 1)] for n in range(high)]
    assert {row[0] for row in rows} == {0}
    return wide, high, [row[1:] for row in rows]


def heights(png: bytes, colour: Colour) -> dict[int, int]:
    """By column of the plot, where a colour stands lowest in number (highest on the picture)."""
    wide, _, rows = opened(png)
    found: dict[int, int] = {}
    for y, row in enumerate(rows):
        for x in range(LEFT, wide):
            if tuple(row[3 * x : 3 * x + 3]) == colour and y > 30:
                found.setdefault(x, y)
    return found


def test_it_is_small_and_whole() -> None:
    png = rates_picture(views.points(60))
    assert opened(png)[:2] == (WIDE, HIGH_ALL)
    assert len(png) < 30_000


def test_a_version_that_fails_more_stands_higher_and_the_other_keeps_its_colour() -> None:
    png = rates_picture(views.points(9, harm=True))
    new, old = heights(png, NEW), heights(png, OLD)
    shared = new.keys() & old.keys()
    assert len(shared) > 100 and all(new[x] < old[x] for x in shared)


def test_what_had_no_requests_is_a_gap_and_no_zero() -> None:
    png = rates_picture(views.points(9))
    new = heights(png, NEW)
    # Four of nine windows were before the canary got any traffic.
    assert min(new) > LEFT + (WIDE - LEFT) * 3 // 8


@pytest.mark.parametrize(
    ("shares", "end"), [([], 0.001), ([0.0004], 0.001), ([0.21, 0.3], 0.5), ([1.0], 1.0)]
)
def test_the_axis_ends_at_a_round_share(shares: list[float], end: float) -> None:
    assert axis_end(shares) == end


SIDES = st.builds(
    SideView,
    requests=st.integers(-1, 10**9),
    errors=st.integers(0, 10**9),
    low=st.none() | st.floats(0, 1),
    high=st.none() | st.floats(0, 1),
)


@given(
    st.lists(st.builds(PointView, st.just(0.0), st.just(60.0), st.integers(0, 100), SIDES, SIDES), max_size=6)
)
def test_any_windows_make_a_picture(points: list[PointView]) -> None:
    assert opened(rates_picture(points))[:2] == (WIDE, HIGH_ALL)


def test_letters_that_are_not_known_are_seen_as_such() -> None:
    assert lit("ü") == lit("?") and lit("a") == lit("A") and lit(" ") == []
