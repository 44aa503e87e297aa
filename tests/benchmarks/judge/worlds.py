"""Simulated worlds beyond the even grid: what services do by themselves, and what canaries break.

One window is a minute. Everything that is random about an arm is of its own; `common` is what both share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tests.benchmarks.judge.counts import Counts, Floats, Stream

WINDOWS, HISTORY = 60, 180
Rng = np.random.Generator
# What multiplies an arm's error rate, (releases, windows).
Noise = Callable[[int, int, Rng], Floats]


def calm(number: int, windows: int, rng: Rng) -> Floats:
    """Nothing."""
    return np.ones((number, windows))


def bursts(cv2: float) -> Noise:
    """Errors in clumps: a gamma variable a minute with that squared coefficient of variation."""
    return partial(_bursts, cv2)


def bad_minutes(times: float, share: float) -> Noise:
    """So many times the errors, in that share of the minutes."""
    return partial(_bad_minutes, times, share)


def wandering(phi: float, deviation: float) -> Noise:
    """An autoregressive logarithm with that coefficient a minute and standard deviation."""
    return partial(_wandering, phi, deviation)


def _bursts(cv2: float, number: int, windows: int, rng: Rng) -> Floats:
    return rng.gamma(1 / cv2, cv2, (number, windows))


def _bad_minutes(times: float, share: float, number: int, windows: int, rng: Rng) -> Floats:
    return np.where(rng.random((number, windows)) < share, times, 1.0)


def _wandering(phi: float, deviation: float, number: int, windows: int, rng: Rng) -> Floats:
    logs = np.empty((number, windows))
    logs[:, 0] = rng.normal(0, deviation, number)
    for at in range(1, windows):
        logs[:, at] = phi * logs[:, at - 1] + rng.normal(0, deviation * np.sqrt(1 - phi * phi), number)
    found: Floats = np.exp(logs - deviation * deviation / 2)
    return found


def swing(number: int, windows: int, rng: Rng) -> Floats:
    """A day's swing of half the mean, caught at any hour."""
    phase = rng.uniform(0, 2 * np.pi, (number, 1))
    return 1 + 0.5 * np.sin(2 * np.pi * np.arange(windows) / 1440 + phase)


def spikes(number: int, windows: int, rng: Rng) -> Floats:
    """Ten times the errors for five minutes, about once an hour."""
    begins = rng.random((number, windows)) < 1 / 60
    on = np.zeros((number, windows), bool)
    for later in range(5):
        on[:, later:] |= begins[:, : windows - later]
    return np.where(on, 10.0, 1.0)


class World(NamedTuple):
    """One cell. `worse` multiplies the canary's errors in the 60 windows of the release, from `begins` on.

    `cold`: so many first windows in which the canary has so many times the errors. `retried`: the share of failed
    requests that clients try again, up to twice, on the canary, where they fail again with the chance `again`.
    """

    name: str
    rate: int = 6000
    weight: float = 0.1
    base: float = 0.003
    own: Noise = calm
    common: Noise = calm
    worse: float = 1.0
    begins: int = 0
    cold: tuple[int, float] = (0, 1.0)
    retried: float = 0.0
    again: float = 0.0
    # The policy's fields that are declared for it.
    declared: Mapping[str, Any] = {}


def errors(world: World, number: int, rng: Rng) -> Stream:
    """Requests and errors of so many releases of a world."""
    common = world.base * world.common(number, HISTORY + WINDOWS, rng)
    requests = rng.poisson(world.rate, (number, HISTORY + WINDOWS))
    theirs = common * world.own(number, HISTORY + WINDOWS, rng)
    factor = np.ones(WINDOWS)
    factor[world.begins :] = world.worse
    factor[: world.cold[0]] *= world.cold[1]
    ours = common[:, HISTORY:] * world.own(number, WINDOWS, rng) * factor
    past, now = requests[:, :HISTORY], requests[:, HISTORY:]
    canary = rng.binomial(now, world.weight)
    baseline = now - canary
    failed = rng.binomial(canary, np.minimum(ours, 1.0))
    if world.retried:
        canary, failed = _with_retries(world, canary, failed, rng)
    return Stream(
        n_a=baseline,
        k_a=rng.binomial(baseline, np.minimum(theirs[:, HISTORY:], 1.0)),
        n_b=canary,
        k_b=failed,
        past_n=past,
        past_k=rng.binomial(past, np.minimum(theirs[:, :HISTORY], 1.0)),
    )


