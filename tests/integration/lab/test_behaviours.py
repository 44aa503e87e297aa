"""What versions do to their users: latency as a distribution, one endpoint, a cold start, a database that they share."""

from __future__ import annotations

import math
import random
import statistics
import time
import urllib.request
from collections.abc import Callable

import pytest

from lab.traffic.behaviour import Behaviour, seconds_of
from lab.traffic.database import Database, SharedDatabase
from lab.traffic.load import Sample
from tests.support.street import Pod, Street
from tests.support.waiting import eventually

PATHS = {"/": 0.9, "/export": 0.1}


def metrics(street: Street, pod: Pod) -> dict[str, float]:
    """What a Pod tells Prometheus: values by series, without the labels that all of them have."""
    with urllib.request.urlopen(f"http://{street.pods.address(pod)}:8000/metrics", timeout=60) as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    pairs = [line.rsplit(" ", 1) for line in lines]
    return {name.replace('service="api",', "").replace("version=", ""): float(n) for name, n in pairs}


def failed(samples: list[Sample]) -> float:
    return sum(sample.failed for sample in samples) / len(samples)


@pytest.mark.loopback
def test_a_version_with_a_spread_keeps_its_users_waiting_and_tells_prometheus(street: Street) -> None:
    host, pod = street.serving("spread", Behaviour(seconds=0.06, spread=0.3))
    before = metrics(street, pod)
    assert 0 < time.time() - before["process_start_time_seconds"] < 600
    samples = street.send(host, 200)
    after = metrics(street, pod)

    def grown(bound: str) -> float:
        name = f'http_request_duration_seconds_bucket{{"spread",le="{bound}"}}'
        return after[name] - before[name]

    assert grown("+Inf") == len(samples)
    # Pods of a busy machine are late, never early.
    assert grown("0.06") < 0.75 * len(samples)
    assert sum(s.seconds < 0.06 for s in samples) < 0.75 * len(samples)


@pytest.mark.loopback
def test_a_version_that_breaks_one_endpoint_fails_there_alone(street: Street) -> None:
    host, pod = street.serving("one-endpoint", Behaviour(error_rate_at=(("/export", 0.5),)))
    samples = street.send(host, 600, paths=PATHS)
    export = [sample for sample in samples if sample.path == "/export"]
    assert 0.05 < len(export) / len(samples) < 0.15
    assert 0.25 < failed(export) < 0.75
    assert failed([sample for sample in samples if sample.path == "/"]) == 0
    told = metrics(street, pod)
    assert told['http_requests_total{"one-endpoint",path="/export",code="500"}'] == sum(
        s.failed for s in export
    )
    assert 'http_requests_total{"one-endpoint",path="/",code="500"}' not in told


@pytest.mark.loopback
def test_a_cold_pod_is_slow_and_fails_until_its_users_have_warmed_it(street: Street) -> None:
    cold = Behaviour(cold_seconds=2.0, cold_error_rate=0.5, cold_slow_rate=1.0, slow_seconds=0.05)
    host, _ = street.serving("cold", cold)
    samples: list[Sample] = []

    def warm() -> bool:
        samples.extend(street.send(host, 100))
        return failed(samples[-100:]) == 0

    # The first user came while the rule took effect.
    eventually(warm)
    assert failed(street.send(host, 100)) == 0
    street.traffic.register("api", "cold", Behaviour(cold_seconds=3600.0, cold_error_rate=0.5))
    assert 0.25 < failed(street.send(host, 200)) < 0.75


@pytest.mark.loopback
def test_a_database_that_is_out_fails_whoever_needs_it(street: Street) -> None:
    needs, _ = street.serving("needs", Behaviour(queries=1.0))
    other, _ = street.serving("needs-too", Behaviour(queries=50.0))
    without, _ = street.serving("without", Behaviour())
    street.traffic.database("api", Database(out=0.5))
    try:
        assert 0.25 < failed(street.send(needs)) < 0.75
        assert 0.25 < failed(street.send(other)) < 0.75
        assert failed(street.send(without)) == 0
    finally:
        street.traffic.database("api", Database())
    assert failed(street.send(needs)) == 0


# --- decisions -----------------------------------------------------------------------------


def test_half_of_the_answers_take_less_than_the_median_and_cold_ones_are_slow() -> None:
    chance = random.Random(1)
    version = Behaviour(seconds=0.06, spread=0.3, cold_slow_rate=1.0, slow_seconds=0.5)
    low, median, high = statistics.quantiles((seconds_of(version, False, chance) for _ in range(5000)), n=4)
    assert median == pytest.approx(0.06, rel=0.03)
    # The quartiles of a log-normal distribution lie 0.674 spreads from its median.
    assert high / low == pytest.approx(math.exp(2 * 0.674 * 0.3), rel=0.05)
    assert seconds_of(version, True, chance) == 0.5


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answered(database: SharedDatabase, clock: Clock, seconds: float, asks: Callable[[int], float]) -> float:
    """The share of a hundred requests a second that are answered; `asks` says how many queries each makes."""
    number = round(100 * seconds)
    well = 0
    for index in range(number):
        clock.now += 0.01
        well += database.answers(asks(index))
    return well / number


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> SharedDatabase:
    return SharedDatabase(Database(capacity=200.0, sheds=0.2), random.Random(1), clock)


def one_in_ten(greedy: float) -> Callable[[int], float]:
    return lambda index: greedy if index % 10 == 0 else 1.0


def test_what_one_version_asks_too_much_all_of_them_feel_and_it_heals_when_that_one_leaves(
    shared: SharedDatabase, clock: Clock
) -> None:
    assert answered(shared, clock, 60, lambda _: 1.0) == 1
    answered(shared, clock, 10, one_in_ten(60.0))
    assert shared.exhausted
    greedy = [shared.answers(60.0) for _ in range(2000)]
    modest = [shared.answers(1.0) for _ in range(2000)]
    assert all(0.75 < sum(each) / 2000 < 0.85 for each in (greedy, modest))
    answered(shared, clock, 2, lambda _: 1.0)
    assert answered(shared, clock, 60, lambda _: 1.0) == 1


def test_requests_that_come_all_at_once_after_a_pause_overload_nothing(
    shared: SharedDatabase, clock: Clock
) -> None:
    clock.now += 3
    assert all(shared.answers(1.0) for _ in range(300))


def test_a_request_without_queries_needs_no_database() -> None:
    out = SharedDatabase(Database(out=1.0), random.Random(1))
    assert out.answers(0.0)
    assert not out.answers(1.0)
