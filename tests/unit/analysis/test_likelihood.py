"""The numbers under everything: exact where they claim to be, within their bounds where they do not."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, logsumexp
from scipy.stats import nchypergeom_fisher

from candlefish.analysis.likelihood import BURSTS, log_likelihoods, log_split, slack

ODDS = (1.2, 1.0, 2.0, 1.5, 3.0, 10.0, 96.0)


@pytest.mark.parametrize(
    ("baseline", "canary"),
    [
        ((57, 2), (3, 1)),
        ((540, 30), (60, 0)),
        ((540, 30), (60, 14)),
        ((2700, 140), (300, 25)),
        ((300, 40), (300, 31)),
    ],
)
def test_without_bursts_it_is_fishers_noncentral_hypergeometric(
    baseline: tuple[int, int], canary: tuple[int, int]
) -> None:
    found = log_likelihoods(baseline, canary, ODDS, 0.0)
    total, errors = baseline[0] + canary[0], baseline[1] + canary[1]
    known = [nchypergeom_fisher.logpmf(canary[1], total, errors, canary[0], odds) for odds in ODDS]
    # Scipy's own accuracy is about 1e-6; the constant (a binomial coefficient) is the same for all odds.
    shift = known[0] - found[0]
    assert [one + shift for one in found] == pytest.approx(known, abs=2e-3)


@given(st.integers(200, 10**6), st.integers(200, 10**6), st.floats(0, 0.03))
def test_where_errors_are_rare_it_is_the_binomial_which_never_accuses_more(
    n_a: int, n_b: int, share: float
) -> None:
    """The mean e-value of a canary that is as bad as the baseline, over all ways the errors can fall."""
    k = min(40, round((n_a + n_b) * share))
    if not k:
        return
    chance = [nchypergeom_fisher.pmf(x, n_a + n_b, k, n_b, 1.0) for x in range(k + 1)]
    logs = [log_likelihoods((n_a, k - x), (n_b, x), (1.0, 1.5, 3.0, 10.0), 0.0) for x in range(k + 1)]
    for odds in (1, 2, 3):
        assert sum(p * math.exp(one[odds] - one[0]) for p, one in zip(chance, logs, strict=True)) <= 1 + 1e-9


@given(st.integers(25, 400), st.integers(25, 400), st.integers(25, 200))
def test_the_saddlepoint_is_within_its_bound_of_the_exact_sum(n_a: int, n_b: int, k: int) -> None:
    if min(n_a, n_b, k, n_a + n_b - k) <= 24 or k <= 0.03 * (n_a + n_b):
        return
    low, high = max(0, k - n_a), min(n_b, k)

    def exact(odds: float) -> float:
        ratio = Fraction(odds).limit_denominator(1000)
        p, q = ratio.numerator, ratio.denominator
        terms = (
            math.comb(n_b, x) * math.comb(n_a, k - x) * p ** (x - low) * q ** (high - x)
            for x in range(low, high + 1)
        )
        return math.log(sum(terms)) + low * math.log(ratio) - (high - low) * math.log(q)

    k_b = min(high, max(low, round(k * n_b / (n_a + n_b))))
    found = log_likelihoods((n_a, k - k_b), (n_b, k_b), ODDS, 0.0)
    known = [k_b * math.log(odds) - exact(odds) for odds in ODDS]
    assert max(abs((f - found[0]) - (e - known[0])) for f, e in zip(found, known, strict=True)) < 3e-3


def quadrature(weight: float, k_a: int, k_b: int, odds: float, burst: float) -> float:
    """The bursty likelihood by brute force: the multipliers' log ratio on a fine grid."""
    shape = 1 / burst
    u = np.linspace(-70, 70, 14_001)
    s = u + math.log(odds * weight)
    logs = shape * u - 2 * shape * np.logaddexp(0, u) - betaln(shape, shape)
    logs += k_b * s - (k_a + k_b) * np.logaddexp(0, s)
    return float(logsumexp(logs) + math.log(u[1] - u[0]))


