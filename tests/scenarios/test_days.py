"""Days: the same seed gives the same bytes, what is broken is noticed and told, and safeguards that are gone are missed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from candlefish.release.manifests.model import JOB_LABEL, LET_RUN_NOTE, RELEASE_NOTE
from candlefish.service.model import SLOTS, Holder, all_to
from lab.kube.kinds import CLAIM, JOB, POD, STATEFUL_SET, Kind
from lab.simulator.cast import usual
from lab.simulator.day import play
from lab.simulator.invariants import Broken, Invariants
from lab.simulator.plan import Day, ReleaseAsked, RollbackAsked, draw
from lab.simulator.site import Site
from lab.simulator.weather import Strike

ROOT = Path(__file__).parents[2]
# One of each environment.
SEEDS = {draw(seed).environment: seed for seed in range(40, 0, -1)}


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS.keys())
def test_a_day_of_each_environment_is_as_it_must_be(seed: int) -> None:
    outcome = play(draw(seed))
    assert outcome.broken == ()
    assert outcome.events > 1000
    assert outcome.hours >= outcome.day.hours


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    seed = SEEDS["production"]
    command = [sys.executable, "-m", "cli", "lab", "simulate", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONPATH": "layers/control_plane:."}
    told = [
        subprocess.run(
            command, cwd=ROOT, env={**environment, "PYTHONHASHSEED": hashes}, capture_output=True, check=True
        ).stdout
        for hashes in ("0", "4711")
    ]
    assert told[0] == told[1]
    outcome = play(draw(seed))
    assert told[0].decode() == outcome.timeline.text() + f"sha256 {outcome.timeline.digest()}\n"


START = 1_790_000_000.0


def a_day(*happenings: ReleaseAsked | RollbackAsked) -> Day:
    return Day(1, "production", START, 3.0, ("website",), happenings)


def test_a_bad_version_of_a_day_is_rolled_back_and_people_are_told() -> None:
    outcome = play(a_day(ReleaseAsked(60.0, service="website", behaviour="bad", by="developer")))
    assert outcome.broken == ()
    told = outcome.timeline.text()
    assert "release.rolling_back" in told and "FAILED error=JudgedBad" in told


@pytest.mark.parametrize(
    ("behaviour", "ends"),
    [("good", "release.promoted"), ("job-fails", "JobFailed"), ("job-hangs", "JobFailed")],
)
def test_a_day_of_migrations_is_as_it_must_be(behaviour: str, ends: str) -> None:
    day = a_day(ReleaseAsked(60.0, service="website", behaviour=behaviour, by="developer"))
    outcome = play(msgspec.structs.replace(day, migrated="website"))
    assert outcome.broken == ()
    assert ends in outcome.timeline.text()


def test_days_of_migrations_are_drawn_and_some_of_them_fail() -> None:
    days = [day for day in map(draw, range(1, 200)) if day.migrated]
    behaviours = {
        each.behaviour
        for day in days
        for each in day.happenings
        if isinstance(each, ReleaseAsked) and each.service == day.migrated
    }
    assert 30 < len(days) < 70
    assert {"good", "job-fails", "job-hangs"} <= behaviours


def a_job(uid: str, release: str = "r1") -> dict[str, Any]:
    notes = {LET_RUN_NOTE: "true", RELEASE_NOTE: release}
    metadata = {"name": "website-migrate", "namespace": "n", "uid": uid, "annotations": notes}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"suspend": True}}


def test_a_second_job_of_a_name_is_noticed() -> None:
    with Site("production", migrated="website") as site:
        site.bring_up(["website"])
        invariants, store = Invariants(site), site.ground.cluster.store
        for uid in ("one", "two"):
            assert invariants.broken == []
            store.put(JOB, a_job(uid))
            invariants._jobs_run_once()
    (found,) = invariants.broken
    assert (found.what, found.why) == ("jobs", "Job website-migrate was let run a second time")


def test_a_second_pod_of_a_job_is_noticed() -> None:
    labels = {JOB_LABEL: "website", "job-name": "website-migrate"}
    with Site("production", migrated="website") as site:
        site.bring_up(["website"])
        invariants, store = Invariants(site), site.ground.cluster.store
        for uid in ("one", "two"):
            assert invariants.broken == []
            metadata = {"name": f"website-migrate-{uid}", "namespace": "n", "uid": uid, "labels": labels}
            store.put(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}})
            invariants._jobs_run_once()
    (found,) = invariants.broken
    assert (found.what, found.why) == ("jobs", "Job website-migrate has had 2 Pods")


@pytest.mark.parametrize(
    ("behaviour", "ends"), [("good", "release.promoted"), ("crash", "release.rolled_back")]
)
def test_a_day_of_a_stateful_service_is_as_it_must_be(behaviour: str, ends: str) -> None:
    (data,) = usual()[0].stateful
    day = a_day(ReleaseAsked(60.0, service=data, behaviour=behaviour, by="developer"))
    outcome = play(msgspec.structs.replace(day, services=("website", data)))
    assert outcome.broken == ()
    assert ends in outcome.timeline.text()


@pytest.mark.parametrize("kind", [CLAIM, STATEFUL_SET], ids=lambda kind: str(kind.kind))
def test_data_that_is_gone_is_noticed(kind: Kind) -> None:
    (data,) = usual()[0].stateful
    with Site("production", kinds=True) as site:
        site.bring_up([data])
        invariants, store = Invariants(site), site.ground.cluster.store
        invariants._data_stays()
        assert invariants.broken == []
        gone, *_ = store.list(kind)
        store.remove(kind, gone)
        invariants._data_stays()
    (found,) = invariants.broken
    assert found.what == "data" and gone["metadata"]["name"] in found.why


@pytest.mark.parametrize(("ended", "noticed"), [("Complete", False), ("Failed", True), ("", True)])
def test_weight_before_a_migration_has_ended_well_is_noticed(ended: str, noticed: bool) -> None:
    with Site("production", migrated="website") as site:
        site.bring_up(["website"])
        record = site.record("website")
        holder = Holder("r1", "arn:r1", site.kernel.now() + 600.0)
        held = msgspec.structs.replace(record, holder=holder)
        site.stores.records.stored["website"] = held
        invariants = Invariants(site)
        conditions = [{"type": ended, "status": "True"}] if ended else []
        site.ground.cluster.store.put(JOB, {**a_job("one"), "status": {"conditions": conditions}})
        weights = dict.fromkeys(record.weights_by_target_group(), 50)
        invariants._weights_written("shift_weights", record.rule, weights)
    assert ("jobs" in {each.what for each in invariants.broken}) is noticed


def test_what_happens_waits_for_the_call_that_it_shall_come_into() -> None:
    outcome = play(
        a_day(
            ReleaseAsked(60.0, service="website", behaviour="good", by="developer"),
            RollbackAsked(60.0, on="shift_weights", after=0.01, service="website", by="platform-lead"),
        )
    )
    lines = outcome.timeline.lines
    asked = next(number for number, line in enumerate(lines) if "RollbackAsked" in line)
    shifted = next((number for number, line in enumerate(lines) if "release.shifted" in line), len(lines))
    assert asked < shifted
    assert outcome.broken == ()
    assert "release.rolled_back" in outcome.timeline.text()


def broken_by(act: object) -> list[Broken]:
    """What is noticed when something is done to a site behind everybody's back."""
    with Site("production") as site:
        site.bring_up(["website"])
        invariants = Invariants(site)
        site.start_clockwork()
        act(site)  # type: ignore[operator]
        site.run(1200)
        invariants.at_the_end(invariants.quiet())
        return invariants.broken


