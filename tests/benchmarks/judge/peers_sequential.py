"""The published state of the art on the same counts: tests that may be looked at again and again.

*Anytime-valid counts* (Lindon and Malek, NeurIPS 2022): of all errors, the canary's share is the traffic's under the
null; a Dirichlet mixture over other shares is a martingale. *Group sequential tests*: the z of two proportions against
boundaries that spend the level over a horizon that is known (Lan and DeMets 1983). *Bands* (Lindon, Sanden and
Shirikian, KDD 2022, on Howard and Ramdas 2022): two empirical distributions of latency, each with a band that holds at
any time. Each is one-sided in what it does (only a canary that is worse goes back) and has the whole `alpha`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from scipy.special import betaln
from scipy.stats import norm

from tests.benchmarks.judge.counts import Counts, Floats, Traffic
from tests.benchmarks.judge.peers import Peer

ALPHA = 0.01
WINDOWS = 60


class Latency(NamedTuple):
    """Requests (releases, windows), and those slower than each edge (releases, windows, edges), of both arms."""

    baseline_requests: Counts
    baseline_over: Counts
    canary_requests: Counts
    canary_over: Counts


class LatencyPeer(NamedTuple):
    """A rule on latency: first window (from 1) of a rollback per release, 0 for never."""

    name: str
    source: str
    decide: Callable[[Latency], Counts]


# --- counts


# Of the prior: tried from 1 to 1000, this finds regressions of 2 to 5 times first; with 100 it is slower by a quarter.
CONCENTRATION = 10.0


def anytime_counts(traffic: Traffic, alpha: float = ALPHA, concentration: float = CONCENTRATION) -> Counts:
    """The multinomial test of Lindon and Malek on whose the errors are, with the prior Dirichlet(k theta_0).

    theta_0 of a window is its split of the traffic; the prior is around that of the whole release so far as it is
    known beforehand, which is the first window's.
    """
    evidence = log_evidence(traffic, concentration)
    canary = traffic.canary_errors.cumsum(1)
    worse = canary > (_split(traffic) * (traffic.baseline_errors + traffic.canary_errors)).cumsum(1)
    return _first((evidence >= -np.log(alpha)) & worse)


def log_evidence(traffic: Traffic, concentration: float) -> Floats:
    """Log of the mixture martingale after each window: B(a + k_B, b + k_A) / B(a, b) / the null's likelihood."""
    split = _split(traffic)
    a = concentration * split[:, :1]
    b = concentration - a
    canary, baseline = traffic.canary_errors.cumsum(1), traffic.baseline_errors.cumsum(1)
    null = (traffic.canary_errors * np.log(split) + traffic.baseline_errors * np.log1p(-split)).cumsum(1)
    found: Floats = betaln(a + canary, b + baseline) - betaln(a, b) - null
    return found


def _split(traffic: Traffic) -> Floats:
    """The canary's share of each window's requests, never quite nothing or all."""
    total = traffic.baseline_requests + traffic.canary_requests
    return (traffic.canary_requests + 0.5) / (total + 1.0)


# --- group sequential


def obrien_fleming(alpha: float, part: Floats) -> Floats:
    """The level spent when a part of the information is in, in the manner of O'Brien and Fleming."""
    spent: Floats = 2 - 2 * norm.cdf(norm.ppf(1 - alpha / 2) / np.sqrt(part))
    return spent


def pocock(alpha: float, part: Floats) -> Floats:
    """The same in the manner of Pocock."""
    spent: Floats = alpha * np.log1p((np.e - 1) * part)
    return spent


Spending = Callable[[float, Floats], Floats]


@cache
def boundaries(spending: Spending, looks: int, alpha: float = ALPHA) -> tuple[float, ...]:
    """One-sided boundaries for z at equally spaced looks, by the recursion of Armitage, McPherson and Rowe (1969).

    The density of the score of those who have not crossed yet is carried from look to look on a grid.
    """
    spent = spending(alpha, np.arange(1, looks + 1) / looks)
    scores = np.linspace(-9.0, 9.0, 4001) * np.sqrt(looks)
    width = scores[1] - scores[0]
    density = norm.pdf(scores)
    found: list[float] = []
    before = 0.0
    for look in range(1, looks + 1):
        if look > 1:
            density = _one_look_later(density, scores, width)
        bound = _with_tail(density, scores, width, spent[look - 1] - before)
        found.append(float(bound / np.sqrt(look)))
        density = np.where(scores < bound, density, 0.0)
        # The cell in which the boundary lies counts by the part that is below.
        at = int(np.searchsorted(scores, bound)) - 1
        density[at] *= np.clip((bound - scores[at]) / width + 0.5, 0.0, 1.0)
        before = spent[look - 1]
    return tuple(found)


def _one_look_later(density: Floats, scores: Floats, width: float) -> Floats:
    """The score moves on by a standard normal."""
    reach = int(9.0 / width) + 1
    kernel = norm.pdf(np.arange(-reach, reach + 1) * width) * width
    moved: Floats = np.convolve(density, kernel, mode="same")
    return moved