@pytest.mark.parametrize("burst", BURSTS[1:])
@pytest.mark.parametrize("weight", [0.05, 0.25, 1.0])
def test_a_bursty_window_is_never_evidence_on_average_beyond_its_slack(weight: float, burst: float) -> None:
    """Expectation of the e-value under the null, over all ways the errors can fall, is at most 1."""
    for k in (1, 2, 3, 5, 8, 13, 21, 40):
        n_b = 100_000
        n_a = round(n_b / weight)
        null = [quadrature(weight, k - x, x, 1.2, burst) for x in range(k + 1)]
        logs = [log_likelihoods((n_a, k - x), (n_b, x), ODDS, burst) for x in range(k + 1)]
        ways = [math.lgamma(k + 1) - math.lgamma(x + 1) - math.lgamma(k - x + 1) for x in range(k + 1)]
        for odds in range(3, len(ODDS)):
            mean = sum(
                math.exp(way + n + one[odds] - one[0] - slack(burst))
                for way, n, one in zip(ways, null, logs, strict=True)
            )
            assert mean < 1.0 + 1e-3, (k, ODDS[odds], mean)


@pytest.mark.parametrize("burst", BURSTS[1:])
def test_the_bursty_likelihood_is_close_to_quadrature(burst: float) -> None:
    for k_a, k_b in ((0, 1), (1, 0), (3, 3), (12, 0), (40, 9), (5, 60)):
        found = log_likelihoods((9000, k_a), (1000, k_b), ODDS, burst)
        known = [quadrature(1 / 9, k_a, k_b, odds, burst) for odds in ODDS]
        assert found == pytest.approx(known, abs=0.12)


def test_many_errors_in_one_window_cannot_say_more_than_bursts_allow() -> None:
    """A window in which one arm has a hundred times the errors: proof without bursts, a bad minute with them."""
    even, bursty = (log_likelihoods((5400, 27), (600, 300), ODDS, burst) for burst in (BURSTS[0], BURSTS[-1]))
    assert even[-1] - even[0] > 100
    assert bursty[-1] - bursty[0] < 5


@given(
    st.integers(1, 10**7), st.integers(1, 10**7), st.floats(0, 1), st.floats(0, 1), st.sampled_from(BURSTS)
)
def test_numbers_stay_finite_whatever_the_counts(
    n_a: int, n_b: int, share_a: float, share_b: float, burst: float
) -> None:
    counts = (n_a, round(n_a * share_a)), (n_b, round(n_b * share_b))
    assert all(math.isfinite(one) for one in log_likelihoods(*counts, ODDS, burst))


@given(st.integers(2, 10**7), st.integers(2, 10**7), st.floats(0, 0.5), st.sampled_from(BURSTS))
def test_more_errors_on_the_canary_are_never_less_evidence(
    n_a: int, n_b: int, share: float, burst: float
) -> None:
    k = max(2, round((n_a + n_b) * share))
    few = min(n_b - 1, max(0, round(k * n_b / (n_a + n_b)) - 1), k - 1)
    if k - few > n_a or few < 0:
        return
    less, more = (log_likelihoods((n_a, k - x), (n_b, x), ODDS, burst) for x in (few, few + 1))
    for odds in range(3, len(ODDS)):
        assert more[odds] - more[0] >= less[odds] - less[0] - 1e-6


@pytest.mark.parametrize(
    ("baseline", "canary"), [((0, 0), (10, 3)), ((10, 3), (0, 0)), ((10, 0), (10, 0)), ((10, 10), (5, 5))]
)
def test_windows_that_cannot_tell_say_nothing(baseline: tuple[int, int], canary: tuple[int, int]) -> None:
    for burst in BURSTS:
        assert log_likelihoods(baseline, canary, ODDS, burst) == [0.0] * len(ODDS)


def test_even_windows_of_one_arm_speak_for_evenness_and_uneven_ones_for_bursts() -> None:
    even, uneven = (log_split((5400, a), (5400, b), BURSTS) for a, b in ((50, 55), (2, 100)))
    assert even == sorted(even, reverse=True)
    assert uneven[-1] == max(uneven)
    # One pair may be anything: nobody is ruled out by the edge of an incident.
    assert uneven[-1] - uneven[0] == pytest.approx(math.log(20))


def test_splits_are_beta_binomial() -> None:
    k_1, k_2, shape = 7, 12, 1 / BURSTS[2]
    known = betaln(k_1 + shape, k_2 + shape) - betaln(shape, shape)
    found = log_split((1000, k_1), (1000, k_2), BURSTS)
    assert found[2] == pytest.approx(known)
    assert found[0] == pytest.approx(-19 * math.log(2))
