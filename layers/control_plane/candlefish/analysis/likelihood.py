"""How likely one window's counts are, for a range of odds ratios and of burstiness.

Both versions see the same minute of the same world, so the baseline's errors say what to expect of
the canary. Condition on the total number of errors `k` of a window and everything the two share
drops out: the load, the weight, a common rise in errors. What is left is how the `k` errors fall on
the two arms, and that depends on the odds ratio alone.

*No bursts*: the canary's share is Fisher's noncentral hypergeometric, which is exact at any weight
and any error rate (Fisher 1935; Cornfield 1956).

*Bursts*: errors come in clumps, so each arm's rate is multiplied, window by window, by a gamma
variable with mean 1 and squared coefficient of variation `burst`. The two multipliers' ratio is
beta-prime, and the likelihood of the canary's share becomes a Gauss hypergeometric function,
computed by the calibrated Laplace approximation of Butler and Wood (2002), Ann. Statist. 30,
1155-1177. Its tails are those of a ratio: one window cannot say more than its bursts allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import lgamma, log, log1p, sqrt

# Squared coefficients of variation that are told apart. 0 is exact; 1 is an arm whose error rate
# routinely doubles or vanishes from one window to the next; with 3 most windows are silent and some are not.
BURSTS = (0.0, 0.06, 0.3, 1.0, 3.0)

# Up to this share of errors they count as rare.
_RARE = 0.03
# Below this many terms the normaliser is summed exactly; above, the saddlepoint is good to 0.003 at worst.
_EXACT_TERMS = 24


def slack(burst: float) -> float:
    """What Butler and Wood's approximation may overstate a window's log e-value by, on average.

    Measured against quadrature over counts, weights and odds ratios (tests/unit/analysis).
    """
    return min(0.03 * burst, 0.05)


def log_likelihoods(
    baseline: tuple[int, int], canary: tuple[int, int], odds: tuple[float, ...], burst: float
) -> list[float]:
    """Log-likelihood of the canary's share of the errors, at each odds ratio.

    Parameters
    ----------
    baseline, canary
        (requests, errors), with 0 <= errors <= requests.
    odds
        Odds ratios, canary over baseline, all > 0.
    burst
        Squared coefficient of variation of an arm's rate around the common one; 0 for none.

    Returns
    -------
    One number per odds ratio, up to a constant that depends on the counts only, so that they
    compare across `odds` and `burst`. All zero when the window cannot tell: an arm without
    requests, no errors at all, or nothing but errors.
    """
    n_a, k_a = baseline
    n_b, k_b = canary
    k = k_a + k_b
    if n_a <= 0 or n_b <= 0 or k <= 0 or k >= n_a + n_b:
        return [0.0] * len(odds)
    if burst > 0:
        return _bursty(n_b / n_a, k_a, k_b, odds, 1.0 / burst)
    if k <= _RARE * (n_a + n_b):
        return log_binomial(baseline, canary, odds)
    terms = min(n_a, n_b, k, n_a + n_b - k)
    constant = _log_choose(n_b, k_b) + _log_choose(n_a, k_a) - _log_choose(k, k_b)
    normalisers = _summed(n_a, n_b, k, odds) if terms <= _EXACT_TERMS else _saddlepoint(n_a, n_b, k, odds)
    return [constant + k_b * one - z for one, z in zip(_logs(odds), normalisers, strict=True)]


def log_binomial(baseline: tuple[int, int], canary: tuple[int, int], odds: tuple[float, ...]) -> list[float]:
    """The same without bursts, as if no request could fail but once: the canary's share of Poisson counts.

    It is the hypergeometric's limit where errors are rare. Elsewhere it is wider, so that it accuses less: a
    likelihood ratio is convex in the canary's errors.
    """
    weight, k_b = canary[0] / baseline[0], canary[1]
    k, constant = baseline[1] + k_b, k_b * log(weight)
    return [
        constant + k_b * one - k * log(1.0 + weight * ratio)
        for ratio, one in zip(odds, _logs(odds), strict=True)
    ]


def log_split(first: tuple[int, int], second: tuple[int, int], bursts: tuple[float, ...]) -> list[float]:
    """Log-likelihood, at each burstiness, of how errors fall on two windows of the *same* version.

    Two windows of one arm are the service's own A/A test: what makes them differ by more than chance is bursts (or
    the edge of an incident, which is why nobody is sure of anything: one pair in twenty may be anything at all).
    """
    n_1, k_1 = first
    n_2, k_2 = second
    if n_1 <= 0 or n_2 <= 0 or k_1 + k_2 <= 0:
        return [0.0] * len(bursts)
    # As if both had seen the first one's load.
    scaled = k_2 * n_1 / n_2
    total = k_1 + scaled
    floor = _split(k_1, scaled, total, BURSTS[-1]) + _LOG_OUTLIER
    return [max(_split(k_1, scaled, total, burst), floor) for burst in bursts]


def log_pair(first: tuple[int, int], second: tuple[int, int], burst: float) -> float:
    """The same at one burstiness, without the doubt."""
    scaled = second[1] * first[0] / second[0]
    return _split(first[1], scaled, first[1] + scaled, burst)


def _split(one: float, other: float, total: float, burst: float) -> float:
    if not burst:
        return -total * _LOG2
    shape, constant = _shape(burst)
    return lgamma(one + shape) + lgamma(other + shape) - lgamma(total + 2 * shape) + constant


@lru_cache(maxsize=64)
def _shape(burst: float) -> tuple[float, float]:
    return 1 / burst, lgamma(2 / burst) - 2 * lgamma(1 / burst)


_LOG2 = log(2.0)
_LOG_OUTLIER = log(0.05)


@lru_cache(maxsize=512)
def _logs(odds: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(log(ratio) for ratio in odds)


def _log_choose(n: float, k: float) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _bursty(weight: float, k_a: int, k_b: int, odds: tuple[float, ...], shape: float) -> list[float]:
    """log of c^kB B(kB+s, kA+s)/B(s, s) 2F1(kA+kB, kB+s; kA+kB+2s; 1-c), c = odds x weight."""
    a, b, rest = k_b + shape, float(k_a + k_b), k_a + shape
    c = a + rest
    constant = lgamma(a) + lgamma(rest) - lgamma(c) - 2 * lgamma(shape) + lgamma(2 * shape)
    constant += (c - 0.5) * log(c) - a * log(a) - rest * log(rest) + k_b * log(weight)
    four, difference, per_a, per_rest = 4 * a * (c - b), b - a, 1 / a, 1 / rest
    found = []
    for ratio, log_ratio in zip(odds, _logs(odds), strict=True):
        x = 1.0 - ratio * weight
        tau = x * difference - c
        root = sqrt(tau * tau - four * x)
        # The root of the Laplace point that does not cancel.
        y = 2 * a / (root - tau) if tau <= 0 else -(tau + root) / (2 * x * (c - b))
        z, w = 1.0 - y, 1.0 - x * y
        left, right, slope = y * y * per_a, z * z * per_rest, x / w
        spread = left + right - b * slope * slope * left * right
        found.append(constant + k_b * log_ratio + a * log(y) + rest * log(z) - b * log(w) - 0.5 * log(spread))
    return found


def _summed(n_a: int, n_b: int, k: int, odds: Sequence[float]) -> list[float]:
    """log Z by adding up the few terms there are."""
    low, high = max(0, k - n_a), min(n_b, k)
    coefficients = [1.0]
    for x in range(low, high):
        coefficients.append(coefficients[-1] * (n_b - x) * (k - x) / ((x + 1) * (n_a - k + x + 1)))
    base = _log_choose(n_b, low) + _log_choose(n_a, k - low)
    found = []
    for ratio in odds:
        total = 0.0
        for coefficient in reversed(coefficients):
            total = total * ratio + coefficient
        found.append(base + low * log(ratio) + log(total))
    return found


def _saddlepoint(n_a: int, n_b: int, k: int, odds: Sequence[float]) -> list[float]:
    """log Z as the coefficient of t^k in (1 + t odds)^nB (1 + t)^nA, to second order (Daniels 1954)."""
    found = []
    for ratio in odds:
        square = ratio * (n_a + n_b - k)
        linear = n_b * ratio + n_a - k * (1 + ratio)
        root = sqrt(linear * linear + 4 * square * k)
        t = 2 * k / (linear + root) if linear > 0 else (root - linear) / (2 * square)
        p_b, p_a = t * ratio / (1 + t * ratio), t / (1 + t)
        v_b, v_a = n_b * p_b * (1 - p_b), n_a * p_a * (1 - p_a)
        second = v_a + v_b
        third = v_b * (1 - 2 * p_b) + v_a * (1 - 2 * p_a)
        fourth = v_b * (1 - 6 * p_b * (1 - p_b)) + v_a * (1 - 6 * p_a * (1 - p_a))
        correction = fourth / (8 * second * second) - 5 * third * third / (24 * second**3)
        found.append(
            n_b * log1p(t * ratio) + n_a * log1p(t) - k * log(t) - 0.5 * log(_TAU * second) + correction
        )
    return found


_TAU = 6.283185307179586
