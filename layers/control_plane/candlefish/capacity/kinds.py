"""What sleeps: one row a kind, with what parking changes of it and when its turn comes.

A *fragment* is a piece of an object in the shape of a JSON merge patch (RFC 7396): what parking
will change, and null where the object has nothing. So an original is captured by cutting the
kind's shape out of the object, and restored by sending exactly that piece back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

Fragment = dict[str, Any]

PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
PAUSED = "autoscaling.keda.sh/paused"
# Workloads carry this: "never" keeps one of the environment awake, "yes" adds one of another namespace.
SLEEP_ANNOTATION = "candlefish.ai/sleep"

# How long a kind may take to follow before the next stage goes on without it, in seconds.
QUICK, PODS, NODES, DATABASES = 120.0, 900.0, 1800.0, 3600.0


class Kind(msgspec.Struct, frozen=True):
    """One kind of thing that sleeps. `down` and `up` are its stages; lower goes first."""

    name: str
    down: int
    up: int
    shape: Fragment
    park: Callable[[Fragment], Fragment]
    patience: float
    # Where the Kubernetes API serves the kind; empty for what AWS has.
    api: str = ""
    plural: str = ""
    namespaced: bool = True
    # The cluster may not have the kind installed (Karpenter, KEDA, Argo Rollouts).
    optional: bool = False
    # Other versions of the API in which what we read and write of the kind is the same.
    older: tuple[str, ...] = ()
    # Parking starts something that must be asked for again while anything is left (Karpenter's nodes).
    push: bool = False
    # Fields of the fragment that an autoscaler moves by itself while the kind is up.
    moving: frozenset[str] = frozenset()

    @property
    def in_cluster(self) -> bool:
        return bool(self.api)

    @property
    def workload(self) -> bool:
        """Belongs to an application, not to the infrastructure below it."""
        return self.in_cluster and self.namespaced


def _constant(parked: Fragment) -> Callable[[Fragment], Fragment]:
    return lambda _: parked


def _park_autoscaler(original: Fragment) -> Fragment:
    """An autoscaler rests while its workload is at 0, unless its own minimum is 0 as well.

    Source: Kubernetes, Horizontal Pod Autoscaling, "implicit maintenance-mode deactivation".
    """
    return {"spec": {**original["spec"], "minReplicas": max(1, original["spec"].get("minReplicas") or 1)}}


def _park_pool(original: Fragment) -> Fragment:
    """Karpenter makes no node for a pool whose CPU limit is reached; other limits stay.

    A static pool keeps as many nodes as its `replicas` say, and takes no limit but that of nodes.
    Source: Karpenter, NodePools, "spec.replicas" and "spec.limits".
    """
    spec = original["spec"]
    if spec.get("replicas") is not None:
        return {"spec": {"replicas": 0, "limits": spec["limits"]}}
    limits = spec["limits"] or {}
    parked = {"cpu": "0", "memory": limits.get("memory"), "nodes": limits.get("nodes")}
    return {"spec": {"replicas": None, "limits": parked}}


_REPLICAS: Fragment = {"spec": {"replicas": None}}
_KEDA: Fragment = {"metadata": {"annotations": {PAUSED_REPLICAS: None, PAUSED: None}}}

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "ScaledObject",
            0,
            1,
            _KEDA,
            _constant({"metadata": {"annotations": {PAUSED_REPLICAS: "0", PAUSED: None}}}),
            QUICK,
            "/apis/keda.sh/v1alpha1",
            "scaledobjects",
            optional=True,
        ),
        Kind(
            "HorizontalPodAutoscaler",
            0,
            1,
            {"spec": {"minReplicas": None, "maxReplicas": None}},
            _park_autoscaler,
            QUICK,
            "/apis/autoscaling/v2",
            "horizontalpodautoscalers",
        ),
        Kind(
            "PodDisruptionBudget",
            0,
            1,
            {"spec": {"minAvailable": None, "maxUnavailable": None}},
            _constant({"spec": {"minAvailable": None, "maxUnavailable": "100%"}}),
            QUICK,
            "/apis/policy/v1",
            "poddisruptionbudgets",
        ),
        Kind(
            "CronJob",
            0,
            3,
            {"spec": {"suspend": None}},
            _constant({"spec": {"suspend": True}}),
            QUICK,
            "/apis/batch/v1",
            "cronjobs",
        ),
        Kind(
            "Deployment",
            1,
            2,
            _REPLICAS,
            _constant({"spec": {"replicas": 0}}),
            PODS,
            "/apis/apps/v1",
            "deployments",
        ),
        Kind(
            "StatefulSet",
            1,
            2,
            _REPLICAS,
            _constant({"spec": {"replicas": 0}}),
            PODS,
            "/apis/apps/v1",
            "statefulsets",
        ),
        # Argo Rollouts: a Deployment in all that concerns the night.
        Kind(
            "Rollout",
            1,
            2,
            _REPLICAS,
            _constant({"spec": {"replicas": 0}}),
            PODS,
            "/apis/argoproj.io/v1alpha1",
            "rollouts",
            optional=True,
        ),
        Kind(
            "NodePool",
            2,
            0,
            {"spec": {"replicas": None, "limits": {"cpu": None, "memory": None, "nodes": None}}},
            _park_pool,
            NODES,
            "/apis/karpenter.sh/v1",
            "nodepools",
            older=("v1beta1",),
            namespaced=False,
            optional=True,
            push=True,
        ),
        # EKS takes no maximum below 1 (NodegroupScalingConfig); all three move together, or a
        # Cluster Autoscaler that still runs would work against the minimum.
        Kind(
            "Nodegroup",
            3,
            0,
            {"minSize": None, "desiredSize": None, "maxSize": None},
            _constant({"minSize": 0, "desiredSize": 0, "maxSize": 1}),
            NODES,
            moving=frozenset({"desiredSize"}),
        ),
        Kind("Database", 4, 0, {"status": None}, _constant({"status": "stopped"}), DATABASES),
        Kind("DatabaseCluster", 4, 0, {"status": None}, _constant({"status": "stopped"}), DATABASES),
    )
}
LAST_DOWN = max(kind.down for kind in KINDS.values())
LAST_UP = max(kind.up for kind in KINDS.values())


def cut(thing: Any, shape: Any) -> Any:
    """The piece of `thing` that `shape` outlines; null where it has nothing.

    A level that is missing is null as a whole, so that putting the piece back removes the level
    again. Annotations are named one by one: others may be added while the environment sleeps.
    """
    if shape is None or thing is None:
        return thing
    return {
        name: cut(thing.get(name, {} if name == "annotations" else None), inner)
        for name, inner in shape.items()
    }


def key_of(kind: str, name: str) -> str:
    """What a thing is called in records and messages: `Deployment/staging/backend-api-blue`."""
    return f"{kind}/{name}"


def kind_of(key: str) -> Kind:
    """The kind of a key."""
    return KINDS[key.partition("/")[0]]


def same_fragment(kind: Kind, one: Fragment, other: Fragment) -> bool:
    """Whether two fragments say the same, but for what an autoscaler moves by itself.

    One that was kept by an older version of this code may lack what the kind's shape has since.
    """
    if not kind.moving:
        return bool(cut(one, kind.shape) == cut(other, kind.shape))
    return all(one.get(name) == other.get(name) for name in kind.shape if name not in kind.moving)
