"""A StatefulSet in place, through the whole product: one after another, taken back past the Pod that would stay for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.release.manifests.model import runner_name
from lab.kube.kinds import CLAIM, POD, STATEFUL_SET
from lab.kube.runtime import Object
from tests.support.kinds_catalog import STATEFUL, WORKER, kinds_catalog
from tests.support.scenario import SimulatedStage, simulated


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[SimulatedStage]:
    with simulated("production", (STATEFUL,), catalog=kinds_catalog(tmp_path / "catalog")) as made:
        yield made


def found(stage: SimulatedStage) -> Object:
    ground = stage.site.ground
    made = ground.cluster.store.get(STATEFUL_SET, ground.namespace, STATEFUL)
    assert made is not None
    return made


def pods(stage: SimulatedStage) -> dict[str, str]:
    """The image of each Pod that is there and not going, by its name."""
    return {
        each["metadata"]["name"]: each["spec"]["containers"][0]["image"]
        for each in stage.site.ground.cluster.store.list(POD)
        if each["metadata"]["name"].startswith(f"{STATEFUL}-") and "deletionTimestamp" not in each["metadata"]
    }


def claims(stage: SimulatedStage) -> dict[str, str]:
    return {
        each["metadata"]["name"]: each["metadata"]["uid"]
        for each in stage.site.ground.cluster.store.list(CLAIM)
    }


def at_rest(stage: SimulatedStage, version: str) -> None:
    """Nothing is under way, and every Pod is of that version."""

    def rests() -> bool:
        record = stage.site.record(STATEFUL)
        return record.holder is None and record.rollback is None

    stage.site.until(rests, f"{STATEFUL} at rest")
    record = stage.site.record(STATEFUL)
    assert record.stable and record.stable_version
    assert record.stable_version.label == version
    assert record.desired[record.stable] == 100
    assert pods(stage) == {f"{STATEFUL}-{n}": record.stable_version.image for n in range(3)}


def test_a_version_takes_over_in_place_whatever_the_strategy_says(stage: SimulatedStage) -> None:
    slot, before, data = stage.site.record(STATEFUL).stable, found(stage), claims(stage)
    assert sorted(data) == [f"data-{STATEFUL}-{n}" for n in range(3)]
    release = stage.start(STATEFUL, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    said = stage.reason(release, "started")
    assert "a stateful service is updated in place, whatever strategy" in said
    assert "weights are left out" in said
    kinds = {step.kind for step in stage.read(release).plan}
    assert "approve" in kinds, "the strategy's approvals hold"
    assert not kinds & {"shift", "scale", "smoke", "judge"}
    at_rest(stage, "1.1.0")
    assert stage.site.record(STATEFUL).stable == slot
    after = found(stage)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert claims(stage) == data, "the Pods have the volumes that they had"


@pytest.mark.parametrize("behaviour", ["crash", "never-ready", "unpullable"])
def test_a_version_that_does_not_come_up_is_taken_back_past_its_broken_pod(
    stage: SimulatedStage, behaviour: str
) -> None:
    before, data = stage.version(STATEFUL), claims(stage)
    others = {name: image for name, image in pods(stage).items() if name != f"{STATEFUL}-2"}
    release = stage.start(STATEFUL, behaviour)
    ended = stage.ends(release)
    assert ended["error"] == "RolloutFailed", ended
    assert f"{STATEFUL}-2" in str(ended["cause"]), "which Pod it is"
    assert others.items() <= pods(stage).items(), "the Pods of smaller numbers went on"
    stage.follows(release, "rolled_back")
    at_rest(stage, before)
    assert claims(stage) == data
    assert "was deleted and is made again with its volumes" in stage.reason(release, "freed")


def test_a_rollback_by_hand_while_pods_are_replaced_puts_the_version_before_back(
    stage: SimulatedStage,
) -> None:
    before = stage.version(STATEFUL)
    release = stage.start(STATEFUL, "1.1.0")
    stage.comes_to(release, "deployed")
    stage.roll_back(STATEFUL, "rb-ledger")
    assert stage.ends(release)["status"] != "SUCCEEDED"
    stage.follows(release, "rolled_back")
    at_rest(stage, before)


def test_volumes_of_another_size_are_refused_and_nothing_is_changed(
    stage: SimulatedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, running = stage.version(STATEFUL), found(stage)
    known = stage.site.catalog.services[STATEFUL]
    (volume,) = known.stateful.volumes
    larger = msgspec.structs.replace(known.stateful, volumes=(msgspec.structs.replace(volume, size="20Gi"),))
    monkeypatch.setitem(
        stage.site.catalog.services, STATEFUL, msgspec.structs.replace(known, stateful=larger)
    )
    release = stage.start(STATEFUL, "1.1.0")
    ended = stage.ends(release)
    assert ended["error"] == "ClusterRefused", ended
    assert "volume data has size 10Gi, and the version wants 20Gi" in str(ended["cause"])
    stage.follows(release, "rolled_back")
    at_rest(stage, before)
    assert found(stage)["spec"]["volumeClaimTemplates"] == running["spec"]["volumeClaimTemplates"]


@pytest.mark.parametrize("method", ["apply", "raise_to", "rollout"])
def test_a_function_that_dies_between_leaves_nothing_that_is_not_finished(
    stage: SimulatedStage, method: str
) -> None:
    stage.strike("died", "cluster", method)
    release = stage.start(STATEFUL, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    at_rest(stage, "1.1.0")


@pytest.mark.parametrize("method", ["free_stuck", "apply"])
def test_a_rollback_whose_function_dies_goes_on_where_it_stopped(stage: SimulatedStage, method: str) -> None:
    before = stage.version(STATEFUL)
    release = stage.start(STATEFUL, "crash")
    stage.comes_to(release, "rolling_back" if method == "apply" else "deployed")
    stage.strike("died", "cluster", method)
    assert stage.ends(release)["error"] == "RolloutFailed"
    stage.follows(release, "rolled_back")
    at_rest(stage, before)


def test_what_somebody_set_by_hand_is_put_right(stage: SimulatedStage) -> None:
    record = stage.site.record(STATEFUL)
    assert record.stable
    live: Any = stage.site.ports["cluster"]
    live.scale_to(
        stage.site.ground.namespace, runner_name(record, record.stable), 1, generation=record.generation
    )
    stage.site.until(lambda: len(pods(stage)) == 3, "the Pods that it had", within=1200)
    at_rest(stage, stage.version(STATEFUL))


def test_one_that_runs_is_taken_over_where_it_stands_and_given_back_where_that_fails(tmp_path: Path) -> None:
    with simulated("production", (WORKER,), catalog=kinds_catalog(tmp_path / "catalog")) as stage:
        site, namespace = stage.site, stage.site.ground.namespace
        for version, behaviour in (("0.9.0", "good"), ("1.1.0", "good"), ("crash", "crash")):
            stage.publish(STATEFUL, version, behaviour)
        labels = {"app": "ledger"}
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
        }
        theirs = {
            "metadata": {"name": STATEFUL, "labels": {**labels, "candlefish.ai/service": STATEFUL}},
            "spec": {
                "replicas": 3,
                "serviceName": f"{STATEFUL}-headless",
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "securityContext": {
                            "runAsNonRoot": True,
                            "runAsUser": 999,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": "db",
                                "image": site.image(STATEFUL, "0.9.0"),
                                "securityContext": {
                                    "allowPrivilegeEscalation": False,
                                    "capabilities": {"drop": ["ALL"]},
                                },
                            }
                        ],
                    },
                },
                "volumeClaimTemplates": [claim],
            },
        }
        path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
        made = site.ground.cluster.api().request(
            "POST", path, subject=STATEFUL, query={"fieldManager": "helm"}, body=theirs
        )
        assert made.status == 201, made
        site.until(lambda: len(pods(stage)) == 3, "what runs before", within=600)
        before, data = found(stage), claims(stage)
        site.call("onboard", {"service": STATEFUL})
        site.ground.jobs.add(STATEFUL, 30.0)

        failed = stage.start(STATEFUL, "crash")
        assert stage.ends(failed)["error"] == "RolloutFailed"
        stage.follows(failed, "rolled_back")
        site.until(lambda: site.record(STATEFUL).rollback is None, "the rollback's end")
        assert set(pods(stage).values()) == {site.image(STATEFUL, "0.9.0")}
        assert found(stage)["spec"]["template"] == before["spec"]["template"]
        assert found(stage)["status"]["readyReplicas"] == 3
        assert claims(stage) == data

        taken = stage.start(STATEFUL, "1.1.0")
        assert stage.approve_all(taken)["status"] == "SUCCEEDED"
        at_rest(stage, "1.1.0")
        assert found(stage)["metadata"]["uid"] == before["metadata"]["uid"]
        assert claims(stage) == data, "with its volumes"


def test_within_the_window_a_promoted_version_is_taken_back_in_place(stage: SimulatedStage) -> None:
    before, data = stage.version(STATEFUL), claims(stage)
    release = stage.start(STATEFUL, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert stage.site.record(STATEFUL).window_until > stage.site.kernel.now(), "the strategy's window holds"
    stage.roll_back(STATEFUL, "rb-promoted")
    stage.follows(release, "rolled_back")
    at_rest(stage, before)
    assert claims(stage) == data


def test_after_its_window_nothing_of_it_is_retired_or_told_of(stage: SimulatedStage) -> None:
    release = stage.start(STATEFUL, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    told = len(stage.site.told)
    stage.site.run(2 * 3600)
    assert stage.site.record(STATEFUL).window_until <= stage.site.kernel.now()
    at_rest(stage, "1.1.0")
    about = [each.text for each in stage.site.told[told:] if STATEFUL in each.text and "differs" in each.text]
    assert about == []
    assert "cluster_repaired" not in stage.kinds(release)
