"""The load balancer in virtual time: weights node by node, health by checks, targets that drain."""

from __future__ import annotations

import pytest

from candlefish.errors import Misconfigured
from candlefish.traffic.ports import RuleSpec, TargetGroupSpec
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import TAKEOVER, LoadBalancer

HOST = "api.example.org"
POD = ("10.244.0.2", 8000)


class Site:
    """A load balancer with two groups, a rule and a smoke rule."""

    def __init__(self, seed: int = 1) -> None:
        self.kernel = Kernel(seed)
        self.balancer = LoadBalancer(self.kernel)
        self.blue, self.green = (self.balancer.ensure_target_group(group(name)) for name in ("blue", "green"))
        all_blue = {self.blue: 100, self.green: 0}
        listener = self.balancer.listener
        self.smoke = self.balancer.create_rule(
            listener, RuleSpec(HOST, {}, ("X-Smoke", "secret")), 100, all_blue
        )
        self.rule = self.balancer.create_rule(listener, RuleSpec(HOST, {}), 1000, all_blue)
        self.told: list[tuple[float, str]] = []
        self.balancer.before.append(lambda rule: self.told.append((self.kernel.now(), rule)))

    def bring(self, arn: str, *hosts: str) -> None:
        """Make these the targets of a group; all of them answer."""
        for host in hosts:
            self.balancer.answers(host, 200)
        self.balancer.register(arn, frozenset((host, 8000) for host in hosts))

    def eligible(self, arn: str) -> list[str]:
        return [host for host, _ in self.balancer.groups[arn].eligible()]


def group(name: str) -> TargetGroupSpec:
    return TargetGroupSpec(name, 8000, "vpc-1", "/health", {}, interval=10, deregistration_delay=30)


def test_written_weights_are_read_at_once_and_taken_over_node_by_node() -> None:
    site = Site()
    wanted = {site.blue: 0, site.green: 100}
    site.balancer.write(site.rule, wanted)
    assert site.balancer.read(site.rule) == wanted
    assert site.balancer.applied(site.rule) == [{site.blue: 100, site.green: 0}] * 3
    steps = []
    for _ in range(int(TAKEOVER[1] * 10) + 1):
        site.kernel.sleep(0.1)
        steps.append(site.balancer.applied(site.rule).count(wanted))
    assert sorted(set(steps)) == [0, 1, 2, 3] and steps == sorted(steps)
    assert len(site.told) == 3, "whoever counts traffic is told before each node"


def test_a_node_never_goes_back_to_an_older_write() -> None:
    for seed in range(30):
        site = Site(seed)
        first, last = {site.blue: 50, site.green: 50}, {site.blue: 0, site.green: 100}
        site.balancer.write(site.rule, first)
        site.kernel.sleep(1)
        site.balancer.write(site.rule, last)
        seen = [[], [], []]  # type: list[list[int]]
        for _ in range(100):
            site.kernel.sleep(0.1)
            for node, weights in enumerate(site.balancer.applied(site.rule)):
                seen[node].append(weights[site.green])
        assert all(weights == sorted(weights) and weights[-1] == 100 for weights in seen)


def test_a_target_is_healthy_after_one_check_and_unhealthy_after_two_that_fail() -> None:
    site = Site()
    site.bring(site.green, "10.0.0.1")
    assert site.balancer.health(site.green).initial == 1
    site.kernel.sleep(10)
    assert site.balancer.health(site.green).healthy == 1
    site.balancer.answers("10.0.0.1", 503)
    site.kernel.sleep(9.9)
    assert site.balancer.health(site.green).healthy == 1, "one check is not enough"
    site.kernel.sleep(10.2)
    health = site.balancer.health(site.green)
    assert (health.healthy, health.unhealthy) == (0, 1) and "503" in health.reason
    site.balancer.answers("10.0.0.1", 200)
    site.kernel.sleep(20)
    assert site.balancer.health(site.green).healthy == 1


def test_a_failure_between_two_checks_is_never_seen() -> None:
    site = Site()
    site.bring(site.green, "10.0.0.1")
    site.kernel.sleep(10)
    for _ in range(50):
        site.balancer.answers("10.0.0.1", 0)
        site.kernel.sleep(0.1)
        site.balancer.answers("10.0.0.1", 200)
        site.kernel.sleep(9.9)
        assert site.balancer.health(site.green).healthy == 1


def test_checks_that_fail_with_different_answers_count_together() -> None:
    site = Site()
    site.bring(site.green, "10.0.0.1")
    site.kernel.sleep(10)
    site.balancer.answers("10.0.0.1", 503)
    site.kernel.sleep(10)
    site.balancer.answers("10.0.0.1", 500)
    site.kernel.sleep(10)
    assert site.balancer.health(site.green).unhealthy == 1


def test_nothing_is_due_while_no_target_changes() -> None:
    site = Site()
    site.bring(site.green, "10.0.0.1")
    site.kernel.sleep(60)
    assert site.kernel.next_at() is None


def test_a_target_drains_and_gets_requests_only_until_every_node_knows() -> None:
    site = Site()
    site.bring(site.green, "10.0.0.1", "10.0.0.2")
    site.kernel.sleep(20)
    site.balancer.register(site.green, frozenset({("10.0.0.2", 8000)}))
    health = site.balancer.health(site.green)
    assert (health.healthy, health.draining) == (1, 1)
    assert site.eligible(site.green) == ["10.0.0.1", "10.0.0.2"]
    site.kernel.sleep(TAKEOVER[1])
    assert site.eligible(site.green) == ["10.0.0.2"]
    assert site.balancer.health(site.green).draining == 1
    site.kernel.sleep(30 - TAKEOVER[1])
    assert site.balancer.health(site.green).draining == 0


def test_a_group_without_a_healthy_target_fails_open_and_an_empty_one_has_nobody() -> None:
    site = Site()
    assert site.eligible(site.green) == []
    site.balancer.register(site.green, frozenset({POD}))
    site.kernel.sleep(30)
    assert site.balancer.health(site.green).unhealthy == 1
    assert site.eligible(site.green) == [POD[0]]


def test_a_group_in_no_rule_is_not_checked() -> None:
    site = Site()
    other = site.balancer.ensure_target_group(group("other"))
    site.bring(other, "10.0.0.1")
    site.kernel.sleep(60)
    assert site.balancer.health(other).unused == 1
    site.balancer.write(site.rule, {site.blue: 100, other: 0})
    site.kernel.sleep(10)
    assert site.balancer.health(other).healthy == 1


def test_the_smoke_rule_takes_what_carries_its_header() -> None:
    site = Site()
    assert site.balancer.rule_for(site.balancer.listener, HOST, {}) == site.rule
    assert site.balancer.rule_for(site.balancer.listener, HOST, {"x-smoke": "secret"}) == site.smoke
    assert site.balancer.rule_for(site.balancer.listener, HOST, {"x-smoke": "guessed"}) == site.rule
    assert site.balancer.rule_for(site.balancer.listener, "elsewhere.example", {}) is None


def test_what_is_not_there_is_refused() -> None:
    site = Site()
    with pytest.raises(Misconfigured):
        site.balancer.write(site.rule, {"arn:no-such-group": 100})
    with pytest.raises(Misconfigured):
        site.balancer.create_rule(site.balancer.listener, RuleSpec(HOST, {}), 1000, {site.blue: 100})
