"""The streams of a recording, judged many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from candlefish.analysis.judge import metrics, streams
from candlefish.analysis.levels import NO_HISTORY, OUTLIERS
from candlefish.analysis.model import JudgeState, Mode, Survey
from candlefish.catalog.model import JudgePolicy
from cli.many.history import learn
from cli.many.likelihoods import Floats
from cli.many.releases import Judging, Known, Releases
from cli.many.streams import Pairs, Rows
from cli.recording import Counts, Recording, stream_of, survey_of

# Windows times releases of a batch: as many as are worth numpy's while, and no more than memory has for their streams.
_CELLS, _CELLS_OF_STREAMS = 300_000, 1_500_000
# With fewer streams in a batch than this, one by one is quicker.
WORTH = 6
# Windows of a stream are of one length if they differ by no more; seconds.
_ALIKE = 1e-3


class Batch(NamedTuple):
    """Streams of a recording, by their numbers, that tell the same and whose windows are of one length (seconds)."""

    numbers: Rows
    survey: Survey
    length: float


class Last(NamedTuple):
    """The judge's state where the last word on a stream falls, and when that was: now, or at the end of its windows."""

    number: int
    state: JudgeState
    end: float


def batches(policy: JudgePolicy, recording: Recording) -> tuple[list[Batch], list[int]]:
    """Streams that can be judged many at once; and those that have to be judged one by one, by their numbers."""
    names = _named(recording)
    lengths = recording.end - recording.start
    longest = np.maximum.reduceat(lengths, recording.first[:-1])
    alike = longest - np.minimum.reduceat(lengths, recording.first[:-1]) <= _ALIKE
    alike &= np.array([not names for names in recording.untold(metrics(policy))])
    if policy.comparison == "sign":
        alike[:] = False
    groups: dict[tuple[tuple[str, ...], float], list[int]] = defaultdict(list)
    for number in np.flatnonzero(alike).tolist():
        groups[names.get(number, ()), round(float(longest[number]), 3)].append(number)
    windows = np.diff(recording.first)
    found, alone = [], np.flatnonzero(~alike).tolist()
    for (told, length), members in groups.items():
        survey = survey_of(told)
        width = _CELLS_OF_STREAMS // len(streams(policy, survey))
        by_length = np.array(members)[np.argsort(windows[members], kind="stable")[::-1]]
        while len(by_length):
            number = min(len(by_length), min(_CELLS, width) // int(windows[by_length[0]]))
            if number < WORTH:
                number = max(1, number)
                alone += by_length[:number].tolist()
            else:
                found.append(Batch(by_length[:number], survey, length))
            by_length = by_length[number:]
    return found, sorted(alone)


def last_states(
    policy: JudgePolicy, recording: Recording, past: Recording | None, mode: Mode, batch: Batch
) -> Iterator[Last]:
    """Where each stream of a batch ends: rolled back, promoted for good, or undecided after all of its windows."""
    names = streams(policy, batch.survey)
    judging = Judging(
        policy,
        _releases(policy, recording, batch, names),
        _known(policy, recording, past, batch, names),
        mode,
    )
    promoted: dict[int, JudgeState] = {}
    number, end = judging.releases.number, judging.releases.end
    for window in range(1, int(number.max()) + 1):
        out, early = judging.look(window)
        if mode == "judge":
            promoted |= dict(zip(early.tolist(), judging.states(early, window), strict=True))
        done = np.flatnonzero((number == window) & (judging.rolled_back == 0))
        kept = judging.rests(done) if mode == "judge" else np.zeros(len(done), bool)
        for row in done[kept].tolist():
            state = promoted[row]
            yield Last(int(batch.numbers[row]), state, state.until)
        for rows in (out, done[~kept]):
            for row, state in zip(rows.tolist(), judging.states(rows, window), strict=True):
                yield Last(int(batch.numbers[row]), state, float(end[number[row] - 1, row]))
        for row in out.tolist():
            promoted.pop(row, None)


def _named(recording: Recording) -> dict[int, tuple[str, ...]]:
    """The streams beside the counts of those that have some."""
    found: dict[int, set[str]] = defaultdict(set)
    telling = [at for at, row in enumerate(recording.rows) if row.baseline.beside or row.canary.beside]
    numbers = np.searchsorted(recording.first, telling, side="right") - 1
    for at, number in zip(telling, numbers.tolist(), strict=True):
        for arm in (recording.rows[at].baseline, recording.rows[at].canary):
            found[number].update(arm.beside or ())
    return {number: tuple(sorted({stream_of(name) for name in names})) for number, names in found.items()}


def _releases(policy: JudgePolicy, recording: Recording, batch: Batch, names: tuple[str, ...]) -> Releases:
    number = np.diff(recording.first)[batch.numbers]
    window = np.minimum(np.arange(int(number.max()))[:, None], number - 1)
    at = recording.first[batch.numbers] + window
    baseline, canary = recording.counts[0][at], recording.counts[1][at]
    pairs = Pairs(*(np.zeros((*at.shape, len(names))) for _ in range(4)))
    less = {counter.name for counter in policy.counters if counter.bad == "less"}
    for stream, name in enumerate(names):
        sides = [side[at] for side in _sides(recording, name)]
        if name in less:
            # Fewer on the canary is more on the baseline.
            sides = [*sides[2:], *sides[:2]]
        for side, counts in zip(pairs, sides, strict=True):
            side[:, :, stream] = counts
    return Releases(
        names,
        batch.length,
        number,
        recording.start[at],
        recording.end[at],
        baseline[:, :, 0],
        canary[:, :, 0],
        pairs,
    )


def _sides(recording: Recording, name: str) -> list[Floats]:
    """How much of a stream both versions had in each window, and how much of it was bad: the baseline's pair first."""
    if name in ("errors", "slow"):
        column = 1 if name == "errors" else 2
        return [recording.counts[side][:, which] for side in (0, 1) for which in (0, column)]
    found: list[Floats] = []
    for side in ("baseline", "canary"):
        arms: Sequence[Counts] = [getattr(row, side) for row in recording.rows]
        if ":" in name:
            told = [
                next((pair for each, pair in (arm.beside or {}).items() if stream_of(each) == name), (0, 0))
                for arm in arms
            ]
        else:
            told = [(arm.requests, (arm.counters or {}).get(name, 0)) for arm in arms]
        found += [*np.array(told, float).T]
    return found


def _known(
    policy: JudgePolicy,
    recording: Recording,
    past: Recording | None,
    batch: Batch,
    names: tuple[str, ...],
) -> Known:
    count = len(batch.numbers)
    known = Known(
        np.tile(np.array(NO_HISTORY)[:, None, None], (1, count, len(names))),
        np.full((count, len(names)), OUTLIERS),
        np.zeros(count),
    )
    if past:
        told = [_sides(past, name)[:2] for name in names]
        for (windows, length), rows in _alike_past(recording, past, batch).items():
            at = np.array([served for _, served in rows]).reshape(len(rows), windows)
            some = np.array([row for row, _ in rows])
            for stream, (much, bad) in enumerate(told):
                history = learn(much[at], bad[at], length)
                known.spread[:, some, stream], known.outliers[some, stream] = history.spread, history.outliers
                if not stream:
                    known.ceiling[some] = history.highest
    return known


def _alike_past(
    recording: Recording, past: Recording, batch: Batch
) -> dict[tuple[int, float], list[tuple[int, Rows]]]:
    """The rows of a batch that have a past, by its number of windows and their length; and where in it they are."""
    found: dict[tuple[int, float], list[tuple[int, Rows]]] = defaultdict(list)
    called = list(recording.streams)
    for row, number in enumerate(batch.numbers.tolist()):
        before = past.streams.get(called[number])
        if before is not None:
            at = np.arange(past.first[before], past.first[before + 1])
            served = at[past.counts[0, at, 0] > 0]
            if len(served):
                length = round(float(past.end[served[0]] - past.start[served[0]]), 3)
                found[len(served), length].append((row, served))
    return found
