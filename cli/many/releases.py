"""`candlefish.analysis.judge` for many releases at once: the same decisions at the same windows, by the same rules."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from candlefish.analysis import budgets, judge
from candlefish.analysis.levels import LEVELS
from candlefish.analysis.model import Breach, Ended, JudgeState, Mode
from candlefish.catalog.model import Budget, JudgePolicy
from cli.many.likelihoods import Flags, Floats
from cli.many.streams import Pairs, Rows
from cli.many.tallies import Tallies

Numbers = NDArray[np.int64]


class Releases(NamedTuple):
    """Windows of many releases that tell the same streams, all windows of one length (seconds).

    The windows of each release follow each other without overlap. Counts are (windows, releases), or (windows,
    releases, streams); what is beyond a release's own number of windows is not looked at.
    """

    # The streams (`judge.streams`), errors and slow requests first.
    names: tuple[str, ...]
    length: float
    # How many windows each has.
    number: Numbers
    # Epoch seconds.
    start: Floats
    end: Floats
    # Requests of both versions.
    baseline: Floats
    canary: Floats
    # Of each stream: how much there was, and how much of it was bad.
    pairs: Pairs


class Known(NamedTuple):
    """What is known of each release's service: `calibration.Calibration` in arrays."""

    # Log-weights of the levels of noise, (levels, releases, streams).
    spread: Floats
    # Share of windows that may be anything, (releases, streams).
    outliers: Floats
    # The highest share of failed requests, (releases); 0: nothing is known.
    ceiling: Floats


