"""A version that turns bad after it was promoted, and how long it takes until its traffic is back.

Used by the scenarios and the tests of signals: both paths, by a real Prometheus and Alertmanager
(`lab.scenes.monitoring`) and by a CloudWatch alarm through EventBridge.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from lab.choices import approver, requester
from lab.looks import looks
from lab.scenes.driver import (
    NotReached,
    answer,
    execution,
    query_table,
    record,
    rule_weights,
    start_release,
    timeline,
)
from lab.traffic.behaviour import Behaviour
from lab.traffic.load import Load, Sample
from lab.world import World

_EVERY = 0.2


class Timings(msgspec.Struct, frozen=True):
    """What happened when, in seconds after the first bad answer.

    `detected` is when the alert began to fire, `delivered` when the endpoint (or EventBridge) had
    it, `decided` when the guard let the rollback through, `restored` when the rule had the weights
    of the version known to be good, `last_bad` the last bad answer that a user got.
    """

    source: str
    alert: str
    detected: float
    delivered: float
    decided: float
    restored: float
    last_bad: float
    bad: int
    requests: int

    def report(self) -> str:
        """As lines for people."""
        rows = (
            ("detection", self.detected, f"{self.alert} fires ({self.source})"),
            ("delivery", self.delivered - self.detected, "on the signals queue"),
            ("decision", self.decided - self.delivered, "the guard lets the rollback through"),
            ("weights restored", self.restored - self.decided, "the rule has the good version's weights"),
            ("in all", self.restored, f"{self.bad} of {self.requests} answers were bad"),
        )
        return "\n".join(f"{name:>17} {seconds:8.2f} s  {what}" for name, seconds, what in rows)


def promote(
    world: World, environment: str, service: str, version: str, *, seconds: float = 600.0, **more: Any
) -> str:
    """Release a version and say yes to every question until it is promoted; the release's id.

    Raises
    ------
    NotReached
        It ended without that, or took longer.
    """
    release = start_release(world, environment, service, version, by=requester(world.catalog), **more)
    answered = 0
    for _ in looks(seconds, _EVERY):
        kinds = [entry["kind"] for entry in timeline(world, environment, release)]
        if "promoted" in kinds:
            return release
        if execution(world, environment, release)["status"] not in ("RUNNING", "SUCCEEDED"):
            break
        asked = kinds.count("approval_requested")
        if asked > answered:
            answered = asked
            answer(world, environment, release, "approved", person=approver(world.catalog))
    raise NotReached(f"{release} was not promoted; its timeline is {timeline(world, environment, release)}")


def signals(world: World, environment: str) -> list[dict[str, Any]]:
    """The log of signals, oldest first."""
    now = time.time()
    days = dict.fromkeys(f"{datetime.fromtimestamp(now - back, UTC):%Y-%m-%d}" for back in (86400, 0))
    lines = [
        json.loads(item["body"]["S"])
        for day in days
        for item in query_table(world, environment, f"signal#log#{environment}#{day}")
    ]
    return sorted(lines, key=lambda line: float(line["at"]))


def turn_bad(
    world: World,
    environment: str,
    service: str,
    version: str,
    *,
    error_rate: float = 0.9,
    rate: float = 40.0,
    seconds: float = 300.0,
) -> Timings:
    """Let a promoted version answer with errors under traffic, and follow what comes of it.

    Raises
    ------
    NotReached
        No signal rolled it back in time.
    """
    site = world.sites[environment]
    host = world.host(environment, service)
    good = record(world, environment, service)
    losing = good["stable"]
    load = Load(site.port, [host], rate)
    load.start()
    try:
        time.sleep(1.0)
        broke = time.time()
        world.traffic.register(service, version, Behaviour(error_rate=error_rate))
        restored = _restored(world, environment, service, losing, broke + seconds)
        time.sleep(1.0)
    finally:
        samples = load.stop()
    line = _rollback_line(world, environment, service, broke)
    return _timings(line, samples, restored)


def _restored(world: World, environment: str, service: str, losing: str, deadline: float) -> float:
    """When the listener rule gave nothing to the slot that had all the traffic."""
    before = record(world, environment, service)
    group = before["slots"][losing]["target_group"]
    for _ in looks(deadline - time.time(), every=0.05):
        if rule_weights(world, environment, before["rule"]).get(group) == 0:
            return time.time()
    told = [f"{s['signal']['name']}: {s['decision']['reason']}" for s in signals(world, environment)]
    raise NotReached(f"{service} still has its traffic on slot {losing}; the log of signals is {told}")


def _rollback_line(world: World, environment: str, service: str, since: float) -> dict[str, Any]:
    for _ in looks(60, _EVERY):
        for line in signals(world, environment):
            mine = line["signal"]["subject"] == service and line["at"] >= since
            if mine and line["decision"]["action"] == "rollback":
                return line
    raise NotReached(f"{service} was rolled back, but by no signal")


def _timings(line: dict[str, Any], samples: list[Sample], restored: float) -> Timings:
    bad = [sample for sample in samples if sample.failed]
    first = min(sample.at for sample in bad)
    signal = line["signal"]
    return Timings(
        source=signal["source"],
        alert=signal["name"],
        detected=signal["alert"]["started_at"] - first,
        delivered=signal["received_at"] - first,
        decided=line["at"] - first,
        restored=restored - first,
        last_bad=max(sample.at + sample.seconds for sample in bad) - first,
        bad=len(bad),
        requests=len(samples),
    )
