"""`candlefish.analysis.evidence` for many streams at once: a row a stream, an entry of the first axis a level of noise.

A level that a stream does not follow (any more) keeps its place in the arrays and is not looked at.
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from candlefish.analysis import evidence, levels, regressions
from candlefish.analysis.levels import LEVELS
from candlefish.analysis.model import Tally
from candlefish.analysis.wandering import REACH, moved, stationary
from candlefish.catalog.model import JudgePolicy
from cli.many.likelihoods import Flags, Floats, Split, log_binomial, log_likelihoods
from cli.many.sleepers import catch_up
from cli.many.streams import EVENS, WANDERERS, Pairs, Rows, negligible, unreleased

_WIDTH = 2 * REACH + 1
_FAVOURS = np.array(regressions.WEIGHTS)
_FAVOURS_WANDERING = np.array(regressions.wide_weights())


class Tallies:
    """The evidence of many streams, whose windows are all of one length (seconds)."""

    def __init__(
        self, policy: JudgePolicy, spread: Floats, outliers: Floats, followed: Flags, length: float
    ) -> None:
        """`spread` are log-weights of `LEVELS`, (levels, rows), as they stand; `followed` those that are."""
        self.policy, self.length = policy, length
        self.number = number = spread.shape[1]
        self.spread, self.outliers = spread.copy(), outliers
        self.followed = followed.copy()
        self.asleep = np.zeros_like(followed)
        shape = (len(LEVELS), number)
        self.null, self.same, self.worse, self.negligible = (np.zeros(shape) for _ in range(4))
        self.rise = {level: np.zeros((number, len(regressions.WEIGHTS))) for level in EVENS}
        places = len(regressions.WANDERING_POWERS), _WIDTH
        self.risen = {level: np.zeros((number, *places)) for level in WANDERERS}
        anywhere = {level: np.array(stationary(LEVELS[level].spread)) for level in WANDERERS}
        self.place = {level: np.tile(each, (number, 1)) for level, each in anywhere.items()}
        self.departed = {level: np.tile(each, (number, 1)) for level, each in anywhere.items()}
        self.against, self.waiting = np.ones(number), np.zeros(number)
        # Windows that are kept: those that lie so far back are compared with, and missed by who is asleep.
        self.far = max(2, round(levels.NEARBY / length))
        self.past = np.zeros((4, 0, number))
        self.seen = np.zeros(number, np.intp)
        self.total, self.run = np.zeros((4, number)), np.zeros((5, number))
        self.total_odds, self.run_odds = np.zeros((5, number)), np.zeros((5, number))
        self.run_since, self.run_log = np.zeros(number), np.zeros(number)
        self.moves = {level: _matrix(LEVELS[level].spread, length) for level in WANDERERS}

    @classmethod
    def new(cls, policy: JudgePolicy, spread: Floats, outliers: Floats, length: float) -> Tallies:
        """Tallies with no evidence; `spread` are log-weights of `LEVELS`, (levels, rows)."""
        weights = spread - _log_sum(spread)
        followed = weights > log(levels.UNLIKELY)
        tallies = cls(policy, weights, outliers, followed, length)
        tallies.asleep = ~followed
        return tallies

    def update(self, rows: Rows, pairs: Pairs, start: Floats, together: Flags) -> None:
        """Consume the next window of some rows; `start` epoch seconds."""
        before = self.seen[rows]
        left = unreleased(before + 1)
        self._keep(rows, pairs, before)
        self.seen[rows] += 1
        step = self._odds(rows, pairs, unreleased(before) - left)
        eventful = np.flatnonzero(pairs.k_a + pairs.k_b > 0)
        self._weigh(rows[eventful], left[eventful])
        sleepers = np.flatnonzero(self.asleep[:, rows].any(0))
        if len(sleepers):
            self._miss(rows[sleepers], left[sleepers])
        self._learn(rows, pairs, before, self.followed & (self.followed.sum(0) > 1))
        self._follow(rows, pairs, step, start, together)

    def in_favour(self, rows: Rows) -> Floats:
        """Evidence that the canary is tolerable: as good as the baseline, or negligible in itself."""
        followed, spread = self.followed[:, rows], self.spread[:, rows]
        some = followed.copy()
        some[list(WANDERERS)] &= ~followed[list(EVENS)].any(0)
        same = _log_sum(np.where(some, spread + self.same[:, rows], -np.inf))
        worse = _log_sum(np.where(some, spread + self.worse[:, rows], -np.inf))
        weights = np.exp(self._log_likely(rows))
        quiet = (weights * np.exp(np.minimum(self.negligible[:, rows], 500.0))).sum(0)
        found: Floats = (np.exp(np.minimum(same - worse, 500.0)) + quiet) / 2
        return found

    def tallies(self, rows: Rows) -> list[Tally]:
        """Some rows as the scalar judge has them; what only the next windows need is left out."""
        if not len(rows):
            return []
        fields: dict[str, Any] = {name: getattr(self, name)[:, rows].T.tolist() for name in _BY_LEVEL}
        rise = {level: self.rise[level][rows].tolist() for level in EVENS}
        rise |= {level: self.risen[level][rows].reshape(len(rows), -1).tolist() for level in WANDERERS}
        place = {level: self.place[level][rows].tolist() for level in WANDERERS}
        departed = {level: self.departed[level][rows].tolist() for level in WANDERERS}
        whole: dict[str, Any] = {
            name: getattr(self, name)[:, rows].astype(int).T.tolist() for name in ("total", "run")
        }
        whole |= {name: getattr(self, name)[:, rows].T.tolist() for name in ("total_odds", "run_odds")}
        whole |= {name: getattr(self, name)[rows].tolist() for name in _SINGLE}
        followed = self.followed[:, rows].T.tolist()
        found = []
        for at in range(len(rows)):
            kept = [level for level, is_kept in enumerate(followed[at]) if is_kept]
            rest = {name: values[at] for name, values in whole.items()}
            rest |= {name: [values[at][level] for level in kept] for name, values in fields.items()}
            found.append(
                Tally(
                    levels=kept,
                    rise=[rise[level][at] for level in kept],
                    place=[place[level][at] if level in place else [] for level in kept],
                    departed=[departed[level][at] if level in departed else [] for level in kept],
                    asleep=[],
                    asleep_spread=[],
                    missed=[],
                    missed_before=0,
                    past=[],
                    **rest,
                )
            )
        return found

    # --- one window

    def _keep(self, rows: Rows, pairs: Pairs, before: Rows) -> None:
        if len(rows) and before.max() >= self.past.shape[1]:
            more = np.zeros((4, max(16, self.past.shape[1]), self.number))
            self.past = np.concatenate([self.past, more], axis=1)
        for side, counts in enumerate(pairs):
            self.past[side, before, rows] = counts

    def _odds(self, rows: Rows, pairs: Pairs, prior: Floats) -> Floats:
        """The e-values; returns the log-likelihood ratio that the stretch is followed with."""
        policy = self.policy
        for level, noise in enumerate(LEVELS):
            part = np.flatnonzero(self.followed[level, rows])
            if len(part):
                quiet = negligible(pairs.at(part), policy.negligible, noise.burst)
                self.negligible[level, rows[part]] += quiet
        told = (pairs.k_a + pairs.k_b > 0) & (pairs.n_a > 0) & (pairs.n_b > 0)
        # A window that says nothing: a regression may have begun, and what wanders stays where it is.
        self.waiting[rows[~told]] += prior[~told]
        step = np.zeros(len(rows))
        at = np.flatnonzero(told)
        some, pairs = rows[at], pairs.at(at)
        prior = prior[at] + self.waiting[some]
        self.waiting[some] = 0.0
        best, found = np.full(len(some), -1e300), np.zeros(len(some))
        shown = self.shown(some)
        points = np.empty((len(some), len(regressions.WEIGHTS) + 3))
        points[:, :-1], points[:, -1] = regressions.ratios(policy.margin, policy.tolerance), shown
        for level in EVENS:
            part = np.flatnonzero(self.followed[level, some])
            if len(part):
                here = some[part]
                ratio = self._even(level, here, pairs.at(part), prior[part], points[part])
                weight = self.spread[level, here] + self.null[level, here]
                better = weight > best[part]
                best[part[better]], found[part[better]] = weight[better], ratio[better]
        wandering = np.flatnonzero(self.followed[list(WANDERERS)][:, some].any(0))
        if len(wandering):
            logs = log_binomial(*pairs.at(wandering), regressions.wandering_ratios(policy.margin))
            tops = logs.max(1)
            likelihoods = np.exp(logs - tops[:, None])
            for level in WANDERERS:
                part = np.flatnonzero(self.followed[level, some[wandering]])
                if len(part):
                    where = wandering[part]
                    self.wander(level, some[where], tops[part], likelihoods[part], prior[where])
        step[at] = found
        return step

    def shown(self, rows: Rows) -> Floats:
        """The odds ratio of the stretch so far."""
        up, down = self.run_odds[:2, rows]
        known = (up > 0) & (down > 0)
        logs = np.log(np.where(known, up, 1.0) / np.where(known, down, 1.0))
        ratio = np.where(known, np.exp(np.round(20 * logs) / 20), regressions.SHOWN_FIRST)
        least = regressions.SHOWN_LEAST * self.policy.margin
        bounded: Floats = np.minimum(np.maximum(ratio, least), regressions.SHOWN_MOST)
        return bounded

    def _even(self, level: int, rows: Rows, pairs: Pairs, prior: Floats, points: Floats) -> Floats:
        bad = self.outliers[rows]
        logs = log_likelihoods(*pairs, points, LEVELS[level].burst)
        top = logs.max(1)
        base = np.log((1 - bad) * np.exp(logs[:, 0] - top) + bad) + top
        slack = evidence._SLACKS[level]
        self.null[level, rows] += base
        self.same[level, rows] += logs[:, 1] - slack
        self.worse[level, rows] += np.log((1 - bad) * np.exp(logs[:, 2] - top) + bad) + top
        risen = (self.rise[level][rows] + prior[:, None]) * np.exp(logs[:, 3:] - (base + slack)[:, None])
        self.rise[level][rows] = np.minimum(risen, evidence._MOST)
        ratio: Floats = logs[:, 4] - base
        return ratio

    def wander(self, level: int, rows: Rows, tops: Floats, likelihoods: Floats, prior: Floats) -> None:
        moves, bad = self.moves[level], self.outliers[rows][:, None]
        here = self.place[level][rows] @ moves
        now = here * ((1 - bad) * likelihoods[:, :_WIDTH] + bad)
        total = now.sum(1)
        self.place[level][rows] = now / total[:, None]
        gain = np.log(total) + tops
        self.null[level, rows] += gain
        self.same[level, rows] += gain
        first = regressions.tolerated(self.policy)
        gone = (self.departed[level][rows] @ moves) * (
            (1 - bad) * likelihoods[:, first : first + _WIDTH] + bad
        )
        worse = gone.sum(1)
        self.departed[level][rows] = gone / worse[:, None]
        self.worse[level, rows] += np.log(worse) + tops
        begun = (prior / total)[:, None] * here
        risen = self.risen[level][rows] @ moves
        for at, power in enumerate(regressions.WANDERING_POWERS):
            odds = likelihoods[:, power : power + _WIDTH]
            risen[:, at] = (risen[:, at] / total[:, None] + begun) * odds
        self.risen[level][rows] = np.minimum(risen, evidence._MOST)

    def _log_likely(self, rows: Rows) -> Floats:
        """Log-probability of each level, given everything seen; of those that are followed."""
        weights = np.where(self.followed[:, rows], self.spread[:, rows] + self.null[:, rows], -np.inf)
        found: Floats = weights - _log_sum(weights)
        return found

    def _weigh(self, rows: Rows, left: Floats) -> None:
        """The evidence after a window; levels that are ruled out, and without a say in it, are no more work."""
        if not len(rows):
            return
        weights = np.exp(self._log_likely(rows))
        risen = np.zeros_like(weights)
        for level in range(len(LEVELS)):
            at = np.flatnonzero(self.followed[level, rows])
            if not len(at):
                continue
            if level in self.rise:
                sums = self.rise[level][rows[at]] @ _FAVOURS
            else:
                sums = self.risen[level][rows[at]].reshape(len(at), -1) @ _FAVOURS_WANDERING
            risen[level, at] = weights[level, at] * sums
        self.against[rows] = np.minimum((weights * left + risen).sum(0), evidence._MOST)
        self.followed[:, rows] &= (weights > evidence._NEVER) | (risen > evidence._NOTHING)

    def _miss(self, rows: Rows, left: Floats) -> None:
        """Let the levels that are not followed join, with what they missed, once something speaks against the canary."""
        awake = self.against[rows] >= levels.AWAKE
        over = ~awake & (self.seen[rows] >= levels.MISSED)
        self.asleep[:, rows[over]] = False
        rows, left = rows[awake], left[awake]
        if not len(rows):
            return
        asleep = self.asleep[:, rows]
        # A level that was alone had nothing to be weighed against, and learns what it missed, too.
        learning = asleep | (self.followed[:, rows] & (self.followed[:, rows].sum(0) == 1))
        late = Tallies(self.policy, self.spread[:, rows], self.outliers[rows], asleep, self.length)
        catch_up(late, Pairs(*self.past[:, : int(self.seen[rows].max()), rows]), self.seen[rows], learning)
        self.spread[:, rows] = np.where(learning, late.spread, self.spread[:, rows])
        for name in _BY_LEVEL[1:]:
            mine = getattr(self, name)
            mine[:, rows] = np.where(asleep, getattr(late, name), mine[:, rows])
        for name in ("rise", "risen", "place", "departed"):
            for level, mine in getattr(self, name).items():
                joins = np.flatnonzero(asleep[level])
                mine[rows[joins]] = getattr(late, name)[level][joins]
        self.followed[:, rows] |= asleep
        self.asleep[:, rows] = False
        self._weigh(rows, left)

    def _learn(self, rows: Rows, pairs: Pairs, before: Rows, learning: Flags) -> None:
        """What the baseline's own windows say of its noise: neighbours, and windows some minutes apart.

        `learning` are the levels that learn, (levels, all rows).
        """
        for back, share in ((1, 2), (self.far, 3)):
            at = np.flatnonzero((before >= back) & (pairs.n_a > 0))
            some, then = rows[at], before[at] - back
            n_1, k_1, n_2, k_2 = (
                self.past[0, then, some],
                self.past[1, then, some],
                pairs.n_a[at],
                pairs.k_a[at],
            )
            told = np.flatnonzero((n_1 > 0) & (k_1 + k_2 > 0))
            if len(told):
                some = some[told]
                bursts = [level.apart(back * self.length) for level in LEVELS]
                split = Split(n_1[told], k_1[told], n_2[told], k_2[told])
                for level, burst in enumerate(bursts):
                    part = np.flatnonzero(learning[level, some])
                    if len(part):
                        self.spread[level, some[part]] += split.logs(burst, part) / share

    def _follow(self, rows: Rows, pairs: Pairs, step: Floats, start: Floats, together: Flags) -> None:
        """Keep the sums, and the stretch of windows that speaks against the canary, for the operator to read."""
        self.total[:, rows] += np.stack(pairs)
        n_a, k_a, n_b, k_b = pairs
        n = np.where(n_a + n_b > 0, n_a + n_b, 1.0)
        up, down = k_b * (n_a - k_a) / n, k_a * (n_b - k_b) / n
        same, cross = (k_b + n_a - k_a) / n, (k_a + n_b - k_b) / n
        odds = np.stack([up, down, same * up, same * down + cross * up, cross * down])
        odds[:, (n_a <= 0) | (n_b <= 0)] = 0.0
        self.total_odds[:, rows] += odds
        self.begin_stretch(
            rows[~together & (self.run_log[rows] <= 0)], start[~together & (self.run_log[rows] <= 0)]
        )
        self.run_log[rows] = np.maximum(0.0, self.run_log[rows] + step)
        self.run_odds[:, rows] += odds
        self.run[:, rows] += np.stack([*pairs, np.ones(len(rows))])

    def begin_stretch(self, rows: Rows, start: Floats) -> None:
        """Begin to follow what speaks against the canary anew."""
        self.run[:, rows], self.run_odds[:, rows], self.run_since[rows] = 0.0, 0.0, start


_BY_LEVEL = ("spread", "null", "same", "worse", "negligible")
_SINGLE = ("outliers", "against", "waiting", "run_since", "run_log")


def _matrix(spread: float, length: float) -> Floats:
    """How a wandering ratio moves in a window: row to column."""
    return np.array([moved(place, spread, length) for place in np.eye(_WIDTH).tolist()])


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(0)
    found: Floats = top + np.log(np.exp(logs - top).sum(0))
    return found
