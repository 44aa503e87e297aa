"""Our judge over many releases, as `candlefish judge` runs it, and what it learns from the hours before each."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import numpy as np

from candlefish.analysis import calibration, levels
from candlefish.analysis.calibration import Calibration, calibrate
from candlefish.analysis.judge import first_state, judge
from candlefish.analysis.levels import LEVELS, NO_HISTORY, OUTLIERS
from candlefish.analysis.likelihood import BURSTS
from candlefish.analysis.model import Arm, JudgeState, Survey, Window
from candlefish.catalog.model import JudgePolicy
from cli.many.likelihoods import Floats, Split
from cli.many.likelihoods import _split as log_pair
from cli.many.releases import Judging, Known, Releases
from cli.many.tallies import Pairs
from tests.benchmarks.judge.counts import Counts, Decisions, Stream

MINUTE = 60.0
# Names of streams, errors and slow requests first, as the product has them.
Streams = Mapping[str, Stream]


def decide(policy: JudgePolicy, streams: Streams, *, history: bool) -> Decisions:
    """Judge each release on its own."""
    names = tuple(streams)
    count, windows = streams["errors"].n_a.shape
    known = learn(streams) if history else nothing_known(count, len(names))
    start = np.tile(MINUTE * np.arange(windows, dtype=float)[:, None], (1, count))

    def stacked(field: str) -> Floats:
        return np.stack([getattr(stream, field).T.astype(float) for stream in streams.values()], axis=2)

    errors = streams["errors"]
    releases = Releases(
        names=names,
        length=MINUTE,
        number=np.full(count, windows),
        start=start,
        end=start + MINUTE,
        baseline=errors.n_a.T.astype(float),
        canary=errors.n_b.T.astype(float),
        pairs=Pairs(*(stacked(field) for field in ("n_a", "k_a", "n_b", "k_b"))),
    )
    judging = Judging(policy, releases, known)
    for window in range(1, windows + 1):
        judging.look(window)
    return Decisions(judging.rolled_back, judging.promoted)


def nothing_known(count: int, streams: int) -> Known:
    """What is known without history."""
    spread = np.tile(np.array(NO_HISTORY)[:, None, None], (1, count, streams))
    return Known(spread, np.full((count, streams), OUTLIERS), np.zeros(count))


def learn(streams: Streams) -> Known:
    """What the hours before teach: `calibration.calibrate` in arrays."""
    count = streams["errors"].n_a.shape[0]
    found = nothing_known(count, len(streams))
    for at, (name, stream) in enumerate(streams.items()):
        n, k = stream.past_n.astype(float), stream.past_k.astype(float)
        some = k.any(1)
        spread, outliers = _noise(n[some], k[some])
        found.spread[:, some, at], found.outliers[some, at] = spread, outliers
        if name == "errors":
            found.ceiling[:] = _highest(n, k)
    return found


def _noise(n: Floats, k: Floats) -> tuple[Floats, Floats]:
    rows, windows = n.shape
    far = max(2, round(levels.FAR / MINUTE))
    logs = np.tile(np.array(NO_HISTORY)[:, None], (1, rows))
    close = [(at, at + 1) for at in range(0, windows - 1, 2)]
    apart = [
        (at + i, at + i + far)
        for at in range(0, windows - far, 2 * far)
        for i in range(0, far, 2)
        if at + i + far < windows
    ]
    for pairs, seconds, share in ((close, MINUTE, 1.0), (apart, far * MINUTE, calibration._APART)):
        for one, other in pairs:
            at = np.flatnonzero((n[:, one] > 0) & (n[:, other] > 0) & (k[:, one] + k[:, other] > 0))
            if not len(at):
                continue
            split = Split(n[at, one], k[at, one], n[at, other], k[at, other])
            every = np.arange(len(at))
            for level, each in enumerate(LEVELS):
                logs[level, at] += share * split.logs(each.apart(seconds), every)
    best = logs.argmax(0)
    spread = np.maximum(logs - logs.max(0), calibration._FLOOR)
    odd = np.zeros(rows)
    doubt_odds = log((1 - calibration._OUTLIER) / calibration._OUTLIER)
    for one, other in close:
        at = np.flatnonzero((n[:, one] > 0) & (n[:, other] > 0) & (k[:, one] + k[:, other] > 0))
        scaled = k[at, other] * n[at, one] / n[at, other]
        first, total = k[at, one], k[at, one] + scaled
        wide = log_pair(first, scaled, total, BURSTS[-1])
        for level, each in enumerate(LEVELS):
            mine = np.flatnonzero(best[at] == level)
            if len(mine):
                usual = log_pair(first[mine], scaled[mine], total[mine], each.apart(MINUTE))
                doubt = 1 / (1 + np.exp(np.minimum(doubt_odds + usual - wide[mine], 500.0)))
                odd[at[mine]] += np.where(doubt > 0.5, doubt, 0.0)
    return spread, np.minimum(0.1, (odd + 0.5) / (2 * len(close) + levels.DOUBT))


def _highest(n: Floats, k: Floats) -> Floats:
    def wilson(events: Floats, requests: Floats, sign: int) -> Floats:
        sure = calibration._SURE
        share, square = events / requests, sure * sure / requests
        middle = (share + square / 2) / (1 + square)
        half = np.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
        bounded: Floats = np.clip(middle + sign * half, 0.0, 1.0)
        return bounded

    whole = wilson(k.sum(1), np.maximum(n.sum(1), 1), 1)
    certain = np.where(n > 0, wilson(k, np.maximum(n, 1), -1), 0.0).max(1)
    return np.maximum(whole, certain)


def differs(policy: JudgePolicy, streams: Streams, decisions: Decisions, *, history: bool) -> bool:
    """Replay the first release through the product's judge; whether it decides otherwise."""
    windows = streams["errors"].n_a.shape[1]
    known = _calibrated(streams) if history else None
    state = first_state(policy, 0.0, "judge", known, _survey(streams))
    state, _ = judge(
        policy, state, [_window(streams, at) for at in range(windows)], MINUTE * windows, MINUTE * windows
    )
    return _when(state) != (decisions.rolled_back[0], decisions.promoted[0])


