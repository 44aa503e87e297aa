"""Counts by chance: right on average, right in spread, whole and within bounds."""

from __future__ import annotations

import random

import pytest

from lab.simulator.sampling import binomial, pick, poisson, split

DRAWS = 4000


@pytest.mark.parametrize("mean", [0.3, 4.0, 29.0, 31.0, 900.0])
def test_poisson_has_its_mean_for_a_variance(mean: float) -> None:
    chance = random.Random(1)
    drawn = [poisson(chance, mean) for _ in range(DRAWS)]
    average = sum(drawn) / DRAWS
    variance = sum((each - average) ** 2 for each in drawn) / DRAWS
    assert abs(average - mean) < 4 * (mean / DRAWS) ** 0.5
    assert 0.85 < variance / mean < 1.15
    assert min(drawn) >= 0


@pytest.mark.parametrize(
    ("tries", "share"), [(10, 0.5), (1000, 0.001), (1000, 0.2), (1000, 0.93), (100_000, 0.0002), (50, 0.999)]
)
def test_binomial_has_its_mean_and_variance(tries: int, share: float) -> None:
    chance = random.Random(2)
    drawn = [binomial(chance, tries, share) for _ in range(DRAWS)]
    wanted = tries * share * (1 - share)
    average = sum(drawn) / DRAWS
    variance = sum((each - average) ** 2 for each in drawn) / DRAWS
    assert abs(average - tries * share) < 4 * (wanted / DRAWS) ** 0.5 + 1e-9
    assert 0.8 < variance / wanted < 1.25
    assert min(drawn) >= 0 and max(drawn) <= tries


def test_certainty_draws_nothing() -> None:
    chance = random.Random(3)
    before = chance.getstate()
    assert (poisson(chance, 0), binomial(chance, 9, 0), binomial(chance, 9, 1), binomial(chance, 0, 0.5)) == (
        0,
        0,
        9,
        0,
    )
    assert chance.getstate() == before


@pytest.mark.parametrize("weights", [[1, 0], [0, 1], [90, 10], [0.1, 0.2, 0.7], [1, 1, 1, 0]])
def test_parts_add_up_and_nothing_goes_where_no_weight_is(weights: list[float]) -> None:
    chance = random.Random(4)
    for total in (0, 1, 7, 100, 10_000):
        parts = split(chance, total, weights)
        assert sum(parts) == total and all(
            part == 0 for part, weight in zip(parts, weights, strict=True) if not weight
        )


def test_a_pick_follows_the_weights() -> None:
    chance = random.Random(5)
    picked = [pick(chance, {"a": 90, "b": 10, "c": 0}) for _ in range(DRAWS)]
    assert 0.87 < picked.count("a") / DRAWS < 0.93 and "c" not in picked
    assert pick(chance, {"a": 0}) is None
