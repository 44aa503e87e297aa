"""Our judge over many releases, as `candlefish judge` runs it, and what it learns from the hours before each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from candlefish.analysis.calibration import Calibration, calibrate
from candlefish.analysis.judge import first_state, judge
from candlefish.analysis.levels import NO_HISTORY, OUTLIERS
from candlefish.analysis.model import Arm, JudgeState, Survey, Window
from candlefish.catalog.model import JudgePolicy
from cli.many.history import learn
from cli.many.likelihoods import Floats
from cli.many.releases import Judging, Known, Releases
from cli.many.streams import Pairs
from tests.benchmarks.judge.counts import Counts, Decisions, Stream

MINUTE = 60.0
# Names of streams, errors and slow requests first, as the product has them.
Streams = Mapping[str, Stream]


def decide(policy: JudgePolicy, streams: Streams, *, history: bool) -> Decisions:
    """Judge each release on its own."""
    names = tuple(streams)
    count, windows = streams["errors"].n_a.shape
    known = learned(streams) if history else nothing_known(count, len(names))
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


def learned(streams: Streams) -> Known:
    """What the hours before teach."""
    found = nothing_known(streams["errors"].n_a.shape[0], len(streams))
    for at, (name, stream) in enumerate(streams.items()):
        known = learn(stream.past_n.astype(float), stream.past_k.astype(float), MINUTE)
        found.spread[:, :, at], found.outliers[:, at] = known.spread, known.outliers
        if name == "errors":
            found.ceiling[:] = known.highest
    return found


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
