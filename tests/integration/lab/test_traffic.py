"""The load balancer carries traffic as the rules say, and loses none of it."""

from __future__ import annotations

import math
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from lab.moto import ACCOUNT, metrics
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load, summarise
from lab.traffic.routing import Action, Condition, Listener, Rule, passes, pick_group, rule_for
from tests.support.lab_account import REGION, Account
from tests.support.street import Street, forward
from tests.support.waiting import eventually


def test_a_group_is_unused_until_it_is_in_a_rule_even_at_weight_zero(street: Street) -> None:
    blue, green = street.group(), street.group()
    street.register(green, street.ready_pods(2, "unused"))
    assert street.states(green) == ["unused", "unused"]
    street.rule("unused.test", {blue: 100, green: 0})
    assert street.states(green) == ["initial", "initial"]
    eventually(lambda: street.states(green) == ["healthy", "healthy"])


def test_traffic_follows_the_weights_and_every_request_is_accounted_for(street: Street) -> None:
    blue, green = street.group(), street.group()
    street.register(blue, street.ready_pods(2, "one"))
    street.register(green, street.ready_pods(2, "two"))
    rule = street.rule("split.test", {blue: 100, green: 0})
    eventually(lambda: street.states(blue) == street.states(green) == ["healthy", "healthy"])
    load = Load(street.port, ["split.test"], 400)
    load.start()
    eventually(lambda: load.sent > 200)
    shifted = time.time()
    street.elbv2.modify_rule(RuleArn=rule, Actions=[forward({blue: 75, green: 25})])
    eventually(lambda: street.traffic.standing({blue: 75, green: 25}, shifted)[0] < math.inf)
    there = load.sent
    eventually(lambda: load.sent > there + 1200)
    samples = load.stop()
    in_effect, _ = street.traffic.standing({blue: 75, green: 25}, shifted)
    before, after = summarise(samples, until=shifted), summarise(samples, since=in_effect)
    assert load.sent == len(samples)
    assert load.stop() == samples
    assert before.by_version == {"one": before.total}
    assert 0.17 < after.by_version["two"] / after.total < 0.33
    assert summarise(samples).failed == 0
    # Configuration is not traffic: the old weights go on for a while.
    assert min(s.at for s in samples if s.version == "two") - shifted > 0.1


def test_nothing_is_lost_when_pods_are_replaced_under_load(street: Street) -> None:
    group = street.group()
    old = street.ready_pods(3, "old")
    street.register(group, old)
    street.rule("replace.test", {group: 100})
    eventually(lambda: street.states(group) == ["healthy"] * 3)
    load = Load(street.port, ["replace.test"], 300)
    load.start()
    eventually(lambda: load.sent > 100)
    new = street.ready_pods(3, "new")
    street.register(group, new)
    eventually(lambda: street.states(group) == ["healthy"] * 6)
    street.deregister(group, old)
    assert street.states(group) == ["draining"] * 3 + ["healthy"] * 3
    for pod in old:
        street.pods.stop(pod, 30)
    eventually(lambda: all(street.pods.stopped(pod) for pod in old))
    end = load.sent
    eventually(lambda: load.sent > end + 100)
    samples = load.stop()
    assert summarise(samples).failures == {}
    assert {sample.version for sample in samples[-50:]} == {"new"}


def test_without_a_stop_hook_requests_are_lost(street: Street) -> None:
    group = street.group()
    pods = street.ready_pods(1, "abrupt")
    del pods[0]["spec"]["containers"][0]["lifecycle"]
    abrupt = {**pods[0], "metadata": {**pods[0]["metadata"], "uid": uuid.uuid4().hex}}
    street.pods.start(abrupt)
    eventually(lambda: street.pods.ready(abrupt))
    street.register(group, [abrupt])
    street.rule("abrupt.test", {group: 100})
    eventually(lambda: street.states(group) == ["healthy"])
    street.pods.stop(abrupt, 30)
    eventually(lambda: street.pods.stopped(abrupt))
    failures = summarise(street.send("abrupt.test", 20)).failures
    assert list(failures) == ["connection: 502"]