class Judging:
    """Many releases, window by window. After `look(n)`, n windows of each have been consumed."""

    def __init__(self, policy: JudgePolicy, releases: Releases, known: Known, mode: Mode = "judge") -> None:
        self.policy, self.releases, self.mode, self.ceiling = policy, releases, mode, known.ceiling
        self.streams = len(releases.names)
        self.shares = np.array([judge._shares(releases.names)[name] for name in releases.names])
        self.families = [judge.family_of(name) for name in releases.names]
        self.edges = np.array([name.startswith("over:") for name in releases.names])
        self.tallies = Tallies.new(
            policy, known.spread.reshape(len(LEVELS), -1), known.outliers.reshape(-1), releases.length
        )
        count = len(releases.number)
        self.since = releases.start[0]
        self.warm_until = self.since + policy.warm_up
        self.judged = np.zeros(count, np.int64)
        self.requests = np.zeros((2, count))
        self.breaches = [_Breaches(count) for _ in policy.budgets]
        # Number of the window in which each was rolled back or promoted, from 1; 0: never.
        self.rolled_back, self.promoted = np.zeros(count, np.int64), np.zeros(count, np.int64)
        # Index of the budget by which it was; -1 by evidence, -2 as gross failure.
        self.rule = np.zeros(count, np.int64)

    def look(self, window: int) -> tuple[Rows, Rows]:
        """Consume the window of this number, from 1; returns who is rolled back and who is promoted now."""
        at, releases, policy = window - 1, self.releases, self.policy
        rows = np.flatnonzero((releases.number >= window) & (self.rolled_back == 0))
        start = releases.start[at, rows]
        self.requests[:, rows] += np.stack([releases.baseline[at, rows], releases.canary[at, rows]])
        warm = start >= self.warm_until[rows] - judge._TINY
        if warm.any():
            self._weigh(rows[warm], at, start[warm])
        broken = self._watch(rows, at, ~warm)
        evidence = self.tallies.against.reshape(-1, self.streams)[rows] @ self.shares
        by_evidence = evidence >= judge.threshold(policy)
        gross = self._gross(rows, at)
        rule = np.where(by_evidence, -1, np.where(broken >= 0, broken, -2))
        ends = by_evidence | (broken >= 0) | gross
        out = rows[ends]
        self.rolled_back[out], self.rule[out] = window, rule[ends]
        free = rows[~ends & (self.promoted[rows] == 0)]
        fit = free[self._tolerable(free, window)]
        self.promoted[fit] = window
        return out, fit

    def rests(self, rows: Rows) -> Flags:
        """Whether the word on some releases is that they were promoted: nothing has been said against them since."""
        found: Flags = (self.promoted[rows] > 0) & (self.rolled_back[rows] == 0)
        for breaches in self.breaches:
            found &= ~breaches.shared[rows]
        return found

    def states(self, rows: Rows, window: int) -> list[JudgeState]:
        """The scalar judge's states of some releases after so many windows of each (or all of it, where it has fewer)."""
        releases, number = self.releases, self.streams
        seen = np.minimum(releases.number[rows], window)
        last = seen - 1
        tallies = self.tallies.tallies((rows[:, None] * number + np.arange(number)).reshape(-1))
        breaches = [each.breaches(rows) for each in self.breaches]
        until = releases.end[last, rows].tolist()
        found = []
        for at, row in enumerate(rows.tolist()):
            rolled, promoted, rule = (int(each[row]) for each in (self.rolled_back, self.promoted, self.rule))
            state = JudgeState(
                since=float(self.since[row]),
                mode=self.mode,
                metrics=dict(zip(releases.names, tallies[at * number : (at + 1) * number], strict=True)),
                breaches=[each[at] for each in breaches],
                until=until[at],
                length=float(releases.end[last[at], row] - releases.start[last[at], row]),
                windows=int(seen[at]),
                judged=int(self.judged[row]),
                step_windows=int(seen[at]),
                requests=[int(each) for each in self.requests[:, row]],
                ceiling=float(self.ceiling[row]),
                warm_until=float(self.warm_until[row]),
            )
            if rolled:
                state.rolled_back = self._ended(row, rolled, _RULES.get(rule, f"budget {rule}"))
                if rule == -2:
                    errors = releases.pairs.k_b[rolled - 1, row, 0]
                    state.gross = [int(releases.canary[rolled - 1, row]), int(errors)]
            if promoted:
                state.promoted = self._ended(row, promoted, "evidence")
            found.append(state)
        return found

    def _ended(self, row: int, window: int, rule: str) -> Ended:
        return Ended(float(self.releases.end[window - 1, row]), window, rule)

    def _weigh(self, rows: Rows, at: int, start: Floats) -> None:
        """Let every stream have its evidence of a window."""
        number = self.streams
        streams = (rows[:, None] * number + np.arange(number)).reshape(-1)
        edges = streams.reshape(-1, number)[:, self.edges]
        if self.edges.any():
            # The edges of one distribution are told of together, so their stretches are one.
            anew = (self.tallies.run_log[edges] <= 0).all(1)
            self.tallies.begin_stretch(edges[anew].reshape(-1), np.repeat(start[anew], edges.shape[1]))
        pairs = Pairs(*(counts[at, rows].reshape(-1) for counts in self.releases.pairs))
        self.tallies.update(streams, pairs, np.repeat(start, number), np.tile(self.edges, len(rows)))
        self.judged[rows] += 1

    def _watch(self, rows: Rows, at: int, warming: Flags) -> Numbers:
        """The first budget that is broken and calls for a rollback; -1 for none."""
        found = np.full(len(rows), -1)
        for index, (budget, breaches) in enumerate(zip(self.policy.budgets, self.breaches, strict=True)):
            part = np.flatnonzero(~warming) if budget.lasting else np.arange(len(rows))
            broken = breaches.consume(budget, self, rows[part], at)
            found[part[broken & (found[part] < 0)]] = index
        return found

    def _gross(self, rows: Rows, at: int) -> Flags:
        policy, releases = self.policy, self.releases
        requests, events = releases.canary[at, rows], releases.pairs.k_b[at, rows, 0]
        live, failed = releases.baseline[at, rows], releases.pairs.k_a[at, rows, 0]
        found: Flags = (requests > 0) & (events >= budgets.LEAST_GROSS) & (events >= policy.gross * requests)
        found &= ~((live > 0) & (failed > policy.gross / 2 * live))
        at_ = np.flatnonzero(found)
        if len(at_):
            some = rows[at_]
            now = np.where(live[at_] > 0, 2 * failed[at_] / np.maximum(live[at_], 1), 0.0)
            known = self.tallies.total[:2, some * self.streams]
            whole, bad = known[0] + live[at_], known[1] + failed[at_]
            most = (bad + 2 + 2 * np.sqrt(bad + 1)) / np.maximum(whole, 1)
            most = np.where(whole > budgets.LEAST_GROSS, most, 0.0)
            unknown = np.maximum(budgets.UNKNOWN_RATE, most)
            ceiling = self.ceiling[some]
            before = np.where(ceiling > 0, budgets.GROSS_RISE * ceiling, unknown)
            found[at_] = _beyond_chance(requests[at_], events[at_], np.maximum(now, before), policy.alpha)
        return found

    def _tolerable(self, rows: Rows, window: int) -> Flags:
        policy, number = self.policy, self.streams
        found: Flags = self.requests[1, rows] >= policy.min_requests
        if window < policy.min_windows:
            found[:] = False
        for breaches in self.breaches:
            found &= breaches.counts[0, rows] == 0
        for stream, family in enumerate(self.families):
            at = np.flatnonzero(found)
            some = rows[at] * number + stream
            if family in judge.PROMOTING:
                found[at] = self.tallies.in_favour(some) >= 1 / policy.promote_alpha
                if family == "over":
                    # `judge._always_slower`.
                    requests, events = self.tallies.total[:2, some]
                    enough = requests * policy.negligible >= -log(policy.promote_alpha)
                    found[at] |= (events == requests) & enough
            else:
                found[at] = self.tallies.against[some] < judge.SUSPECT
        return found


