"""Many releases at once are judged as each is alone: the same decisions at the same windows, in the same words."""

from __future__ import annotations

import json
import random
from math import lgamma
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.analysis import likelihood
from candlefish.analysis.calibration import calibrate
from candlefish.analysis.model import Arm, Mode, Window
from candlefish.catalog.model import Counter, Duration, JudgePolicy
from cli.many import likelihoods, recorded
from cli.many.history import learn
from cli.many.recorded import batches
from cli.recording import Recording, read
from cli.replay import _line, decided, replay
from tests.support.streams import MINUTE, OBJECTIVES, POLICY, traffic

POLICIES = {
    "default": POLICY,
    "objectives": OBJECTIVES,
    "warm-up": msgspec.structs.replace(OBJECTIVES, warm_up=Duration(180)),
    "counters": msgspec.structs.replace(POLICY, counters=(Counter("orders", "less"), Counter("refused"))),
    "narrow": msgspec.structs.replace(POLICY, margin=1.0, tolerance=1.5, alpha=0.05, min_requests=500),
}


def varied(r: random.Random, seed: int) -> list[Window]:
    """A stream of any kind: of any load, good or bad, bursty, with windows missing, with streams beside the counts."""
    windows = traffic(
        seed,
        rate=int(10 ** r.uniform(0.5, 4.5)),
        weight=r.choice([0.01, 0.1, 0.5, [0.1] * 20 + [0.5] * 20]),
        base=10 ** r.uniform(-4, -0.5),
        times=r.choice([0.5, 1.0, 1.0, 1.5, 3.0, 10.0]),
        begins=r.choice([0, 0, 20]),
        minutes=40,
        burst=r.choice([0.0, 0.0, 0.1, 1.0, 3.0]),
        slow=r.choice([0.0, 0.02]),
        slow_times=r.choice([1.0, 3.0]),
    )
    if r.random() < 0.3:
        windows = [window for window in windows if r.random() < r.choice([0.4, 0.9])] or windows[:1]
    windows = windows[: r.choice([1, 5, 40, 40, 40])]
    return [beside(r, window) for window in windows] if r.random() < 0.3 else windows


def beside(r: random.Random, window: Window) -> Window:
    def arm(counts: Arm) -> Arm:
        over = {
            f"over:{edge}": (counts.requests, int(counts.requests * share))
            for edge, share in ((0.01, 1.0), (0.1, 0.3), (0.5, 0.05))
        }
        place = min(counts.requests, 20)
        more = {"at:/pay": (place, r.randint(0, place)), "use:oom": (180, r.choice([0, 0, 0, 3]))}
        return msgspec.structs.replace(counts, beside={**over, **more})

    return msgspec.structs.replace(window, baseline=arm(window.baseline), canary=arm(window.canary))


