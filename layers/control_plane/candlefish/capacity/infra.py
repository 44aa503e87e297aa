"""Nodegroups and databases as AWS describes them, in the terms of `model`: pure.

Sources: EKS DescribeNodegroup; RDS user guide, "Stopping a DB instance temporarily" and
"Stopping and starting an Aurora cluster" for what cannot be stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from candlefish.capacity.model import ObservedThing
from candlefish.capacity.scope import NODEGROUP_LABEL, nodes_of
from candlefish.names import ENVIRONMENT_TAG
from candlefish.statuses import FINAL, LEAVING, NODEGROUP_SETTLED, SERVING, SETTLED, STOPPING

Thing = Mapping[str, Any]
# A nodegroup with this tag is left alone.
SLEEP_TAG = "candlefish:sleep"


def observed_nodegroup(group: Thing, nodes: Sequence[Thing]) -> ObservedThing:
    """A managed nodegroup, from DescribeNodegroup and the cluster's nodes."""
    name, status, scaling = group["nodegroupName"], group["status"], group["scalingConfig"]
    there, ready = nodes_of(nodes, NODEGROUP_LABEL, name)
    wanted = scaling["desiredSize"]
    busy = status not in NODEGROUP_SETTLED
    issues = "; ".join(issue.get("message", "") for issue in group.get("health", {}).get("issues", ()))
    detail = f"{ready} of {wanted} nodes are ready" + (
        f", nodegroup is {status}" if status != "ACTIVE" else ""
    )
    return ObservedThing(
        state={name: scaling[name] for name in ("minSize", "desiredSize", "maxSize")},
        busy=busy,
        empty=not busy and there == 0,
        ready=not busy and ready >= wanted,
        detail=f"{detail}: {issues}" if issues else detail,
    )


def nodegroup_stays(group: Thing, kept: Mapping[tuple[str, str], str], environment: str = "") -> str:
    """Why a nodegroup is left alone by an environment; empty when it sleeps."""
    tags = group.get("tags") or {}
    if str(tags.get(SLEEP_TAG, "")).lower() == "never":
        return f"tagged {SLEEP_TAG}: never"
    if (owner := str(tags.get(ENVIRONMENT_TAG, environment))) != environment:
        return f"tagged {ENVIRONMENT_TAG}: {owner}"
    workload = kept.get((NODEGROUP_LABEL, group["nodegroupName"]))
    return f"runs {workload}, which stays awake" if workload else ""


def observed_database(status: str) -> ObservedThing:
    """An RDS instance or Aurora cluster by its status."""
    if status in STOPPING:
        return ObservedThing(
            {"status": "stopped"},
            busy=status != "stopped",
            empty=status == "stopped",
            ready=False,
            detail=status,
        )
    if status in FINAL | LEAVING:
        return ObservedThing({"status": status}, empty=False, ready=False, detail=status)
    # What RDS is at work on it does not stop. A word that nobody knows is on its way somewhere.
    return ObservedThing(
        {"status": "available"},
        busy=status not in SETTLED,
        empty=False,
        ready=status in SERVING,
        detail=status,
    )


def instance_stays(instance: Thing) -> str:
    """Why an RDS instance is left alone; empty when it sleeps. From DescribeDBInstances."""
    if source := instance.get("ReadReplicaSourceDBInstanceIdentifier") or instance.get(
        "ReadReplicaSourceDBClusterIdentifier"
    ):
        return f"a read replica (of {source}) cannot be stopped"
    replicas = [
        *instance.get("ReadReplicaDBInstanceIdentifiers", ()),
        *instance.get("ReadReplicaDBClusterIdentifiers", ()),
    ]
    if replicas:
        return f"the source of read replicas ({', '.join(replicas)}) cannot be stopped"
    if instance.get("DBClusterIdentifier"):
        return "a member of an Aurora cluster sleeps with its cluster"
    if instance.get("MultiAZ") and instance.get("Engine", "").startswith("sqlserver"):
        return "a Multi-AZ SQL Server instance cannot be stopped"
    return _usable(instance["DBInstanceStatus"])


def cluster_stays(cluster: Thing) -> str:
    """Why an Aurora cluster is left alone; empty when it sleeps. From DescribeDBClusters."""
    if source := cluster.get("ReplicationSourceIdentifier"):
        return f"a replica (of {source}) cannot be stopped"
    if cluster.get("ReadReplicaIdentifiers"):
        return f"the source of replicas ({', '.join(cluster['ReadReplicaIdentifiers'])}) cannot be stopped"
    if cluster.get("GlobalWriteForwardingStatus") or cluster.get("GlobalClusterIdentifier"):
        return "a member of a global database cannot be stopped"
    if cluster.get("EngineMode") not in (None, "provisioned"):
        return f"an Aurora cluster in {cluster['EngineMode']} mode cannot be stopped"
    return _usable(cluster["Status"])


def _usable(status: str) -> str:
    if observed_database(status).state["status"] in ("available", "stopped"):
        return ""
    return f"its status is {status}; mend it, and it will sleep the next night"
