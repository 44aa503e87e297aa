"""Nodegroups and databases that take their time: what moto does at once, and what lies behind it.

An update of a nodegroup works for minutes, then its nodes join or leave the fake cluster; a fault
(boundary `aws`, service `eks`, operation `NodegroupUpdate`, kind `error`) lets it fail at the end, as
updates do. Stopping and starting a database works for minutes as well.

Not imitated: instances and their draining, Auto Scaling groups, Karpenter, KEDA; and a stopped
database does not start by itself after seven days here (the simulated week shows that).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.eks.models import EKSBackend, eks_backends
from moto.rds.exceptions import InvalidDBInstanceStateError
from moto.rds.models import RDSBackend

from candlefish.capacity.scope import NODEGROUP_LABEL
from lab.faults import Faults
from lab.kube import FakeCluster
from lab.kube.controllers.common import CONTROLLER
from lab.kube.kinds import NODE
from lab.moto import ACCOUNT, replace
from lab.moto.timeline import Timeline

# Seconds on AWS.
NODES, STOP, START = 180, 300, 420


class Capacity:
    """The behaviour; `install` puts it into moto, `adopt` binds a cluster's nodes to its nodegroups."""

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        self.timeline = timeline
        self._faults = faults
        self._clusters: dict[str, FakeCluster] = {}

    def install(self) -> None:
        """Put it in moto's place; `lab.moto.restore` takes it out again."""
        for owner, name, make in (
            (EKSBackend, "update_nodegroup_config", self._update),
            (EKSBackend, "describe_nodegroup", self._settling),
            (RDSBackend, "describe_db_instances", self._settling),
            (RDSBackend, "stop_db_instance", self._stop),
            (RDSBackend, "start_db_instance", self._start),
        ):
            replace(owner, name, make(getattr(owner, name)))

    def adopt(self, region: str, name: str, cluster: FakeCluster) -> None:
        """Give a cluster the nodes that its nodegroups ask for, in place of those it came with."""
        self._clusters[name] = cluster
        for node in cluster.store.list(NODE):
            cluster.store.remove(NODE, node)
        for group in eks_backends[ACCOUNT][region].clusters[name].nodegroups.values():
            self._fit(name, group)

    def _settling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(backend: Any, *args: Any, **kwargs: Any) -> Any:
            self.timeline.settle()
            return original(backend, *args, **kwargs)

        return call

    def _update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def update_nodegroup_config(
            backend: EKSBackend, cluster_name: str, nodegroup_name: str, **more: Any
        ) -> Any:
            self.timeline.settle()
            group = backend.describe_nodegroup(cluster_name, nodegroup_name)
            if group.status != "ACTIVE":
                from moto.eks.exceptions import ResourceInUseException

                raise ResourceInUseException(
                    clusterName=cluster_name,
                    nodegroupName=nodegroup_name,
                    addonName=None,
                    message=f"Nodegroup {nodegroup_name} is currently being updated",
                )
            before = copy.deepcopy(group.scaling_config)
            answer = original(backend, cluster_name, nodegroup_name, **more)
            group.status = "UPDATING"

            def finish() -> None:
                group.status = "ACTIVE"
                if self._faults.take("aws", "eks", "NodegroupUpdate", nodegroup_name):
                    group.scaling_config = before
                    issue = {"code": "AsgInstanceLaunchFailures", "message": "the lab lets it fail"}
                    group.health = {"issues": [issue]}
                    return
                group.health = {"issues": []}
                self._fit(cluster_name, group)

            self.timeline.later(NODES, finish)
            return answer

        return update_nodegroup_config

    def _fit(self, cluster_name: str, group: Any) -> None:
        """Let nodes join or leave until there are as many as the nodegroup asks for."""
        cluster = self._clusters.get(cluster_name)
        if cluster is None:
            return
        mine = [
            node
            for node in cluster.store.list(NODE)
            if node["metadata"]["labels"].get(NODEGROUP_LABEL) == group.nodegroup_name
        ]
        wanted = int(group.scaling_config["desiredSize"])
        for node in mine[wanted:]:
            cluster.store.remove(NODE, node)
        for number in range(len(mine), wanted):
            cluster.writes.create(NODE, "", _node(group.nodegroup_name, number), CONTROLLER)

    def _stop(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def stop_db_instance(
            backend: RDSBackend, db_instance_identifier: str, *args: Any, **more: Any
        ) -> Any:
            self.timeline.settle()
            if backend.describe_db_instances(db_instance_identifier)[0].status != "available":
                raise InvalidDBInstanceStateError(db_instance_identifier, "stop")
            instance = original(backend, db_instance_identifier, *args, **more)
            return self._work(instance, "stopping", STOP, "stopped")

        return stop_db_instance

    def _start(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start_db_instance(
            backend: RDSBackend, db_instance_identifier: str, *args: Any, **more: Any
        ) -> Any:
            self.timeline.settle()
            if backend.describe_db_instances(db_instance_identifier)[0].status != "stopped":
                raise InvalidDBInstanceStateError(db_instance_identifier, "start")
            instance = original(backend, db_instance_identifier, *args, **more)
            return self._work(instance, "starting", START, "available")

        return start_db_instance

    def _work(self, instance: Any, status: str, seconds: float, ends: str) -> Any:
        instance.status = status
        self.timeline.later(seconds, lambda: setattr(instance, "status", ends))
        return instance


def _node(group: str, number: int) -> dict[str, Any]:
    name = f"ip-10-0-{number}-{sum(group.encode()) % 250}.us-west-2.compute.internal"
    return {
        "metadata": {"name": name, "labels": {NODEGROUP_LABEL: group, "kubernetes.io/hostname": name}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "lab"}]
        },
    }
