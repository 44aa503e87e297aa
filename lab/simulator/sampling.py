"""Counts by chance, the same on every machine.

Small counts are exact; large ones are normal, made of uniform numbers alone, because a logarithm or a sine may
differ in its last bit from one platform to the next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

# From where on a normal distribution is close enough.
_LARGE = 30.0


def poisson(chance: random.Random, mean: float) -> int:
    """How many happen when `mean` are expected."""
    if mean <= 0:
        return 0
    if mean >= _LARGE:
        return max(0, round(mean + math.sqrt(mean) * _normal(chance)))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def binomial(chance: random.Random, tries: int, share: float) -> int:
    """How many of so many tries succeed, each with the same probability."""
    if tries <= 0 or share <= 0:
        return 0
    if share >= 1:
        return tries
    if share > 0.5:
        return tries - binomial(chance, tries, 1 - share)
    mean = tries * share
    if mean >= _LARGE:
        return min(tries, max(0, round(mean + math.sqrt(mean * (1 - share)) * _normal(chance))))
    # One draw, down the cumulative distribution.
    left, likely, odds, count = chance.random(), (1 - share) ** tries, share / (1 - share), 0
    while left >= likely and count < tries:
        left -= likely
        likely *= odds * (tries - count) / (count + 1)
        count += 1
    return count


def split(chance: random.Random, total: int, weights: Sequence[float]) -> list[int]:
    """A total by weights; the parts add up to it. Some weight is above 0."""
    left, of, parts = total, float(sum(weights)), []
    for weight in weights:
        # What rounding leaves of the last weight is all of it.
        part = binomial(chance, left, min(1.0, weight / of)) if of > 0 else 0
        parts.append(part)
        left, of = left - part, of - weight
        of = of if of > 1e-9 else 0.0
    return parts


def pick(chance: random.Random, weights: Mapping[str, int]) -> str | None:
    """One name by weight; None when every weight is 0."""
    known = [name for name, weight in weights.items() if weight > 0]
    return chance.choices(known, [weights[name] for name in known])[0] if known else None


def _normal(chance: random.Random) -> float:
    """About normal: mean 0, deviation 1, never beyond 6."""
    return sum(chance.random() for _ in range(12)) - 6.0
