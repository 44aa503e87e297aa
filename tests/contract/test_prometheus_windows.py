"""Windows from a small Prometheus over HTTP: the labels that people use, and the numbers that go wrong on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.adapters.http import prometheus_api
from candlefish.adapters.http.prometheus import PrometheusWindows
from candlefish.analysis.judge import streams
from candlefish.analysis.model import Arm, MetricTarget, Survey, Window
from candlefish.catalog.model import PRESETS, Duration, JudgePolicy, Reading
from candlefish.errors import Unavailable
from tests.support.fake_prometheus import FakePrometheus
from tests.support.metric_stores import prometheus
from tests.support.remote_write import write

AT = 1_790_000_040.0 // 60 * 60
TARGET = MetricTarget(
    "production",
    "website",
    "app/x/1",
    "blue",
    "green",
    "targetgroup/b/1",
    "targetgroup/g/2",
    namespace="shop",
    settle=0.0,
)
ALL = ("errors", "slow")
Rate = Callable[[float], Any]


@pytest.fixture
def store() -> FakePrometheus:
    return FakePrometheus()


@pytest.fixture(params=["small"])
def source(
    request: pytest.FixtureRequest, store: FakePrometheus, tmp_path: Path
) -> Iterator[PrometheusWindows]:
    if request.param == "small":
        with store.serving() as url:
            yield PrometheusWindows(url)
        return
    if shutil.which("prometheus") is None:
        pytest.skip("needs Debian's prometheus package; .ci/run installs it")
    with prometheus(tmp_path) as server:
        yield Later(lambda: server.over(store.open_metrics()))  # type: ignore[misc]


class Later:
    """A source that is made when it is first asked: until then the test says what was scraped."""

    def __init__(self, make: Callable[[], PrometheusWindows]) -> None:
        self._make = cache(make)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)


# The same with a real Prometheus.
BOTH = pytest.mark.parametrize(
    "source", ["small", pytest.param("real", marks=pytest.mark.lab)], indirect=True
)


def scraped(
    store: FakePrometheus, name: str, value: Rate, since: float = -7200, until: float = 600, **labels: str
) -> None:
    """A counter scraped every 15 s; `value` is what it shows so many seconds after AT."""
    times = [since + 15 * n for n in range(int((until - since) / 15) + 1)]
    store.put(name, labels, [(AT + at, value(at)) for at in times])


def pod(slot: str, number: int = 1) -> dict[str, str]:
    name = f"website-{slot}-6f7c9d-abcd{number}"
    where = {"namespace": "shop", "service": "website", "slot": slot}
    return {**where, "instance": f"10.0.{len(slot)}.{number}:8080", "pod": name}


def serve(store: FakePrometheus, slot: str, per_second: float = 10.0, number: int = 1, **also: Any) -> None:
    """A Pod that serves evenly, a hundredth of it with 503."""
    began = 9000.0
    labels = pod(slot, number)
    scraped(
        store,
        "http_requests_total",
        lambda at: (at + began) * per_second * 0.99,
        code="200",
        **labels,
        **also,
    )
    scraped(
        store,
        "http_requests_total",
        lambda at: (at + began) * per_second * 0.01,
        code="503",
        **labels,
        **also,
    )


def timed(store: FakePrometheus, slot: str, shares: Mapping[str, float], per_second: float = 10.0) -> None:
    """The Pod's histogram: which share of the requests took at most so long."""
    for le, share in shares.items():
        scraped(
            store,
            "http_request_duration_seconds_bucket",
            lambda at, share=share: (at + 9000) * per_second * share,  # type: ignore[misc]
            le=le,
            **pod(slot),
        )


def windows(source: PrometheusWindows, target: MetricTarget = TARGET, minutes: int = 10) -> Sequence[Window]:
    return source.windows(target, AT, AT + 60 * minutes)