def test_nothing_is_noticed_where_nothing_is_wrong() -> None:
    assert broken_by(lambda site: None) == []


def test_a_slot_that_serves_and_loses_its_pods_is_noticed() -> None:
    def scale_down(site: Site) -> None:
        site.ground.scale("website-green", 0)

    (found, *_) = broken_by(scale_down)
    assert found.what == "I5" and "100% of the traffic" in found.why


def test_a_rule_that_nobody_puts_right_is_noticed() -> None:
    def drift(site: Site) -> None:
        record = site.record("website")
        groups = list(record.weights_by_target_group())
        site.ports["rules"].write(record.rule, dict.fromkeys(groups, 50))
        # The reconciler's way to the load balancer is cut off: nothing repairs it.
        site.forecast.strike(Strike("refused", "rules", "write", function="reconcile_traffic", count=999))

    assert {each.what for each in broken_by(drift)} >= {"I3"}


def test_a_repair_that_takes_users_to_an_empty_slot_is_noticed() -> None:
    def wrong(site: Site) -> None:
        """The record is wrong about which slot serves."""
        record = site.record("website")
        slots = {"blue": record.slots["green"], "green": record.slots["blue"]}
        groups = {slot: record.slots[slot].target_group for slot in SLOTS}
        moved = {slot: msgspec.structs.replace(slots[slot], target_group=groups[slot]) for slot in SLOTS}
        site.stores.records.stored["website"] = msgspec.structs.replace(
            record, slots=moved, stable="blue", desired=all_to("blue"), revision=record.revision + 1
        )

    moves = "reconcile_traffic moves users of website in production to slot blue"
    with patch("candlefish.traffic.shift.may_shift", lambda *args: ""):
        assert [each.why for each in broken_by(wrong) if each.why.startswith(moves)]
    assert [each.why for each in broken_by(wrong) if each.why.startswith(moves)] == []


def test_a_bug_of_a_function_is_noticed() -> None:
    def trip(site: Site) -> None:
        del site.ports["alarms"]

    assert "bug" in {each.what for each in broken_by(trip)}