def silent(like: Stream) -> Stream:
    """A stream of the same requests in which nothing ever happens."""
    nothing = np.zeros_like(like.n_a)
    return Stream(like.n_a, nothing, like.n_b, nothing, like.past_n, np.zeros_like(like.past_n))


def _with_retries(world: World, canary: Counts, failed: Counts, rng: Rng) -> tuple[Counts, Counts]:
    tried = failed
    for _ in range(2):
        tried = rng.binomial(tried, world.retried)
        canary, more = canary + tried, rng.binomial(tried, world.again)
        failed, tried = failed + more, more
    return canary, failed


# --- latency ------------------------------------------------------------------------------------

# Shares of the requests that are slower than each edge, in the hours before: what `survey` chooses.
OVER = (0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001)


class Slower(NamedTuple):
    """A canary whose requests take longer: all of them, or the slowest `part`, by `times`.

    Latencies are lognormal, `median` seconds and `sigma` in the logarithm. `noise` is the standard deviation of what a
    minute of an arm does to all its latencies, in the logarithm.
    """

    name: str
    median: float
    sigma: float
    times: float
    part: float = 1.0
    noise: float = 0.0
    rate: int = 6000
    weight: float = 0.1


def latencies(world: Slower, number: int, rng: Rng) -> dict[str, Stream]:
    """A stream for each edge, by its name."""
    scores = np.array([_score(share) for share in OVER])
    requests = rng.poisson(world.rate, (number, HISTORY + WINDOWS))
    past, now = requests[:, :HISTORY], requests[:, HISTORY:]
    canary = rng.binomial(now, world.weight)
    baseline = now - canary
    shift = np.log(world.times) / world.sigma

    def over(counts: Counts, worse: bool) -> Counts:
        drift = rng.normal(0, world.noise / world.sigma, counts.shape)[:, :, None] if world.noise else 0.0
        shares = _upper(scores - drift)
        if worse:
            # Of the requests beyond the quantile, those that are over the edge once they take longer.
            shares = np.maximum(shares, np.minimum(world.part, _upper(scores - drift - shift)))
        shares = np.broadcast_to(shares, (*counts.shape, len(OVER)))
        # Nested counts: those over an edge are among those over the one before.
        found, left, before = [], counts, np.ones(counts.shape)
        for at in range(len(OVER)):
            left = rng.binomial(left, np.minimum(1.0, shares[:, :, at] / before))
            before = shares[:, :, at]
            found.append(left)
        return np.stack(found, 2)

    kept, ours, theirs = over(past, False), over(canary, True), over(baseline, False)
    edges = [f"over:{world.median * np.exp(world.sigma * score):.3g}" for score in scores]
    return {
        edge: Stream(baseline, theirs[:, :, at], canary, ours[:, :, at], past, kept[:, :, at])
        for at, edge in enumerate(edges)
    }


def _score(share: float) -> float:
    from scipy.stats import norm

    return float(norm.isf(share))


def _upper(scores: Any) -> Floats:
    from scipy.special import ndtr

    found: Floats = ndtr(-np.asarray(scores, float))
    return found


# --- endpoints ----------------------------------------------------------------------------------

PLACES = 20


class Broken(NamedTuple):
    """A canary that fails a share of the requests of one endpoint, which has so much of the traffic."""

    name: str
    traffic: float
    fails: float
    base: float = 0.003
    rate: int = 6000
    weight: float = 0.1


def endpoints(world: Broken, number: int, rng: Rng) -> dict[str, Stream]:
    """Errors of the whole, and of each of the endpoints; the last one is broken."""
    shares = np.append((1 - world.traffic) * _zipf(PLACES - 1), world.traffic)
    streams = {}
    for at, share in enumerate(shares):
        some = World("", rate=max(1, round(world.rate * share)), weight=world.weight, base=world.base)
        stream = errors(some, number, rng)
        if at == PLACES - 1:
            broken = np.minimum(stream.n_b, stream.k_b + rng.binomial(stream.n_b, world.fails))
            stream = stream._replace(k_b=broken)
        streams[f"at:/{at}"] = stream
    whole = Stream(*(sum(getattr(each, name) for each in streams.values()) for name in Stream._fields))
    return {"errors": whole, "slow": silent(whole), **streams}


def _zipf(number: int) -> Floats:
    weights = 1 / np.arange(1, number + 1)
    found: Floats = weights / weights.sum()
    return found
