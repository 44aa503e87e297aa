"""`candlefish.analysis.likelihood` for arrays of counts: a row per stream, a column per odds ratio or burstiness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray

from candlefish.analysis import likelihood

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Counts whose log gamma is looked up.
_TABLE = 4096
# Of Stirling's series, and from where it is exact to eleven digits.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)
_EXACT_FROM = 7


def log_likelihoods(
    n_a: Floats, k_a: Floats, n_b: Floats, k_b: Floats, odds: Sequence[float] | Floats, burst: float
) -> Floats:
    """Log-likelihood of the canary's share of the errors, (rows, odds); see the scalar one.

    There is at least one request of either arm, and an error, in each row. `odds` may be of each row: (rows, odds).
    """
    odds = np.asarray(odds, float)
    k, n = k_a + k_b, n_a + n_b
    kinds: tuple[tuple[Flags, Callable[[Floats, Floats, Floats, Floats, Floats, float], Floats]], ...]
    if burst:
        kinds = ((k < n, _bursty),)
    else:
        rare = k <= likelihood._RARE * n
        few = np.minimum(np.minimum(n_a, n_b), np.minimum(k, n - k)) <= likelihood._EXACT_TERMS
        often = ~rare & (k < n)
        kinds = ((rare, log_binomial), (often & few, _summed), (often & ~few, _saddlepoint))
    found = np.zeros((len(n_a), odds.shape[-1]))
    for which, how in kinds:
        at = np.flatnonzero(which)
        if len(at) == len(n_a):
            return how(n_a, k_a, n_b, k_b, odds, burst)
        if len(at):
            some = odds[at] if odds.ndim == 2 else odds
            found[at] = how(n_a[at], k_a[at], n_b[at], k_b[at], some, burst)
    return found


def log_binomial(
    n_a: Floats, k_a: Floats, n_b: Floats, k_b: Floats, odds: Sequence[float] | Floats, burst: float = 0.0
) -> Floats:
    """The same without bursts where errors are rare, (rows, odds); see the scalar one."""
    ratios, weight = np.array(odds), n_b / n_a
    found: Floats = k_b[:, None] * np.log(ratios) - (k_a + k_b)[:, None] * np.log(
        1.0 + weight[:, None] * ratios
    )
    found += (k_b * np.log(weight))[:, None]
    return found


class Split:
    """`log_split` of many pairs of windows of one arm, each with requests, and errors in one of them."""

    def __init__(self, n_1: Floats, k_1: Floats, n_2: Floats, k_2: Floats) -> None:
        self.one, self.other = k_1, k_2 * n_1 / n_2
        self.total = self.one + self.other
        self.last = _split(self.one, self.other, self.total, likelihood.BURSTS[-1])

    def logs(self, burst: float, rows: NDArray[np.intp]) -> Floats:
        """The log-likelihood at a burstiness, of some of them."""
        last = self.last[rows]
        if burst == likelihood.BURSTS[-1]:
            return last
        bounded: Floats = np.maximum(self.alone(burst, rows), last + likelihood._LOG_OUTLIER)
        return bounded

    def alone(self, burst: float, rows: NDArray[np.intp]) -> Floats:
        """The same without the doubt (`log_pair`)."""
        return _split(self.one[rows], self.other[rows], self.total[rows], burst)


def _split(one: Floats, other: Floats, total: Floats, burst: float) -> Floats:
    if not burst:
        return -total * log(2.0)
    shape = 1 / burst
    constant = lgamma(2 * shape) - 2 * lgamma(shape)
    return log_gamma_of(one, shape) + log_gamma(other + shape) - log_gamma(total + 2 * shape) + constant


def _bursty(
    n_a: Floats, k_a: Floats, n_b: Floats, k_b: Floats, odds: Sequence[float] | Floats, burst: float
) -> Floats:
    shape, weight, ratios = 1 / burst, n_b / n_a, np.array(odds)
    a, b, rest = k_b + shape, k_a + k_b, k_a + shape
    c = a + rest
    constant = log_gamma_of(k_b, shape) + log_gamma_of(k_a, shape) - log_gamma_of(b, 2 * shape)
    constant += lgamma(2 * shape) - 2 * lgamma(shape)
    constant += (c - 0.5) * np.log(c) - a * np.log(a) - rest * np.log(rest) + k_b * np.log(weight)
    constant, a, b, c, rest, k_b, weight = (v[:, None] for v in (constant, a, b, c, rest, k_b, weight))
    x = 1.0 - ratios * weight
    tau = x * (b - a) - c
    root = np.sqrt(tau * tau - 4 * a * (c - b) * x)
    # The root of the Laplace point that does not cancel.
    y = 2 * a / (root - tau)
    if (tau > 0).any():
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.where(tau <= 0, y, -(tau + root) / (2 * x * (c - b)))
    z, w = 1.0 - y, 1.0 - x * y
    left, right, slope = y * y / a, z * z / rest, x / w
    spread = left + right - b * slope * slope * left * right
    found: Floats = constant + k_b * np.log(ratios)
    found += a * np.log(y) + rest * np.log(z) - b * np.log(w) - 0.5 * np.log(spread)
    return found


def _summed(
    n_a: Floats, k_a: Floats, n_b: Floats, k_b: Floats, odds: Sequence[float] | Floats, burst: float
) -> Floats:
    k, ratios = k_a + k_b, np.array(odds)
    low, high = np.maximum(0.0, k - n_a), np.minimum(n_b, k)
    x = low + np.arange(int((high - low).max()))[:, None]
    factors = np.where(x < high, (n_b - x) * (k - x) / ((x + 1) * (n_a - k + x + 1)), 0.0)
    total = np.zeros((len(k), ratios.shape[-1]))
    for coefficient in np.cumprod(factors, axis=0)[::-1]:
        total = (total + coefficient[:, None]) * ratios
    base = _constant(n_a, k_a, n_b, k_b) - _log_choose(n_b, low) - _log_choose(n_a, k - low)
    found: Floats = base[:, None] + (k_b - low)[:, None] * np.log(ratios) - np.log1p(total)
    return found


def _saddlepoint(
    n_a: Floats, k_a: Floats, n_b: Floats, k_b: Floats, odds: Sequence[float] | Floats, burst: float
) -> Floats:
    ratios, constant = np.array(odds), _constant(n_a, k_a, n_b, k_b)
    n_a, n_b, k_b, k = n_a[:, None], n_b[:, None], k_b[:, None], (k_a + k_b)[:, None]
    square = ratios * (n_a + n_b - k)
    linear = n_b * ratios + n_a - k * (1 + ratios)
    root = np.sqrt(linear * linear + 4 * square * k)
    t = np.where(linear > 0, 2 * k / (linear + root), (root - linear) / (2 * square))
    p_b, p_a = t * ratios / (1 + t * ratios), t / (1 + t)
    v_b, v_a = n_b * p_b * (1 - p_b), n_a * p_a * (1 - p_a)
    second, third = v_a + v_b, v_b * (1 - 2 * p_b) + v_a * (1 - 2 * p_a)
    fourth = v_b * (1 - 6 * p_b * (1 - p_b)) + v_a * (1 - 6 * p_a * (1 - p_a))
    correction = fourth / (8 * second * second) - 5 * third * third / (24 * second**3)
    whole = n_b * np.log1p(t * ratios) + n_a * np.log1p(t) - k * np.log(t)
    whole += correction - 0.5 * np.log(2 * pi * second)
    found: Floats = constant[:, None] + k_b * np.log(ratios) - whole
    return found


def _constant(n_a: Floats, k_a: Floats, n_b: Floats, k_b: Floats) -> Floats:
    return _log_choose(n_b, k_b) + _log_choose(n_a, k_a) - _log_choose(k_a + k_b, k_b)


def _log_choose(n: Floats, k: Floats) -> Floats:
    return log_gamma_of(n, 1.0) - log_gamma_of(k, 1.0) - log_gamma_of(n - k, 1.0)


def log_gamma_of(count: Floats, more: float) -> Floats:
    """Log gamma of whole numbers and a constant beside them."""
    small = count < _TABLE
    found: Floats = _looked_up(more)[np.where(small, count, 0).astype(np.intp)]
    if not small.all():
        found[~small] = log_gamma(count[~small] + more)
    return found


@lru_cache(maxsize=64)
def _looked_up(more: float) -> Floats:
    return np.array([lgamma(count + more) for count in range(_TABLE)])


def log_gamma(x: Floats) -> Floats:
    """Log gamma of positive numbers, by Stirling's series."""
    small = x < _EXACT_FROM
    shifted = np.where(small, x + _EXACT_FROM, x)
    square = 1 / (shifted * shifted)
    series = _STIRLING[-1] * square
    for term in reversed(_STIRLING[1:-1]):
        series += term
        series *= square
    series += _STIRLING[0]
    series /= shifted
    found: Floats = np.log(shifted)
    found *= shifted - 0.5
    found -= shifted
    found += series
    found += 0.5 * log(2 * pi)
    if small.any():
        low = x[small]
        product = low.copy()
        for more in range(1, _EXACT_FROM):
            product *= low + more
        found[small] -= np.log(product)
    return found