def test_counts_of_both_slots(store: FakePrometheus, source: PrometheusWindows) -> None:
    serve(store, "blue", 20)
    serve(store, "green")
    timed(store, "green", {"0.5": 0.9, "2": 0.97, "+Inf": 1.0})
    timed(store, "blue", {"0.5": 0.9, "2": 1.0, "+Inf": 1.0}, 20)
    found = windows(source)
    assert len(found) == 10
    assert {(w.baseline, w.canary) for w in (_plain(w) for w in found)} == {((1200, 12, 0), (600, 6, 18))}
    assert {w.absent for w in found} == {()}


def _plain(window: Window) -> Any:
    return msgspec.structs.replace(
        window,
        baseline=(window.baseline.requests, window.baseline.errors, window.baseline.slow),  # type: ignore[arg-type]
        canary=(window.canary.requests, window.canary.errors, window.canary.slow),  # type: ignore[arg-type]
    )


@BOTH
@pytest.mark.parametrize("odd", ["NaN", "+Inf", "-Inf"])
def test_a_sample_that_is_no_number_leaves_its_windows_out(
    store: FakePrometheus, source: PrometheusWindows, odd: str
) -> None:
    serve(store, "blue")
    scraped(
        store,
        "http_requests_total",
        lambda at: odd if 170 < at < 190 else (at + 9000) * 10,
        code="200",
        **pod("green"),
    )
    found = windows(source)
    assert [round((w.start - AT) / 60) for w in found] == [0, 1, 4, 5, 6, 7, 8, 9]
    assert {w.canary.requests for w in found} == {600}


@BOTH
@pytest.mark.parametrize("odd", ["NaN", "+Inf"])
def test_a_bound_that_is_no_number_makes_nobody_slow(
    store: FakePrometheus, source: PrometheusWindows, odd: str
) -> None:
    serve(store, "blue")
    serve(store, "green")
    timed(store, "green", {"+Inf": 1.0})
    scraped(
        store,
        "http_request_duration_seconds_bucket",
        lambda at: odd if 170 < at < 190 else (at + 9000) * 10,
        le="2",
        **pod("green"),
    )
    assert {w.canary.slow for w in windows(source)} == {0}


@BOTH
def test_a_series_that_expires_is_no_restart(store: FakePrometheus, source: PrometheusWindows) -> None:
    """c14, as a real Prometheus tells it: each code is a series of its own."""
    serve(store, "blue")
    serve(store, "green")
    scraped(store, "http_requests_total", lambda at: 5000, until=200, code="502", **pod("green"))
    assert [w.canary.errors for w in windows(source)] == [6] * 10


def test_a_series_that_comes_back_from_silence_is_no_burst(
    store: FakePrometheus, source: PrometheusWindows
) -> None:
    """OpenTelemetry's exporter forgets what is idle, and brings it back with all that it ever counted."""
    serve(store, "blue")
    serve(store, "green")
    labels = {**pod("green"), "code": "502"}
    store.put(
        "http_requests_total", labels, [(AT - 1500, 400), (AT - 1485, None), (AT + 200, 401), (AT + 215, 401)]
    )
    assert [w.canary.errors for w in windows(source)] == [6, 6, 6, 7, 6, 6, 6, 6, 6, 6]


@BOTH
def test_a_process_that_is_found_late_brings_no_past(
    store: FakePrometheus, source: PrometheusWindows
) -> None:
    serve(store, "blue", number=1)
    serve(store, "green")
    late = pod("blue", 2)
    scraped(store, "http_requests_total", lambda at: 26_000_000 + at * 10, since=300, code="200", **late)
    scraped(store, "http_requests_total", lambda at: 90_000 + at, since=300, code="500", **late)
    found = [(w.baseline.requests, w.baseline.errors) for w in windows(source)]
    assert found == [(600, 6)] * 5 + [(1260, 66)] * 5


