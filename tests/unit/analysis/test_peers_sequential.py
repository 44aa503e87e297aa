"""The published tests that the benchmark compares with: their formulas against small exact cases, and their levels."""

from __future__ import annotations

from itertools import product
from math import comb, exp, log

import numpy as np
import pytest

from tests.benchmarks.judge.counts import Traffic
from tests.benchmarks.judge.peers import Peer
from tests.benchmarks.judge.peers_sequential import (
    PEERS_LATENCY,
    PEERS_SEQUENTIAL,
    Latency,
    LatencyPeer,
    Spending,
    anytime_counts,
    bands,
    boundaries,
    group_sequential,
    log_evidence,
    obrien_fleming,
    pocock,
    radius,
)
from tests.benchmarks.judge.simulate import Cell, releases


def traffic(*windows: tuple[int, int, int, int]) -> Traffic:
    """One release: baseline's requests and errors, canary's requests and errors."""
    return Traffic(*(np.array([column]) for column in zip(*windows, strict=True)))


def test_the_mixture_of_counts_is_the_exact_one() -> None:
    # A quarter of the traffic, and the prior Beta(1/2, 3/2) around it.
    first, second = log_evidence(traffic((1, 0, 0, 1), (1, 0, 0, 1)), 2.0)[0]
    # P(canary) is 1/4 under both; then 1/2 under the mixture, for there was one before.
    assert first == pytest.approx(0.0) and second == pytest.approx(log(2.0))
    assert log_evidence(traffic((1, 1, 0, 0)), 2.0)[0, 0] == pytest.approx(0.0)


def test_the_mixture_is_a_martingale_under_the_null() -> None:
    def chance(errors: int, canary: int) -> float:
        return comb(errors, canary) * 0.25**canary * 0.75 ** (errors - canary)

    mean = 0.0
    for first, second in product(range(4), range(5)):
        found = log_evidence(traffic((1, 3 - first, 0, first), (1, 4 - second, 0, second)), 10.0)[0, -1]
        mean += chance(3, first) * chance(4, second) * exp(found)
    assert mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        # gsDesign's sfLDOF and sfLDPocock, five looks, one-sided 0.025.
        (obrien_fleming, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
        (pocock, (2.4380, 2.4268, 2.4101, 2.3966, 2.3859)),
    ],
)
def test_boundaries_are_the_published_ones(spending: Spending, published: tuple[float, ...]) -> None:
    found = boundaries(spending, 5, 0.025)
    assert found == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize("spending", [obrien_fleming, pocock])
@pytest.mark.parametrize("looks", [12, 60])
def test_the_boundaries_spend_the_level_and_no_more(spending: Spending, looks: int) -> None:
    steps = np.random.default_rng(1).standard_normal((100_000, looks)).cumsum(1)
    z = steps / np.sqrt(np.arange(1, looks + 1))
    crossed = (z >= np.array(boundaries(spending, looks))).any(1).mean()
    assert crossed == pytest.approx(0.01, abs=0.0013)


def test_the_radius_of_a_band_is_the_published_one() -> None:
    # 0.85 sqrt((log log(1000 e) + 0.8 log(1612 / 0.05)) / 1000)
    assert radius(np.array([1000.0]), 0.05)[0] == pytest.approx(0.08657, abs=1e-5)


@pytest.mark.parametrize("peer", PEERS_SEQUENTIAL, ids=lambda peer: peer.name)
def test_the_level_holds_where_there_are_many_errors(peer: Peer) -> None:
    even = releases(Cell("steady", 6000, 0.5, 0.05), 4000, np.random.default_rng(2))
    false = (peer.decide(even) > 0).mean()
    # Four standard errors above one percent.
    assert false <= 0.0163


def test_with_few_errors_the_counts_hold_their_level_and_the_normal_z_does_not() -> None:
    even = releases(Cell("steady", 600, 0.1, 0.005), 4000, np.random.default_rng(3))
    assert (anytime_counts(even) > 0).mean() <= 0.01
    assert (group_sequential(even, pocock, 1) > 0).mean() > 0.02


@pytest.mark.parametrize("peer", PEERS_SEQUENTIAL, ids=lambda peer: peer.name)
def test_a_regression_is_found_and_a_better_canary_is_none(peer: Peer) -> None:
    rng = np.random.default_rng(4)
    for times, found in ((5.0, 1.0), (0.2, 0.0)):
        decided = peer.decide(releases(Cell("steady", 6000, 0.1, 0.005, times), 200, rng))
        assert (decided > 0).mean() == found
        assert found == 0.0 or 1 <= np.median(decided) <= 10


def latency(slower: float, number: int = 300, rate: int = 2000) -> Latency:
    """Log-normal latency around 60 ms; the canary's is so many times slower."""
    rng = np.random.default_rng(5)
    edges = np.array([0.03, 0.06, 0.1, 0.2, 0.4])
    arms = []
    for requests, times in ((rate, 1.0), (rate // 4, slower)):
        cuts = np.log(edges / (0.06 * times))
        share = np.array([(rng.standard_normal(200_000) > cut).mean() for cut in cuts / 0.6])
        counts = rng.multinomial(requests, -np.diff([1.0, *share, 0.0]), (number, 30))
        arms += [np.full((number, 30), requests), counts[..., ::-1].cumsum(2)[..., ::-1][..., 1:]]
    return Latency(*arms)


@pytest.mark.parametrize("peer", PEERS_LATENCY, ids=lambda peer: peer.name)
def test_a_slower_canary_is_found_at_any_time_and_an_equal_one_hardly_ever(peer: LatencyPeer) -> None:
    assert (peer.decide(latency(1.0)) > 0).mean() <= 0.01
    found = peer.decide(latency(2.0))
    assert (found > 0).all() and np.median(found) <= 5
    assert not (peer.decide(latency(0.5)) > 0).any()


def test_a_window_without_requests_decides_nothing() -> None:
    nothing = traffic(*[(0, 0, 0, 0)] * 60)
    assert all(peer.decide(nothing).tolist() == [0] for peer in PEERS_SEQUENTIAL)
    none = np.zeros((1, 5), int)
    over = np.zeros((1, 5, 3), int)
    assert bands(Latency(none, over, none, over)).tolist() == [0]
