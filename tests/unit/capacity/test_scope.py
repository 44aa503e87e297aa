"""What of a cluster sleeps, and how things look: from the objects as the API lists them."""

from __future__ import annotations

from typing import Any

import pytest

from candlefish.capacity.infra import (
    cluster_stays,
    instance_stays,
    nodegroup_stays,
    observed_database,
    observed_nodegroup,
)
from candlefish.capacity.kinds import (
    KINDS,
    PAUSED,
    PAUSED_REPLICAS,
    SLEEP_ANNOTATION,
    cut,
    same_fragment,
)
from candlefish.capacity.scope import (
    NODEGROUP_LABEL,
    ClusterLists,
    kept_nodes,
    owner_of,
    see,
    stays_awake,
    writer_of,
)

NODE = {
    "metadata": {"name": "node-1", "labels": {NODEGROUP_LABEL: "system"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def deployment(
    name: str = "api", replicas: int = 2, namespace: str = "staging", **metadata: Any
) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "generation": 3, **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}},
        },
        "status": {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": 3},
    }


def only(thing: dict[str, Any], **more: Any) -> Any:
    sight = see(ClusterLists({thing["kind"]: [thing], **more.pop("objects", {})}, **more), "staging")
    return next(iter(sight.things.items())), sight


# --- fragments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "thing", "original", "parked"),
    [
        ("Deployment", {"spec": {"replicas": 3}}, {"spec": {"replicas": 3}}, {"spec": {"replicas": 0}}),
        ("CronJob", {"spec": {}}, {"spec": {"suspend": None}}, {"spec": {"suspend": True}}),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"minReplicas": 2, "maxReplicas": 9}},
            {"spec": {"minReplicas": 2, "maxReplicas": 9}},
            {"spec": {"minReplicas": 2, "maxReplicas": 9}},
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"minReplicas": 0, "maxReplicas": 9}},
            {"spec": {"minReplicas": 0, "maxReplicas": 9}},
            {"spec": {"minReplicas": 1, "maxReplicas": 9}},
        ),
        (
            "ScaledObject",
            {"metadata": {"name": "x"}},
            {"metadata": {"annotations": {PAUSED_REPLICAS: None, PAUSED: None}}},
            {"metadata": {"annotations": {PAUSED_REPLICAS: "0", PAUSED: None}}},
        ),
        (
            "NodePool",
            {"spec": {"template": {}}},
            {"spec": {"replicas": None, "limits": None}},
            {"spec": {"replicas": None, "limits": {"cpu": "0", "memory": None, "nodes": None}}},
        ),
        (
            "NodePool",
            {"spec": {"limits": {"memory": "8Gi"}}},
            {"spec": {"replicas": None, "limits": {"cpu": None, "memory": "8Gi", "nodes": None}}},
            {"spec": {"replicas": None, "limits": {"cpu": "0", "memory": "8Gi", "nodes": None}}},
        ),
        # A static pool, which may have no limit but that of nodes.
        (
            "NodePool",
            {"spec": {"replicas": 3, "limits": {"nodes": "5"}}},
            {"spec": {"replicas": 3, "limits": {"cpu": None, "memory": None, "nodes": "5"}}},
            {"spec": {"replicas": 0, "limits": {"cpu": None, "memory": None, "nodes": "5"}}},
        ),
        (
            "NodePool",
            {"spec": {"replicas": 3}},
            {"spec": {"replicas": 3, "limits": None}},
            {"spec": {"replicas": 0, "limits": None}},
        ),
        ("Rollout", {"spec": {"replicas": 4}}, {"spec": {"replicas": 4}}, {"spec": {"replicas": 0}}),
        (
            "PodDisruptionBudget",
            {"spec": {"minAvailable": 1}},
            {"spec": {"minAvailable": 1, "maxUnavailable": None}},
            {"spec": {"minAvailable": None, "maxUnavailable": "100%"}},
        ),
    ],
)
def test_parking_changes_what_must_be_changed_and_no_more(
    kind: str, thing: Any, original: Any, parked: Any
) -> None:
    row = KINDS[kind]
    assert cut(thing, row.shape) == original
    assert row.park(original) == parked
    assert row.park(parked) == parked


def test_what_an_older_version_kept_of_a_pool_is_the_same_pool() -> None:
    """It knew of no replicas; the environment may sleep while the control plane is updated."""
    kept = {"spec": {"limits": {"cpu": "9", "memory": None, "nodes": None}}}
    seen = {"spec": {"replicas": None, "limits": {"cpu": "9", "memory": None, "nodes": None}}}
    assert same_fragment(KINDS["NodePool"], kept, seen)
    assert not same_fragment(KINDS["NodePool"], kept, {"spec": {**seen["spec"], "replicas": 1}})


