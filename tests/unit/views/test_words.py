"""Numbers and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.views.words import (
    clock_words,
    counted,
    lasting,
    left_until,
    listing,
    many,
    percentage,
    spelled,
)

AT = datetime(2026, 11, 30, 22, 41, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (12.4, "12 s"),
        (89, "89 s"),
        (420, "7 min"),
        (89 * 60, "89 min"),
        (8 * 3600, "8 h"),
        (3 * 86400, "3 days"),
    ],
)
def test_a_length_of_time_has_one_unit(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_a_length_in_a_sentence_is_spelled() -> None:
    assert [spelled(1), spelled(180), spelled(2 * 86400)] == ["1 second", "3 minutes", "2 days"]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0%"),
        (0.0024, "0.24%"),
        (0.21, "21%"),
        (0.095, "9.5%"),
        (0.0996, "10%"),
        (1.0, "100%"),
        (0.000_000_1, "under 0.001%"),
        (0.000_012, "0.0012%"),
    ],
)
def test_a_share_has_two_digits_that_tell(share: float, words: str) -> None:
    assert percentage(share) == words


@given(st.floats(min_value=0, max_value=1))
def test_a_share_is_never_written_with_an_exponent(share: float) -> None:
    assert "e" not in percentage(share).removeprefix("under ")


def test_counts_are_said_with_their_share() -> None:
    assert counted(5020, 12, "failed") == "12 of 5,020 requests failed (0.24%)"
    assert counted(800, 0, "failed") == "0 of 800 requests failed"
    assert counted(1, 1, "failed") == "1 of 1 request failed (100%)"
    assert counted(0, 0, "failed") == "no requests"
    assert many(1, "thing needs", "things need") == "1 thing needs"


def test_a_moment_is_said_in_the_readers_zone() -> None:
    assert clock_words(AT, "America/Los_Angeles", AT) == "14:41 PST"
    assert clock_words(AT, "Europe/Berlin", AT - 86400) == "Mon 30 Nov 23:41 CET"
    assert left_until(AT + 420, "America/Los_Angeles", AT) == "7 min left, until 14:48 PST"
    assert left_until(AT, "UTC", AT + 60) == "over since 22:41 UTC"


@pytest.mark.parametrize("zone", ["", "../etc/passwd", "No/Where", "\x00", "a" * 300])
def test_a_zone_that_is_none_is_utc(zone: str) -> None:
    assert clock_words(AT, zone, AT) == "22:41 UTC"


@pytest.mark.parametrize("at", [-1.0, 1e18, float("nan"), float("inf")])
def test_what_is_no_time_is_a_question_mark(at: float) -> None:
    assert clock_words(at, "UTC", AT) == "?"


def test_lists_are_said_as_people_do() -> None:
    assert [listing([]), listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"], "or")] == [
        "",
        "a",
        "a and b",
        "a, b or c",
    ]
