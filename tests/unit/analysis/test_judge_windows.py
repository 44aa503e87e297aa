"""Looking through sources: history, steps, a baseline that has left, stores that are down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from candlefish.analysis.calibration import Calibration
from candlefish.analysis.judge_windows import judge_windows
from candlefish.analysis.merge import merge
from candlefish.analysis.model import Action, Arm, MetricTarget, Mode, Verdict, Window, aim_target
from candlefish.catalog.model import Duration, JudgePolicy, Reading
from lab.memory.analysis import MemoryCalibrations
from tests.support.analysis import FakeWindows
from tests.support.streams import MINUTE, OBJECTIVES, traffic, window

TARGET = MetricTarget(
    "production", "backend-api", "app/x/1", "blue", "green", "targetgroup/b/1", "targetgroup/g/2"
)
POLICY = msgspec.structs.replace(OBJECTIVES, settle=Duration(0), history=Duration(60 * MINUTE))
# When the release begins; an hour of history comes before.
BEGAN = 60 * MINUTE


def before(seed: int = 1, **told: Any) -> list[Window]:
    """An hour in which the old version serves alone."""
    return traffic(seed, weight=0.0, **told)


def later(windows: Sequence[Window], minutes: int) -> list[Window]:
    return [
        msgspec.structs.replace(w, start=w.start + minutes * MINUTE, end=w.end + minutes * MINUTE)
        for w in windows
    ]


class Release:
    """Looks at a release as the machine does: every minute, the states as JSON in between."""

    def __init__(self, **sources: FakeWindows) -> None:
        self.sources = sources
        self.states: dict[str, Any] = {}

    def look(self, minute: float, mode: Mode = "judge", since: float = BEGAN, minutes: int = 60) -> Verdict:
        states = msgspec.json.decode(msgspec.json.encode(self.states))
        self.states, verdict = judge_windows(
            self.sources,
            POLICY,
            TARGET,
            states,
            mode=mode,
            since=since,
            now=BEGAN + minute * MINUTE,
            deadline=since + minutes * MINUTE,
        )
        return verdict


def until_it_ends(release: Release, minutes: int = 60, **told: Any) -> tuple[Action, float]:
    for minute in range(1, minutes + 1):
        verdict = release.look(minute, **told)
        if verdict.action not in ("continue", "hold"):
            return verdict.action, minute
    return "continue", minutes


def test_a_bad_canary_is_rolled_back_and_a_good_one_promoted() -> None:
    bad = Release(cloudwatch=FakeWindows(before() + later(traffic(2, times=4.0), 60)))
    good = Release(cloudwatch=FakeWindows(before() + later(traffic(3, rate=6000), 60)))
    assert until_it_ends(bad)[0] == "rollback"
    assert until_it_ends(good)[0] == "promote"


def test_the_first_look_learns_from_the_hour_before() -> None:
    known = Release(cloudwatch=FakeWindows(before(rate=6000) + later(traffic(2, rate=6000, times=3.0), 60)))
    blind = Release(cloudwatch=FakeWindows(later(traffic(2, rate=6000, times=3.0), 60)))
    assert until_it_ends(known)[1] < until_it_ends(blind)[1]


def test_what_a_release_learnt_is_kept_and_refreshed_by_the_next() -> None:
    kept = MemoryCalibrations()
    source = FakeWindows(before() + later(traffic(2), 60))

    def look(began: float) -> Calibration:
        times = {"since": began, "now": began + MINUTE, "deadline": began + 60 * MINUTE}
        judge_windows({"cloudwatch": source}, POLICY, TARGET, {}, mode="judge", calibrations=kept, **times)  # type: ignore[arg-type]
        return kept.known["backend-api", "cloudwatch"]["errors"]

    first = look(BEGAN)
    assert first.pairs == 30 and first.until == BEGAN
    # The same hour teaches nothing new; half an hour later there is half an hour more.
    assert look(BEGAN) == first
    later_on = look(BEGAN + 30 * MINUTE)
    assert later_on.pairs == 45 and later_on.until == BEGAN + 30 * MINUTE


def test_a_release_does_without_what_cannot_be_kept() -> None:
    kept = MemoryCalibrations()
    kept.broken = True
    source = FakeWindows(before() + later(traffic(2, times=4.0), 60))
    now = BEGAN + 30 * MINUTE
    _, verdict = judge_windows(
        {"cloudwatch": source},
        POLICY,
        TARGET,
        {},
        mode="judge",
        since=BEGAN,
        now=now,
        deadline=BEGAN + 60 * MINUTE,
        calibrations=kept,
    )
    assert verdict.action == "rollback"


def test_a_store_that_is_down_holds_asks_at_the_deadline_and_forgets_nothing() -> None:
    source = FakeWindows(before() + later(traffic(2, times=4.0), 60))
    release = Release(cloudwatch=source)
    release.look(1)
    remembered = release.states
    source.down = True
    verdict = release.look(20)
    assert verdict.action == "hold" and "cloudwatch does not tell: the store is down" in verdict.reason
    assert release.states == remembered
    assert release.look(61).action == "ask"
    source.down = False
    assert release.look(20).action == "rollback"


def test_a_store_that_is_down_at_the_first_look_is_asked_again_at_the_next() -> None:
    source = FakeWindows(before() + later(traffic(2, times=4.0), 60))
    source.down = True
    release = Release(cloudwatch=source)
    assert release.look(1).action == "hold" and release.states == {}
    source.down = False
    assert release.look(20).action == "rollback"


def test_the_faster_source_rolls_back_whatever_the_other_says() -> None:
    down = FakeWindows([])
    down.down = True
    release = Release(cloudwatch=down, prometheus=FakeWindows(before() + later(traffic(2, times=4.0), 60)))
    verdict = release.look(30)
    assert verdict.action == "rollback" and verdict.reason.startswith("prometheus: ")
    assert verdict.evidence["sources"] == {"cloudwatch": "hold", "prometheus": "rollback"}


def test_promotion_needs_both_sources() -> None:
    good = before() + later(traffic(3, rate=6000), 60)
    late = FakeWindows(good)
    late.down = True
    release = Release(cloudwatch=FakeWindows(good), prometheus=late)
    assert release.look(30).action == "hold"
    late.down = False
    assert release.look(31).action == "promote"


def test_evidence_goes_with_the_release_from_step_to_step() -> None:
    source = FakeWindows(before() + later(traffic(2, rate=1500, times=2.0), 60))
    release = Release(cloudwatch=source)
    release.look(8)
    carried = release.states["cloudwatch"]["state"]["windows"]
    verdict = release.look(9, since=BEGAN + 8 * MINUTE)
    state = release.states["cloudwatch"]["state"]
    assert carried == 8 and state["windows"] == 9 and state["step_windows"] == 1
    assert verdict.action == "continue"


@pytest.mark.parametrize("change", ["policy", "format"])
def test_a_deployment_in_mid_release_begins_the_watch_anew(change: str) -> None:
    source = FakeWindows(before() + later(traffic(2, times=4.0), 60))
    release = Release(cloudwatch=source)
    release.look(2)
    if change == "format":
        release.states["cloudwatch"]["state"]["metrics"]["errors"]["rise"] = "of another version"
    else:
        release.states["cloudwatch"]["state"]["breaches"].pop()
    assert release.look(20).action == "rollback"


def test_each_look_asks_only_for_what_is_new() -> None:
    source = FakeWindows(before() + later(traffic(3, rate=600), 60))
    release = Release(cloudwatch=source)
    release.look(5)
    release.look(9)
    assert source.asked == [(0.0, BEGAN), (BEGAN, BEGAN + 300), (BEGAN + 300, BEGAN + 540)]


def alone(canary: float, minutes: int = 60) -> list[Window]:
    """The new version serves everything."""
    return [
        msgspec.structs.replace(w, baseline=Arm(0), canary=w.baseline)
        for w in traffic(5, weight=0.0, base=canary, rate=6000, minutes=minutes)
    ]


def test_after_the_switch_the_recorded_hour_stands_in_for_the_baseline() -> None:
    history = before(rate=6000)
    worse = Release(cloudwatch=FakeWindows(history + later(alone(0.02), 60)))
    action, minute = until_it_ends(worse, mode="bake")
    assert action == "rollback" and minute <= 20
    same = Release(cloudwatch=FakeWindows(history + later(alone(0.005), 60)))
    assert until_it_ends(same, mode="bake") == ("promote", 60)


def test_each_recorded_window_is_used_once() -> None:
    source = FakeWindows(before(rate=600) + later(alone(0.005), 60))
    release = Release(cloudwatch=source)
    for minute in (1, 2, 5):
        release.look(minute, mode="bake")
    # The rollback window goes on where the bake stopped.
    release.look(8, mode="bake", since=BEGAN + 5 * MINUTE)
    paired = [span for span in source.asked if span[1] < BEGAN]
    assert paired == [(0.0, 60.0), (60.0, 120.0), (120.0, 300.0), (300.0, 480.0)]


def test_without_history_only_the_objectives_are_left_after_the_switch() -> None:
    release = Release(cloudwatch=FakeWindows(later(alone(0.3), 60)))
    assert release.look(2, mode="bake").action == "rollback"
    release = Release(cloudwatch=FakeWindows(later(alone(0.02), 60)))
    assert until_it_ends(release, mode="bake")[0] == "promote"


def test_no_source_at_all_asks() -> None:
    assert Release().look(1).action == "ask"


@pytest.mark.parametrize(
    ("actions", "agreed"),
    [
        (("rollback", "promote"), "rollback"),
        (("rollback", "ask"), "rollback"),
        (("promote", "promote"), "promote"),
        (("promote", "continue"), "continue"),
        (("promote", "hold"), "hold"),
        (("continue", "hold"), "hold"),
        (("ask", "promote"), "ask"),
        (("ask", "hold"), "ask"),
    ],
)
def test_two_verdicts_become_one(actions: tuple[Action, Action], agreed: Action) -> None:
    for one, other in (actions, actions[::-1]):
        verdict = merge({"cloudwatch": Verdict(one, "because"), "prometheus": Verdict(other, "because")})
        assert verdict.action == agreed


def test_a_target_is_aimed_by_the_policy_source_by_source() -> None:
    policy = JudgePolicy(
        name="p",
        slow_over=Duration(0.5),
        sources={"prometheus": Reading(window=Duration(15), settle=Duration(5))},
    )
    assert (
        aim_target(TARGET, policy, "cloudwatch").window,
        aim_target(TARGET, policy, "cloudwatch").slow_over,
    ) == (
        60.0,
        0.5,
    )
    assert (
        aim_target(TARGET, policy, "prometheus").window,
        aim_target(TARGET, policy, "prometheus").settle,
    ) == (
        15.0,
        5.0,
    )


def test_a_window_with_stray_requests_of_the_old_version_is_compared_with_those() -> None:
    stray = [window(60, (40, 0), (6000, 30))]
    source = FakeWindows(before(rate=6000) + stray)
    release = Release(cloudwatch=source)
    release.look(1, mode="bake")
    assert not release.states["cloudwatch"]["recorded_since"]


def well(own: dict[float, float] | None) -> Release:
    """A canary as good as its baseline, with the load balancer's own errors a second beside it."""
    source = FakeWindows([*before(), *later(traffic(2, weight=0.5), 60)])
    source.own = own
    return Release(cloudwatch=source)