def test_a_nodegroup_is_the_same_whatever_its_autoscaler_asks_for() -> None:
    one = {"minSize": 1, "desiredSize": 2, "maxSize": 4}
    assert same_fragment(KINDS["Nodegroup"], one, {**one, "desiredSize": 3})
    assert not same_fragment(KINDS["Nodegroup"], one, {**one, "maxSize": 3})


# --- scope ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (deployment(), None),
        (deployment(annotations={SLEEP_ANNOTATION: "never"}), "annotated candlefish.ai/sleep: never"),
        (deployment(namespace="kube-system"), ""),
        (deployment(namespace="kube-system", annotations={SLEEP_ANNOTATION: "yes"}), None),
        (
            deployment(ownerReferences=[{"kind": "Prometheus", "name": "k8s", "controller": True}]),
            "controlled by Prometheus k8s; annotate or scale that instead",
        ),
    ],
)
def test_the_namespace_sleeps_less_what_says_no_plus_what_says_yes(
    thing: dict[str, Any], why: str | None
) -> None:
    (key, _), sight = only(thing)
    assert sight.left_alone.get(key) == why


def stateful(retention: str = "Delete", volumes: Any = (), **metadata: Any) -> dict[str, Any]:
    thing = {**deployment("db", **metadata), "kind": "StatefulSet"}
    thing["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenScaled": retention, "whenDeleted": "Retain"}
    thing["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    return thing


def mounting(path: dict[str, Any], *, read_only: bool = False) -> dict[str, Any]:
    thing = deployment("cache")
    mount = {"name": "data", "mountPath": "/data", **({"readOnly": True} if read_only else {})}
    thing["spec"]["template"]["spec"] = {
        "containers": [{"name": "cache", "volumeMounts": [mount]}],
        "volumes": [{"name": "data", **path}],
    }
    return thing


@pytest.mark.parametrize(
    ("thing", "lost"),
    [
        (stateful(), "its volumes, which Kubernetes deletes with its Pods"),
        (mounting({"hostPath": {"path": "/mnt/disks/1"}}), "what it wrote to /mnt/disks/1 of its nodes"),
    ],
)
def test_what_would_lose_data_stays_awake_with_its_autoscaler_and_its_nodes(
    thing: dict[str, Any], lost: str
) -> None:
    name = thing["metadata"]["name"]
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "staging"},
        "spec": {"scaleTargetRef": {"kind": thing["kind"], "name": name}},
    }
    labels = thing["spec"]["template"]["metadata"]["labels"]
    pod = {"metadata": {"namespace": "staging", "labels": labels}, "spec": {"nodeName": "node-1"}}
    objects = {thing["kind"]: [thing], "HorizontalPodAutoscaler": [scaler]}
    lists = ClusterLists(objects, nodes=[NODE], pods=[pod])
    left = see(lists, "staging").left_alone
    key = f"{thing['kind']}/staging/{name}"
    assert lost in left[key]
    assert "annotate candlefish.ai/sleep: yes if it may" in left[key]
    assert left[f"HorizontalPodAutoscaler/staging/{name}"] == "scales a workload that stays awake"
    assert kept_nodes(lists, stays_awake(lists, "staging")) == {(NODEGROUP_LABEL, "system"): name}


@pytest.mark.parametrize(
    "thing",
    [
        stateful("Retain"),
        stateful(annotations={SLEEP_ANNOTATION: "yes"}),
        mounting({"hostPath": {"path": "/mnt/disks/1"}}, read_only=True),
        mounting({"hostPath": {"path": "/var/run/docker.sock", "type": "Socket"}}),
        mounting({"emptyDir": {}}),
    ],
)
def test_what_loses_nothing_or_may_sleeps(thing: dict[str, Any]) -> None:
    _, sight = only(thing)
    assert sight.left_alone == {}


def test_an_autoscaler_of_a_kind_that_nobody_puts_to_sleep_goes_on() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "staging"},
        "spec": {"scaleTargetRef": {"kind": "GameServerSet", "name": "web"}},
    }
    _, sight = only(scaler)
    assert "scales a GameServerSet" in sight.left_alone["HorizontalPodAutoscaler/staging/web"]


