"""Two sources of different speed, one experiment: what came of it holds for both."""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.analysis.judge_windows import Asking, judge_windows
from candlefish.analysis.look_windows import look_windows
from candlefish.analysis.model import Arm, MetricTarget, Verdict, Window
from candlefish.catalog.model import Duration, JudgePolicy, Reading
from tests.support.analysis import FakeWindows

MINUTE = 60.0
# When the release begins; an hour comes before.
BEGAN = 60 * MINUTE
TARGET = MetricTarget(
    "production", "backend-api", "app/x/1", "blue", "green", "targetgroup/b/1", "targetgroup/g/2", weight=10
)
# Prometheus tells at once, CloudWatch a minute later.
POLICY = JudgePolicy(
    "default",
    settle=Duration(60),
    history=Duration(60 * MINUTE),
    sources={"prometheus": Reading(settle=Duration(0))},
)


def minute(number: int, failing: float, weight: float) -> Window:
    canary = round(6000 * weight)
    baseline = 6000 - canary
    start = BEGAN + number * MINUTE
    return Window(
        start,
        start + MINUTE,
        Arm(baseline, round(baseline * failing)),
        Arm(canary, round(canary * failing)),
    )


# Both versions are well for three minutes; then a fifth of all requests fails, with the canary and without it.
OUT, AWAY, BACK, WELL = 3, 5, 8, 20
WINDOWS = [
    minute(
        number,
        0.2 if OUT <= number < WELL else 0.002,
        0.1 if 0 <= number < AWAY or number >= BACK else 0.0,
    )
    for number in range(-60, 40)
]


def judged(states: dict[str, Any], since: int, now: int) -> tuple[dict[str, Any], Verdict]:
    return judge_windows(
        {"prometheus": FakeWindows(WINDOWS), "cloudwatch": FakeWindows(WINDOWS)},
        POLICY,
        TARGET,
        states,
        mode="judge",
        since=BEGAN + since * MINUTE,
        now=BEGAN + now * MINUTE,
        deadline=BEGAN + 60 * MINUTE,
        asking=Asking(possible=True),
    )


def test_what_the_faster_source_concluded_is_asked_by_no_slower_one_again() -> None:
    states, verdict = judged({}, 0, OUT + 1)
    assert verdict.action == "experiment" and verdict.evidence["source"] == "prometheus"
    states, conclusion = look_windows(
        {"prometheus": FakeWindows(WINDOWS), "cloudwatch": FakeWindows(WINDOWS)},
        POLICY,
        msgspec.structs.replace(TARGET, weight=0),
        states,
        since=BEGAN + AWAY * MINUTE,
        now=BEGAN + (AWAY + 2) * MINUTE,
        deadline=BEGAN + 60 * MINUTE,
    )
    assert conclusion is not None and conclusion.outcome == "persists"
    for now in range(BACK + 1, WELL):
        states, verdict = judged(states, BACK, now)
        assert verdict.action in ("continue", "promote"), (now, verdict.reason)
        assert "stayed when the canary had no traffic" in verdict.reason
