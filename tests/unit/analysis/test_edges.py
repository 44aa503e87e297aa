"""Which latencies are told apart: enough, not too many, where the service is, and always the budget."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from candlefish.analysis.edges import ENOUGH, MOST, PLACES, edges_of_buckets, edges_of_quantiles, top_places

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def test_a_fast_service_is_looked_at_where_it_is_and_above() -> None:
    # All take 50 to 100 ms.
    upto = {bound: 1000.0 if bound >= 0.1 else 20.0 if bound == 0.05 else 0.0 for bound in BOUNDS}
    found = edges_of_buckets(upto, 2.5)
    assert {0.05, 0.1, 0.25, 2.5} <= set(found) and ENOUGH <= len(found) <= MOST


def test_few_bounds_are_all_taken_and_none_give_none() -> None:
    assert edges_of_buckets({0.5: 3.0, 2.0: 9.0}, 2.0) == (0.5, 2.0)
    assert edges_of_buckets({}, 2.0) == ()


def test_without_a_past_the_whole_length_is_looked_at() -> None:
    found = edges_of_buckets(dict.fromkeys(BOUNDS, 0.0), 2.5)
    assert found[0] == 0.005 and found[-1] == 10.0 and len(found) >= ENOUGH and 2.5 in found


@given(
    st.lists(st.floats(0.001, 60, allow_nan=False), min_size=1, max_size=60, unique=True),
    st.lists(st.integers(0, 1000), min_size=60, max_size=60),
    st.floats(0.01, 30),
)
def test_edges_are_bounds_ascending_and_seven_to_ten(
    bounds: list[float], counts: list[int], budget: float
) -> None:
    upto = dict(zip(sorted(bounds), map(float, accumulate(counts)), strict=False))
    found = edges_of_buckets(upto, budget)
    assert set(found) <= set(upto) and all(a < b for a, b in pairwise(found))
    assert min(ENOUGH, len(upto)) <= len(found) <= MOST
    if budget in upto:
        assert budget in found


def test_percentiles_are_rounded_distinct_and_have_the_budget() -> None:
    assert edges_of_quantiles([0.0512, 0.0514, 0.2, 3.456, 0.0], 2.0) == (0.051, 0.2, 2.0, 3.5)
    assert edges_of_quantiles([], 2.0) == () and edges_of_quantiles([0.0], 2.0) == ()


@given(st.dictionaries(st.text(max_size=5), st.floats(0, 1e9), max_size=40))
def test_places_are_the_busiest(requests: dict[str, float]) -> None:
    found = top_places(requests)
    assert len(found) <= PLACES and "" not in found
    counts = [requests[place] for place in found]
    assert counts == sorted(counts, reverse=True) and all(counts)
    left = [count for place, count in requests.items() if place and place not in found and count]
    assert not left or (len(found) == PLACES and max(left) <= counts[-1])