def test_a_rollout_of_argo_sleeps_with_its_autoscaler() -> None:
    thing = {**deployment("web"), "kind": "Rollout"}
    # Argo Rollouts writes a text where Kubernetes has a number.
    thing["status"]["observedGeneration"] = "3"
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "staging"},
        "spec": {"scaleTargetRef": {"kind": "Rollout", "name": "web"}},
    }
    (_, seen), sight = only(thing, objects={"HorizontalPodAutoscaler": [scaler]})
    assert sight.left_alone == {}
    assert (seen.autoscaled, seen.ready) == (True, True)


def test_what_keeps_a_workload_awake_stays_with_it() -> None:
    awake = deployment("api", annotations={SLEEP_ANNOTATION: "never"})
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "api", "namespace": "staging"},
        "spec": {"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "api"}},
    }
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "api", "namespace": "staging"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "api"}}},
    }
    pod = {
        "metadata": {"namespace": "staging", "labels": {"app": "api"}},
        "spec": {"nodeName": "node-1"},
    }
    lists = ClusterLists(
        {"Deployment": [awake], "HorizontalPodAutoscaler": [scaler], "PodDisruptionBudget": [budget]},
        nodes=[NODE],
        pods=[pod],
    )
    assert len(see(lists, "staging").left_alone) == 3


@pytest.mark.parametrize(
    ("selector", "keeps"),
    [
        ({"matchLabels": {"app": "queue"}}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "queue"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}]}, True),
        (
            {
                "matchLabels": {"app": "queue"},
                "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}],
            },
            True,
        ),
        ({"matchLabels": {"app": "web"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, False),
        (
            {
                "matchLabels": {"app": "queue"},
                "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}],
            },
            False,
        ),
        (
            {"matchLabels": {"app": "queue"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            False,
        ),
    ],
    ids=str,
)
def test_who_stays_awake_keeps_its_nodes_however_its_selector_is_written(
    selector: dict[str, Any], keeps: bool
) -> None:
    thing = deployment("queue", annotations={SLEEP_ANNOTATION: "never"})
    thing["spec"]["selector"] = selector
    pod = {
        "metadata": {"name": "queue-0", "namespace": "staging", "labels": {"app": "queue"}},
        "spec": {"nodeName": "node-1"},
    }
    lists = ClusterLists({"Deployment": [thing]}, nodes=[NODE], pods=[pod])
    kept = kept_nodes(lists, stays_awake(lists, "staging"))
    assert bool(nodegroup_stays({"nodegroupName": "system"}, kept)) is keeps


@pytest.mark.parametrize(
    ("selector", "protects"),
    [({}, True), ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True), (None, False)],
    ids=["empty: everything", "an expression", "none: nothing"],
)
def test_a_budget_of_who_stays_awake_is_left_alone(selector: dict[str, Any] | None, protects: bool) -> None:
    awake = deployment("api", annotations={SLEEP_ANNOTATION: "never"})
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "all", "namespace": "staging"},
        "spec": {"minAvailable": 1, **({} if selector is None else {"selector": selector})},
    }
    lists = ClusterLists({"Deployment": [awake], "PodDisruptionBudget": [budget]})
    left = see(lists, "staging").left_alone
    assert any(key.startswith("PodDisruptionBudget") for key in left) is protects


def test_a_nodegroup_of_another_environment_is_left_alone() -> None:
    theirs = {"nodegroupName": "system", "tags": {"candlefish:environment": "development"}}
    assert "development" in nodegroup_stays(theirs, {}, "staging")
    assert not nodegroup_stays({**theirs, "tags": {"candlefish:environment": "staging"}}, {}, "staging")
    assert not nodegroup_stays({"nodegroupName": "system"}, {}, "staging")


def test_an_autoscaler_that_keda_made_is_none_of_our_business() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "keda-hpa-api",
            "namespace": "staging",
            "ownerReferences": [{"kind": "ScaledObject", "name": "api", "controller": True}],
        },
        "spec": {"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "api"}},
    }
    (key, _), sight = only(scaler)
    assert sight.left_alone[key] == ""


def test_a_workload_is_ready_only_when_the_controller_has_seen_its_newest_generation() -> None:
    stale = deployment()
    stale["status"]["observedGeneration"] = 2
    (_, seen), _ = only(stale)
    assert not seen.ready
    gone = deployment(replicas=0)
    gone["status"] = {"observedGeneration": 3}
    assert only(gone)[0][1].empty
    ending = deployment(replicas=0)
    ending["status"] = {"replicas": 2, "observedGeneration": 3}
    assert not only(ending)[0][1].empty


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:staging/api"}},
            "Argo CD: shop",
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux: apps"),
        ({"labels": {"app.kubernetes.io/instance": "shop"}}, ""),
    ],
)
def test_gitops_owners_are_known_by_their_marks(metadata: dict[str, Any], owner: str) -> None:
    assert owner_of({"metadata": metadata}) == owner


