"""Told once, and again after an hour, as long as it lasts."""

from __future__ import annotations

from candlefish.again import AGAIN, due

NOW = 1_790_000_000.0


def looks(minutes: int) -> int:
    """How often a look every minute tells of something that lasts for so many minutes."""
    told_at, told = 0.0, 0
    for minute in range(minutes):
        now = NOW + 60 * minute
        if due(told_at, now):
            told_at, told = now, told + 1
    return told


def test_it_is_told_at_the_first_look_and_once_an_hour_after_that() -> None:
    assert looks(1) == 1
    assert looks(60) == 1
    assert looks(61) == 2
    assert looks(24 * 60) == 24


def test_an_hour_to_the_second() -> None:
    assert not due(NOW, NOW + AGAIN - 1)
    assert due(NOW, NOW + AGAIN)
    assert due(NOW, NOW + 60, again=60)


def test_a_clock_that_was_set_back_tells_nothing_twice() -> None:
    assert not due(NOW, NOW - 5)
