"""Traffic as counts: who asks how often, by the weights that really apply, of what really runs.

Counted when somebody looks, and before anything changes that decides where requests go or what they get, so
that between two changes a minute is one draw of chance. A look ends at the last full minute: looking changes
nothing. What the load balancer counts as what: `metrics.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import LoadBalancer, Weights
from lab.simulator.metrics import BALANCER, MINUTE, Counts, Metrics
from lab.simulator.pods import Pods, Process
from lab.simulator.sampling import binomial, poisson, split
from lab.simulator.targets import TargetGroup
from lab.simulator.versions import poison, shares

# Requests a second at a time, epoch seconds; looked at once a minute and at changes.
Rate = Callable[[float], float]
HOUR = 3600.0
# A version of which fewer answers fail, or are slow, gives no alarm work.
TROUBLE = 0.01


def daily(peak: float, night: float) -> Rate:
    """A rate that is low from 20:00 to 6:00 UTC, rises until 10:00 and falls from 18:00 on."""
    hours, levels = (0.0, 6.0, 10.0, 18.0, 20.0, 24.0), (night, night, peak, peak, night, night)

    def rate(at: float) -> float:
        hour = at % (24 * HOUR) / HOUR
        place = next(index for index, end in enumerate(hours[1:], 1) if hour < end)
        way = (hour - hours[place - 1]) / (hours[place] - hours[place - 1])
        return levels[place - 1] + way * (levels[place] - levels[place - 1])

    return rate


class Flow:
    """The requests to one rule."""

    def __init__(self, rule: str, rate: Rate, since: float, chance: random.Random) -> None:
        self.rule, self.rate, self.until, self.chance = rule, rate, since, chance
        # Of all time: requests that came, that no target was chosen for (503), that no target took (502), and that
        # the one which took them never answered (502 or 504).
        self.arrived = self.turned_away = self.refused = self.unanswered = 0
        # The share of requests that fails whatever version they meet: what all share is broken.
        self.outage = 0.0


class Traffic:
    """All traffic of a load balancer."""

    def __init__(self, kernel: Kernel, balancer: LoadBalancer, pods: Pods, metrics: Metrics) -> None:
        self._kernel, self._balancer, self._pods, self._metrics = kernel, balancer, pods, metrics
        self._flows: dict[str, Flow] = {}
        balancer.before.append(self._before)
        metrics.before_read = self.look

    def add(self, rule: str, rate: Rate) -> Flow:
        """Let requests come to a rule from now on."""
        chance = self._kernel.chance(f"traffic of {rule}")
        self._flows[rule] = flow = Flow(rule, rate, self._kernel.now(), chance)
        return flow

    def break_shared(self, rule: str, share: float) -> None:
        """From now on this share of the requests to a rule fails, whatever version they meet."""
        self._before(rule)
        self._flows[rule].outage = share

    def flow(self, rule: str) -> Flow:
        """The requests to a rule, counted up to the last full minute."""
        self.look()
        return self._flows[rule]

    def look(self) -> None:
        """Count what came until the last full minute."""
        until = self._kernel.now() // MINUTE * MINUTE
        for flow in self._flows.values():
            self._count_until(flow, until)

    def troubled(self) -> list[str]:
        """Target groups that get requests of which more than a few are errors or slow, or find nobody."""
        asked = {
            arn: True
            for flow in self._flows.values()
            if flow.rate(self._kernel.now()) > 0
            for weights in self._balancer.applied(flow.rule)
            for arn, weight in weights.items()
            if weight
        }
        shared = {
            arn
            for flow in self._flows.values()
            for weights in self._balancer.applied(flow.rule)
            for arn in weights
            if max(
                flow.outage,
                self._poison([arn for arn, weight in weights.items() if weight], self._kernel.now()),
            )
        }
        return [arn for arn in asked if arn in shared or self._is_trouble(arn)]

    def _before(self, rule: str) -> None:
        if rule in self._flows:
            self._count_until(self._flows[rule], self._kernel.now())

    def _count_until(self, flow: Flow, until: float) -> None:
        while flow.until < until:
            minute = int(flow.until // MINUTE)
            end = min(until, float((minute + 1) * MINUTE))
            expected = flow.rate(flow.until) * (end - flow.until)
            if expected > 0:
                self._count(flow, minute, expected)
            flow.until = end

    def _count(self, flow: Flow, minute: int, expected: float) -> None:
        nodes = self._balancer.applied(flow.rule)
        alike: list[tuple[Weights, int]] = []
        for weights in nodes:
            if alike and alike[-1][0] == weights:
                alike[-1] = (weights, alike[-1][1] + 1)
            else:
                alike.append((weights, 1))
        for weights, number in alike:
            arrived = poisson(flow.chance, expected * number / len(nodes))
            flow.arrived += arrived
            self._to_groups(flow, minute, weights, arrived)

    def _to_groups(self, flow: Flow, minute: int, weights: Weights, arrived: int) -> None:
        open_to = {arn: weight for arn, weight in weights.items() if weight > 0}
        if not open_to:
            self._turn_away(flow, minute, arrived)
            return
        parts = split(flow.chance, arrived, list(open_to.values()))
        shared = max(flow.outage, self._poison(open_to, flow.until))
        for arn, requests in zip(open_to, parts, strict=True):
            kinds = self._kinds(self._balancer.groups[arn], flow.until)
            if not kinds:
                self._turn_away(flow, minute, requests)
            elif requests:
                counts = self._metrics.counts(arn, minute)
                sizes = [number for _, number in kinds]
                for (process, _), part in zip(kinds, split(flow.chance, requests, sizes), strict=True):
                    self._to_version(flow, counts, process, part, shared)

    def _turn_away(self, flow: Flow, minute: int, requests: int) -> None:
        flow.turned_away += requests
        self._metrics.counts(BALANCER, minute).turned_away += requests

    def _poison(self, groups: Iterable[str], at: float) -> float:
        """The share of requests that fails because of what gets some of them."""
        return max(
            (
                poison(process.behaviour, at - process.listens)
                for arn in groups
                for host, _ in self._balancer.groups[arn].eligible()
                if (process := self._pods.at(host)) and process.behaviour and process.listens is not None
            ),
            default=0.0,
        )

    def _to_version(
        self, flow: Flow, counts: Counts, process: Process | None, requests: int, shared: float
    ) -> None:
        counts.requests += requests
        if process is None or process.behaviour is None or process.listens is None:
            counts.refused += requests
            flow.refused += requests
            return
        behaviour = process.behaviour
        errors, slow_share, lost_share = shares(behaviour, flow.until - process.listens)
        if lost_share:
            lost = binomial(flow.chance, requests, lost_share)
            counts.unanswered += lost
            flow.unanswered += lost
            requests -= lost
        failed = binomial(flow.chance, requests, max(errors, shared))
        if behaviour.error_status >= 500:
            counts.failed += failed
        else:
            counts.declined += failed
        slow = binomial(flow.chance, requests, slow_share)
        for seconds, number in ((behaviour.seconds, requests - slow), (behaviour.slow_seconds, slow)):
            if number:
                counts.times[seconds] = counts.times.get(seconds, 0) + number

    def _kinds(self, group: TargetGroup, at: float) -> list[tuple[Process | None, int]]:
        """What requests to a group meet: targets that do the same at a time, and how many those are."""
        made: dict[object, tuple[Process | None, int]] = {}
        for host, _ in group.eligible():
            process = self._pods.at(host)
            same: object = None
            if process and process.behaviour and process.listens is not None:
                same = (process.behaviour, shares(process.behaviour, at - process.listens))
            first, number = made.get(same, (process, 0))
            made[same] = (first, number + 1)
        return list(made.values())

    def _is_trouble(self, arn: str) -> bool:
        processes: Iterable[Process | None] = [
            self._pods.at(host) for host, _ in self._balancer.groups[arn].eligible()
        ]
        for process in processes:
            if process is None or process.behaviour is None or process.listens is None:
                return True
            if max(shares(process.behaviour, self._kernel.now() - process.listens)) >= TROUBLE:
                return True
        return not processes
