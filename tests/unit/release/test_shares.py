"""Weights as shares of Pods: numbers, names, and what a record says of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.errors import Misconfigured
from candlefish.service.model import Holder, Sharing, SlotRecord, Version, Weights, listener_of
from candlefish.service.record import ServiceRecord, acquire, begin_sharing, new_record
from candlefish.traffic.movers import Movers
from candlefish.traffic.shares import (
    group_name,
    listener_name,
    pod_share,
    pods_of,
    read_weights,
    rule_name,
    split,
    stands_for,
    written,
)
from tests.support.traffic import FakeRules

totals, percents, between = st.integers(1, 500), st.integers(0, 100), st.integers(1, 99)


@given(totals, percents)
def test_shares_make_up_the_whole(total: int, weight: int) -> None:
    """A single Pod cannot be two versions: there are two for as long."""
    assert sum(split(total, weight)) == (max(total, 2) if 0 < weight < 100 else total)


@given(totals, between)
def test_who_holds_a_weight_has_a_pod(total: int, weight: int) -> None:
    assert min(split(total, weight)) >= 1


@given(totals, percents, percents)
def test_more_weight_is_never_fewer_pods(total: int, one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert split(total, less)[0] <= split(total, more)[0]
    if more < 100:
        assert split(total, less)[0] == 0 or split(total, less)[1] >= split(total, more)[1]


@given(totals, between)
def test_the_candidates_share_is_rounded_up_and_by_less_than_a_pod(total: int, weight: int) -> None:
    candidate, stable = split(total, weight)
    if stable > 1 and candidate > 1:
        assert 0 <= candidate - total * weight / 100 < 1


@pytest.mark.parametrize(
    ("total", "weight", "expected"),
    [(10, 0, (0, 10)), (10, 10, (1, 9)), (10, 11, (2, 8)), (10, 50, (5, 5)), (10, 99, (9, 1)),
     (10, 100, (10, 0)), (1, 10, (1, 1)), (3, 10, (1, 2)), (3, 90, (2, 1)), (1, 100, (1, 0))],
)  # fmt: skip
def test_examples(total: int, weight: int, expected: tuple[int, int]) -> None:
    assert split(total, weight) == expected


@given(totals, st.integers(0, 500), percents, st.sampled_from(["blue", "green"]))
def test_an_autoscaler_may_add_pods_in_the_same_share(total: int, more: int, weight: int, slot: str) -> None:
    sharing = Sharing("green" if slot == "green" else "blue", total, total + more)
    rest = 100 - weight
    weights: Weights = {"blue": weight, "green": rest} if slot == "blue" else {"green": weight, "blue": rest}
    found = pods_of(weights, sharing)
    assert all(each.pods <= each.most for each in found.values())
    assert all(bool(found[each].pods) == bool(weights[each]) for each in found)
    both = max(total + more, 2) if 0 < weight < 100 else total + more
    assert sum(each.most for each in found.values()) == both


def test_few_pods_make_another_share_than_the_weight() -> None:
    """What the judge compares with: three Pods have no tenth."""
    assert pod_share({"blue": 90, "green": 10}, Sharing("green", 3, 9), "green") == 33
    assert pod_share({"blue": 90, "green": 10}, Sharing("green", 30, 90), "green") == 10
    assert pod_share({"blue": 90, "green": 10}, None, "green") == 10
    assert pod_share({"blue": 0, "green": 100}, Sharing("green", 3, 9), "green") == 100


def test_names_are_read_as_those_of_a_load_balancer_are() -> None:
    rule = rule_name("worker", "shop", "mailer")
    assert listener_of(rule) == listener_name("worker", "shop")
    assert stands_for(rule) == ("worker", "shop", "mailer", "")
    group = group_name("cluster", "shop", "prices", "production", "green")
    assert stands_for(group) == ("cluster", "shop", "prices", "green")
    with pytest.raises(Misconfigured, match="onboard it again"):
        stands_for("kubernetes:worker:listener/shop")


@given(percents)
def test_weights_are_read_as_they_were_written(weight: int) -> None:
    weights: Weights = {"blue": weight, "green": 100 - weight}
    assert read_weights(written(weights)) == weights


@pytest.mark.parametrize(
    "text", ["", "blue=1", "blue=x,green=1", "blue=1,green=2,red=3", "blue=9999,green=1"]
)
def test_what_says_no_weights_is_none(text: str) -> None:
    assert read_weights(text) is None


# --- the record -----------------------------------------------------------------------------------


def record(kind: str = "worker") -> ServiceRecord:
    made = new_record(
        "production",
        "mailer",
        rule=rule_name(kind, "shop", "mailer"),
        smoke_rule="",
        smoke_token="",
        target_groups={
            "blue": group_name(kind, "shop", "mailer", "production", "blue"),
            "green": group_name(kind, "shop", "mailer", "production", "green"),
        },
    )
    held = SlotRecord(
        made.slots["green"].target_group, "candidate", Version("r@sha256:2"), running=True, release="r2"
    )
    stable = SlotRecord(made.slots["blue"].target_group, "stable", Version("r@sha256:1"), running=True)
    return msgspec.structs.replace(
        made,
        slots={"blue": stable, "green": held},
        stable="blue",
        generation=2,
        holder=Holder("r2", "arn", 1e9),
    )


def test_a_record_says_by_its_rule_what_moves_its_traffic() -> None:
    assert (record("worker").balanced, record("worker").works_alone) == (False, True)
    assert (record("cluster").balanced, record("cluster").works_alone) == (False, False)
    other = msgspec.structs.replace(
        record(), rule="arn:aws:elasticloadbalancing:x:1:listener-rule/app/a/b/c/d"
    )
    assert (other.balanced, other.works_alone) == (True, False)


def test_how_many_pods_are_shared_is_written_down_once_and_forgotten_with_the_next_release() -> None:
    first, later = Sharing("green", 10, 30), Sharing("green", 11, 30)
    begun = begin_sharing(record(), first, generation=2)
    assert begun.sharing == first
    assert begin_sharing(begun, later, generation=2) is begun
    freed = msgspec.structs.replace(begun, holder=None)
    assert begin_sharing(msgspec.structs.replace(freed, sharing=None), later, generation=2).sharing is None
    again = acquire(
        freed, release="r3", execution="a", version=Version("r@sha256:3"), in_place=False, now=1.0, lease=9.0
    )
    assert again.sharing is None


def test_each_name_is_asked_of_what_moves_it() -> None:
    balanced = msgspec.structs.replace(record(), rule="arn:rule", smoke_rule="arn:smoke")
    shared = record()
    balancer, shares = FakeRules(balanced), FakeRules(shared)
    asked: list[str] = []

    def find() -> FakeRules:
        asked.append("cluster")
        return shares

    movers = Movers(balancer, find)
    movers.write("arn:rule", {"a": 1})
    assert movers.tags(["arn:rule"])["arn:rule"].service == "mailer"
    assert asked == [], "a load balancer's services need no cluster"
    movers.write(shared.rule, {"b": 2})
    assert (balancer.weights["arn:rule"], shares.weights[shared.rule]) == ({"a": 1}, {"b": 2})
    assert movers.tags(["arn:rule", shared.rule]).keys() == {"arn:rule", shared.rule}
    assert asked == ["cluster"]