def test_the_writer_is_who_last_wrote_what_parking_changes() -> None:
    thing = deployment()
    thing["metadata"]["managedFields"] = [
        {"manager": "helm", "time": "2026-11-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {
            "manager": "kubectl-scale",
            "time": "2026-11-03T00:00:00Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        },
        {"manager": "kube-controller-manager", "time": "2026-11-04T00:00:00Z", "fieldsV1": {"f:status": {}}},
    ]
    assert writer_of(thing, KINDS["Deployment"]) == "kubectl-scale"


# --- nodes and databases --------------------------------------------------------------------


def group(**changes: Any) -> dict[str, Any]:
    return {
        "nodegroupName": "system",
        "status": "ACTIVE",
        "scalingConfig": {"minSize": 0, "desiredSize": 1, "maxSize": 3},
        **changes,
    }


def test_a_nodegroup_is_ready_with_its_nodes_and_empty_without() -> None:
    assert observed_nodegroup(group(), [NODE]).ready
    assert not observed_nodegroup(group(), []).ready
    down = group(scalingConfig={"minSize": 0, "desiredSize": 0, "maxSize": 1})
    assert not observed_nodegroup(down, [NODE]).empty
    assert observed_nodegroup(down, []).empty
    assert not observed_nodegroup({**down, "status": "UPDATING"}, []).empty


def test_a_nodegroup_says_why_it_is_not_well() -> None:
    assert observed_nodegroup(group(status="REARRANGING"), []).busy
    seen = observed_nodegroup(group(status="DEGRADED", health={"issues": [{"message": "no subnets"}]}), [])
    assert seen.detail == "0 of 1 nodes are ready, nodegroup is DEGRADED: no subnets"


def test_a_tag_and_a_workload_that_stays_keep_a_nodegroup() -> None:
    assert nodegroup_stays(group(), {}) == ""
    assert nodegroup_stays(group(tags={"candlefish:sleep": "never"}), {}) == "tagged candlefish:sleep: never"
    assert "runs api" in nodegroup_stays(group(), {(NODEGROUP_LABEL, "system"): "api"})


@pytest.mark.parametrize(
    ("status", "state", "busy", "ready"),
    [
        ("available", "available", False, True),
        ("backing-up", "available", True, True),
        ("starting", "available", True, False),
        ("stopping", "stopped", True, False),
        ("stopped", "stopped", False, False),
        ("failed", "failed", False, False),
        # It may last for more than a day, and can be stopped meanwhile.
        ("storage-optimization", "available", False, True),
        ("storage-initialization", "available", False, True),
        ("storage-config-upgrade", "available", True, True),
        ("deleting", "deleting", False, False),
        # Whatever RDS may call it next year: it is waited for.
        ("rearranging-electrons", "available", True, False),
    ],
)
def test_a_database_by_its_status(status: str, state: str, busy: bool, ready: bool) -> None:
    seen = observed_database(status)
    assert (seen.state["status"], seen.busy, seen.ready) == (state, busy, ready)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"ReadReplicaSourceDBInstanceIdentifier": "main"}, "read replica (of main)"),
        ({"ReadReplicaDBInstanceIdentifiers": ["copy"]}, "source of read replicas (copy)"),
        ({"DBClusterIdentifier": "aurora"}, "sleeps with its cluster"),
        ({"MultiAZ": True, "Engine": "sqlserver-se"}, "SQL Server"),
        ({"MultiAZ": True, "Engine": "postgres"}, ""),
        ({"DBInstanceStatus": "failed"}, "its status is failed"),
    ],
)
def test_an_instance_that_cannot_be_stopped_is_left_alone(fields: dict[str, Any], why: str) -> None:
    said = instance_stays({"DBInstanceIdentifier": "main", "DBInstanceStatus": "available", **fields})
    assert why in said
    assert bool(why) == bool(said)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"EngineMode": "provisioned"}, ""),
        ({"EngineMode": "serverless"}, "serverless mode"),
        ({"GlobalClusterIdentifier": "all"}, "global database"),
        ({"ReplicationSourceIdentifier": "other"}, "a replica (of other)"),
    ],
)
def test_a_cluster_that_cannot_be_stopped_is_left_alone(fields: dict[str, Any], why: str) -> None:
    said = cluster_stays({"DBClusterIdentifier": "main", "Status": "available", **fields})
    assert why in said
    assert bool(why) == bool(said)
