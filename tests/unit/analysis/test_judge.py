"""What the judge says, and that it says it whatever way the windows arrive."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.analysis.calibration import calibrate
from candlefish.analysis.judge import _shares, first_state, judge, metrics, resume
from candlefish.analysis.judge import streams as streams_of
from candlefish.analysis.model import Arm, Ended, JudgeState, Mode, Survey, Verdict, Window
from candlefish.catalog.model import Budget, Counter, Duration, JudgePolicy
from tests.support.streams import MINUTE, OBJECTIVES, POLICY, traffic, window

END = 60 * MINUTE


def verdict_of(
    windows: list[Window], policy: JudgePolicy = OBJECTIVES, mode: Mode = "judge", deadline: float = END
) -> Verdict:
    """The last word at the deadline."""
    return judge(policy, first_state(policy, 0.0, mode), windows, deadline, deadline)[1]


# --- however the stream is cut up ----------------------------------------------------------------

small = st.tuples(st.integers(0, 400), st.floats(0, 1)).map(
    lambda pair: (pair[0], round(pair[0] * pair[1] ** 4))
)
streams = st.lists(st.tuples(small, small), min_size=1, max_size=25)


@settings(max_examples=60)
@given(streams, st.data())
def test_the_verdict_does_not_depend_on_how_the_stream_is_cut(
    counts: list[tuple[tuple[int, int], tuple[int, int]]], data: st.DataObject
) -> None:
    """Late by up to three windows, missing, repeated: delivered whole or in pieces, through JSON each time."""
    windows = [window(minute, *pair) for minute, pair in enumerate(counts)]
    missing = data.draw(st.sets(st.integers(0, len(windows) - 1), max_size=3))
    delivered = [w for index, w in enumerate(windows) if index not in missing]
    delays = data.draw(st.lists(st.integers(0, 3), min_size=len(delivered), max_size=len(delivered)))
    delivered = [
        w
        for _, _, w in sorted(
            zip([i + d for i, d in enumerate(delays)], delays, delivered, strict=True), key=lambda t: t[0]
        )
    ]
    repeats = data.draw(st.lists(st.sampled_from(delivered), max_size=3)) if delivered else []
    delivered += repeats
    whole = judge(OBJECTIVES, first_state(OBJECTIVES, 0.0), delivered, END, END)
    state = first_state(OBJECTIVES, 0.0)
    while delivered:
        size = data.draw(st.integers(1, len(delivered)))
        state, _ = judge(OBJECTIVES, state, delivered[:size], 0.0, END)
        state = msgspec.json.decode(msgspec.json.encode(state), type=JudgeState)
        delivered = delivered[size:]
    assert judge(OBJECTIVES, state, [], END, END) == whole


def test_windows_that_come_late_by_less_than_the_patience_change_nothing() -> None:
    windows = traffic(1, times=3.0)
    state = judge(POLICY, first_state(POLICY, 0.0), windows, END, END)
    swapped = list(windows)
    for at in range(0, 56, 4):
        swapped[at], swapped[at + 1], swapped[at + 2] = swapped[at + 2], swapped[at], swapped[at + 1]
    assert judge(POLICY, first_state(POLICY, 0.0), swapped, END, END) == state


def test_a_window_is_counted_once_however_often_it_comes() -> None:
    windows = traffic(1)
    twice = [w for w in windows for _ in range(2)]
    state, verdict = judge(POLICY, first_state(POLICY, 0.0), twice, END, END)
    assert verdict.evidence["windows"] == 60 and verdict.evidence["ignored"] == 60
    assert state.requests == judge(POLICY, first_state(POLICY, 0.0), windows, END, END)[0].requests


def test_a_missing_window_is_waited_for_and_then_done_without() -> None:
    windows = traffic(1, minutes=12)
    state = first_state(POLICY, 0.0)
    for delivered, consumed in ((windows[:3], 3), ([windows[4]], 3), (windows[5:7], 3), ([windows[7]], 7)):
        state, _ = judge(POLICY, state, delivered, 600.0, END)
        assert state.windows == consumed
    # Too late now.
    state, verdict = judge(POLICY, state, [windows[3]], 600.0, END)
    assert state.windows == 7 and verdict.evidence["ignored"] == 1


def test_windows_from_before_the_canary_had_traffic_are_not_counted() -> None:
    state, _ = judge(POLICY, first_state(POLICY, 5 * MINUTE), traffic(1, minutes=10), 10 * MINUTE, END)
    assert state.windows == 5 and state.ignored == 0


def test_the_state_is_small_and_survives_json() -> None:
    policy = JudgePolicy(name="p", counters=(Counter(name="orders", bad="less"),), budgets=OBJECTIVES.budgets)
    state, _ = judge(policy, first_state(policy, 0.0), traffic(1, slow=0.02)[:50], 3000.0, END)
    written = msgspec.json.encode(state)
    assert len(written) < 9_000
    assert msgspec.json.decode(written, type=JudgeState) == state


def test_judging_changes_nothing_it_was_given() -> None:
    state = first_state(POLICY, 0.0)
    before = msgspec.json.encode(state)
    judge(POLICY, state, traffic(1), END, END)
    assert msgspec.json.encode(state) == before


# --- rolling back --------------------------------------------------------------------------------


def test_a_canary_with_half_its_requests_failing_is_rolled_back_after_one_window() -> None:
    verdict = verdict_of([window(0, (2700, 14), (300, 150))], deadline=END)
    assert verdict.action == "rollback"
    state, early = judge(
        OBJECTIVES, first_state(OBJECTIVES, 0.0), [window(0, (2700, 14), (300, 150))], 90.0, END
    )
    assert early.action == "rollback" and state.rolled_back and state.rolled_back.window == 1


def test_the_reason_names_rates_with_their_interval_and_what_that_is_in_times() -> None:
    verdict = verdict_of(traffic(3, times=4.0))
    assert verdict.action == "rollback"
    for part in (
        "since 00:00:00Z",
        "% of the canary's requests failed (",
        "% of the baseline's (",
        "95% interval",
        "times as many",
        "50 decides",
    ):
        assert part in verdict.reason, verdict.reason
    found = verdict.evidence
    assert found["metric"] == "errors" and found["e_value"] >= 50
    low, high = found["interval"]
    assert low < found["odds_ratio"] < high and 2 < found["odds_ratio"] < 8


def test_the_odds_ratio_is_that_of_the_windows_not_of_their_sum() -> None:
    """A shared incident in the busiest hour of the baseline must not hide what every window shows."""
    quiet, busy = ((1000, 5), (1000, 20)), ((9000, 2700), (100, 63))
    windows = [window(m, *(busy if m % 4 == 0 else quiet)) for m in range(12)]
    found = verdict_of(windows, POLICY).evidence
    pooled = found["canary"]["events"] / found["canary"]["requests"]
    assert pooled < found["baseline"]["events"] / found["baseline"]["requests"]
    assert 3 < found["odds_ratio"] < 5 and found["interval"][0] > 1


def test_a_late_regression_is_told_by_the_stretch_it_lasted() -> None:
    verdict = verdict_of(traffic(3, times=4.0, begins=20))
    assert verdict.action == "rollback"
    assert verdict.evidence["since"] >= 16 * MINUTE and verdict.evidence["odds_ratio"] > 2.5


def test_slow_requests_roll_back_as_errors_do() -> None:
    verdict = verdict_of(traffic(3, base=0.001, slow=0.01, slow_times=4.0))
    assert verdict.action == "rollback" and verdict.evidence["metric"] == "slow"
    assert "were slow" in verdict.reason


def test_a_rollback_is_final() -> None:
    state, _ = judge(POLICY, first_state(POLICY, 0.0), traffic(3, times=5.0), END, END)
    assert state.rolled_back
    after, verdict = judge(POLICY, state, [window(61, (3000, 9), (3000, 9))], END, END)
    assert verdict.action == "rollback" and after.rolled_back == state.rolled_back


def test_a_promotion_does_not_end_the_watch() -> None:
    windows = traffic(2, rate=6000, times=5.0, begins=30)
    state, verdict = judge(OBJECTIVES, first_state(OBJECTIVES, 0.0), windows[:30], 30 * MINUTE, END)
    assert verdict.action == "promote" and state.promoted
    _, verdict = judge(OBJECTIVES, state, windows[30:], END, END)
    assert verdict.action == "rollback"


# --- what both versions share --------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.001, 0.005, 0.01]), st.sampled_from([0.05, 0.1, 0.5]))
def test_a_common_tenfold_spike_never_rolls_back(seed: int, base: float, weight: float) -> None:
    shares = [base] * 10 + [10 * base] * 10 + [base] * 10
    windows = traffic(seed, rate=1500, weight=weight, base=shares, minutes=30)
    state, _ = judge(OBJECTIVES, first_state(OBJECTIVES, 0.0), windows, END, END)
    assert not state.rolled_back


@settings(max_examples=40)
@given(
    st.integers(0, 10**6), st.lists(st.sampled_from([0.01, 0.05, 0.1, 0.5, 0.9]), min_size=30, max_size=30)
)
def test_weights_that_change_mid_stream_are_no_evidence(seed: int, weights: list[float]) -> None:
    windows = traffic(seed, rate=1500, weight=weights, base=0.01, minutes=30)
    state, _ = judge(OBJECTIVES, first_state(OBJECTIVES, 0.0), windows, END, END)
    assert not state.rolled_back


def test_a_weight_change_does_not_hide_a_bad_canary() -> None:
    windows = traffic(8, weight=[0.05] * 10 + [0.5] * 50, base=0.005, times=2.5)
    assert verdict_of(windows).action == "rollback"


def test_windows_of_nothing_but_errors_on_both_sides_are_no_evidence_against_the_canary() -> None:
    state, verdict = judge(
        POLICY,
        first_state(POLICY, 0.0),
        [window(m, (900, 900), (100, 100)) for m in range(20)],
        20 * MINUTE,
        END,
    )
    assert verdict.action == "continue" and verdict.evidence["e_value"] <= 1
    assert not state.rolled_back


def test_windows_without_a_single_error_promote() -> None:
    verdict = verdict_of([window(m, (9000, 0), (1000, 0)) for m in range(10)])
    assert verdict.action == "promote"


@pytest.mark.parametrize("times", [1.0, 1.05])
def test_ten_million_requests_a_window_are_judged_as_calmly_as_ten(times: float) -> None:
    verdict = verdict_of(traffic(1, rate=10**7, base=0.01, weight=0.1, times=times, minutes=20))
    assert verdict.action == "promote"


def test_ten_million_requests_a_window_do_find_a_canary_that_is_twice_as_bad() -> None:
    state, _ = judge(
        POLICY, first_state(POLICY, 0.0), traffic(1, rate=10**7, base=0.01, times=2.0, minutes=20), END, END
    )
    assert state.rolled_back and state.rolled_back.window <= 6


# --- absolute objectives -------------------------------------------------------------------------


def test_a_canary_over_its_budget_for_long_enough_is_rolled_back() -> None:
    policy = JudgePolicy(
        name="b", margin=50, tolerance=60, budgets=(Budget(metric="errors", over=0.1, lasting=Duration(300)),)
    )
    windows = [window(m, (9000, 90), (1000, 150)) for m in range(10)]
    state, verdict = judge(policy, first_state(policy, 0.0), windows, END, END)
    assert state.rolled_back and state.rolled_back.window == 5
    assert "the objective is at most 10% for 5m" in verdict.reason


def test_a_stretch_over_budget_starts_again_after_a_good_window() -> None:
    policy = JudgePolicy(
        name="b", margin=50, tolerance=60, budgets=(Budget(metric="errors", over=0.1, lasting=Duration(300)),)
    )
    windows = [window(m, (9000, 90), (1000, 20 if m % 4 == 3 else 150)) for m in range(20)]
    assert not judge(policy, first_state(policy, 0.0), windows, END, END)[0].rolled_back


def test_a_few_unlucky_requests_break_no_budget() -> None:
    assert verdict_of([window(0, (30, 0), (3, 1))], deadline=END).action == "ask"


def test_trouble_that_both_versions_share_holds_and_then_asks() -> None:
    windows = [window(m, (9000, 1800), (1000, 200)) for m in range(10)]
    state, verdict = judge(OBJECTIVES, first_state(OBJECTIVES, 0.0), windows, 10 * MINUTE, END)
    assert verdict.action == "hold" and "so is the baseline" in verdict.reason
    assert judge(OBJECTIVES, state, [], END, END)[1].action == "ask"


def test_an_outage_during_a_release_is_rolled_back_even_when_shared() -> None:
    windows = [window(m, (9000, 6300), (1000, 700)) for m in range(3)]
    state, verdict = judge(OBJECTIVES, first_state(OBJECTIVES, 0.0), windows, 3 * MINUTE, END)
    assert verdict.action == "rollback" and state.rolled_back and state.rolled_back.window == 2


# --- not knowing ---------------------------------------------------------------------------------


def test_no_window_yet_is_no_verdict() -> None:
    verdict = judge(POLICY, first_state(POLICY, 0.0), [], 30.0, END)[1]
    assert verdict.action == "continue" and verdict.reason == "waiting for the first complete window"


def test_silence_holds_and_then_asks() -> None:
    state, _ = judge(POLICY, first_state(POLICY, 0.0, "bake"), traffic(1, minutes=5), 300.0, END)
    late = judge(POLICY, state, [], 300.0 + 5 * MINUTE, END)[1]
    assert late.action == "hold" and "no complete window for 5m" in late.reason
    assert judge(POLICY, state, [], END, END)[1].action == "ask"


def test_a_canary_without_requests_holds_and_then_asks() -> None:
    windows = [window(m, (1000, 5), (0, 0)) for m in range(60)]
    state, verdict = judge(POLICY, first_state(POLICY, 0.0, "bake"), windows[:10], 10 * MINUTE, END)
    assert verdict.action == "hold" and "no request" in verdict.reason
    assert judge(POLICY, state, windows[10:], END, END)[1].action == "ask"


def test_a_bake_that_was_hardly_seen_is_not_survived() -> None:
    windows = [w for m, w in enumerate(traffic(1)) if m < 5 or m > 54]
    verdict = judge(POLICY, first_state(POLICY, 0.0, "bake"), windows, END, END)[1]
    assert verdict.action == "ask" and "were reported" in verdict.reason


def test_too_few_requests_ask_at_the_deadline() -> None:
    verdict = verdict_of([window(m, (20, 0), (0, 0) if m else (5, 0)) for m in range(60)], mode="bake")
    assert verdict.action == "ask" and "only 5 canary requests" in verdict.reason


def test_undecided_at_the_deadline_asks() -> None:
    verdict = verdict_of(traffic(1, rate=60, base=0.01), deadline=END)
    assert verdict.action == "ask" and "decide yourself" in verdict.reason


# --- promoting -----------------------------------------------------------------------------------


def test_a_good_canary_is_promoted_early_and_the_reason_says_what_was_ruled_out() -> None:
    state, verdict = judge(POLICY, first_state(POLICY, 0.0), traffic(1, rate=6000)[:15], 15 * MINUTE, END)
    assert verdict.action == "promote" and "2 times as bad as the baseline" in verdict.reason
    assert state.promoted and state.promoted.window >= POLICY.min_windows


def test_nobody_is_promoted_before_the_least_number_of_windows() -> None:
    assert (
        judge(POLICY, first_state(POLICY, 0.0), traffic(1, rate=10**6)[:2], 120.0, END)[1].action
        == "continue"
    )


def test_a_bake_sits_it_out() -> None:
    windows = traffic(1, rate=6000)
    assert (
        judge(POLICY, first_state(POLICY, 0.0, "bake"), windows[:30], 30 * MINUTE, END)[1].action
        == "continue"
    )
    assert judge(POLICY, first_state(POLICY, 0.0, "bake"), windows, END, END)[1].action == "promote"


def test_a_canary_twice_as_bad_is_seldom_promoted_early() -> None:
    policy = msgspec.structs.replace(POLICY, margin=1.9, tolerance=2.0, negligible=1e-6)
    promoted = 0
    for seed in range(150):
        state, _ = judge(
            policy, first_state(policy, 0.0), traffic(seed, rate=3000, base=0.005, times=2.0), END, END
        )
        promoted += bool(state.promoted)
    assert promoted / 150 <= policy.promote_alpha + 0.05


# --- steps, recorded baselines, counters ---------------------------------------------------------


def test_evidence_is_carried_from_step_to_step() -> None:
    """Neither half would do, together they do: one alpha for the release, not one for each step."""
    windows = traffic(11, rate=1500, base=0.005, times=2.5)
    end = next(
        n for n in range(60) if judge(POLICY, first_state(POLICY, 0.0), windows[:n], 0.0, END)[0].rolled_back
    )
    half = end // 2
    alone, _ = judge(POLICY, first_state(POLICY, half * MINUTE), windows[half : end + 1], 0.0, END)
    state, _ = judge(POLICY, first_state(POLICY, 0.0), windows[:half], 0.0, END)
    state = resume(POLICY, state, half * MINUTE)
    carried, _ = judge(POLICY, state, windows[half : end + 1], 0.0, END)
    assert carried.rolled_back and not alone.rolled_back


def test_a_step_must_be_earned_with_its_own_requests() -> None:
    state, verdict = judge(POLICY, first_state(POLICY, 0.0), traffic(1, rate=6000)[:20], 20 * MINUTE, END)
    assert verdict.action == "promote"
    state = resume(POLICY, state, 20 * MINUTE)
    verdict = judge(POLICY, state, [], 20 * MINUTE + 30, END)[1]
    assert (verdict.action, verdict.reason) == ("continue", "waiting for the first complete window")


def test_a_version_that_has_all_the_traffic_is_compared_with_nobody() -> None:
    """As it is in a bake at 100% of a service without a history."""
    windows = [window(m, (0, 0), (1000, 5)) for m in range(10)]
    state, verdict = judge(POLICY, first_state(POLICY, 0.0, "bake"), windows, 10 * MINUTE, 11 * MINUTE)
    assert "of the canary's requests were slow (0 of 10,000" in verdict.reason
    assert "baseline" not in verdict.reason
    ended = judge(POLICY, state, [], 11 * MINUTE, 11 * MINUTE)[1]
    assert "without evidence against it" in ended.reason and "baseline" not in ended.reason


def test_a_recorded_baseline_is_compared_as_two_different_hours_are() -> None:
    """The same two rates: enough to accuse within a minute, not across an hour that swings."""
    swinging = [0.005 if minute // 60 % 2 else 0.02 for minute in range(360)]
    known = calibrate(traffic(1, weight=0.0, base=swinging, minutes=360), metrics(POLICY))
    assert known["errors"].drift != known["errors"].burst
    pairs = [((3000, 15), (3000, 60)) for _ in range(6)]
    live, recorded = first_state(POLICY, 0.0, "bake", known), first_state(POLICY, 0.0, "bake", known)
    recorded = resume(POLICY, recorded, 0.0, "bake", recorded=known)
    windows = [window(m, *pair) for m, pair in enumerate(pairs)]
    again = [msgspec.structs.replace(w, recorded=True) for w in windows]
    assert judge(POLICY, live, windows, 360.0, END)[0].rolled_back
    assert not judge(POLICY, recorded, again[:2], 120.0, END)[0].rolled_back


def test_business_counters_are_judged_in_the_direction_that_is_bad() -> None:
    policy = JudgePolicy(name="c", counters=(Counter(name="orders", bad="less"), Counter(name="refunds")))

    def windows(orders: int, refunds: int) -> list[Window]:
        old = Arm(2700, counters={"orders": 270, "refunds": 27})
        return [
            Window(
                MINUTE * m,
                MINUTE * m + MINUTE,
                old,
                Arm(300, counters={"orders": orders, "refunds": refunds}),
            )
            for m in range(20)
        ]

    def said(orders: int, refunds: int) -> Verdict:
        return judge(policy, first_state(policy, 0.0), windows(orders, refunds), END, END)[1]

    fewer, more = said(8, 3), said(30, 15)
    assert fewer.action == "rollback" and fewer.evidence["metric"] == "orders"
    assert more.action == "rollback" and more.evidence["metric"] == "refunds"
    assert said(60, 1).action != "rollback"
    assert fewer.evidence["canary"]["requests"] < fewer.evidence["baseline"]["requests"]


def test_the_function_side_imports_nothing_heavy() -> None:
    """The judge runs in a function: no numpy, no YAML, nothing but the standard library and msgspec."""
    code = "import sys, candlefish.analysis.judge_windows; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "scipy", "yaml", "botocore", "urllib3", "matplotlib", "pydantic"}


# --- warming up, and gross failure ------------------------------------------------------------------


WARM = JudgePolicy(name="warm", warm_up=Duration(180), budgets=OBJECTIVES.budgets)


def cold(times: float, minutes: int = 3) -> list[Window]:
    """A canary that is so many times as bad for its first minutes, and healthy afterwards."""
    return [
        *traffic(4, times=times, minutes=minutes),
        *[w for w in traffic(5, minutes=60) if w.start >= minutes * MINUTE],
    ]


def test_a_cold_start_is_forgiven_where_it_is_declared_and_said() -> None:
    windows = cold(8.0)
    state, verdict = judge(WARM, first_state(WARM, 0.0), windows[:2], 2 * MINUTE, END)
    assert (
        verdict.action == "continue"
        and "warming up until 00:03:00Z: only gross failure counts" in verdict.reason
    )
    _, verdict = judge(WARM, state, windows[2:], END, END)
    assert verdict.action == "promote"
    # Nobody who declares nothing is forgiven.
    assert verdict_of(windows).action == "rollback"


def test_a_warm_up_begins_again_with_each_change_of_weight_and_only_then() -> None:
    state, _ = judge(WARM, first_state(WARM, 0.0), traffic(4, minutes=10), 10 * MINUTE, END)
    assert state.judged == 7
    same, shifted = (resume(WARM, state, 10 * MINUTE, shifted=shifted) for shifted in (False, True))
    later = [w for w in traffic(4, minutes=15) if w.start >= 10 * MINUTE]
    assert [judge(WARM, each, later, 15 * MINUTE, END)[0].judged for each in (same, shifted)] == [12, 9]


def test_a_watch_that_saw_nothing_but_the_warm_up_is_not_survived() -> None:
    windows = [window(m, (0, 0), (1000, 5)) for m in range(6)]
    begun = first_state(WARM, 0.0, "bake")
    _, verdict = judge(WARM, begun, windows[:3], 3 * MINUTE, 3 * MINUTE)
    assert verdict.action == "ask"
    assert "all of it was warm-up (3m), in which only gross failure counts" in verdict.reason
    assert judge(WARM, begun, windows, 6 * MINUTE, 6 * MINUTE)[1].action == "promote"


def test_gross_failure_does_not_wait_for_the_warm_up() -> None:
    state, verdict = judge(WARM, first_state(WARM, 0.0), traffic(4, times=100.0, minutes=1), MINUTE, END)
    assert verdict.action == "rollback" and state.rolled_back and state.rolled_back.window == 1


@pytest.mark.parametrize(("requests", "failed"), [(20, 10), (30, 8), (600, 170)])
def test_what_is_beyond_all_that_a_service_has_known_needs_one_window(requests: int, failed: int) -> None:
    """However small the canary, and whatever its objectives."""
    known = calibrate(traffic(9, weight=0.0, base=0.002, minutes=180), ("errors",))
    state = first_state(POLICY, 0.0, calibration=known)
    bad = window(0, (9 * requests, requests // 50), (requests, failed))
    state, verdict = judge(POLICY, state, [bad], MINUTE, END)
    assert state.rolled_back == Ended(MINUTE, 1, "gross")
    assert "beyond chance and beyond all that the service has known" in verdict.reason


def test_a_bad_minute_of_a_kind_that_the_service_has_is_not_gross() -> None:
    shares = [0.3 if minute % 45 == 7 else 0.01 for minute in range(180)]
    known = calibrate(traffic(9, weight=0.0, base=shares, minutes=180), ("errors",))
    state = first_state(OBJECTIVES, 0.0, calibration=known)
    state, verdict = judge(OBJECTIVES, state, [window(0, (2700, 27), (300, 95))], MINUTE, END)
    assert verdict.action == "continue" and not state.rolled_back


def test_what_fails_on_both_sides_is_not_the_canarys_gross_failure() -> None:
    state, verdict = judge(
        POLICY, first_state(POLICY, 0.0), [window(0, (2700, 800), (300, 100))], MINUTE, END
    )
    assert not state.rolled_back and verdict.action == "continue"


# --- streams beside the counts ----------------------------------------------------------------------

EDGES = Survey(edges=(0.05, 0.1, 0.2, 0.4), places=("/a", "/b"))


def beside(minute: int, canary: tuple[int, ...], at: tuple[int, int] = (0, 0)) -> Window:
    """A minute of 5,400 and 600 requests: how many of the canary's were over each edge, and what failed at /b."""
    names = [f"over:{edge:g}" for edge in EDGES.edges]
    usual = (2700, 540, 54, 5)
    one = {name: (5400, count) for name, count in zip(names, usual, strict=True)}
    other = {name: (600, count) for name, count in zip(names, canary, strict=True)}
    places = {"at:/a": (5300, 10), "at:/b": (100, 1)}, {"at:/a": (590, 1), "at:/b": at}
    start = MINUTE * minute
    arms = (Arm(5400, 11, beside={**one, **places[0]}), Arm(600, 1 + at[1], beside={**other, **places[1]}))
    return Window(start, start + MINUTE, *arms)


