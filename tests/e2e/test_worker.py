"""A worker in the lab: its canary is judged by its own counters in a real Prometheus, promoted, and rolled back.

No load balancer knows of it. The lab runs thirty times as fast as the catalog says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.kube.kinds import DEPLOYMENT
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import answer, ask, execution, record, start_release, timeline
from lab.scenes.prometheus import Prometheus, program
from lab.traffic.behaviour import Behaviour
from lab.world import World
from tests.support.labs import Labs
from tests.support.quick_catalog import quick_catalog
from tests.support.waiting import eventually, rounds

ENVIRONMENT, SERVICE, NAMESPACE = "production", "mailer", "example-prod"
WORKS = Behaviour(jobs_per_second=40.0)
LOSES = Behaviour(jobs_per_second=40.0, error_rate=0.4)
MAILER = """
mailer:
  image: ghcr.io/example-org/mailer
  repository: example-org/shop
  kind: worker
  # Where Prometheus asks it.
  port: 9000
  health_path: /health
  replicas: {min: 4, max: 20}
  resources: {cpu: 100m, memory: 128Mi, cpu_limit: 200m, memory_limit: 256Mi}
  owner: platform
  judge: counted
"""
COUNTED = """
counted:
  min_requests: 50
  sources:
    prometheus: {preset: worker, window: 15s, settle: 15s}
"""

pytestmark = [
    pytest.mark.skipif(program() is None, reason="needs Debian's prometheus package; .ci/run installs them"),
]


class Counted(World):
    """A lab whose stack is told of a Prometheus."""

    prometheus: Prometheus

    def parameters(self) -> dict[str, str]:
        return {"PrometheusUrl": self.prometheus.url}


@contextmanager
def working(folder: Path) -> Iterator[World]:
    """Production with one worker."""
    catalog = quick_catalog(folder / "catalog", ("strategies.yaml", "at_most: 1m", "at_most: 10m"))
    for file, text in (("services.yaml", MAILER), ("policies.yaml", COUNTED)):
        with (catalog / file).open("a", encoding="utf-8") as out:
            out.write(text)
    with (
        Counted(folder / "lab", time_scale=30, catalog=catalog) as made,
        Prometheus(made, ENVIRONMENT) as made.prometheus,
    ):
        for version, behaviour in (("1.0.0", WORKS), ("as-good", WORKS), ("loses", LOSES), ("later", WORKS)):
            made.traffic.register(SERVICE, version, behaviour)
        bring_up(made, (ENVIRONMENT,), (SERVICE,))
        made.traffic.register(SERVICE, "1.0.0", WORKS)
        yield made


@pytest.fixture
def world(labs: Labs) -> World:
    return labs.get(working)


def released(world: World, version: str) -> tuple[str, str, list[dict[str, Any]]]:
    """Release a version, say yes whenever asked, and wait for the end: its name, status and timeline."""
    release = start_release(world, ENVIRONMENT, SERVICE, version, by="developer")
    asked, status = 0, ""
    for _ in rounds(
        lambda: f"{release} did not end; its timeline is {timeline(world, ENVIRONMENT, release)}"
    ):
        entries = timeline(world, ENVIRONMENT, release)
        questions = [entry["kind"] for entry in entries].count("approval_requested")
        if questions > asked:
            asked = questions
            answer(world, ENVIRONMENT, release, "approved", person="platform-lead")
        status = execution(world, ENVIRONMENT, release)["status"]
        if status != "RUNNING":
            break
    return release, status, timeline(world, ENVIRONMENT, release)


def pods(world: World) -> dict[str, int]:
    """How many Pods each slot asks for."""
    store = world.sites[ENVIRONMENT].cluster.store
    found = {slot: store.get(DEPLOYMENT, NAMESPACE, f"{SERVICE}-{slot}") for slot in ("blue", "green")}
    return {slot: each["spec"]["replicas"] if each else 0 for slot, each in found.items()}


def test_a_workers_canary_is_promoted_and_taken_back(world: World) -> None:
    stable = record(world, ENVIRONMENT, SERVICE)["stable"]
    release, status, entries = released(world, "as-good")
    assert status == "SUCCEEDED", entries
    scaled = [entry["reason"] for entry in entries if entry["kind"] == "scaled"]
    assert [reason.partition(" gets ")[2] for reason in scaled] == [
        "1 of 4 Pods for 10%",
        "2 of 4 Pods for 50%",
        "4 of 4 Pods for 100%",
    ]
    judged = [entry for entry in entries if entry["kind"] == "judged"]
    sources = [entry["evidence"]["source"] for entry in judged if "source" in entry["evidence"]]
    assert set(sources) == {"prometheus"}, "no load balancer counts anything of it"
    promoted = record(world, ENVIRONMENT, SERVICE)["stable"]
    assert promoted != stable
    assert pods(world) == {promoted: 4, stable: 0}
    request = {"service": SERVICE, "reason": "it loses mails"}
    ask(world, ENVIRONMENT, "rollback", "back-1", request, person="platform-lead")
    eventually(lambda: "rolled_back" in [each["kind"] for each in timeline(world, ENVIRONMENT, release)])
    assert record(world, ENVIRONMENT, SERVICE)["stable"] == stable
    assert pods(world) == {promoted: 0, stable: 4}


def test_a_worker_that_loses_jobs_is_judged_by_its_own_counters(world: World) -> None:
    before = record(world, ENVIRONMENT, SERVICE)["stable"]
    release, status, entries = released(world, "loses")
    assert status == "FAILED", entries
    last = [entry for entry in entries if entry["kind"] == "judged"][-1]["evidence"]
    assert (last["action"], last["source"]) == ("rollback", "prometheus")
    eventually(lambda: "rolled_back" in [each["kind"] for each in timeline(world, ENVIRONMENT, release)])
    stored = record(world, ENVIRONMENT, SERVICE)
    assert (stored["stable"], stored["desired"][before]) == (before, 100)
    assert pods(world)[before] == 4
    assert sum(pods(world).values()) == 4
