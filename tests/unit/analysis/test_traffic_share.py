"""The canary's share of the traffic: said where it is not its weight, and never for a whim of chance."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.analysis.judge_windows import judge_windows
from candlefish.analysis.model import MetricTarget, Mode, Verdict
from candlefish.analysis.traffic_share import ENOUGH, misshared, share_words, with_share
from candlefish.catalog.model import Duration
from candlefish.release.targets import metric_target
from candlefish.service.record import intend_weight
from tests.support.analysis import FakeWindows
from tests.support.release_world import CATALOG
from tests.support.service import V1, V2, fresh, released, take
from tests.support.streams import MINUTE, POLICY, traffic

WEIGHTS = st.integers(1, 99)
REQUESTS = st.integers(0, 10**12)
TARGET = MetricTarget("production", "backend-api", "app/x/1", "blue", "green", "b", "g")
PROMOTED = Verdict("promote", "no worse than tolerated", {"e_value": 1.0})


def looks(share: float, weight: int, clump: int = 1, releases: int = 2000) -> float:
    """The part of so many releases in which any of 60 looks finds something: 600 requests between two looks."""
    rng = np.random.default_rng(7)
    ours = (clump * rng.binomial(600 // clump, share, (releases, 60))).cumsum(1)
    found = 0
    for row in ours.tolist():
        found += any(misshared(600 * (at + 1) - our, our, weight) for at, our in enumerate(row))
    return found / releases


@pytest.mark.parametrize(("weight", "share"), [(10, 0.1), (10, 0.1 / 1.2), (1, 0.01), (50, 0.55), (90, 0.88)])
@pytest.mark.parametrize("clump", [1, 10])
def test_what_chance_and_balancers_do_is_hardly_ever_news(weight: int, share: float, clump: int) -> None:
    assert looks(share, weight, clump, releases=300) <= 2 / 300


@pytest.mark.parametrize(("weight", "share"), [(10, 0.04), (10, 0.25), (50, 0.3), (90, 0.7), (5, 0.0)])
def test_a_share_that_is_far_off_is_found(weight: int, share: float) -> None:
    assert looks(share, weight, releases=100) == 1.0


@given(WEIGHTS, st.floats(-0.01, 0.01), st.integers(10**4, 10**12))
def test_a_difference_of_one_percent_is_no_news_however_many_requests_say_so(
    weight: int, off: float, total: int
) -> None:
    # Of the smaller one's share.
    canary = round(total * (weight + off * min(weight, 100 - weight)) / 100)
    assert misshared(total - canary, canary, weight) is None


@given(REQUESTS, REQUESTS, WEIGHTS)
def test_what_is_found_is_so(baseline: int, canary: int, weight: int) -> None:
    found = misshared(baseline, canary, weight)
    if found is None:
        return
    share, wanted = canary / (baseline + canary), weight / 100
    odds = (canary or 1e-9) / max(baseline, 1e-9) * (1 - wanted) / wanted
    assert found.evidence >= ENOUGH and not 1 / 1.25 <= odds <= 1.25
    assert not found.starved or share < wanted / 2
    words = share_words(found)
    assert f"{canary:,} of {baseline + canary:,}" in words and f"weight of {weight}%" in words
    assert ("less" if share < wanted else "more") in words


@given(REQUESTS, REQUESTS, WEIGHTS)
def test_more_of_the_same_says_no_less(baseline: int, canary: int, weight: int) -> None:
    found, twice = misshared(baseline, canary, weight), misshared(2 * baseline, 2 * canary, weight)
    assert found is None or (twice is not None and twice.evidence > found.evidence * (1 - 1e-9))
    assert found is None or not found.starved or (twice is not None and twice.starved)


@given(REQUESTS, REQUESTS, WEIGHTS)
def test_too_much_for_one_is_too_little_for_the_other(baseline: int, canary: int, weight: int) -> None:
    there, back = misshared(baseline, canary, weight), misshared(canary, baseline, 100 - weight)
    assert (there is None) == (back is None)


@given(REQUESTS, REQUESTS, st.sampled_from([0, 100]))
def test_who_has_all_the_traffic_shares_none(baseline: int, canary: int, weight: int) -> None:
    assert misshared(baseline, canary, weight) is None
    assert misshared(0, 0, 10) is None


def test_the_words_say_how_much_and_what_to_look_at() -> None:
    few, many = misshared(19_600, 400, 10), misshared(16_000, 4_000, 10)
    assert few and many
    assert share_words(few) == (
        "the canary got 400 of 20,000 requests since this step began (2%) at a weight of 10%, less than chance "
        "explains: look at the health of its targets, the zones they are in, and clients that stick to the old version"
    )
    assert (
        "(20%) at a weight of 10%, more than chance explains: look at the health of the old"
        in share_words(many)
    )
    assert few.starved and not many.starved


def test_an_early_promotion_of_a_starved_canary_is_held_and_all_else_is_told() -> None:
    starved, short = misshared(19_600, 400, 10), misshared(188_000, 12_000, 10)
    assert starved and short and not short.starved
    held = with_share(PROMOTED, starved, early=True, over=False)
    assert held.action == "hold" and held.reason.endswith("Otherwise: no worse than tolerated")
    assert held.evidence["traffic_share"]["canary"] == 400 and held.evidence["e_value"] == 1.0
    assert with_share(PROMOTED, starved, early=True, over=True).action == "ask"
    for found, early in ((short, True), (starved, False)):
        told = with_share(PROMOTED, found, early=early, over=False)
        assert told.action == "promote" and told.reason.startswith("no worse than tolerated; the canary got")
    assert with_share(Verdict("rollback", "bad"), starved, early=True, over=False).action == "rollback"
    assert with_share(PROMOTED, None, early=True, over=False) == PROMOTED


def judged(weight: int, mode: Mode = "judge", source: str = "cloudwatch", minutes: int = 60) -> list[Verdict]:
    """What is said minute by minute of a good canary that gets a tenth of the traffic, after an hour without it."""
    began = 60 * MINUTE
    release = [
        msgspec.structs.replace(window, start=window.start + began, end=window.end + began)
        for window in traffic(3, rate=6000)
    ]
    known = FakeWindows([*traffic(1, weight=0.0), *release])
    target = msgspec.structs.replace(TARGET, weight=weight)
    states: dict[str, Any] = {}
    said = []
    for minute in range(1, minutes + 1):
        states, verdict = judge_windows(
            {source: known},
            msgspec.structs.replace(POLICY, settle=Duration(0), history=Duration(int(began))),
            target,
            states,
            mode=mode,
            since=began,
            now=began + minute * MINUTE,
            deadline=began + minutes * MINUTE,
        )
        said.append(verdict)
    return said


def test_a_look_says_what_the_share_is_and_holds_a_starved_canary() -> None:
    as_wanted, starved = judged(10), judged(50)
    assert not any("traffic_share" in verdict.evidence for verdict in as_wanted)
    first = next(at for at, verdict in enumerate(as_wanted) if verdict.action == "promote")
    assert {verdict.action for verdict in starved[first:-1]} == {"hold"} and starved[-1].action == "ask"
    assert "at a weight of 50%, less than chance explains" in starved[first].reason
    assert starved[first].evidence["traffic_share"]["starved"]
    # Applications count probes, too.
    assert not any("traffic_share" in verdict.evidence for verdict in judged(50, source="prometheus"))
    # A bake is over when its time is up.
    assert judged(50, "bake")[-1].action == "promote"


def test_the_weight_that_is_recorded_is_the_one_that_is_wanted() -> None:
    record = intend_weight(take(released(fresh(), "r1", V1), "r2", V2), generation=2, slot="blue", weight=10)
    assert (
        metric_target(record, "blue", CATALOG).weight,
        metric_target(record, "green", CATALOG).weight,
    ) == (10, 90)