def test_an_edge_that_all_requests_exceed_keeps_nobody_from_a_promotion() -> None:
    """As there are where nothing is known of the service before: no canary can be worse there."""
    edges = Survey(edges=(0.005, 0.2))
    usual, other = ({"over:0.005": (n, n), "over:0.2": (n, 0)} for n in (5400, 600))
    arms = Arm(5400, 5, beside=usual), Arm(600, 0, beside=other)
    windows = [Window(m * MINUTE, (m + 1) * MINUTE, *arms) for m in range(20)]
    verdict = judge(POLICY, first_state(POLICY, 0.0, survey=edges), windows, 20 * MINUTE, END)[1]
    assert verdict.action == "promote"


def test_latency_is_judged_as_a_whole_and_told_in_quantiles() -> None:
    windows = [beside(minute, (540, 300, 60, 6)) for minute in range(6)]
    _, verdict = judge(POLICY, first_state(POLICY, 0.0, survey=EDGES), windows, 6 * MINUTE, END)
    assert verdict.action == "rollback" and verdict.evidence["metric"].startswith("over:")
    assert "requests took longer than" in verdict.reason
    told = verdict.evidence["quantiles"]
    assert told["canary"][0] <= told["canary"][1] <= told["canary"][2]
    assert f"p{100 * told['quantile']:g} " in verdict.reason and "95% interval" in verdict.reason


