"""Target groups: who is registered, what health checks find, who still drains.

Nothing polls: a check's outcome follows from what the target answers, so only the moment at which enough
checks have agreed is in the clock. Facts, all of
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/:

- a registered target is `initial` until it passes one check; thresholds count consecutive checks after that
  (target-group-health-checks.html);
- a group whose registered targets are all unhealthy gets requests on all of them, "fails open" (the same page);
- a deregistered target gets no new requests and shows as `draining` until the deregistration delay is over
  (edit-target-group-attributes.html); a group in no rule is not checked, its targets are `unused`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from candlefish.traffic.ports import TargetGroupSpec, TargetHealth
from lab.simulator.kernel import PRECISION, Kernel, Timer

State = Literal["initial", "healthy", "unhealthy", "unused", "draining"]
Address = tuple[str, int]
# Consecutive checks; what onboarding sets.
HEALTHY_THRESHOLD = UNHEALTHY_THRESHOLD = 2
REGISTERING = "Target registration is in progress"
NOT_IN_USE = "Target group is not configured to receive traffic from the load balancer"


class Target:
    """One registered address. `answer` is the status of its health path now; 0 when nobody answers."""

    __slots__ = (
        "address",
        "agreed",
        "agreeing",
        "answer",
        "counted",
        "offset",
        "reason",
        "sees_requests",
        "state",
        "timer",
    )

    def __init__(self, address: Address, offset: float, answer: int, now: float) -> None:
        self.address, self.offset, self.answer = address, offset, answer
        self.state: State = "unused"
        self.reason = NOT_IN_USE
        # The last checks that agreed with each other: how many, and whether they passed.
        self.agreeing, self.agreed = 0, False
        self.counted = now
        self.timer: Timer | None = None
        # A draining target gets requests until every node knows.
        self.sees_requests = True

    @property
    def passes(self) -> bool:
        return 200 <= self.answer < 400


class TargetGroup:
    """The targets of one group.

    Parameters
    ----------
    before
        Called before anything changes that decides where requests go, so that what was before can be counted.
    """

    def __init__(
        self, kernel: Kernel, arn: str, spec: TargetGroupSpec, before: Callable[[TargetGroup], None]
    ) -> None:
        self.arn, self.spec = arn, spec
        self.in_use = False
        # (when, healthy, unhealthy, registered), whenever one of them changed.
        self.history: list[tuple[float, ...]] = []
        self._kernel, self._before = kernel, before
        self._chance = kernel.chance(f"health checks of {arn}")
        self._targets: dict[Address, Target] = {}
        self._draining: dict[Address, Target] = {}

    def use(self, answer: Callable[[str], int]) -> None:
        """A rule forwards to the group from now on, so its targets are checked."""
        if not self.in_use:
            self.in_use = True
            for target in self._targets.values():
                target.answer = answer(target.address[0])
                self._begin(target)

    def register(self, address: Address, answer: int) -> None:
        """Take a target in; one that drains comes back as a new one."""
        if address in self._targets:
            return
        self._before(self)
        gone = self._draining.pop(address, None)
        if gone is not None and gone.timer is not None:
            gone.timer.cancel()
        offset = round(self._chance.uniform(0, self.spec.interval), PRECISION)
        target = self._targets[address] = Target(address, offset, answer, self._kernel.now())
        if self.in_use:
            self._begin(target)
        self._note()

    def deregister(self, address: Address, known_after: float) -> None:
        """Let a target drain. Requests still come to it for `known_after` seconds, until every node knows."""
        if address not in self._targets:
            return
        self._before(self)
        target = self._targets.pop(address)
        if target.timer is not None:
            target.timer.cancel()
        target.sees_requests = target.state == "healthy"
        target.state, target.reason = "draining", "Target deregistration is in progress"
        self._draining[address] = target
        delay = float(self.spec.deregistration_delay)

        def known() -> None:
            self._before(self)
            target.sees_requests = False

        def over() -> None:
            if self._draining.get(address) is target:
                self._before(self)
                del self._draining[address]

        self._kernel.later(min(known_after, delay), known, "deregistration is known")
        target.timer = self._kernel.later(delay, over, "target has drained")
        self._note()

    def answers(self, host: str, status: int) -> None:
        """The targets at an address answer their health path with another status from now on."""
        for target in self._targets.values():
            if target.address[0] == host and target.answer != status:
                self._count(target)
                target.answer = status
                self._plan(target)

    def knows(self, host: str) -> bool:
        """Whether requests may come to an address."""
        return any(address[0] == host for address in (*self._targets, *self._draining))

    def registered(self) -> list[Address]:
        """Every registered address, in order."""
        return sorted(self._targets)

    def eligible(self) -> list[Address]:
        """Where requests may go: the healthy ones, or all when none is; who is not yet known to have left, too."""
        found = [target for target in self._targets.values() if target.state == "healthy"]
        found += [target for target in self._draining.values() if target.sees_requests]
        return sorted(target.address for target in found or self._targets.values())

    def health(self) -> TargetHealth:
        """How many targets are in which state, as DescribeTargetHealth lists them."""
        counts = dict.fromkeys(("healthy", "initial", "unhealthy", "draining", "unused"), 0)
        reason = ""
        for target in (*self._targets.values(), *self._draining.values()):
            counts[target.state] += 1
            reason = target.reason or reason
        return TargetHealth(reason=reason, **counts)

    def _begin(self, target: Target) -> None:
        target.state, target.reason, target.counted = "initial", REGISTERING, self._kernel.now()
        self._plan(target)

    def _checks(self, target: Target, until: float) -> int:
        """How many checks a target has had since the beginning of time."""
        return math.floor(round((until - target.offset) / self.spec.interval, 6))

    def _count(self, target: Target) -> None:
        """Take note of the checks since the last time, all with the same outcome."""
        now = self._kernel.now()
        since = self._checks(target, now) - self._checks(target, target.counted)
        target.counted = now
        if since:
            same = target.agreed == target.passes
            target.agreeing = since + (target.agreeing if same else 0)
            target.agreed = target.passes

    def _plan(self, target: Target) -> None:
        """Put the moment into the clock at which enough checks have agreed to change the state."""
        if target.timer is not None:
            target.timer.cancel()
            target.timer = None
        if not self.in_use or target.state == ("healthy" if target.passes else "unhealthy"):
            return
        needed = HEALTHY_THRESHOLD if target.passes else UNHEALTHY_THRESHOLD
        if target.passes and target.state == "initial":
            needed = 1
        have = target.agreeing if target.agreed == target.passes else 0
        check = self._checks(target, self._kernel.now()) + max(1, needed - have)
        at = target.offset + check * self.spec.interval
        target.timer = self._kernel.at(at, lambda: self._change(target), "health check")

    def _change(self, target: Target) -> None:
        self._before(self)
        self._count(target)
        target.timer = None
        if target.passes:
            target.state, target.reason = "healthy", ""
        else:
            words = f"Health checks failed with these codes: [{target.answer}]"
            target.state, target.reason = "unhealthy", words if target.answer else "Health checks failed"
        self._note()

    def _note(self) -> None:
        states = [target.state for target in self._targets.values()]
        row = (states.count("healthy"), states.count("unhealthy"), len(states))
        if not self.history or self.history[-1][1:] != row:
            self.history.append((self._kernel.now(), *row))
