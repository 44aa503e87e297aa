"""What people meet every week, beyond the even grid: one cell each, and what is promised for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from candlefish.catalog.model import Duration, JudgePolicy
from tests.benchmarks.judge import ours, worlds
from tests.benchmarks.judge.counts import Counts, Stream, Traffic
from tests.benchmarks.judge.peers import PEERS, Peer
from tests.benchmarks.judge.peers_sequential import PEERS_LATENCY, PEERS_SEQUENTIAL, Latency
from tests.benchmarks.judge.shared import Shared, play
from tests.benchmarks.judge.worlds import (
    Broken,
    Slower,
    World,
    bad_minutes,
    bursts,
    endpoints,
    errors,
    latencies,
    silent,
    spikes,
    swing,
    wandering,
)

OURS = ("Candlefish", "Candlefish, no history")
LINDON = PEERS_SEQUENTIAL[0].name
WARM_UP = {"warm_up": Duration(180)}
AR = wandering(0.9, 0.5)


class Promise(NamedTuple):
    """What is promised of our judge with history: at most so many false rollbacks, a median of at most so many windows,
    or one of at most so many times that of the anytime-valid count test."""

    false: float = 1.0
    within: float = np.inf
    times_lindon: float = np.inf


ONE, THREE = Promise(false=0.01), Promise(false=0.03)
HEALTHY = (
    (World("steady"), ONE),
    (World("steady, half of the traffic, 1%", weight=0.5, base=0.01), ONE),
    (World("daily swing", common=swing), ONE),
    (World("common spikes", common=spikes), ONE),
    (World("AR(1) of both, sd 0.5", common=AR), ONE),
    (World("bursts, cv2 0.1", own=bursts(0.1)), ONE),
    (World("bursts, cv2 1", own=bursts(1.0)), ONE),
    (World("bursts, cv2 3", own=bursts(3.0)), ONE),
    (World("bursts, cv2 3, half of the traffic", own=bursts(3.0), weight=0.5), ONE),
    (World("bursts, cv2 5, half of the traffic", own=bursts(5.0), weight=0.5), Promise()),
    (World("bad minutes, 30x in 3%", own=bad_minutes(30, 0.03)), ONE),
    (World("bad minutes, 10x in 5%", own=bad_minutes(10, 0.05)), ONE),
    (World("bad minutes, 30x in 1%, half of the traffic", own=bad_minutes(30, 0.01), weight=0.5), ONE),
    (World("AR(1) of each arm, sd 0.3", own=wandering(0.9, 0.3)), THREE),
    (World("AR(1) of each arm, sd 0.5", own=AR), THREE),
    (World("AR(1) of each arm, sd 0.5, half of the traffic", own=AR, weight=0.5), THREE),
    (World("AR(1) of each arm, sd 0.8", own=wandering(0.9, 0.8)), Promise()),
    (World("cold, 1 window 10x, warm_up 3m", cold=(1, 10.0), declared=WARM_UP), ONE),
    (World("cold, 2 windows 5x, warm_up 3m", cold=(2, 5.0), declared=WARM_UP), ONE),
    (World("cold, 3 windows 6x, warm_up 3m", cold=(3, 6.0), declared=WARM_UP), ONE),
    (World("cold, 1 window 10x, nothing declared", cold=(1, 10.0)), Promise()),
    (World("clients retry on the canary only", retried=0.9, again=0.5), Promise()),
)
WORSE = (
    *(
        (World(f"{times:g}x, even traffic", worse=times), Promise(times_lindon=1.2 if times >= 2 else np.inf))
        for times in (1.5, 2.0, 3.0, 5.0)
    ),
    (World("3x from minute 21", worse=3.0, begins=20), Promise()),
    (World("3x in bursts, cv2 0.3", worse=3.0, own=bursts(0.3)), Promise()),
    (World("8x in bursts, cv2 1", worse=8.0, own=bursts(1.0)), Promise()),
    (World("5x with bad minutes, 30x in 3%", worse=5.0, own=bad_minutes(30, 0.03)), Promise()),
    (World("5x, AR(1) of each arm, sd 0.5", worse=5.0, own=AR), Promise()),
    (World("28% of 30 requests a minute", rate=300, base=0.003, worse=0.28 / 0.003), Promise(within=1)),
    (World("50% of 20 requests a minute", rate=200, base=0.003, worse=0.5 / 0.003), Promise(within=1)),
    (World("half of all requests", worse=0.5 / 0.003), Promise(within=1)),
    (World("half of all requests, warm_up 3m", worse=0.5 / 0.003, declared=WARM_UP), Promise(within=1)),
)
SIX = Promise(within=6)
SLOWER = (
    (Slower("latency as before", 0.1, 0.6, 1.0), ONE),
    (Slower("latency as before, each minute 5% up or down", 0.1, 0.6, 1.0, noise=0.05), ONE),
    (Slower("all 1.2x, p50 100 ms", 0.1, 0.6, 1.2), Promise()),
    (Slower("all 2x, p50 60 ms", 0.06, 0.5, 2.0), SIX),
    (Slower("all 2x, p50 100 ms", 0.1, 0.8, 2.0), SIX),
    (Slower("the slowest half 2x", 0.1, 0.6, 2.0, part=0.5), SIX),
    (Slower("the slowest tenth 2x", 0.1, 0.6, 2.0, part=0.1), SIX),
    (Slower("the slowest hundredth 2x", 0.1, 0.6, 2.0, part=0.01), SIX),
)
BROKEN = (
    (Broken("endpoints as before", 0.01, 0.0), ONE),
    (Broken("1% of the traffic fails 30%", 0.01, 0.3), Promise(within=10)),
    (Broken("2% of the traffic fails 10%", 0.02, 0.1), Promise()),
)
FIVE = Promise(within=5)
SHARED = (
    (Shared("the canary breaks both: 5%", 0.05), Promise()),
    (Shared("the canary breaks both: 20%", 0.2), FIVE),
    (Shared("the canary breaks both: 45%", 0.45), FIVE),
    (Shared("the world breaks both: 20% for 15 minutes", 0.2, by_canary=False, lasts=15), ONE),
    (Shared("nothing is broken, daily swing", 0.003, by_canary=False, common=swing), ONE),
)


class Work(NamedTuple):
    """One cell, how many releases of it, and by which policy."""

    kind: str
    world: Any
    promise: Promise
    releases: int
    seed: int
    policy: JudgePolicy
    # Whether it is the first part, which is judged without history as well.
    first: bool = True


def jobs(healthy: int, bad: int, seed: int, policy: JudgePolicy) -> list[Work]:
    """Every cell; where false rollbacks are counted, of `healthy` releases."""
    found = []
    for kind, cells in (
        ("errors", HEALTHY),
        ("worse", WORSE),
        ("latency", SLOWER),
        ("places", BROKEN),
        ("shared", SHARED),
    ):
        for world, promise in cells:
            number = bad if kind == "worse" or promise.within < np.inf else healthy
            found.append(
                Work(kind, world, promise, min(number, bad) if kind == "shared" else number, seed, policy)
            )
    return [job._replace(seed=seed + at) for at, job in enumerate(found)]


# Releases that are simulated at once, for memory's sake; without history only so many are judged.
PART = 2000


def run(job: Work) -> dict[str, Any]:
    """One cell: for each rule the share rolled back and the median window from the beginning of the regression."""
    rng = np.random.default_rng(job.seed)
    parts: dict[str, list[Said]] = {}
    for done in range(0, job.releases, PART):
        part = job._replace(releases=min(PART, job.releases - done), first=not done)
        for name, said in KINDS[job.kind](part, rng).items():
            parts.setdefault(name, []).append(said)
    begins = getattr(job.world, "begins", 0)
    row = {
        "name": job.world.name,
        "kind": job.kind,
        "releases": job.releases,
        "promise": job.promise._asdict(),
    }
    return {**row, "rules": {name: _together(said, begins) for name, said in parts.items()}}


class Said(NamedTuple):
    """What a rule said of some releases: the window of the rollback (0: never), and what else is counted."""

    rolled_back: Counts
    counted: Mapping[str, Counts] = {}
    differs: bool | None = None


Rules = dict[str, Said]


def _together(said: list[Said], begins: int) -> dict[str, Any]:
    found = told(np.concatenate([one.rolled_back for one in said]), begins)
    for name in said[0].counted:
        found[name] = float(np.concatenate([one.counted[name] for one in said]).mean())
    if said[0].differs is not None:
        found["differs"] = sum(bool(one.differs) for one in said)
        found["replayed"] = len(said)
    return found


def _errors(job: Work, rng: np.random.Generator) -> Rules:
    stream = errors(job.world, job.releases, rng)
    policy = msgspec.structs.replace(job.policy, **job.world.declared)
    return {**_ours(policy, {"errors": stream, "slow": silent(stream)}, job.first), **_peers(stream)}


def _latency(job: Work, rng: np.random.Generator) -> Rules:
    over = latencies(job.world, job.releases, rng)
    first = next(iter(over.values()))
    rules = _ours(job.policy, {"errors": silent(first), "slow": silent(first), **over}, job.first)
    latency = Latency(
        first.n_a,
        np.stack([stream.k_a for stream in over.values()], 2),
        first.n_b,
        np.stack([stream.k_b for stream in over.values()], 2),
    )
    return {**rules, **{peer.name: Said(peer.decide(latency)) for peer in PEERS_LATENCY}}


def _places(job: Work, rng: np.random.Generator) -> Rules:
    streams = endpoints(job.world, job.releases, rng)
    return {**_ours(job.policy, streams, job.first), **_peers(streams["errors"])}


def _shared(job: Work, rng: np.random.Generator) -> Rules:
    played = [play(job.world, rng) for _ in range(job.releases)]
    rolled = np.array([one.rolled_back for one in played])
    # A canary that broke what both share is to be rolled back; one that did not is not.
    minutes = [(one.minutes or 0) if one.rolled_back or job.world.by_canary else 0 for one in played]
    counted = {"blamed": rolled, "experiments": np.array([one.experiments for one in played])}
    return {OURS[0]: Said(np.array(minutes) if job.world.by_canary else rolled.astype(int), counted)}


KINDS: Mapping[str, Callable[[Work, np.random.Generator], Rules]] = {
    "errors": _errors,
    "worse": _errors,
    "latency": _latency,
    "places": _places,
    "shared": _shared,
}


def _ours(policy: JudgePolicy, streams: Mapping[str, Stream], first: bool) -> Rules:
    rules = {}
    for name, history in ((OURS[0], True), (OURS[1], False))[: 1 + first]:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            decisions = ours.decide(policy, streams, history=history)
        differs = ours.differs(policy, streams, decisions, history=history)
        rules[name] = Said(decisions.rolled_back, {"promoted": decisions.promoted > 0}, differs)
    return rules


def _peers(stream: Stream) -> Rules:
    traffic = Traffic(stream.n_a, stream.k_a, stream.n_b, stream.k_b)
    return {peer.name: Said(_peer(peer, traffic)) for peer in (*PEERS_SEQUENTIAL, *PEERS)}


def _peer(peer: Peer, traffic: Traffic) -> Counts:
    return peer.decide(Traffic(*(counts[: peer.at_most] for counts in traffic)))


def told(rolled_back: Counts, begins: int) -> dict[str, Any]:
    """Of releases: how many, how many were rolled back before `begins`, the share and median window of the others."""
    early = (rolled_back > 0) & (rolled_back <= begins)
    late = rolled_back[~early]
    middle = float(np.median(np.where(late > 0, late - begins, 10**6))) if len(late) else 10.0**6
    return {
        "releases": len(rolled_back),
        "early": int(early.sum()),
        "rolled_back": float((late > 0).mean()) if len(late) else 0.0,
        "median": middle if middle <= worlds.WINDOWS else None,
    }


# --- what was promised --------------------------------------------------------------------------


def promises(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The promise of each cell that has one, what was measured, and whether it was kept."""
    found = [_kept(row, OURS[0]) for row in rows]
    rules = [rule for row in rows for rule in row["rules"].values()]
    wrong, replayed = (sum(rule.get(name, 0) for rule in rules) for name in ("differs", "replayed"))
    same = {
        "promise": "the benchmark decides like the product's judge, stream by stream",
        "measured": f"{wrong} of {replayed} replayed decisions differ",
        "kept": not wrong,
    }
    return [*(one for one in found if one), same]