@pytest.mark.parametrize(
    "own",
    [None, {0.0: 0.0}, {0.0: 1.0}, {0.0: 1.0, BEGAN + 60.0: 1.5}, {0.0: 0.0, BEGAN + 60.0: 0.01}],
    ids=["nobody knows", "none", "as ever", "hardly more", "a few"],
)
def test_own_errors_of_the_load_balancer_that_did_not_rise_keep_nobody(
    own: dict[float, float] | None,
) -> None:
    release = well(own)
    actions = [release.look(minute).action for minute in range(1, 60)]
    assert "promote" in actions and "hold" not in actions[2:]


def test_nobody_is_promoted_past_own_errors_of_the_load_balancer_that_rose_with_the_release() -> None:
    release = well({0.0: 0.1, BEGAN + 60.0: 5.0})
    verdicts = [release.look(minute) for minute in range(1, 61)]
    actions = {verdict.action for verdict in verdicts}
    assert "promote" not in actions and "rollback" not in actions
    assert verdicts[-1].action == "ask" and "HTTPCode_ELB_5XX_Count" in verdicts[-1].reason
    # They ended, and what is left of them in the step weighs less and less.
    quiet = well({0.0: 0.1, BEGAN + 60.0: 5.0, BEGAN + 120.0: 0.1})
    assert "promote" in [quiet.look(minute).action for minute in range(1, 60)]
