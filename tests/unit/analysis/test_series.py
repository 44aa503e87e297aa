"""Counters subtracted series by series: whatever restarts, vanishes, comes late or is no number, nobody is accused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.adapters.http.series import (
    Process,
    Series,
    Table,
    Values,
    events_grown,
    processes,
    requests_grown,
    sample,
    seen_edges,
)

NAMES = ("pod",)
STEP = 60.0


def series(pod: str, values: Sequence[float | None], before: float | None = None, **labels: str) -> Series:
    return Series({"pod": pod, **labels}, before, list(values))


def grown(
    requests: Sequence[Series],
    events: Sequence[Series] = (),
    seen: Sequence[bool] = (),
    started: dict[Process, Values] | None = None,
) -> tuple[list[float], list[float]]:
    """Requests and events from edge to edge, over all series."""
    edges = len(requests[0].values)
    seen = seen or [True] * edges
    at = [STEP * index for index in range(edges)]
    known = processes(requests, seen, at, NAMES, started or {})
    each = [requests_grown(one, NAMES, known, seen) for one in requests]
    bad = [events_grown(one, NAMES, known, seen) for one in events]
    return [sum(step) for step in zip(*each, strict=True)][1:], [
        sum(step) for step in zip([0.0] * edges, *bad, strict=True)
    ][1:]


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ([10, 15, 15, 40], [5, 0, 25]),
        # Restarted: it begins at zero again.
        ([10, 15, 3, 4], [5, 3, 1]),
        # A process that was not there before.
        ([None, None, 7, 9], [0, 7, 2]),
        # Gone, and back with what it did meanwhile.
        ([10, None, None, 16], [0, 0, 6]),
        ([10, 12, None, None], [2, 0, 0]),
        ([None, None, None, None], [0, 0, 0]),
    ],
)
def test_one_counter(values: list[float | None], counted: list[float]) -> None:
    assert grown([series("a", values)])[0] == counted


def test_what_grew_while_nobody_looked_belongs_to_no_window() -> None:
    seen = [True, False, True, True]
    assert grown([series("a", [10, None, 900, 905])], seen=seen)[0] == [0, 0, 5]
    assert grown([series("a", [None, None, 900, 905])], seen=seen)[0] == [0, 0, 5]


def test_a_series_that_vanishes_is_no_restart_and_its_past_is_not_counted_again() -> None:
    steady = series("a", [1000, 1600, 2200, 2800], code="200")
    gone = series("a", [12, 12, None, None], code="502")
    assert grown([steady], [gone])[1] == [0, 0, 0]
    assert grown([steady, gone])[0] == [600, 600, 600]


def test_a_series_that_comes_back_with_all_it_ever_counted_counts_what_is_new() -> None:
    steady = series("a", [1000, 1600, 2200], code="200")
    assert grown([steady], [series("a", [None, None, 13], before=12, code="502")])[1] == [0, 1]


def test_a_series_that_falls_alone_was_replaced_and_says_nothing_of_that_step() -> None:
    steady = series("a", [1000, 1600, 2200, 2800], code="200")
    assert grown([steady], [series("a", [163, 165, 151, 153])])[1] == [2, 0, 2]


def test_a_rare_endpoint_that_is_replaced_restarts_nothing_else() -> None:
    busy, rare = series("a", [9000, 9050, 9100], place="/"), series("a", [1000, 1000, 3], place="/x")
    assert grown([busy, rare])[0] == [50, 50]


def test_a_restart_starts_what_is_not_back_yet_from_zero_as_well() -> None:
    requests = series("a", [5000, 40, 640, 1240], code="200")
    errors = series("a", [12, None, None, 15], code="500")
    assert grown([requests], [errors])[1] == [0, 0, 15]


def test_a_start_in_between_is_a_restart_whatever_the_counters_show() -> None:
    # It served more in its first minute than its predecessor ever did.
    started: dict[Process, Values] = {("a",): [-500.0, 30.0, 30.0]}
    assert grown([series("a", [100, 150, 160])], started=started)[0] == [150, 10]


def test_a_first_error_counts_and_one_that_is_more_than_the_requests_has_a_past() -> None:
    steady = series("a", [1000, 1600, 2200])
    assert grown([steady], [series("a", [None, 1, 3])])[1] == [1, 2]
    assert grown([steady], [series("a", [None, 40_000, 40_002])])[1] == [0, 2]


def test_a_process_that_is_found_late_does_not_bring_its_past() -> None:
    old = series("a", [600.0 * index for index in range(4)])
    late, errors = (
        series("b", [None, 26_000_000, 26_000_600, 26_001_200]),
        series("b", [None, 9000, 9001, 9002]),
    )
    assert grown([old, late], [errors]) == ([600, 1200, 1200], [0, 1, 1])
    # Alone, and seen once only: there is nothing to hold it against.
    assert grown([series("a", [0, 0]), series("b", [None, 26_000_000])])[0] == [0]


def test_a_process_that_has_just_started_counts_from_zero() -> None:
    old, new = series("a", [0, 600, 1200]), series("b", [None, None, 550])
    assert grown([old, new], [series("b", [None, None, 30])]) == ([600, 1150], [0, 30])


@pytest.mark.parametrize(("start", "counted"), [(100.0, 90_000.0), (-4000.0, 0.0)])
def test_the_start_of_a_process_tells_new_from_late(start: float, counted: float) -> None:
    rows = [series("a", [0, 600, 1200]), series("b", [None, None, 90_000])]
    assert grown(rows, started={("b",): [None, None, start]})[0][1] == 600 + counted


def test_events_of_a_process_without_requests_count_from_where_they_are_found() -> None:
    assert grown([series("a", [0, 600, 1200])], [series("other", [None, 70, 80])])[1] == [0, 10]


def test_an_edge_at_which_one_slot_showed_no_number_was_not_seen() -> None:
    blue = Table([series("a", [1, 2, 3])], [False] * 3)
    green = Table([series("b", [1, None, 3])], [False, True, False])
    assert seen_edges([blue, green], 3) == [True, False, True]
    # A gap is none, and one Pod of two is enough.
    assert seen_edges([blue, Table(green.series, [False] * 3)], 3) == [True] * 3
    assert seen_edges([Table([*blue.series, *green.series], [False, True, False])], 3) == [True] * 3
    assert seen_edges([Table([], [False] * 3)], 3) == [False] * 3


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "inf", "", "x"])
def test_what_is_no_finite_number_is_no_sample(text: str) -> None:
    assert sample(text) is None


# --- properties ----------------------------------------------------------------------------------

COUNTS = st.lists(st.integers(0, 60), min_size=4, max_size=12)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Series], list[list[int]], list[bool]]:
    """Counters of a Pod: what each label set had in each step, and what Prometheus saw of it.

    Samples go missing, a label set vanishes for good, and the process restarts at most once.
    """
    steps = draw(st.integers(3, 8))
    restart = draw(st.none() | st.integers(2, steps))
    made, happened = [], []
    for code in range(draw(st.integers(1, 4))):
        counts = draw(st.lists(st.integers(0, 60), min_size=steps, max_size=steps))
        vanishes = draw(st.none() | st.integers(1, steps)) if code else None
        total, values = draw(st.integers(1000, 5000)), []
        values.append(float(total))
        for step, count in enumerate(counts, start=1):
            total = count if restart == step else total + count
            missing = (vanishes is not None and step >= vanishes) or (
                code > 0 and draw(st.booleans()) and step < steps
            )
            values.append(None if missing else float(total))
        made.append(Series({"pod": "a", "code": str(code)}, None, values))
        happened.append(counts)
    return made, happened, [True] * (steps + 1)


@given(lives())
def test_no_more_is_counted_than_happened_and_all_of_what_was_seen(
    life: tuple[list[Series], list[list[int]], list[bool]],
) -> None:
    made, happened, seen = life
    known = processes(made, seen, [STEP * n for n in range(len(seen))], NAMES, {})
    for one, counts in zip(made, happened, strict=True):
        counted = requests_grown(one, NAMES, known, seen)
        assert all(step >= 0 for step in counted)
        assert sum(counted) <= sum(counts)
        last = max((n for n, value in enumerate(one.values) if value is not None), default=0)
        if not any(known[("a",)].restarted):
            assert sum(counted) == sum(counts[:last])


@given(COUNTS, COUNTS, st.integers(1, 11))
def test_how_series_are_cut_by_labels_changes_no_sum(first: list[int], second: list[int], gone: int) -> None:
    """One label set, or two of which one expires: what happened until then is the same."""
    steps = min(len(first), len(second))
    a = [1000.0 + sum(first[:n]) for n in range(steps + 1)]
    b: Values = [1000.0 + sum(second[:n]) if n < gone else None for n in range(steps + 1)]
    counted, _ = grown([series("p", a, code="1"), series("p", b, code="2")])
    assert counted == [first[n] + (second[n] if n + 1 < gone else 0) for n in range(steps)]