@pytest.mark.parametrize(("started", "counted"), [(280.0, 50_000), (-9000.0, 0)])
def test_its_start_says_whether_a_process_is_new(
    store: FakePrometheus, source: PrometheusWindows, started: float, counted: int
) -> None:
    serve(store, "blue")
    scraped(store, "http_requests_total", lambda at: 50_000, since=300, code="200", **pod("green"))
    scraped(store, "process_start_time_seconds", lambda at: AT + started, since=300, **pod("green"))
    assert sum(w.canary.requests for w in windows(source)) == counted


@BOTH
def test_bounds_are_one_however_they_are_spelt(store: FakePrometheus, source: PrometheusWindows) -> None:
    """An upgrade of Prometheus writes le="2.0" where it wrote le="2"; another process writes 2e0."""
    serve(store, "blue")
    serve(store, "green")
    timed(store, "green", {"+Inf": 1.0})
    fast: Rate = lambda at: (at + 9000) * 9  # noqa: E731
    scraped(store, "http_request_duration_seconds_bucket", fast, until=270, le="2", **pod("green"))
    scraped(store, "http_request_duration_seconds_bucket", fast, since=270, le="2.0", **pod("green"))
    timed(store, "blue", {"2e0": 0.9, "inf": 1.0})
    found = windows(source)
    assert [w.canary.slow for w in found] == [60] * 10
    assert [w.baseline.slow for w in found] == [60] * 10


def test_buckets_that_a_version_changed_are_each_read_by_their_own(
    store: FakePrometheus, source: PrometheusWindows
) -> None:
    serve(store, "blue")
    serve(store, "green")
    timed(store, "blue", {"1": 0.8, "2": 0.9, "5": 1.0, "+Inf": 1.0})
    timed(store, "green", {"1": 0.8, "4": 0.95, "+Inf": 1.0})
    (first, *_) = windows(source)
    # No bucket of the new version ends at two seconds: the next above is nobody's fault.
    assert (first.baseline.slow, first.canary.slow) == (60, 30)


@pytest.mark.parametrize(
    ("labelled", "expected"), [(True, ()), (False, ("errors",))], ids=["no error yet", "another label"]
)
def test_errors_that_never_were_are_told_from_errors_that_nothing_tells(
    store: FakePrometheus, source: PrometheusWindows, labelled: bool, expected: tuple[str, ...]
) -> None:
    for slot in ("blue", "green"):
        code = {"code" if labelled else "status": "200"}
        scraped(store, "http_requests_total", lambda at: (at + 9000) * 10, **pod(slot), **code)
        timed(store, slot, {"2": 1.0, "+Inf": 1.0})
    assert {w.absent for w in windows(source)} == {expected}


@BOTH
def test_what_no_series_exists_of_is_absent(store: FakePrometheus, source: PrometheusWindows) -> None:
    target = msgspec.structs.replace(TARGET, counters=("orders", "signups"))
    for slot in ("blue", "green"):
        serve(store, slot)
    scraped(store, "orders", lambda at: (at + 9000) * 2, **pod("blue"))
    found = windows(source, target)
    assert {w.absent for w in found} == {("slow", "signups")}
    assert found[0].baseline.counters == {"orders": 120, "signups": 0}


def test_a_counter_of_errors_alone(store: FakePrometheus, source: PrometheusWindows) -> None:
    queries = Reading(requests="hits_total", errors="failures_total", latency="took").queries()
    target = msgspec.structs.replace(TARGET, queries=queries)
    scraped(store, "hits_total", lambda at: (at + 9000) * 10, **pod("blue"))
    scraped(store, "hits_total", lambda at: (at + 9000) * 10, **pod("green"))
    assert {w.absent for w in windows(source, target)} == {("errors", "slow")}
    scraped(store, "failures_total", lambda at: (at + 9000) * 0.5, **pod("green"))
    assert {(w.baseline.errors, w.canary.errors) for w in windows(source, target)} == {(0, 30)}