def test_an_endpoint_is_found_by_where_it_is() -> None:
    windows = [beside(minute, (300, 60, 6, 1), at=(10, 4)) for minute in range(12)]
    _, verdict = judge(POLICY, first_state(POLICY, 0.0, survey=EDGES), windows, 12 * MINUTE, END)
    assert verdict.action == "rollback" and verdict.evidence["metric"] == "at:/b"
    assert "of the canary's requests to /b failed" in verdict.reason


def test_more_streams_are_no_more_false_alarms() -> None:
    """The threshold holds for all together: what a stream may spend is a part."""
    few, many = (_shares(streams_of(POLICY, survey)) for survey in (Survey(), EDGES))
    assert sum(few.values()) == pytest.approx(1) and sum(many.values()) == pytest.approx(1)
    assert many["errors"] < few["errors"] and many["at:/b"] < many["errors"] / 4


def test_a_step_that_begins_where_windows_were_consumed_already_is_not_half_a_watch() -> None:
    """A version is watched from its promotion on, which lies before the end of the newest window."""
    state, _ = judge(POLICY, first_state(POLICY, 0.0), traffic(1, minutes=10), 10 * MINUTE, END)
    watch = resume(POLICY, state, 7.5 * MINUTE, "bake")
    _, verdict = judge(POLICY, watch, [], 10 * MINUTE + 30, END)
    assert verdict.action == "continue"


def test_what_keeps_a_canary_from_its_promotion_is_named() -> None:
    """No errors at all, and slow requests too few to tell."""
    windows = [window(m, (2700, 0), (300, 0), slow=(60, 9)) for m in range(4)]
    verdict = verdict_of(windows, POLICY, deadline=4 * MINUTE)
    assert verdict.action == "ask" and "requests were slow" in verdict.reason
    assert "to 1 that it is as good, 20 would promote" in verdict.reason