def _when(state: JudgeState) -> tuple[int, int]:
    ended, promoted = state.rolled_back, state.promoted
    return ended.window if ended else 0, promoted.window if promoted else 0


def _survey(streams: Streams) -> Survey:
    named = {
        family: [name[len(family) :] for name in streams if name.startswith(family)]
        for family in ("over:", "at:")
    }
    return Survey(edges=tuple(map(float, named["over:"])), places=tuple(named["at:"]))


def _calibrated(streams: Streams) -> dict[str, Calibration]:
    windows = streams["errors"].past_n.shape[1]
    past = [
        Window(
            MINUTE * (at - windows),
            MINUTE * (at + 1 - windows),
            _arm(streams, "past_n", "past_k", at),
            Arm(0),
        )
        for at in range(windows)
    ]
    return calibrate(past, tuple(streams))


def _window(streams: Streams, at: int) -> Window:
    baseline, canary = _arm(streams, "n_a", "k_a", at), _arm(streams, "n_b", "k_b", at)
    return Window(MINUTE * at, MINUTE * at + MINUTE, baseline, canary)


def _arm(streams: Streams, n: str, k: str, at: int) -> Arm:
    def pair(stream: Stream) -> tuple[int, int]:
        much: Counts = getattr(stream, n)
        bad: Counts = getattr(stream, k)
        return int(much[0, at]), int(bad[0, at])

    requests, errors = pair(streams["errors"])
    beside = {name: pair(stream) for name, stream in streams.items() if ":" in name}
    return Arm(requests, errors, pair(streams["slow"])[1] if "slow" in streams else 0, beside=beside)