def test_a_sick_target_becomes_unhealthy_and_a_group_of_only_sick_ones_fails_open(street: Street) -> None:
    group = street.group()
    sick = street.pod(Behaviour(balancer_unhealthy=True), "sick")
    eventually(lambda: street.pods.ready(sick))
    street.register(group, [sick])
    street.rule("sick.test", {group: 100})
    eventually(lambda: street.states(group) == ["unhealthy"])
    (row,) = street.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert row["TargetHealth"]["Description"] == "Health checks failed with these codes: [503]"
    assert list(summarise(street.send("sick.test", 20)).by_version) == ["sick"]


@pytest.mark.loopback
def test_a_weighted_group_without_targets_answers_503_and_not_the_other_group(street: Street) -> None:
    full, empty = street.group(), street.group()
    street.register(full, street.ready_pods(1, "full"))
    street.rule("empty.test", {full: 50, empty: 50})
    eventually(lambda: street.states(full) == ["healthy"])
    street.in_effect("empty.test")
    summary = summarise(street.send("empty.test", 200))
    assert set(summary.failures) == {"no-target: 503"}
    assert 0.3 < summary.failed / summary.total < 0.7


@pytest.mark.loopback
def test_unknown_hosts_get_the_default_action(street: Street) -> None:
    eventually(lambda: {sample.status for sample in street.send("nobody.test", 5)} == {404})


@pytest.mark.parametrize(
    ("behaviour", "waiting"),
    [("unpullable", "ImagePullBackOff"), ("crash", "CrashLoopBackOff"), ("never-ready", "")],
)
def test_pods_fail_as_kubelets_report_it(street: Street, behaviour: str, waiting: str) -> None:
    pod = street.pod(behaviour)
    eventually(lambda: street.pods.state(pod).waiting == waiting)
    assert not street.pods.ready(pod)
    if behaviour == "crash":
        eventually(lambda: street.pods.state(pod).restarts >= 1)
        assert street.pods.state(pod).exit_code == 1


def test_a_digest_that_nobody_registered_cannot_be_pulled(street: Street) -> None:
    pod = street.pod()
    pod["spec"]["containers"][0]["image"] = "registry/api@sha256:" + "0" * 64
    unknown = {**pod, "metadata": {**pod["metadata"], "uid": uuid.uuid4().hex}}
    street.pods.start(unknown)
    eventually(lambda: street.pods.state(unknown).waiting == "ImagePullBackOff")


@pytest.mark.loopback
def test_versions_behave_as_registered_and_can_change_while_they_run(street: Street) -> None:
    group = street.group()
    street.register(group, street.ready_pods(2, "changing"))
    street.rule("changing.test", {group: 100})
    eventually(lambda: street.states(group) == ["healthy"] * 2)
    street.in_effect("changing.test")
    assert summarise(street.send("changing.test", 100)).failed == 0
    street.traffic.register("api", "changing", Behaviour(error_rate=0.5))
    summary = summarise(street.send("changing.test", 200))
    assert set(summary.failures) == {"changing: 500"}
    assert 0.3 < summary.failed / summary.total < 0.7


class Reported:
    """What CloudWatch holds of a target group, or of all of the load balancer, by the second (a minute of this lab)."""

    def __init__(self, street: Street, account: Account, group: str = "") -> None:
        self._cloudwatch = account.client("cloudwatch")
        name = street.balancer["LoadBalancerArn"].split(":loadbalancer/")[1]
        self._dimensions = [{"Name": "LoadBalancer", "Value": name}]
        if group:
            self._dimensions.append({"Name": "TargetGroup", "Value": group.rsplit(":", 1)[1]})

    def by_second(self, metric: str, stat: str) -> dict[int, float]:
        now = datetime.now(UTC)
        stats = self._cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName=metric,
            Dimensions=self._dimensions,
            Period=1,
            Statistics=[stat],
            StartTime=now - timedelta(minutes=20),
            EndTime=now,
        )
        return {round(row["Timestamp"].timestamp()): row[stat] for row in stats["Datapoints"]}

    def total(self, metric: str, stat: str) -> float:
        return float(sum(self.by_second(metric, stat).values()))


