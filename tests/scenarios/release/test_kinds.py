"""A worker and a service in the cluster, through the whole product: shares of Pods in place of weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from candlefish.adapters.kubernetes.messages import MERGE
from candlefish.service.model import Slot, other
from candlefish.service.record import ServiceRecord
from lab.kube.kinds import AUTOSCALER
from tests.support.kinds_catalog import CLUSTER, WORKER, kinds_catalog
from tests.support.scenario import SimulatedStage, simulated


@pytest.fixture(params=[WORKER, CLUSTER])
def service(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def stage(tmp_path: Path, service: str) -> Iterator[SimulatedStage]:
    with simulated("production", (service,), catalog=kinds_catalog(tmp_path / "catalog")) as made:
        yield made


def candidate(stage: SimulatedStage, service: str) -> Slot:
    stable = stage.site.record(service).stable
    assert stable
    return other(stable)


def working(stage: SimulatedStage, service: str) -> dict[str, int]:
    return stage.site.ground.jobs.working(service)


def test_a_canary_takes_over_by_its_share_of_pods(stage: SimulatedStage, service: str) -> None:
    new = candidate(stage, service)
    release = stage.start(service, "1.1.0")
    stage.comes_to(release, "judged")
    # Four Pods have no tenth: one of them, and three of the old version.
    assert stage.site.record(service).desired[new] == 10
    assert working(stage, service) == {new: 1, other(new): 3}
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    seen = [e.evidence["weights"][new] for e in stage.site.entries(release) if e.kind == "shifted"]
    assert seen == [10, 50, 100]
    assert "smoke_tested" not in stage.kinds(release)
    assert "smoke tests are left out" in stage.reason(release, "started")
    assert working(stage, service) == {new: 4, other(new): 0}
    # Of a service in the cluster the old slot stays at capacity while one may go back to it.
    assert stage.replicas(service, other(new)) == (0 if service == WORKER else 4)
    stage.site.run(2 * 3600)
    record = stage.settled(service, "1.1.0")
    assert record.stable == new
    assert [stage.replicas(service, slot) for slot in (new, other(new))] == [4, 0]


def test_no_pod_of_a_worker_runs_before_its_version_has_a_weight(stage: SimulatedStage, service: str) -> None:
    new = candidate(stage, service)
    release = stage.start(service, "1.1.0")
    stage.comes_to(release, "ready")
    assert bool(stage.replicas(service, new)) == (service != WORKER)
    assert working(stage, service)[new] == 0, "connections are not led to it"


def test_what_fails_its_jobs_is_judged_by_its_own_counters_and_stops_first(
    stage: SimulatedStage, service: str
) -> None:
    before, new = stage.version(service), candidate(stage, service)
    release = stage.start(service, "often-fails")
    assert stage.ends(release)["error"] == "JudgedBad"
    evidence = next(e for e in reversed(stage.site.entries(release)) if e.by == "judge").evidence
    assert "prometheus" in str(evidence)
    assert "cloudwatch" not in str(evidence), "no load balancer counts anything of it"
    stage.site.until(lambda: stage.status(release) == "rolled_back", "rolled back")
    record = stage.settled(service, before)
    assert record.stable == other(new)
    assert stage.replicas(service, new) == 0
    stage.site.until(lambda: working(stage, service) == {other(new): 4, new: 0}, "the old version in full")


def test_what_counts_nothing_is_asked_about(
    stage: SimulatedStage, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not knowing is no evidence: a person decides, or the strategy says that it may go on."""
    monkeypatch.setattr(stage.site.ground.jobs, "windows", lambda *asked, **more: [])
    release = stage.start(service, "1.1.0")
    stage.comes_to(release, "approval_requested")
    said = [e.reason for e in stage.site.entries(release) if e.kind == "judged"][-1]
    assert "it was asked for jobs_processed_total" in said
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    questions = [e for e in stage.site.entries(release) if e.kind == "approval_requested"]
    # After each watch, and the strategy's own.
    assert len(questions) > 1