_RULES = {-1: "evidence", -2: "gross"}


class _Breaches:
    """Stretches of windows over one budget, of many releases (`model.Breach`)."""

    def __init__(self, number: int) -> None:
        self.since, self.shared = np.zeros(number), np.zeros(number, bool)
        self.counts = np.zeros((4, number))

    def consume(self, budget: Budget, judging: Judging, rows: Rows, at: int) -> Flags:
        """Which of the releases are over it so that they have to go back."""
        releases, alpha = judging.releases, judging.policy.alpha
        stream = releases.names.index(budget.metric)
        requests, events = releases.canary[at, rows], releases.pairs.k_b[at, rows, stream]
        told = requests > 0
        over = told & (events > budget.over * requests)
        under = rows[told & ~over]
        self.since[under], self.counts[:, under], self.shared[under] = 0.0, 0.0, False
        going = np.flatnonzero(over)
        found = np.zeros(len(rows), bool)
        some = rows[going]
        start, end = releases.start[at, some], releases.end[at, some]
        self.since[some] = np.where(self.counts[0, some] > 0, self.since[some], start)
        live = releases.baseline[at, some], releases.pairs.k_a[at, some, stream]
        self.counts[:, some] += np.stack([requests[going], events[going], *live])
        usual = np.where(budget.lasting <= end - start, judging.ceiling[some], 0.0)
        seen, bad = self.counts[:2, some]
        sure = _beyond_chance(seen, bad, np.maximum(budget.over / 2, usual), alpha)
        sure &= end - self.since[some] >= budget.lasting
        others, theirs = self.counts[2:, some]
        shared = (others > 0) & (theirs > budget.over / 2 * others)
        self.shared[some[sure]] = shared[sure]
        found[going] = sure & (~shared if budget.shared == "hold" else True)
        return found

    def breaches(self, rows: Rows) -> list[Breach]:
        """Some of them as the scalar judge has them."""
        counts = self.counts[:, rows].astype(int).T.tolist()
        sides = zip(self.since[rows].tolist(), counts, self.shared[rows].tolist(), strict=True)
        return [Breach(*each) for each in sides]


def _beyond_chance(requests: Floats, events: Floats, usual: Floats, alpha: float) -> Flags:
    share = events / requests
    over = share > usual
    sure = np.where(over, share, 0.5)
    least = np.where(over, usual, 0.25)
    good = np.where(sure < 1, sure, 0.5)
    distance = sure * np.log(sure / least)
    distance += np.where(sure < 1, (1 - good) * np.log((1 - good) / (1 - least)), 0.0)
    found: Flags = over & (requests * distance >= log(10 / alpha))
    return found
