"""What is unknown is no promotion: failures of ours, and metrics that nobody ever reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from candlefish.analysis.judge_windows import judge_windows
from candlefish.analysis.model import Action, Arm, MetricTarget, Survey, Verdict, Window, aim_target
from candlefish.analysis.unknowns import reported_now, unless_unreported
from candlefish.catalog.model import Counter, Duration, JudgePolicy
from tests.support.analysis import FakeWindows
from tests.support.streams import MINUTE, OBJECTIVES, traffic, window

TARGET = MetricTarget(
    "production",
    "backend-api",
    "app/x/1",
    "blue",
    "green",
    "targetgroup/b/1",
    "targetgroup/g/2",
    namespace="shop",
)
POLICY = msgspec.structs.replace(OBJECTIVES, settle=Duration(0), history=Duration(60 * MINUTE))
BEGAN = 60 * MINUTE
WELL = Arm(3000, 3), Arm(3000, 3)
ALL = ("errors", "slow")


def look(
    sources: dict[str, FakeWindows],
    minute: float,
    states: dict[str, Any] | None = None,
    policy: JudgePolicy = POLICY,
    failed: Callable[[str, Exception], None] | None = None,
) -> tuple[dict[str, Any], Verdict]:
    return judge_windows(
        sources,
        policy,
        TARGET,
        states or {},
        mode="judge",
        since=BEGAN,
        now=BEGAN + minute * MINUTE,
        deadline=BEGAN + 60 * MINUTE,
        failed=failed,
    )


@pytest.mark.parametrize(("minute", "action"), [(20, "hold"), (60, "ask")])
@pytest.mark.parametrize(
    "error", [ValueError("cannot convert float NaN to integer"), KeyError("le"), MemoryError()]
)
def test_a_failure_of_ours_is_unknown_and_is_told(error: Exception, minute: float, action: Action) -> None:
    source = FakeWindows(always=WELL)
    source.broken = error
    told: list[tuple[str, Exception]] = []
    states, verdict = look({"prometheus": source}, minute, failed=lambda *each: told.append(each))
    assert (verdict.action, states) == (action, {})
    assert type(error).__name__ in verdict.reason and "no evidence against the version" in verdict.reason
    assert told == [("prometheus", error)]


def test_a_failure_of_ours_forgets_nothing_and_stops_no_other_source() -> None:
    bad, broken = FakeWindows(always=(Arm(3000, 3), Arm(3000, 300))), FakeWindows(always=WELL)
    known, _ = look({"prometheus": broken}, 2)
    broken.broken = ZeroDivisionError()
    after, verdict = look({"prometheus": broken, "cloudwatch": bad}, 5, known)
    assert verdict.action == "rollback" and verdict.evidence["source"] == "cloudwatch"
    assert after["prometheus"] == known["prometheus"]


def missing(*names: str, canary_errors: int = 3) -> FakeWindows:
    """A store without any series of some metrics."""
    counted = {"orders": 30} if "orders" not in names else {}
    made = (window(minute, (3000, 3), (3000, canary_errors)) for minute in range(60, 120))
    return FakeWindows(
        msgspec.structs.replace(
            each,
            absent=tuple(name for name in names if name != "orders"),
            baseline=msgspec.structs.replace(each.baseline, counters=counted),
            canary=msgspec.structs.replace(each.canary, counters=counted),
        )
        for each in made
    )


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        ("prometheus", "slow", 'http_request_duration_seconds_bucket{namespace="shop",service="backend-api"'),
        ("prometheus", "errors", 'code=~"5.."'),
        ("prometheus", "orders", 'orders{namespace="shop"'),
        ("cloudwatch", "orders", "no metric orders in the namespace Candlefish with Service=backend-api"),
        ("another", "slow", "there is no series of slow"),
    ],
)
def test_a_metric_that_nobody_ever_reported_is_named_and_promotes_nobody(
    source: str, name: str, said: str
) -> None:
    policy = msgspec.structs.replace(POLICY, counters=(Counter(name="orders", bad="less"),))
    _, verdict = look({source: missing(name)}, 20, policy=policy)
    assert verdict.action == "hold" and said in verdict.reason
    assert verdict.evidence["never_reported"] == [name]
    assert look({source: missing(name)}, 60, policy=policy)[1].action == "ask"


def test_it_never_keeps_a_rollback() -> None:
    assert look({"prometheus": missing("slow", canary_errors=400)}, 20)[1].action == "rollback"


def test_what_another_source_or_the_past_reports_is_known() -> None:
    assert (
        look({"prometheus": missing("slow"), "cloudwatch": FakeWindows(always=WELL)}, 30)[1].action
        == "promote"
    )
    past = missing("slow")
    past.surveyed = Survey(reported=ALL)
    assert look({"prometheus": past}, 30)[1].action == "promote"


def test_what_was_reported_once_stays_known_in_later_looks() -> None:
    source = FakeWindows(always=WELL)
    states, _ = look({"prometheus": source}, 1)
    assert look({"prometheus": missing("slow")}, 30, states)[1].action == "promote"


def test_nothing_is_said_of_what_has_not_served_yet() -> None:
    empty = Window(0, 60, Arm(0), Arm(0), absent=ALL)
    assert reported_now((), [empty], ALL) == []
    promoted = Verdict("promote", "well")
    assert unless_unreported(promoted, ALL, {}, {}, over=False) == promoted


def test_a_source_that_never_showed_a_request_says_what_it_was_asked_for() -> None:
    verdict = look({"prometheus": FakeWindows()}, 20)[1]
    assert verdict.action == "hold"
    assert (
        'asked for http_requests_total{namespace="shop",service="backend-api",slot="green"}' in verdict.reason
    )
    assert "http_requests_total" not in look({"cloudwatch": FakeWindows()}, 20)[1].reason


def test_the_reason_of_the_verdict_is_kept() -> None:
    aim = aim_target(TARGET, POLICY, "prometheus")
    found = unless_unreported(
        Verdict("promote", "well", {"n": 1}), ALL, {"prometheus": ["errors"]}, {"prometheus": aim}, over=False
    )
    assert found.reason.endswith("Otherwise: well") and found.evidence["n"] == 1


def test_a_survey_is_made_once_and_goes_with_every_look() -> None:
    source = FakeWindows(
        [*traffic(1, weight=0.0), *(window(m, (3000, 3), (3000, 3)) for m in range(60, 120))]
    )
    source.surveyed = Survey(edges=(0.1, 2.0), reported=ALL)
    states, _ = look({"cloudwatch": source}, 1)
    assert states["cloudwatch"]["survey"]["edges"] == [0.1, 2.0]
    source.surveyed = Survey(edges=(9.0,))
    again, _ = look({"cloudwatch": source}, 2, states)
    assert again["cloudwatch"]["survey"] == states["cloudwatch"]["survey"]
    assert source.aimed[-1].survey.edges == (0.1, 2.0)
