"""Traffic as counts: by the weights that really apply, of what really runs, and as CloudWatch tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from candlefish.analysis.model import Arm
from lab.simulator.kernel import Kernel
from lab.simulator.load_balancer import TAKEOVER
from lab.simulator.metrics import MINUTE, Lateness
from lab.simulator.traffic import daily
from lab.simulator.versions import Behaviour
from tests.support.simulated import START, SimulatedSite

ROOT = Path(__file__).resolve().parents[3]


def counted(site: SimulatedSite) -> int:
    """Requests that a target was chosen for."""
    return sum(
        counts.requests
        for slot in ("blue", "green")
        for counts in site.metrics.known(site.group(slot)).values()  # type: ignore[arg-type]
    )


def both(seed: int = 1, green: str | Behaviour = "good") -> SimulatedSite:
    site = SimulatedSite(seed)
    site.deploy("blue")
    site.deploy("green", green)
    return site


def to_the_minute(site: SimulatedSite) -> None:
    site.kernel.sleep(MINUTE - site.kernel.now() % MINUTE)


def test_counts_add_up_to_the_arrivals_whatever_happens() -> None:
    site = both(green="bad")
    flow = site.send(50.0)
    for green in (10, 50, 100, 0):
        site.shift(green)
        site.kernel.sleep(130)
    site.shift(100)
    # Green's Pods go while everything is sent there.
    site.cluster.retire("default", "api-green", 1)
    site.kernel.sleep(300)
    to_the_minute(site)
    assert counted(site) + flow.turned_away == flow.arrived > 30_000
    assert flow.turned_away > 1000, "an empty group answers 503"
    for slot in ("blue", "green"):
        for counts in site.metrics.known(site.group(slot)).values():  # type: ignore[arg-type]
            assert sum(counts.times.values()) + counts.refused == counts.requests >= counts.failed


def test_traffic_follows_the_weights_that_nodes_really_have() -> None:
    site = both()
    site.send(100.0)
    to_the_minute(site)
    site.shift(100)
    site.kernel.sleep(MINUTE)
    minute = int(site.kernel.now() // MINUTE) - 1
    blue = site.metrics.known(site.group("blue"))[minute].requests
    green = site.metrics.known(site.group("green"))[minute].requests
    assert 0 < blue < 100 * TAKEOVER[1] * 1.2 and green > 100 * (MINUTE - TAKEOVER[1]) * 0.8
    site.kernel.sleep(MINUTE)
    assert minute + 1 not in site.metrics.known(site.group("blue"))


def test_a_version_fails_as_often_as_it_shall() -> None:
    site = both(green="bad")
    site.shift(50)
    site.kernel.sleep(60)
    site.send(100.0)
    site.kernel.sleep(1800)
    rows = site.metrics.known(site.group("green")).values()
    requests, failed = sum(row.requests for row in rows), sum(row.failed for row in rows)
    assert 0.19 < failed / requests < 0.21


def test_a_late_failure_begins_when_it_shall() -> None:
    site = both(green=Behaviour(leak_after=600.0, leak_error_rate=1.0))
    site.shift(100)
    site.send(100.0)
    began = max(
        process.listens
        for host, _ in site.balancer.groups[site.group("green")].eligible()
        if (process := site.pods.at(host)) and process.listens
    )
    site.kernel.sleep(1200)
    rows = site.metrics.known(site.group("green"))
    bad = [minute for minute, row in sorted(rows.items()) if row.failed]
    assert bad[0] == pytest.approx((began + 600) / MINUTE, abs=1.1)
    assert all(rows[minute].failed == rows[minute].requests for minute in bad[2:])


def test_a_cold_version_is_slow_at_first() -> None:
    site = both(green="cold")
    site.shift(100)
    site.send(100.0)
    site.kernel.sleep(900)
    slow = {
        minute: sum(number for seconds, number in row.times.items() if seconds > 2)
        for minute, row in sorted(site.metrics.known(site.group("green")).items())
    }
    first, *_, last = slow.values()
    assert last == 0 < first


def test_looking_changes_nothing() -> None:
    stories = []
    for looks in (1, 40):
        site = both()
        site.send(20.0)
        site.shift(30)
        for _ in range(looks):
            site.kernel.sleep(1200 / looks)
            site.traffic.look()
        stories.append(site.story())
    assert stories[0] == stories[1]


def test_a_quiet_night_is_not_counted_until_somebody_looks() -> None:
    site = both()
    site.send(0.5)
    before = site.kernel.events
    site.kernel.sleep(8 * 3600)
    assert site.kernel.events - before < 40
    assert counted(site) == pytest.approx(0.5 * 8 * 3600, rel=0.05)


SCRIPT = """
from tests.support.simulated import SimulatedSite
site = SimulatedSite(seed=5)
site.deploy("blue"); site.deploy("green", "bad"); site.watch(); site.send(40.0)
site.shift(50); site.kernel.sleep(900); site.shift(0); site.kernel.sleep(900)
print(site.story())
"""


def test_the_same_seed_counts_the_same_whatever_python_hashes_with() -> None:
    told = []
    for seed in ("0", "77"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}",
        }
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(ran.stdout)
    assert told[0] == told[1] and "errors-high/green" in told[0]


def test_another_seed_counts_otherwise() -> None:
    stories = set()
    for seed in (1, 2, 3):
        site = both(seed)
        site.send(40.0)
        site.kernel.sleep(300)
        stories.add(site.story())
    assert len(stories) == 3


def test_a_day_has_a_night() -> None:
    rate = daily(peak=50.0, night=2.0)
    midnight = START // 86400 * 86400
    assert [rate(midnight + 3600 * hour) for hour in (0, 5, 6, 8, 12, 17, 19, 21, 23)] == [
        2.0,
        2.0,
        2.0,
        26.0,
        50.0,
        50.0,
        26.0,
        2.0,
        2.0,
    ]


def test_numbers_come_late_and_sometimes_not_at_all() -> None:
    site = SimulatedSite(
        lateness=Lateness(usual=(10.0, 55.0), late_share=0.1, late=(60.0, 240.0), lost_share=0.1)
    )
    group = site.group("blue")
    minute = int(START // MINUTE)
    delays = [
        site.metrics.reported_at(group, at, node=0) - (at + 1) * MINUTE for at in range(minute, minute + 2000)
    ]
    lost = delays.count(float("inf"))
    late = sum(60 <= delay <= 240 for delay in delays)
    assert 150 < lost < 250 and 130 < late < 230
    assert all(10 <= delay <= 55 for delay in delays if delay < 60)


def test_a_minutes_sum_grows_until_every_node_has_reported() -> None:
    site = SimulatedSite(lateness=Lateness(usual=(10.0, 110.0), late_share=0.0, lost_share=0.0))
    site.deploy("blue")
    site.send(100.0)
    site.kernel.sleep(3 * MINUTE)
    to_the_minute(site)
    minute = int(site.kernel.now() // MINUTE) - 1
    whole = float(site.metrics.known(site.group("blue"))[minute].requests)
    query = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": [{"Name": "TargetGroup", "Value": site.group("blue").rpartition(":")[2]}],
    }
    seen = []
    for _ in range(24):
        found = site.metrics.series(query, "Sum", MINUTE, minute * MINUTE, (minute + 1) * MINUTE)
        seen.append(found.get(float(minute * MINUTE), 0.0))
        site.kernel.sleep(5)
    assert seen == sorted(seen) and len(set(seen)) == 4 and (seen[0], seen[-1]) == (0.0, whole)


@pytest.mark.parametrize("behaviour", ["hang", "reset", "half-answer"])
def test_a_request_that_nobody_answers_is_the_load_balancers_own_error_and_no_targets(behaviour: str) -> None:
    site = SimulatedSite()
    site.deploy("blue", behaviour)
    flow = site.send(100.0)
    site.kernel.sleep(3 * MINUTE)
    to_the_minute(site)
    site.traffic.look()
    rows = site.metrics.known(site.group("blue")).values()
    assert 0.25 * flow.arrived < flow.unanswered < 0.35 * flow.arrived and not flow.refused
    assert sum(row.requests for row in rows) == flow.arrived
    assert sum(row.answered for row in rows) == flow.arrived - flow.unanswered
    assert not sum(row.failed for row in rows)
    assert sum(sum(row.times.values()) for row in rows) == flow.arrived - flow.unanswered
    assert sum(row.own_errors for row in rows) == flow.unanswered


def test_a_window_that_is_not_there_yet_is_missing_on_one_side_only() -> None:
    site = SimulatedSite(lateness=Lateness(late_share=0.3, late=(90.0, 90.0), lost_share=0.0))
    site.deploy("blue")
    site.deploy("green")
    site.shift(50)
    site.send(100.0)
    site.kernel.sleep(60 * MINUTE)
    to_the_minute(site)
    site.kernel.sleep(5)
    since = START + 600
    halves = 0
    for _ in range(40):
        site.kernel.sleep(MINUTE)
        windows = site.windows.windows(site.target(), since, site.kernel.now())
        halves += sum(bool(w.baseline.requests) != bool(w.canary.requests) for w in windows[-1:])
    whole = site.windows.windows(site.target(), since, site.kernel.now() - 300)
    assert halves > 3, "what is late looks like silence"
    assert all(w.baseline.requests and w.canary.requests for w in whole), "and is there afterwards"


def test_windows_are_what_was_counted() -> None:
    site = both(green="bad")
    site.shift(50)
    site.send(100.0)
    site.kernel.sleep(600)
    first, *_ = site.windows.windows(site.target(), site.kernel.now() - 300, site.kernel.now())
    row = site.metrics.known(site.group("green"))[int(first.start // MINUTE)]
    assert first.canary == Arm(row.requests, row.failed, 0)


def test_the_front_door_answers_as_what_runs_behind_it() -> None:
    site = both(green=Behaviour(smoke_fails=True, balancer_unhealthy=True))
    smoke = {site.record.smoke_header: site.record.smoke_token}
    host = site.service.host or CATALOG_HOST
    assert site.door.get(site.balancer.listener, host, "/health", {}).status == 200
    assert site.door.get(site.balancer.listener, host, "/health", smoke).status == 200
    site.balancer.write(site.record.smoke_rule, {site.group("green"): 100, site.group("blue"): 0})
    site.kernel.sleep(TAKEOVER[1])
    assert site.door.get(site.balancer.listener, host, "/health", smoke).status == 500
    assert site.door.get(site.balancer.listener, "elsewhere.example", "/", {}).status == 404
    site.cluster.retire("default", "api-green", 1)
    site.kernel.sleep(60)
    assert site.door.get(site.balancer.listener, host, "/health", smoke).status == 503


CATALOG_HOST = "api.example.org"


def test_the_kernel_of_a_test_begins_on_the_hour() -> None:
    assert Kernel(1, START).now() % 3600 == 0