def test_more_series_than_are_read_are_summed_and_a_fall_of_the_sum_counts_nothing(
    store: FakePrometheus, source: PrometheusWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        serve(store, "green", 1, method=f"M{number}")
    labels = {**pod("green"), "code": "503", "method": "GONE"}
    scraped(store, "http_requests_total", lambda at: 30, until=200, **labels)
    monkeypatch.setattr(prometheus_api, "MOST_BYTES", 25_000)
    found = windows(source)
    # In the minute in which a series vanishes the sum falls: that minute's errors are not known, and nobody's.
    assert sorted({w.canary.requests for w in found}) == [2376, 2400]
    assert any(query.startswith("sum by (instance, pod, le, code) (") for query in store.asked)
    assert all(w.canary.errors <= 24 for w in found)


# --- what people report with ----------------------------------------------------------------------

POD = {"namespace": "shop", "pod": "website-{slot}-6f7c9d-abcde", "instance": "10.0.0.1:9090"}
REPORTED: dict[str, tuple[dict[str, str], str, str, str]] = {
    # Labels of a slot's series, label of the status, what a success and a failure are called there.
    "default": ({**POD, "service": "website", "slot": "{slot}"}, "code", "200", "500"),
    "opentelemetry": (POD, "http_response_status_code", "200", "503"),
    "spring": ({**POD, "outcome": "x"}, "status", "404", "500"),
    "fastapi": (POD, "status", "2xx", "5xx"),
    "express": (POD, "status_code", "302", "502"),
    "istio": (
        {
            "pod": "website-{slot}-6f7c9d-abcde",
            "reporter": "destination",
            "destination_workload": "website-{slot}",
            "destination_workload_namespace": "shop",
        },
        "response_code",
        "200",
        "504",
    ),
    "nginx-ingress": (
        {"exported_namespace": "shop", "exported_service": "website-{slot}", "pod": "ingress-1"},
        "status",
        "200",
        "500",
    ),
    "traefik": ({"service": "shop-website-{slot}-80@kubernetes", "pod": "traefik-1"}, "code", "200", "500"),
    "envoy": (
        {"envoy_cluster_name": "shop/website-{slot}/80", "pod": "envoy-1"},
        "envoy_response_code_class",
        "2",
        "5",
    ),
    # Counts its failures beside its jobs.
    "worker": (POD, "queue", "mails", "mails"),
}


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_reads_what_its_origin_reports(
    store: FakePrometheus, source: PrometheusWindows, preset: str
) -> None:
    labels, label, well, failed = REPORTED[preset]
    queries = Reading(preset=preset).queries()  # type: ignore[arg-type]
    unit = 1000 if queries.unit == "milliseconds" else 1
    for slot, bad in (("blue", 0.0), ("green", 1.0)):
        mine = {name: value.format(slot=slot) for name, value in labels.items()}
        scraped(store, queries.requests, lambda at: (at + 9000) * 10, **mine, **{label: well})
        for name in filter(None, (queries.requests, queries.errors)):
            once_more = {"attempt": "2"} if queries.errors and name == queries.requests else {}
            failures: Rate = lambda at, bad=bad: (at + 9000) * bad  # type: ignore[misc]  # noqa: E731
            scraped(store, name, failures, **mine, **{label: failed}, **once_more)
        for seconds, share in ((0.25, 5), (2, 9), (float("inf"), 10)):
            le = "+Inf" if seconds == float("inf") else f"{seconds * unit:g}"
            rows: Rate = lambda at, share=share: (at + 9000) * share  # type: ignore[misc]  # noqa: E731
            scraped(store, f"{queries.latency}_bucket", rows, **mine, le=le)
    # Another service, whose name begins alike.
    other = {
        name: value.format(slot="green").replace("website", "website-two") for name, value in labels.items()
    }
    scraped(store, queries.requests, lambda at: (at + 9000) * 70, **other, **{label: failed})
    target = msgspec.structs.replace(TARGET, queries=queries, survey=Survey(edges=(0.25, 2.0)))
    found = windows(source, target)
    assert {w.baseline for w in map(_hashable, found)} == {(600, 0, 60, (600, 300))}
    assert {w.canary for w in map(_hashable, found)} == {(660, 60, 60, (660, 300))}
    assert {w.absent for w in found} == {()}


def _hashable(window: Window) -> Any:
    def arm(one: Arm) -> Any:
        return (one.requests, one.errors, one.slow, one.beside["over:0.25"])

    return msgspec.structs.replace(window, baseline=arm(window.baseline), canary=arm(window.canary))


def test_every_preset_is_tried() -> None:
    assert REPORTED.keys() == PRESETS.keys()


# --- what is told apart ---------------------------------------------------------------------------


def surveyed(source: PrometheusWindows, target: MetricTarget) -> Survey:
    return source.survey(msgspec.structs.replace(target, canary_group=""), AT - 3600, AT)


@BOTH
def test_a_survey_finds_edges_places_and_kinds(store: FakePrometheus, source: PrometheusWindows) -> None:
    target = msgspec.structs.replace(
        TARGET, counters=("orders", "signups"), queries=Reading(place="path", kind="exception").queries()
    )
    for path, share in (("/", 6), ("/checkout", 3), ("/rare", 1), ("/silent", 0)):
        scraped(
            store,
            "http_requests_total",
            lambda at, n=share: (at + 9000) * n,
            code="200",
            path=path,
            **pod("blue"),
        )  # type: ignore[misc]
    scraped(
        store,
        "http_requests_total",
        lambda at: (at + 9000) * 0.1,
        code="500",
        path="/",
        exception="Timeout",
        **pod("blue"),
    )
    bounds = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2", "2.5", "5", "10", "+Inf")
    shares = (0.0, 0.0, 0.05, 0.3, 0.5, 0.8, 0.9, 0.95, 0.985, 0.99, 1, 1, 1)
    timed(store, "blue", dict(zip(bounds, shares, strict=True)))
    scraped(store, "orders", lambda at: (at + 9000) * 2, **pod("blue"))
    found = surveyed(source, target)
    assert found.places == ("/", "/checkout", "/rare")
    assert found.kinds == ("Timeout",)
    assert found.reported == ("errors", "slow", "orders")
    assert 7 <= len(found.edges) <= 10 and 2.0 in found.edges
    assert {0.05, 0.1, 0.25, 0.5, 1.0, 2.5} <= set(found.edges)
    assert list(found.edges) == sorted(found.edges)


@BOTH
def test_windows_tell_apart_what_the_survey_says(store: FakePrometheus, source: PrometheusWindows) -> None:
    for slot, bad in (("blue", 0.0), ("green", 0.3)):
        requests: Rate = lambda at: (at + 9000) * 9  # noqa: E731
        rare: Rate = lambda at: (at + 9000) * 1  # noqa: E731
        failed: Rate = lambda at, bad=bad: (at + 9000) * bad  # type: ignore[misc]  # noqa: E731
        scraped(store, "http_requests_total", requests, code="200", path="/", **pod(slot))
        scraped(store, "http_requests_total", rare, code="200", path="/rare", **pod(slot))
        scraped(store, "http_requests_total", failed, code="500", path="/rare", exception="Oops", **pod(slot))
        timed(store, slot, {"0.1": 0.5, "0.5": 0.9, "2": 1.0, "+Inf": 1.0})
    target = msgspec.structs.replace(
        TARGET,
        queries=Reading(place="path", kind="exception").queries(),
        survey=Survey(edges=(0.1, 0.5, 2.0), places=("/", "/rare"), kinds=("Timeout",), reported=ALL),
    )
    (first, *_) = windows(source, target)
    assert first.canary.beside == {
        "over:0.1": (618, 300),
        "over:0.5": (618, 60),
        "over:2": (618, 0),
        "at:/": (540, 0),
        "at:/rare": (78, 18),
        "kind:new": (618, 18),
    }
    assert first.baseline.beside["at:/rare"] == (60, 0) and first.baseline.beside["kind:new"] == (600, 0)


def test_a_service_without_a_past_has_the_bounds_that_there_are_or_nothing(
    store: FakePrometheus, source: PrometheusWindows
) -> None:
    assert surveyed(source, TARGET) == Survey()


def test_the_past_is_asked_of_the_old_version_alone(store: FakePrometheus, source: PrometheusWindows) -> None:
    serve(store, "blue")
    serve(store, "green")
    past = windows(source, msgspec.structs.replace(TARGET, canary_group=""))
    assert {(w.baseline.requests, w.canary.requests) for w in past} == {(600, 0)}
    assert not any('slot="green"' in query for query in store.asked)


# --- who asks -------------------------------------------------------------------------------------


def test_a_rotated_secret_counts_at_once(store: FakePrometheus) -> None:
    kept = {"now": "Bearer old"}
    asked: list[bool] = []

    def authorize(fresh: bool) -> str:
        asked.append(fresh)
        if fresh:
            kept["now"] = "Bearer new"
        return kept["now"]

    serve(store, "green")
    store.wants = "Bearer new"
    with store.serving() as url:
        found = PrometheusWindows(url, authorize=authorize).windows(TARGET, AT, AT + 120)
    assert [w.canary.requests for w in found] == [600, 600]
    assert asked.count(True) == 1 and store.seen[:2] == ["Bearer old", "Bearer new"]


def test_who_is_not_let_in_is_told_where_to_look(store: FakePrometheus) -> None:
    store.wants = "Bearer secret"
    with store.serving() as url, pytest.raises(Unavailable, match=r"401.*PrometheusSecretArn") as raised:
        PrometheusWindows(url, authorize=lambda _: "Bearer wrong").windows(TARGET, AT, AT + 120)
    assert "wrong" not in str(raised.value)


def test_a_reading_may_leave_its_times_to_the_policy() -> None:
    assert Reading(preset="istio").window is None and Reading(window=Duration(15)).window == 15


# --- how hard the Pods are pressed ----------------------------------------------------------------


def pressed(store: FakePrometheus, slot: str, name: str, value: Rate, **more: str) -> None:
    labels = {"namespace": "shop", "pod": pod(slot)["pod"], "container": "website"}
    scraped(store, name, value, **{**labels, **more})


def test_pods_that_are_pressed_are_told(store: FakePrometheus, source: PrometheusWindows) -> None:
    for slot in ("blue", "green"):
        serve(store, slot)
    pressed(store, "green", "container_cpu_cfs_periods_total", lambda at: (at + 9000) * 10)
    pressed(store, "green", "container_cpu_cfs_throttled_periods_total", lambda at: (at + 9000) * 3)
    # Of the Pod as a whole: the same again.
    pressed(store, "green", "container_cpu_cfs_periods_total", lambda at: (at + 9000) * 10, container="")
    pressed(
        store, "green", "kube_pod_container_status_restarts_total", lambda at: 4 + (at > 100) + (at > 400)
    )
    ended = {"reason": "OOMKilled", "container": "website", "namespace": "shop", "pod": pod("green")["pod"]}
    name = "kube_pod_container_status_last_terminated_reason"
    store.put(name, ended, [(AT + 15 * n, 1) for n in range(8, 24)] + [(AT + 361, None)])
    pressed(store, "green", "container_memory_working_set_bytes", lambda at: 300e6)
    pressed(store, "green", "container_memory_working_set_bytes", lambda at: 10e6, container="proxy")
    for container in ("website", "proxy"):
        pressed(
            store,
            "green",
            "kube_pod_container_resource_limits",
            lambda at: 512e6,
            resource="memory",
            container=container,
        )
        pressed(
            store,
            "green",
            "kube_pod_container_resource_limits",
            lambda at: 0.5,
            resource="cpu",
            container=container,
        )
    found = windows(source)
    assert {w.canary.beside["use:throttled"] for w in found} == {(600, 180)}
    assert [w.canary.beside["use:restarts"] for w in found] == [
        (60, n) for n in (0, 1, 0, 0, 0, 0, 1, 0, 0, 0)
    ]
    assert [w.canary.beside["use:oom"][1] for w in found] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert {w.canary.memory for w in found} == {(300_000_000, 512_000_000)}
    # Nobody measures the other's Pods.
    assert {(w.baseline.memory, tuple(w.baseline.beside)) for w in found} == {((0, 0), ())}


def test_a_survey_names_what_is_told_of_pods(store: FakePrometheus, source: PrometheusWindows) -> None:
    """What no survey names is judged by nobody."""
    serve(store, "blue")
    pressed(store, "blue", "container_cpu_cfs_periods_total", lambda at: (at + 9000) * 10)
    assert surveyed(source, TARGET).uses == ("use:throttled",)
    pressed(store, "blue", "kube_pod_container_status_restarts_total", lambda at: 2)
    found = surveyed(source, TARGET)
    assert found.uses == ("use:oom", "use:restarts", "use:throttled")
    told = {name for w in windows(source) for name in w.baseline.beside if name.startswith("use:")}
    assert told == set(found.uses) <= set(streams(JudgePolicy(name="p"), found))


# --- native histograms ----------------------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_native_histograms_are_counted_by_a_real_prometheus(tmp_path: Path, unit: str) -> None:
    """Six in ten take up to 1/8, the others more than 2 and up to 4; the new version restarts in the third minute."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Debian's prometheus package; .ci/run installs it")
    queries = Reading(unit=unit).queries()  # type: ignore[arg-type]
    shift = 10 if unit == "milliseconds" else 0
    times = [AT - 300 + 15 * n for n in range(61)]
    series: list[Any] = []
    for slot, restart in (("blue", 0), ("green", AT + 150)):
        began = {at: restart if restart and at >= restart else AT - 3000 for at in times}
        served = [(at, round((at - began[at]) * 10)) for at in times]
        labels = pod(slot)
        series.append(
            (
                {"__name__": "http_requests_total", "code": "200", **labels},
                [(at, float(n)) for at, n in served],
            )
        )
        histograms = [(at, {-3 + shift: n * 6 // 10, 2 + shift: n - n * 6 // 10}) for at, n in served]
        series.append(({"__name__": "http_request_duration_seconds", **labels}, histograms))
    with prometheus(tmp_path) as server:
        url = server.start("--enable-feature=native-histograms", "--web.enable-remote-write-receiver")
        write(url, series)
        source = PrometheusWindows(url)
        # At the schema 0 bounds in milliseconds are powers of two of a millisecond.
        two = 2.048 if shift else 2.0
        target = msgspec.structs.replace(
            TARGET, queries=queries, slow_over=two, survey=Survey(edges=(two / 4, two), reported=ALL)
        )
        found = source.windows(target, AT, AT + 600)
        survey = source.survey(
            msgspec.structs.replace(target, canary_group="", window=15.0), AT - 60, AT + 540
        )
    assert {w.absent for w in found} == {()}
    assert [(w.baseline.requests, w.baseline.slow) for w in found] == [(600, 240)] * 10
    # What came between the last edge and the restart is lost with its process.
    assert [(w.canary.requests, w.canary.slow) for w in found] == [
        (600, 240) if n != 2 else (300, 120) for n in range(10)
    ]
    assert {w.canary.beside[f"over:{two / 4:g}"][1] for w in found} == {240, 120}
    assert survey.reported == ALL and two in survey.edges and 2 <= len(survey.edges) <= 10