def test_the_balancer_reports_what_it_saw_to_cloudwatch(street: Street, account: Account) -> None:
    group = street.group()
    # A fifth of the answers take longer than a period of the metrics.
    slow = Behaviour(slow_rate=0.2, slow_seconds=1.5)
    street.register(group, street.ready_pods(1, "counted", slow))
    host = f"{uuid.uuid4().hex}.test"
    street.rule(host, {group: 100})
    eventually(lambda: street.states(group) == ["healthy"])
    sent = len(street.in_effect(host)) + len(street.send(host, 50))
    reported = Reported(street, account, group)
    eventually(lambda: reported.total("RequestCount", "Sum") == sent)
    eventually(lambda: reported.total("HTTPCode_Target_2XX_Count", "Sum") == sent)
    assert reported.total("TargetResponseTime", "SampleCount") == sent
    assert reported.total("HTTPCode_Target_5XX_Count", "Sum") == 0
    assert max(reported.by_second("TargetResponseTime", "Maximum").values()) >= slow.slow_seconds
    assert reported.total("HealthyHostCount", "Maximum") >= 1


def test_what_no_target_answers_is_the_balancers_own_error_and_in_no_count_of_a_target(
    street: Street, account: Account
) -> None:
    """One version that answers some requests and each of the others in no way, and a target where nobody listens."""
    group, nobody, empty = street.group(), street.group(), street.group()
    behaviour = Behaviour(hang_rate=0.25, reset_rate=0.25, half_answer_rate=0.25)
    street.register(group, street.ready_pods(1, "unanswering", behaviour))
    street.elbv2.register_targets(TargetGroupArn=nobody, Targets=[{"Id": "127.9.9.9", "Port": 9}])
    host, other, third = (f"{uuid.uuid4().hex}.test" for _ in range(3))
    street.rule(host, {group: 100})
    street.rule(other, {nobody: 100})
    street.rule(third, {empty: 100})
    eventually(lambda: street.states(group) == ["healthy"])
    asked = [*street.in_effect(host), *street.send(host, 60)]
    street.send(other, 5)
    street.send(third, 5)
    by_reason = Counter(sample.balancer for sample in asked)
    assert set(by_reason) == {"", "timeout", "no-answer"}, by_reason
    assert {s.status for s in asked if s.balancer == "timeout"} == {504}
    assert {s.status for s in asked if s.balancer == "no-answer"} == {502}
    reported = Reported(street, account, group)
    eventually(lambda: reported.total("RequestCount", "Sum") == len(asked))
    eventually(lambda: reported.total("HTTPCode_Target_2XX_Count", "Sum") == by_reason[""])
    assert reported.total("TargetResponseTime", "SampleCount") == by_reason[""]
    for metric in ("HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount", "HTTPCode_ELB_5XX_Count"):
        assert reported.total(metric, "Sum") == 0, metric
    refused = Reported(street, account, nobody)
    eventually(lambda: refused.total("TargetConnectionErrorCount", "Sum") >= 5)
    assert refused.total("RequestCount", "Sum") == refused.total("TargetConnectionErrorCount", "Sum")
    whole = Reported(street, account)
    eventually(lambda: whole.total("HTTPCode_ELB_504_Count", "Sum") >= by_reason["timeout"])
    assert whole.total("HTTPCode_ELB_502_Count", "Sum") >= by_reason["no-answer"] + 5
    assert whole.total("HTTPCode_ELB_503_Count", "Sum") >= 5
    assert Reported(street, account, empty).total("RequestCount", "Sum") == 0


def test_a_machine_that_stands_still_makes_no_version_slow(street: Street, account: Account) -> None:
    group = street.group()
    street.register(group, street.ready_pods(1, "in-flight", Behaviour(seconds=0.3)))
    host = f"{uuid.uuid4().hex}.test"
    street.rule(host, {group: 100})
    eventually(lambda: street.states(group) == ["healthy"])
    street.in_effect(host)
    reported = Reported(street, account, group)
    load = Load(street.port, [host], 200)
    load.start()
    eventually(lambda: reported.total("RequestCount", "Sum") > 50)
    with street.traffic.frozen():
        before = load.sent
        time.sleep(7)
        assert load.sent - before < 1000, "who waits for an answer asks for nothing else"
    sent = len(load.stop())
    eventually(lambda: reported.total("RequestCount", "Sum") >= sent)
    assert set(reported.by_second("TargetResponseTime", "Maximum").values()) == {0.3}


