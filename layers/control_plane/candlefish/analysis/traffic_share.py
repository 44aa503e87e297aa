"""Whether the canary gets the share of the traffic that its weight says: a canary that is passed by is not proved.

The evidence is a likelihood ratio over the sums of a step against the nearest share that is still tolerable, averaged
over a grid of worse ones. So it may be looked at at any time, like the judge's (Ville 1939). Real balancers are not
exact, and the requests of one client come together: shares within `TOLERANCE` of the odds are no news however many
requests say so, and up to `CLUMP` requests count as one.
"""

from __future__ import annotations

from math import exp, log, log1p

import msgspec

from candlefish.analysis.model import Verdict, hold_or_ask

# The source whose requests are those that the load balancer has split. Applications count probes, too, of which each Pod
# gets as many whatever its weight.
COUNTED_BY = "cloudwatch"
# Odds, canary to baseline, that are this many times too small or too large are still as they should be.
TOLERANCE = 1.25
# Requests that may come together, because they are of one client.
CLUMP = 10
# Evidence to 1 that says so.
ENOUGH = 1000.0
# How many times further off than tolerable the odds may be, for the grid.
_FURTHER = (1.25, 2.0, 4.0, 10.0, 100.0)
_MOST = 1e9


class TrafficShare(msgspec.Struct, frozen=True):
    """A share of the requests that is not the canary's weight: all of it beyond chance and tolerance."""

    baseline: int
    canary: int
    # Percent of the requests that the canary was to get.
    weight: int
    # Evidence to 1, at least `ENOUGH`.
    evidence: float
    # It got less than half of what it was to get, as good as certainly.
    starved: bool = False


def misshared(baseline: int, canary: int, weight: int) -> TrafficShare | None:
    """What is wrong with the canary's share of the traffic; None: nothing, as far as the requests tell.

    Parameters
    ----------
    baseline, canary
        Requests of both since the step began.
    weight
        Percent of the traffic that the canary was to get all that time. At 0 and at 100 there is nothing to share.
    """
    if not 0 < weight < 100:
        return None
    odds = weight / (100 - weight)
    little = _too_few(canary, baseline, odds / TOLERANCE)
    much = _too_few(baseline, canary, 1 / (odds * TOLERANCE))
    found = max(little, much)
    if found < ENOUGH:
        return None
    half = weight / 2 / (100 - weight / 2)
    starved = _too_few(canary, baseline, half) >= ENOUGH
    return TrafficShare(baseline, canary, weight, found, starved)


def share_words(found: TrafficShare) -> str:
    """What is wrong with the share, and what to look at."""
    total = found.baseline + found.canary
    few = found.canary < total * found.weight / 100
    counts = f"the canary got {found.canary:,} of {total:,} requests since this step began"
    share = f"({100 * found.canary / total:.3g}%) at a weight of {found.weight}%"
    return f"{counts} {share}, {'less' if few else 'more'} than chance explains: look at {_LOOK[few]}"


def with_share(verdict: Verdict, found: TrafficShare | None, *, early: bool, over: bool) -> Verdict:
    """The verdict, with the words about the share; an early promotion of a starved canary is held.

    `early` says that the evidence of this step alone promotes; `over` that the deadline has passed, so that a person
    is asked instead.
    """
    if found is None:
        return verdict
    evidence = {**verdict.evidence, "traffic_share": msgspec.to_builtins(found)}
    words = share_words(found)
    if verdict.action == "promote" and early and found.starved:
        reason = f"{words}. Otherwise: {verdict.reason}"
        return Verdict(hold_or_ask(over), reason, evidence)
    return Verdict(verdict.action, f"{verdict.reason}; {words}", evidence)


_LOOK = {
    True: "the health of its targets, the zones they are in, and clients that stick to the old version",
    False: "the health of the old version's targets, the zones they are in, and clients that stick to the canary",
}


def _too_few(ours: int, theirs: int, odds: float) -> float:
    """Evidence that our requests come at less than these odds to theirs."""
    least = odds / (1 + odds)
    logs = []
    for further in _FURTHER:
        less = odds / further / (1 + odds / further)
        logs.append((ours * log(less / least) + theirs * (log1p(-less) - log1p(-least))) / CLUMP)
    top = max(logs)
    mean = top + log(sum(exp(one - top) for one in logs) / len(logs))
    return exp(min(mean, log(_MOST)))