def written(streams: dict[str, list[Window]], r: random.Random) -> str:
    def arm(counts: Arm) -> dict[str, Any]:
        orders = {"orders": counts.requests // 3, "refused": counts.errors // 2}
        return {**msgspec.to_builtins(counts), "counters": orders}

    lines = [
        json.dumps(
            {
                "stream": name,
                "start": 1_790_000_000 + window.start,
                "end": 1_790_000_000 + window.end,
                "baseline": arm(window.baseline),
                "canary": arm(window.canary),
            }
        )
        for name, windows in streams.items()
        for window in windows
    ]
    r.shuffle(lines)
    return "\n".join(lines)


def one_by_one(policy: JudgePolicy, recording: Recording, past: Recording | None, mode: Mode) -> list[Any]:
    return [
        json.loads(
            _line(
                name,
                mode,
                *decided(policy, recording.windows(name), past.windows(name) if past else (), mode),
            )
        )
        for name in recording.streams
    ]


def alike(one: Any, other: Any) -> bool:
    """The same but for what rounds another way in the fourth digit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) or isinstance(other, float):
        return bool(one == pytest.approx(other, rel=2e-3, abs=1e-9))
    return bool(one == other)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    policy=st.sampled_from(sorted(POLICIES)),
    mode=st.sampled_from(["judge", "judge", "bake"]),
    known=st.booleans(),
)
def test_many_are_judged_as_each_is_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int, policy: str, mode: Mode, known: bool
) -> None:
    r = random.Random(seed)
    folder = tmp_path_factory.mktemp("many")
    streams = {f"s{n}": varied(r, seed + n) for n in range(8)}
    (folder / "windows.jsonl").write_text(written(streams, r))
    recording, past = read(folder / "windows.jsonl"), None
    if known:
        hours = {
            name: traffic(
                seed + 100 + n, weight=0.0, burst=r.choice([0.0, 0.3]), minutes=r.choice([2, 59, 120])
            )
            for n, name in enumerate(streams)
        }
        (folder / "past.jsonl").write_text(written(dict(list(hours.items())[::2]), r))
        past = read(folder / "past.jsonl")
    with patch.object(recorded, "WORTH", 1):
        together = [json.loads(line) for line in replay(POLICIES[policy], recording, past, mode, 1)]
    alone = one_by_one(POLICIES[policy], recording, past, mode)
    for many, one in zip(together, alone, strict=True):
        assert [many[key] for key in ("stream", "action", "window", "at")] == [
            one[key] for key in ("stream", "action", "window", "at")
        ]
        assert many["reason"] == one["reason"] or alike(many["evidence"], one["evidence"])
        assert alike(many["evidence"], one["evidence"])


def test_the_streams_of_the_comparison_end_in_every_way(tmp_path: Path) -> None:
    """The test above is worth something: its streams are rolled back by all rules, promoted, held and asked about."""
    r = random.Random(7)
    file = tmp_path / "windows.jsonl"
    file.write_text(written({f"s{n}": varied(r, n) for n in range(200)}, r))
    recording = read(file)
    found, alone = batches(OBJECTIVES, recording)
    assert not alone and len(found) == 2 and sum(len(batch.numbers) for batch in found) == 200
    lines = [json.loads(line) for line in replay(OBJECTIVES, recording, None, "judge", 1)]
    assert {line["action"] for line in lines} >= {"rollback", "promote", "ask"}
    reasons = [line["reason"] for line in lines if line["action"] == "rollback"]
    for rule in ("the objective is at most", "decides"):
        assert any(rule in reason for reason in reasons), rule
    assert any("promoted_before" in line["evidence"] for line in lines)


def test_signs_few_streams_and_windows_of_several_lengths_are_judged_one_by_one(tmp_path: Path) -> None:
    windows = traffic(2, times=4.0)
    longer = msgspec.structs.replace(windows[-1], end=windows[-1].end + MINUTE)
    streams = {"a": [*windows[:-1], longer], **{f"b{n}": windows for n in range(recorded.WORTH)}}
    file = tmp_path / "windows.jsonl"
    file.write_text(written(streams, random.Random(1)))
    recording = read(file)
    (batch,), alone = batches(POLICY, recording)
    assert alone == [recording.streams["a"]] and len(batch.numbers) == recorded.WORTH
    signs = msgspec.structs.replace(POLICY, comparison="sign")
    assert batches(signs, recording) == ([], list(range(len(streams))))
    with patch.object(recorded, "WORTH", recorded.WORTH + 1):
        assert batches(POLICY, recording) == ([], list(range(len(streams))))
    lines = [json.loads(line) for line in replay(POLICY, recording, None, "judge", 2)]
    assert [line["stream"] for line in lines] == list(recording.streams)
    assert {line["action"] for line in lines} == {"rollback"}


COUNTS = st.tuples(st.integers(1, 10**6), st.floats(0, 1)).map(
    lambda pair: (pair[0], int(pair[0] * pair[1] ** 4))
)


@given(
    st.lists(st.tuples(COUNTS, COUNTS).filter(lambda two: two[0][1] + two[1][1] > 0), min_size=1, max_size=8),
    st.sampled_from(likelihood.BURSTS),
)
def test_likelihoods_are_those_of_the_function(pairs: list[Any], burst: float) -> None:
    odds = (1.2, 1.0, 2.0, 0.3, 100.0)
    columns = np.array([[*baseline, *canary] for baseline, canary in pairs], float).T
    found = likelihoods.log_likelihoods(*columns, odds, burst)
    for row, (baseline, canary) in zip(found, pairs, strict=True):
        assert row == pytest.approx(
            likelihood.log_likelihoods(baseline, canary, odds, burst), rel=1e-6, abs=1e-5
        )
    if all(baseline[1] + canary[1] and canary[0] for baseline, canary in pairs):
        split = likelihoods.Split(*columns).logs(burst, np.arange(len(pairs)))
        for one, (first, second) in zip(split, pairs, strict=True):
            assert one == pytest.approx(likelihood.log_split(first, second, (burst,))[0], rel=1e-6, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 13, 24, 25, 61, 180]),
    st.sampled_from([15.0, 60.0, 400.0]),
)
def test_what_a_history_teaches_is_what_the_judge_learns(seed: int, windows: int, length: float) -> None:
    r = np.random.default_rng(seed)
    n = r.poisson(10 ** r.uniform(0, 4, (6, 1)), (6, windows)) + 1
    k = r.binomial(n, np.minimum(1, 10 ** r.uniform(-4, 0, (6, 1)) * r.gamma(1 / 0.3, 0.3, (6, windows))))
    k[0] = 0
    found = learn(n.astype(float), k.astype(float), length)
    for row in range(6):
        past = [
            Window(length * at, length * at + length, Arm(int(n[row, at]), int(k[row, at])), Arm(0))
            for at in range(windows)
        ]
        known = calibrate(past, ("errors",))["errors"]
        assert found.spread[:, row] == pytest.approx(known.burst, rel=1e-6, abs=1e-6)
        assert found.outliers[row] == pytest.approx(known.outliers, rel=1e-6)
        assert found.highest[row] == pytest.approx(known.highest, rel=1e-9)


@given(st.lists(st.floats(0.01, 1e12), min_size=1, max_size=20))
def test_log_gamma_is_that_of_the_library(values: list[float]) -> None:
    found = likelihoods.log_gamma(np.array(values))
    assert found == pytest.approx([lgamma(value) for value in values], rel=1e-11, abs=1e-10)
