"""Every metrics store gives the same windows for the same traffic, the one of unit tests as well."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from moto import mock_aws

from candlefish.analysis.model import Arm, Survey, Window
from candlefish.errors import Unavailable
from lab.moto import metrics
from tests.support.metric_stores import (
    BEGAN,
    TARGET,
    CloudWatchStore,
    CustomStore,
    MemoryStore,
    Served,
    SimulatedStore,
    Store,
    forget,
    prometheus,
)

MINUTE = 60.0


PROMETHEUS = pytest.param("prometheus", marks=pytest.mark.lab)


@pytest.fixture(params=["fake", "simulator", "cloudwatch", "custom", PROMETHEUS])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "fake":
        yield MemoryStore()
        return
    if request.param == "simulator":
        yield SimulatedStore()
        return
    if request.param in ("cloudwatch", "custom"):
        with mock_aws():
            metrics.install()
            forget()
            yield CloudWatchStore() if request.param == "cloudwatch" else CustomStore()
            forget()
        return
    if shutil.which("prometheus") is None:
        pytest.skip("needs Debian's prometheus package; .ci/run installs it")
    with prometheus(tmp_path) as server:
        yield server


TRAFFIC = [
    Served("blue", 0, ok=980, failed=20, times={0.1: 990, 3.0: 10}),
    Served("green", 0, ok=98, failed=2, times={0.1: 100}),
    Served("blue", 1, ok=500, times={0.1: 500}),
    Served("green", 1, ok=40, failed=10, times={0.1: 30, 2.0: 10, 4.0: 10}),
    Served("blue", 2, ok=700, failed=1, times={0.4: 701}),
    Served("blue", 3, ok=700, times={0.4: 700}),
    Served("green", 3, ok=60, times={0.4: 60}),
]


def test_counts_are_exact_on_both_sides_window_by_window(store: Store) -> None:
    windows = store.source(TRAFFIC, 4).windows(TARGET, BEGAN, BEGAN + 4 * MINUTE + 30)
    assert [(w.start, w.end) for w in windows] == [
        (BEGAN + MINUTE * n, BEGAN + MINUTE * (n + 1)) for n in range(4)
    ]
    assert [plain(w.baseline) for w in windows] == [
        Arm(1000, 20, 10),
        Arm(500, 0, 0),
        Arm(701, 1, 0),
        Arm(700, 0, 0),
    ]
    # Two seconds are on the budget, not over it; a minute without requests is a window of zeros.
    assert [plain(w.canary) for w in windows] == [Arm(100, 2, 0), Arm(50, 10, 10), Arm(0), Arm(60, 0, 0)]


def test_what_is_told_apart_is_chosen_from_the_past_and_counted_in_every_window(store: Store) -> None:
    source = store.source(TRAFFIC, 4)
    found = source.survey(TARGET, BEGAN, BEGAN + 4 * MINUTE)
    assert TARGET.slow_over in found.edges and list(found.edges) == sorted(set(found.edges))
    assert set(found.reported) >= {"errors", "slow"}
    aim = msgspec.structs.replace(TARGET, survey=found)
    windows = source.windows(aim, BEGAN, BEGAN + 4 * MINUTE + 30)
    assert all(w.absent == () for w in windows)
    for window in windows:
        assert window.baseline.beside.keys() == {f"over:{edge:g}" for edge in found.edges}
        assert window.canary.beside["over:2"] == (window.canary.requests, window.canary.slow)
    # Whatever the edges are: the more a request may take, the fewer take longer.
    counted = [windows[1].canary.beside[f"over:{edge:g}"][1] for edge in found.edges]
    assert counted == sorted(counted, reverse=True) and counted[-1] <= 10


def test_an_edge_is_counted_exactly(store: Store) -> None:
    aim = msgspec.structs.replace(TARGET, survey=Survey(edges=(0.5, 2.0), reported=("errors", "slow")))
    windows = store.source(TRAFFIC, 4).windows(aim, BEGAN, BEGAN + 4 * MINUTE + 30)
    assert [w.canary.beside["over:0.5"] for w in windows] == [(100, 0), (50, 20), (0, 0), (60, 0)]
    assert windows[0].baseline.beside["over:0.5"] == (1000, 10)


def test_a_counter_that_nobody_reports_is_absent(store: Store) -> None:
    if isinstance(store, SimulatedStore):
        pytest.skip("the simulator knows what a load balancer reports, and no counters of a business")
    aim = msgspec.structs.replace(TARGET, counters=("orders",))
    source = store.source(TRAFFIC, 4)
    assert "orders" not in source.survey(aim, BEGAN, BEGAN + 4 * MINUTE).reported
    assert {w.absent for w in source.windows(aim, BEGAN, BEGAN + 4 * MINUTE + 30)} == {("orders",)}


def test_a_window_that_has_not_settled_is_left_for_the_next_look(store: Store) -> None:
    source = store.source(TRAFFIC, 4)
    assert len(source.windows(TARGET, BEGAN, BEGAN + 4 * MINUTE + 29)) == 3
    assert source.windows(TARGET, BEGAN, BEGAN + 50) == () or not source.windows(TARGET, BEGAN, BEGAN + 50)


def test_windows_begin_on_the_grid_at_or_after_since(store: Store) -> None:
    windows = store.source(TRAFFIC, 4).windows(TARGET, BEGAN + 1, BEGAN + 4 * MINUTE + 30)
    assert [w.start for w in windows] == [BEGAN + MINUTE, BEGAN + 2 * MINUTE, BEGAN + 3 * MINUTE]


def test_looks_that_follow_each_other_see_each_window_once_and_the_same(store: Store) -> None:
    source = store.source(TRAFFIC, 4)
    whole = list(source.windows(TARGET, BEGAN, BEGAN + 4 * MINUTE + 30))
    first = list(source.windows(TARGET, BEGAN, BEGAN + 2 * MINUTE + 30))
    rest = list(source.windows(TARGET, first[-1].end, BEGAN + 4 * MINUTE + 30))
    assert [counts(window) for window in first + rest] == [counts(window) for window in whole]
    # The older a window, the surer it is that nothing of it is still to come.
    assert [w.growing for w in whole] == sorted(w.growing for w in whole)


def plain(arm: Arm) -> Arm:
    return msgspec.structs.replace(arm, beside={})


def counts(window: Window) -> Window:
    return msgspec.structs.replace(window, growing=False)


def test_a_budget_between_two_buckets_accuses_nobody(store: Store) -> None:
    target = msgspec.structs.replace(TARGET, slow_over=1.5)
    served = [
        Served("blue", 0, ok=100, times={1.2: 40, 3.0: 60}),
        Served("green", 0, ok=100, times={1.2: 40, 3.0: 60}),
    ]
    (window,) = store.source(served, 1).windows(target, BEGAN, BEGAN + MINUTE + 30)
    assert window.canary.slow == 60
    assert window.baseline.slow >= 60


def test_silence_after_the_last_traffic_is_not_yet_believed(store: Store) -> None:
    # Two minutes of traffic, read long before three times the settling delay has passed.
    served = [one for one in TRAFFIC if one.minute < 2]
    windows = store.source(served, 2).windows(TARGET, BEGAN, BEGAN + 3 * MINUTE + 30)
    assert [w.start for w in windows if w.baseline.requests] == [BEGAN, BEGAN + MINUTE]


def test_who_does_not_see_the_load_balancer_says_so_and_who_does_counts_none(store: Store) -> None:
    found = store.source(TRAFFIC, 4).own_errors(TARGET, BEGAN, BEGAN + 4 * MINUTE)
    assert found == (0.0 if isinstance(store, (CloudWatchStore, SimulatedStore)) else None)


def test_a_store_that_is_gone_is_unavailable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    source = store.source(TRAFFIC, 4)
    if isinstance(store, (CloudWatchStore, CustomStore)):

        def broken(**_: object) -> None:
            from botocore.exceptions import EndpointConnectionError

            raise EndpointConnectionError(endpoint_url="https://monitoring")

        monkeypatch.setattr(source._client, "get_metric_data", broken)  # type: ignore[attr-defined]
    else:
        store.stop()  # type: ignore[attr-defined]
    with pytest.raises(Unavailable):
        source.windows(TARGET, BEGAN, BEGAN + 4 * MINUTE + 30)