def test_a_machine_too_busy_to_report_leaves_no_hole_in_what_it_reports(
    street: Street, account: Account
) -> None:
    group = street.group()
    street.register(group, street.ready_pods(1, "frozen"))
    street.rule(f"{uuid.uuid4().hex}.test", {group: 100})
    eventually(lambda: street.states(group) == ["healthy"])
    reported = Reported(street, account, group)
    eventually(lambda: reported.by_second("HealthyHostCount", "Maximum"))
    store = metrics.store(ACCOUNT, REGION)

    def settled() -> float:
        return store.reported(["AWS/ApplicationELB"], math.inf)

    with street.traffic.frozen():
        # What it had sent before is read first.
        time.sleep(1)
        before = settled()
        time.sleep(4)
        assert settled() == before
    eventually(lambda: settled() >= before + 4)
    counts = reported.by_second("HealthyHostCount", "Maximum")
    seconds = range(round(before) - 1, round(before) + 4)
    assert [counts.get(second) for second in seconds] == [1.0] * len(seconds)


def test_one_failed_probe_does_not_make_a_pod_unready(street: Street) -> None:
    (pod,) = street.ready_pods(1, "ailing")
    began = time.monotonic()
    street.traffic.register("api", "ailing", "never-ready")
    eventually(lambda: not street.pods.ready(pod))
    # Three in a row do (Kubernetes' default), two periods of a quarter of a second apart; a busy machine takes longer.
    assert time.monotonic() - began >= 0.5


# --- decisions -----------------------------------------------------------------------------


def listener(*rules: Rule) -> Listener:
    return Listener("arn", REGION, 80, "app/x/1", tuple(sorted(rules, key=lambda rule: rule.priority)))


Match = Callable[..., str | None]


def matched(rules: Listener, host: str, **headers: str) -> int | None:
    rule = rule_for(rules, host, "/path?x=1", "GET", headers, "127.0.0.1")
    return rule.priority if rule else None


def test_the_first_rule_by_priority_whose_conditions_all_hold_wins() -> None:
    host = Condition("host-header", ("api.test",))
    smoke = Condition("http-header", ("secret",), "X-Smoke")
    rules = listener(Rule(10, (host,), Action()), Rule(1, (host, smoke), Action()), Rule(99, (), Action()))
    assert matched(rules, "api.test") == 10
    assert matched(rules, "API.test:8080") == 10
    assert matched(rules, "api.test", **{"x-smoke": "secret"}) == 1
    assert matched(rules, "other.test", **{"x-smoke": "secret"}) == 99


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("host-header", ("*.TEST",)), True),
        (Condition("host-header", (), regexes=(r"^API\.",)), True),
        (Condition("host-header", (), regexes=(r"^shop\.",)), False),
        (Condition("path-pattern", ("/pa*",)), True),
        (Condition("path-pattern", ("/PA*",)), False),
        (Condition("path-pattern", (), regexes=("^/p.th$",)), True),
        (Condition("query-string", ("X=1",)), True),
        (Condition("query-string", ("1",)), True),
        (Condition("query-string", ("x=2",)), False),
        (Condition("http-request-method", ("GET",)), True),
        (Condition("source-ip", ("127.0.0.0/8",)), True),
        (Condition("source-ip", ("10.0.0.0/8", "2001:db8::/32")), False),
        (Condition("something-new", ("x",)), False),
    ],
    ids=str,
)
def test_every_condition_of_elbv2_holds_as_it_says(condition: Condition, holds: bool) -> None:
    """So a rule in front of the service's own takes its requests here as it would there."""
    rules = listener(Rule(1, (condition,), Action()))
    assert (matched(rules, "api.test") == 1) is holds


def test_groups_are_picked_by_weight() -> None:
    chance = random.Random(1)
    picks = [pick_group([("a", 90), ("b", 10), ("c", 0)], chance) for _ in range(2000)]
    assert 140 < picks.count("b") < 260
    assert "c" not in picks
    assert pick_group([("a", 0)], chance) is None


def test_matchers() -> None:
    assert passes(("200", "300-399"), 302)
    assert not passes(("200", "300-399"), 503)
