"""What the pictures of traffic show: counts by version and time, pauses of the machine, labels that do not touch."""

from __future__ import annotations

import pytest

from lab.scenes.traffic_plot import BUCKET, lanes_of, rows_of
from lab.traffic.load import Sample


def asked(at: float, version: str, status: int = 200, seconds: float = 0.01) -> Sample:
    return Sample(at, "host", status, version, "pod", seconds)


def test_versions_keep_the_order_in_which_they_came_and_failures_are_counted_apart() -> None:
    samples = [asked(n / 100, "1.0.0") for n in range(300)]
    samples += [asked(1 + n / 100, "bad", 500 if n % 5 == 0 else 200) for n in range(100)]
    lanes = lanes_of(reversed(samples))
    assert list(lanes.versions) == ["1.0.0", "bad"]
    assert lanes.times[0] == BUCKET, "the first bucket is cut off by the begin of the load"
    assert lanes.versions["1.0.0"].requests == [100.0] * len(lanes.times)
    assert sum(lanes.versions["1.0.0"].failed) == 0
    assert sum(lanes.versions["bad"].failed) * BUCKET == 20
    assert lanes.paused == []


def test_response_times_are_of_what_answered() -> None:
    samples = [asked(n / 100, "1.0.0", seconds=0.02 if n % 10 == 0 else 0.01) for n in range(200)]
    samples += [asked(1.0, "1.0.0", status=0, seconds=60.0)]
    lane = lanes_of(samples).versions["1.0.0"]
    assert set(lane.median) == {0.01} and set(lane.p95) == {0.02}
    assert lanes_of([*samples, asked(0.6, "other", status=0)]).versions["other"].median[0] is None


def test_where_nobody_asked_is_not_taken_for_a_failure() -> None:
    samples = [asked(n / 100, "1.0.0") for n in range(1000) if not 400 <= n < 500]
    assert lanes_of(samples).paused == [(4.0, 4.5), (4.5, 5.0)]


@pytest.mark.parametrize(
    ("spans", "rows"),
    [
        ([(0, 2), (3, 5), (5, 6)], [0, 0, 0]),
        ([(0, 2), (1, 3), (2, 4), (2.5, 5)], [0, 1, 0, 2]),
        ([], []),
    ],
)
def test_labels_never_touch(spans: list[tuple[float, float]], rows: list[int]) -> None:
    assert rows_of(spans) == rows