def test_a_promoted_version_is_rolled_back_within_its_window(stage: SimulatedStage, service: str) -> None:
    before, new = stage.version(service), candidate(stage, service)
    release = stage.start(service, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    rollback = stage.roll_back(service, "back-1", reason="it loses mails")
    assert stage.ends(rollback, "Rollback")["status"] == "SUCCEEDED"
    assert stage.settled(service, before).stable == other(new)
    stage.site.until(lambda: working(stage, service) == {other(new): 4, new: 0}, "the old version in full")


def test_a_version_that_does_not_come_up_takes_no_pod_from_the_old_one(
    stage: SimulatedStage, service: str
) -> None:
    before, old = stage.version(service), other(candidate(stage, service))
    told, lowest = stage.site.ground.pods.changed, [4]

    def changed(uid: str) -> None:
        told(uid)
        lowest.append(working(stage, service)[old])

    stage.site.ground.pods.changed = changed
    release = stage.start(service, "crash")
    assert stage.ends(release)["error"] == "RolloutFailed"
    stage.settled(service, before)
    assert len(lowest) > 1
    assert min(lowest) == 4


def test_the_clusters_reconciler_puts_right_a_share_that_somebody_moved(
    stage: SimulatedStage, service: str
) -> None:
    record = stage.site.record(service)
    stable = record.stable
    assert stable
    path = f"/api/v1/namespaces/{stage.site.ground.namespace}/services/{service}"
    stage.site.ground.cluster.api().request(
        "PATCH",
        path,
        subject="somebody's kubectl",
        body={"spec": {"selector": {"candlefish.ai/slot": other(stable)}}},
        content_type=MERGE,
    )
    assert stage.site.weights(record.rule) != record.weights_by_target_group()
    stage.site.until(
        lambda: stage.site.weights(record.rule) == record.weights_by_target_group(), "put right", within=900
    )
    assert working(stage, service) == {stable: 4, other(stable): 0}


def test_a_rollback_leaves_connections_where_pods_are_and_a_worker_never_works_on(
    stage: SimulatedStage, service: str
) -> None:
    """Somebody has taken the good version's Pods away: jobs can wait for them, users cannot."""
    before, new = stage.version(service), candidate(stage, service)
    release = stage.start(service, "1.1.0")
    stage.comes_to(release, "judged")
    seen: list[tuple[int, int]] = []
    stage.site.by_hand.add(f"{service}-{other(new)}")
    stage.site.ground.scale(f"{service}-{other(new)}", 0)
    stage.site.until(lambda: working(stage, service)[other(new)] == 0, "the good version's Pods to be gone")
    told = stage.site.ground.pods.changed

    def changed(uid: str) -> None:
        told(uid)
        now = working(stage, service)
        seen.append((now[new], now[other(new)]))

    stage.site.ground.pods.changed = changed
    rollback = stage.roll_back(service, "back-1", reason="it loses mails")
    assert stage.ends(rollback, "Rollback")["status"] == "SUCCEEDED"
    assert stage.settled(service, before).stable == other(new)
    stage.site.until(lambda: working(stage, service)[other(new)] == 4, "the old version in full")
    assert ((0, 0) in seen) == (service == WORKER)


def test_record_and_world_agree_at_rest_and_while_a_version_may_be_taken_back(
    stage: SimulatedStage, service: str
) -> None:
    def differ() -> list[str]:
        (check,) = stage.site.call("verify_records", {"service": service})
        assert not check["failed"]
        return [line["what"] for line in check["lines"] if not line["agrees"]]

    assert differ() == []
    release = stage.start(service, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    assert differ() == []
    stage.site.run(2 * 3600)
    stage.settled(service, "1.1.0")
    assert differ() == []


def test_the_table_is_emptied_and_the_record_is_made_again(stage: SimulatedStage, service: str) -> None:
    before = stage.site.record(service)
    live = stage.site.weights(before.rule)
    stage.site.stores.records.stored.clear()
    stage.site.run(900)
    assert stage.site.weights(before.rule) == live
    assert sum("record-missing" in told.title for told in stage.site.told) == 1
    request = {"service": service, "reason": "the table was lost"}
    assert stage.site.post("rebuild_record", request, "platform-lead")[0] == 200
    again = stage.site.record(service)
    assert (again.stable, again.desired, again.rule) == (before.stable, before.desired, before.rule)
    release = stage.start(service, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"


def test_the_table_is_an_hour_back_and_is_not_obeyed(stage: SimulatedStage, service: str) -> None:
    release = stage.start(service, "1.1.0")
    stage.comes_to(release, "shifted")
    then = copy.deepcopy(stage.site.stores.records.stored)
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.site.run(2 * 3600)
    newest = stage.settled(service, "1.1.0")
    live, running = stage.site.weights(newest.rule), working(stage, service)
    stage.site.stores.records.stored.update(then)
    stage.site.run(3600)
    assert stage.site.record(service).quarantine is not None
    assert (stage.site.weights(newest.rule), working(stage, service)) == (live, running)
    assert stage.ends(stage.start(service, "1.2.0"))["error"] == "Quarantined"
    request = {"service": service, "reason": "the table was restored"}
    assert stage.site.post("rebuild_record", request, "platform-lead")[0] == 200
    stage.settled(service, "1.1.0")


def test_the_table_is_back_at_the_moment_before_a_promotion_and_is_not_obeyed(
    stage: SimulatedStage, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By that record the new version is a candidate whose release has died: it would be taken back."""
    new, update = candidate(stage, service), stage.site.stores.records.update
    then: list[dict[str, Any]] = []

    def keeping(name: str, change: Callable[[ServiceRecord], Any]) -> Any:
        answer, written = update(name, change), stage.site.record(service)
        if written.desired[new] == 100 and written.holder:
            then.append(copy.deepcopy(stage.site.stores.records.stored))
        return answer

    monkeypatch.setattr(stage.site.stores.records, "update", keeping)
    release = stage.start(service, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.site.run(2 * 3600)
    newest = stage.settled(service, "1.1.0")
    live, running = stage.site.weights(newest.rule), working(stage, service)
    stage.site.stores.records.stored.update(then[-1])
    stage.site.run(3600)
    assert stage.site.record(service).quarantine is not None
    assert (stage.site.weights(newest.rule), working(stage, service)) == (live, running)


def test_what_slots_shared_is_over_with_the_release(stage: SimulatedStage, service: str) -> None:
    """The least Pods of what serves are its version's again, whoever looks at its share after that."""
    stable = stage.site.record(service).stable
    assert stable
    stage.site.ground.scale(f"{service}-{stable}", 8)
    stage.site.until(lambda: working(stage, service)[stable] == 8, "more Pods, as an autoscaler gives")
    release = stage.start(service, "1.1.0")
    assert stage.approve_all(release)["status"] == "SUCCEEDED"
    stage.site.run(2 * 3600)
    record = stage.settled(service, "1.1.0")
    new = other(stable)
    assert (record.stable, record.sharing) == (new, None)
    # Somebody moves the share, and the cluster's reconciler writes it again.
    path = f"/api/v1/namespaces/{stage.site.ground.namespace}/services/{service}"
    body = {"spec": {"selector": {"candlefish.ai/slot": stable}}}
    api = stage.site.ground.cluster.api()
    api.request("PATCH", path, subject="somebody's kubectl", body=body, content_type=MERGE)
    stage.site.until(
        lambda: stage.site.weights(record.rule) == record.weights_by_target_group(), "put right", within=900
    )
    found = stage.site.ground.cluster.store.get(AUTOSCALER, stage.site.ground.namespace, f"{service}-{new}")
    assert found
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (4, 20)