def _with_tail(density: Floats, scores: Floats, width: float, tail: float) -> float:
    """Where the density beyond adds up to the tail."""
    beyond = np.concatenate([np.cumsum(density[::-1])[::-1] * width, [0.0]])
    edges = np.concatenate([scores - width / 2, [scores[-1] + width / 2]])
    return float(np.interp(-tail, -beyond, edges))


def group_sequential(
    traffic: Traffic, spending: Spending, every: int, alpha: float = ALPHA, windows: int = WINDOWS
) -> Counts:
    """Two proportions, pooled, at every so many windows of a horizon; beyond it nobody looks."""
    bounds = boundaries(spending, windows // every, alpha)
    n_a, k_a, n_b, k_b = (
        counts.cumsum(1)[:, every - 1 : windows : every].astype(float) for counts in traffic
    )
    pooled = (k_a + k_b) / np.maximum(n_a + n_b, 1)
    variance = pooled * (1 - pooled) * (1 / np.maximum(n_a, 1) + 1 / np.maximum(n_b, 1))
    rise = k_b / np.maximum(n_b, 1) - k_a / np.maximum(n_a, 1)
    known = (variance > 0) & (n_a > 0) & (n_b > 0)
    z = np.where(known, rise / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    return _first(z >= np.array(bounds[: z.shape[1]])) * every


# --- latency


def radius(requests: Floats, alpha: float) -> Floats:
    """How far an empirical distribution may be from the true one, at any time and everywhere at once.

    Howard and Ramdas (2022), theorem 2 with the constants that they recommend.
    """
    n = np.maximum(requests, 1.0)
    found: Floats = 0.85 * np.sqrt((np.log(np.log(np.e * n)) + 0.8 * np.log(1612 / alpha)) / n)
    return found


def bands(latency: Latency, alpha: float = ALPHA) -> Counts:
    """The canary is slower in distribution: at an edge its band lies above the baseline's, each at half of `alpha`."""
    n_a, n_b = (
        counts.cumsum(1).astype(float) for counts in (latency.baseline_requests, latency.canary_requests)
    )
    share_a = latency.baseline_over.cumsum(1) / np.maximum(n_a, 1.0)[:, :, None]
    share_b = latency.canary_over.cumsum(1) / np.maximum(n_b, 1.0)[:, :, None]
    far = radius(n_a, alpha / 2) + radius(n_b, alpha / 2)
    return _first(((share_b - share_a).max(2) > far) & (n_a > 0) & (n_b > 0))


def anytime_edges(latency: Latency, alpha: float = ALPHA) -> Counts:
    """The test of counts at each edge, at its part of the level (Bonferroni)."""
    edges = latency.baseline_over.shape[2]
    hits = [
        anytime_counts(
            Traffic(
                latency.baseline_requests,
                latency.baseline_over[:, :, edge],
                latency.canary_requests,
                latency.canary_over[:, :, edge],
            ),
            alpha / edges,
        )
        for edge in range(edges)
    ]
    never = np.iinfo(np.int64).max
    first = np.min([np.where(hit > 0, hit, never) for hit in hits], axis=0)
    return np.where(first == never, 0, first)


def _first(hit: Counts) -> Counts:
    return np.where(hit.any(1), hit.argmax(1) + 1, 0)


PEERS_SEQUENTIAL = (
    Peer(
        "Anytime-valid counts",
        "Lindon and Malek, NeurIPS 2022: Dirichlet(10 theta_0) mixture over whose the errors are, alpha 0.01",
        anytime_counts,
    ),
    Peer(
        "O'Brien-Fleming, every 5 minutes",
        "Lan and DeMets 1983: z of two proportions, one-sided alpha 0.01 spent over 12 looks in 60 minutes",
        partial(group_sequential, spending=obrien_fleming, every=5),
    ),
    Peer(
        "O'Brien-Fleming, every minute",
        "Lan and DeMets 1983: the same over 60 looks",
        partial(group_sequential, spending=obrien_fleming, every=1),
    ),
    Peer(
        "Pocock, every 5 minutes",
        "Lan and DeMets 1983: Pocock's spending over 12 looks in 60 minutes",
        partial(group_sequential, spending=pocock, every=5),
    ),
    Peer(
        "Pocock, every minute",
        "Lan and DeMets 1983: Pocock's spending over 60 looks",
        partial(group_sequential, spending=pocock, every=1),
    ),
)
PEERS_LATENCY = (
    LatencyPeer(
        "Anytime-valid bands",
        "Lindon, Sanden, Shirikian, KDD 2022: sequential test of stochastic order by the bands of Howard and Ramdas 2022",
        bands,
    ),
    LatencyPeer(
        "Anytime-valid counts at each edge",
        "Lindon and Malek, NeurIPS 2022, on the requests beyond each edge, Bonferroni",
        anytime_edges,
    ),
)
