"""What runs follows the record: drift is put right, late writers have no say, and a rollback ends whatever happens."""

from __future__ import annotations

from typing import Literal

import pytest

from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.errors import ClusterRefused
from candlefish.release.manifests import slot_name
from candlefish.service.model import other
from tests.support.release_world import CLUSTER_WRITERS_LIVE
from tests.support.scenario import SimulatedStage, simulated

SERVICE = "website"
NEWS = f"{SERVICE} in production did not run as recorded; it was put right"
Thing = Literal["autoscaler", "replicas", "image"]


def stable_name(stage: SimulatedStage) -> str:
    record = stage.records.get(SERVICE)
    assert record.stable
    return slot_name(SERVICE, record.stable)


def released(stage: SimulatedStage) -> str:
    """A release that is promoted, and whose predecessor was retired just now."""
    release = stage.start(SERVICE, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.follows(release, "retired")
    return release


def changed_by_hand(stage: SimulatedStage, release: str, thing: Thing) -> tuple[list[str], list[str]]:
    """Somebody changes what runs, and it is put back; what is new in the timeline then, and what people were told."""
    before = stage.site.ground.running(stable_name(stage))
    written, told = len(stage.kinds(release)), len(stage.site.told)
    stage.site.meddle(SERVICE, thing)
    assert stage.site.differs(stage.records.get(SERVICE))
    stage.site.until(lambda: not stage.site.differs(stage.records.get(SERVICE)), "the repair", within=660)
    after = stage.site.ground.running(stable_name(stage))
    assert before and after
    assert (after.image, after.release) == (before.image, before.release)
    stage.site.run(60.0)
    stage.settled(SERVICE, "1.1.0")
    return stage.kinds(release)[written:], [each.title for each in stage.site.told[told:]]


@pytest.mark.parametrize("thing", ["autoscaler", "replicas", "image"])
def test_what_somebody_changed_by_hand_is_put_back_and_told(stage: SimulatedStage, thing: Thing) -> None:
    release = released(stage)
    # Whoever wrote to the cluster for the release is dead by then: nobody of ours can have done it.
    stage.site.run(CLUSTER_WRITERS_LIVE + 1)
    written, told = changed_by_hand(stage, release, thing)
    assert written == ["cluster_repaired"]
    assert told.count(NEWS) == 1


def test_a_repaired_autoscaler_costs_no_request_and_no_pod(stage: SimulatedStage) -> None:
    release = stage.start(SERVICE, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.follows(release, "retired")
    pods = stage.site.ground.pods_of(stable_name(stage))
    stage.site.meddle(SERVICE, "autoscaler")
    stage.site.until(lambda: not stage.site.differs(stage.records.get(SERVICE)), "the repair", within=660)
    assert stage.site.ground.pods_of(stable_name(stage)) == pods
    assert stage.without_service(SERVICE) == 0


def refuse(cluster: KubernetesCluster, namespace: str, name: str, generation: int) -> None:
    raise ClusterRefused(f"Deployment {name} in {namespace}: forbidden; apply deploy/rbac.yaml")


def test_a_rollback_that_the_cluster_refuses_ends_and_is_finished_later(
    stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "shifted")
    with monkeypatch.context() as patched:
        patched.setattr(KubernetesCluster, "retire", refuse)
        name = stage.roll_back(SERVICE, f"{release}-by-hand")
        assert stage.ends(name, machine="Rollback")["status"] == "SUCCEEDED"
        assert "forbidden; apply deploy/rbac.yaml" in stage.reason(release, "capacity_left")
        record = stage.records.get(SERVICE)
        assert (record.holder, record.rollback) == (None, None)
        assert record.slots[other(record.stable)].retiring
        stage.site.run(7200)
        left = [each for each in stage.site.told if "does not run as recorded" in each.text]
        assert 1 <= len(left) <= 3, "told once, and again after an hour"
    stage.settled(SERVICE, before)
    record = stage.records.get(SERVICE)
    assert not stage.site.replicas(slot_name(SERVICE, other(record.stable)))


def test_the_next_release_takes_over_what_a_rollback_left(
    stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "shifted")
    with monkeypatch.context() as patched:
        patched.setattr(KubernetesCluster, "retire", refuse)
        name = stage.roll_back(SERVICE, f"{release}-by-hand")
        stage.ends(name, machine="Rollback")
    following = stage.start(SERVICE, "1.1.0")
    assert stage.approve_all(following)["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.1.0")
    assert stage.without_service(SERVICE) == 0


def test_the_next_release_may_start_the_moment_the_window_closes(stage: SimulatedStage) -> None:
    """Its predecessor's slot is being retired; the scale-down is late."""
    first = stage.start(SERVICE, "1.1.0")
    assert stage.approve_all(first)["status"] == "SUCCEEDED"
    late = stage.strike("late", "cluster", "retire", seconds=30.0)
    stage.site.until(lambda: late.met, "a slot to be retired")
    following = stage.start(SERVICE, "1.2.0")
    assert stage.approve_all(following)["status"] == "SUCCEEDED"
    stage.settled(SERVICE, "1.2.0")
    assert stage.without_service(SERVICE) == 0


def test_a_deploy_in_place_that_comes_late_does_not_stay() -> None:
    """A rollback during the deploy; one request of it is on its way for half a minute."""
    with simulated("development") as stage:
        before = stage.version(SERVICE)
        late = stage.strike("late", "cluster", "apply", function="deploy_slot", seconds=30.0)
        release = stage.start(SERVICE, "1.2.0")
        stage.site.until(lambda: late.met, "the deploy")
        name = stage.roll_back(SERVICE, f"{release}-by-hand")
        assert stage.ends(name, machine="Rollback")["status"] == "SUCCEEDED"
        stage.settled(SERVICE, before)
        assert not stage.site.differs(stage.records.get(SERVICE))


def test_users_stay_where_targets_are_until_the_good_version_is_back(stage: SimulatedStage) -> None:
    """Somebody scaled the good version down while a release had traffic, and then it is rolled back."""
    before = stage.version(SERVICE)
    release = stage.start(SERVICE, "1.2.0")
    stage.comes_to(release, "shifted")
    stage.site.meddle(SERVICE, "replicas")
    record = stage.records.get(SERVICE)
    assert record.stable
    stage.site.until(lambda: not stage.site.healthy(record, record.stable), "its targets to be gone")
    stage.roll_back(SERVICE, f"{release}-by-hand")
    stage.site.until(lambda: "traffic_left" in stage.kinds(release), "the lesser evil", within=120)
    assert stage.site.weights(record.rule)[record.slots[other(record.stable)].target_group] == 100
    stage.settled(SERVICE, before)
    assert stage.site.healthy(record, record.stable)


def test_a_window_whose_slot_cannot_be_scaled_down_is_not_watched_for_ever(
    stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = stage.start(SERVICE, "1.1.0")
    with monkeypatch.context() as patched:
        patched.setattr(KubernetesCluster, "retire", refuse)
        assert stage.approve_all(release)["status"] == "SUCCEEDED"
        stage.follows(release, "window_closed")
        stage.site.run(6 * 3600)
        watches = [
            run
            for run in stage.site.machines.executions
            if run.machine.name.endswith("-watch") and run.input["release"] == release
        ]
        assert len(watches) == 1, "the cluster's reconciler goes on with it"
    stage.settled(SERVICE, "1.1.0")


def test_a_service_that_leaves_the_catalog_in_the_middle_of_its_release_is_rolled_back_and_free() -> None:
    """Nothing is known of it any more: its slot is scaled down by its name, and its timeline says the end."""
    with simulated() as stage:
        release = stage.start(SERVICE, "1.2.0")
        stage.comes_to(release, "shifted")
        gone = stage.site.catalog.services.pop(SERVICE)
        try:
            name = stage.roll_back(SERVICE, f"{release}-by-hand")
            assert stage.ends(name, machine="Rollback")["status"] == "SUCCEEDED"
            assert stage.records.get(SERVICE).holder is None
            assert stage.status(release) == "rolled_back"
        finally:
            stage.site.catalog.services[SERVICE] = gone
