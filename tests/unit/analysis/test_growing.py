"""A window is consumed once, when what its store says of it no longer grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.analysis.judge_windows import judge_windows
from candlefish.analysis.model import Arm, MetricTarget, Mode, Verdict, Window
from candlefish.analysis.remembered import complete_windows
from tests.support.analysis import FakeWindows
from tests.support.streams import OBJECTIVES

TARGET = MetricTarget("production", "backend-api", "app/x/1", "blue", "green", "b", "g")
T0 = 1_800_000_000.0


def window(minute: int, requests: int, errors: int = 0, *, growing: bool = True) -> Window:
    start = T0 + 60 * minute
    return Window(start, start + 60, Arm(9 * requests), Arm(requests, errors), growing=growing)


def judged(
    source: FakeWindows,
    states: Mapping[str, Any],
    now: float,
    *,
    mode: Mode = "judge",
    within: float = 3600,
) -> tuple[dict[str, Any], Verdict]:
    """A look at the windows of a step that began at T0."""
    return judge_windows(
        {"cloudwatch": source},
        OBJECTIVES,
        TARGET,
        states,
        mode=mode,
        since=T0,
        now=now,
        deadline=T0 + within,
    )


def test_what_reads_twice_the_same_is_complete_and_what_grew_is_read_again() -> None:
    first, waiting = complete_windows([window(0, 100)], [], T0 + 120, 30)
    assert not first
    grown = [window(0, 120), window(1, 50)]
    second, waiting = complete_windows(grown, waiting, T0 + 180, 30)
    assert not second
    third, waiting = complete_windows([window(0, 120), window(1, 60)], waiting, T0 + 240, 30)
    assert third == [window(0, 120)] and [each.window for each in waiting] == [window(1, 60)]


def test_two_looks_in_quick_succession_are_one() -> None:
    _, waiting = complete_windows([window(0, 100)], [], T0 + 120, 30)
    again, waiting = complete_windows([window(0, 100)], waiting, T0 + 121, 30)
    assert not again
    later, _ = complete_windows([window(0, 100)], waiting, T0 + 150, 30)
    assert later


def test_what_cannot_grow_any_more_is_complete_at_first_sight_but_overtakes_nobody() -> None:
    read = [window(0, 100, growing=False), window(1, 90), window(2, 80, growing=False)]
    complete, waiting = complete_windows(read, [], T0 + 400, 30)
    assert complete == read[:1] and [each.window for each in waiting] == read[1:]


def test_half_a_report_that_looks_like_an_outage_takes_nobody_back() -> None:
    """Requests are there, their answers are not yet: at the next look they are."""
    source = FakeWindows([window(0, 100, errors=100)])
    states, verdict = judged(source, {}, T0 + 125)
    assert verdict.action in ("continue", "hold")
    source.known = [window(0, 100), window(1, 100, errors=100)]
    for now in (T0 + 185, T0 + 245):
        states, verdict = judged(source, states, now)
        source.known = [window(0, 100), window(1, 100), window(2, 100)]
    assert verdict.action in ("continue", "hold")
    assert msgspec.json.encode(states)
    # The same, twice: then it is one.
    source.known = [window(minute, 100, errors=100 * (minute > 2)) for minute in range(5)]
    for now in (T0 + 305, T0 + 365):
        states, verdict = judged(source, states, now)
    assert verdict.action == "rollback"


def test_who_looks_rarely_is_told_of_no_silence_while_newer_windows_are_still_growing() -> None:
    source = FakeWindows()
    states: dict[str, Any] = {}
    for look in (5, 10, 15, 20):
        now = T0 + 60 * look + 5
        source.known = [window(minute, 100, growing=minute > look - 5) for minute in range(look)]
        states, verdict = judged(source, states, now, mode="bake", within=7200)
        assert verdict.action == "continue", verdict.reason
