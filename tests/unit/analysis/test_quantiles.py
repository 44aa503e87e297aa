"""Which quantile moved, as counts at a few edges can tell."""

from __future__ import annotations

from candlefish.analysis.quantiles import quantile_shift

# A canary whose median doubles. Between the last edge that the past suggested and the budget nothing is known.
DOUBLED = {
    0.05: (481, 390, 60, 60),
    0.06: (481, 277, 60, 60),
    0.08: (481, 93, 60, 56),
    0.1: (481, 24, 60, 42),
    0.12: (481, 2, 60, 30),
    0.15: (481, 0, 60, 14),
    0.2: (481, 0, 60, 4),
    2.0: (481, 0, 60, 0),
}


def test_a_quantile_is_told_only_where_edges_are_near_enough_to_tell_it() -> None:
    """Four of sixty took more than 0.2 s and none more than 2 s: that is no p99 of 1.5 s."""
    told = quantile_shift(DOUBLED)
    assert told["quantile"] == 0.5
    assert 0.055 < told["baseline"][1] < 0.065
    assert 0.1 < told["canary"][0] < told["canary"][1] < told["canary"][2] < 0.16


def test_where_everything_lies_beyond_the_edges_no_quantile_is_told() -> None:
    assert quantile_shift({0.1: (1000, 10, 1000, 1000), 2.0: (1000, 0, 1000, 0)}) == {}
