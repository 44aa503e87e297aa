"""Memory that only grows holds a promotion; what fills once, falls, or lasts longer than the watch does not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.analysis.memory_growth import (
    KEPT,
    LEAST,
    Point,
    points_after,
    runs_out,
    unless_memory_runs_out,
)
from candlefish.analysis.model import Action, Arm, Verdict, Window

MB = 1_000_000
LIMIT = 512 * MB


def points(used: Callable[[int], float], number: int = 20, limit: int = LIMIT) -> list[Point]:
    return [(60.0 * n, round(used(n) * MB), limit) for n in range(number)]


LEAK = points(lambda n: 100 + 12 * n)


def test_a_leak_is_told_with_its_rate_and_its_end() -> None:
    found = runs_out(LEAK)
    assert found and found.rate * 60 == pytest.approx(12 * MB)
    assert found.left == pytest.approx((512 - 328) / 12 * 60)


@pytest.mark.parametrize(
    "used",
    [
        lambda n: 300,
        lambda n: 500 - 10 * n,
        # A heap that fills, and a cache that is full.
        lambda n: 400 * (1 - 0.6**n),
        lambda n: min(400, 100 + 60 * n),
        # A garbage collector's teeth.
        lambda n: 200 + 20 * (n % 4),
        # Too little to tell.
        lambda n: 100 + 0.5 * n,
    ],
)
def test_what_does_not_only_grow_has_no_end(used: Callable[[int], float]) -> None:
    assert runs_out(points(used)) is None


def test_few_points_tell_nothing() -> None:
    assert runs_out(LEAK[: LEAST - 1]) is None and runs_out(LEAK[:LEAST]) is not None


@pytest.mark.parametrize(
    ("said", "over", "horizon", "becomes"),
    [
        ("promote", False, 3600, "hold"),
        ("promote", True, 3600, "ask"),
        ("promote", False, 600, "promote"),
        ("continue", False, 3600, "continue"),
        ("rollback", False, 3600, "rollback"),
        ("ask", True, 3600, "ask"),
    ],
)
def test_only_a_promotion_waits(said: Action, over: bool, horizon: float, becomes: Action) -> None:
    verdict = unless_memory_runs_out(Verdict(said, "well", {"n": 1}), LEAK, horizon, over=over)
    assert verdict.action == becomes
    told = said in ("promote", "continue") and horizon == 3600
    assert (
        "grows, by 12.0 MB a minute, and reaches its limit of 512 MB in 15 minutes" in verdict.reason
    ) == told
    assert verdict.reason.endswith("well") and verdict.evidence["n"] == 1


def test_points_are_the_canarys_and_a_new_limit_begins_anew() -> None:
    window = Window(0, 60, Arm(1, memory=(9, 9)), Arm(1, memory=(5, 10)))
    silent = msgspec.structs.replace(window, canary=Arm(1))
    assert points_after([(0.0, 4, 10)], [window, silent]) == [(0.0, 4, 10), (60, 5, 10)]
    assert points_after([(0.0, 4, 20)], [window]) == [(60, 5, 10)]
    assert points_after([], [silent]) == []
    assert len(points_after(LEAK * 5, [])) == KEPT


@given(st.lists(st.tuples(st.integers(0, LIMIT), st.just(LIMIT)), min_size=LEAST, max_size=KEPT))
def test_a_forecast_is_never_negative(used: list[tuple[int, int]]) -> None:
    found = runs_out([(60.0 * n, *each) for n, each in enumerate(used)])
    assert found is None or (found.rate > 0 and found.left >= 0)