def _kept(row: dict[str, Any], name: str) -> dict[str, Any] | None:
    promise, mine = Promise(**row["promise"]), row["rules"][name]
    median = np.inf if mine["median"] is None else mine["median"]
    if promise.false < 1:
        limit = f"at most {promise.false:.0%} false rollbacks"
        return _said(row, limit, f"{mine['rolled_back']:.2%}", mine["rolled_back"] <= promise.false)
    if promise.within < np.inf:
        return _said(row, f"within {promise.within:g} windows", f"{median:g}", median <= promise.within)
    if promise.times_lindon < np.inf:
        peer = row["rules"][LINDON]["median"]
        limit = f"within {promise.times_lindon:g} times the anytime-valid count test"
        # Windows are whole.
        return _said(
            row, limit, f"{median:g} against {peer:g}", median <= np.ceil(promise.times_lindon * peer)
        )
    return None


def _said(row: dict[str, Any], limit: str, measured: str, kept: bool) -> dict[str, Any]:
    return {"promise": f"{row['name']}: {limit}", "measured": measured, "kept": bool(kept)}


def table(rows: list[dict[str, Any]]) -> str:
    """The cells as text: the share rolled back, and the median window of a rollback."""
    lines = []
    for kind, title in TITLES.items():
        some = [row for row in rows if row["kind"] == kind]
        names = list(dict.fromkeys(name for row in some for name in row["rules"]))
        lines += ["", title, ""]
        for row in some:
            lines.append(f"{row['name']} ({row['releases']:,} releases)")
            for name in names:
                rule = row["rules"].get(name)
                if rule:
                    when = "never" if rule["median"] is None else f"{rule['median']:g}"
                    more = (
                        f", {rule['blamed']:.1%} blamed, {rule['experiments']:.1f} experiments a release"
                        if "experiments" in rule
                        else ""
                    )
                    lines.append(f"    {name:<44}{rule['rolled_back']:>9.2%}   median {when}{more}")
    return "\n".join(lines) + "\n"


TITLES = {
    "errors": "Healthy canaries that were rolled back, by what the service does by itself",
    "worse": "Regressions: share found within the hour, and the median window from their beginning",
    "latency": "Latency: share rolled back, and the median window",
    "places": "Endpoints: share rolled back, and the median window",
    "shared": "Troubles that both versions have: canaries rolled back, and minutes until users are free of it",
}
