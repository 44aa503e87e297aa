"""EKS nodegroups that take their time, and the nodes that they give to the fake clusters.

An update works for minutes, then nodes join or leave; a fault (boundary `aws`, service `eks`, operation
`NodegroupUpdate`, kind `error`) lets it fail at the end, as updates do.

Not imitated: instances and their draining, Auto Scaling groups, Karpenter, KEDA.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.eks.exceptions import ResourceInUseException
from moto.eks.models import EKSBackend, eks_backends

from lab.faults import Faults
from lab.kube import FakeCluster
from lab.kube.kinds import NODE
from lab.kube.nodegroups import fit_nodes
from lab.moto import ACCOUNT, replace
from lab.moto.timeline import Timeline

# Seconds on AWS.
UPDATE = 180


class Nodegroups:
    """The behaviour; `install` puts it into moto, `adopt` binds a cluster's nodes to its nodegroups."""

    def __init__(self, timeline: Timeline, faults: Faults) -> None:
        self.timeline = timeline
        self._faults = faults
        self._clusters: dict[str, FakeCluster] = {}

    def install(self) -> None:
        """Put it in moto's place; `lab.moto.restore` takes it out again."""
        describe = EKSBackend.describe_nodegroup
        replace(EKSBackend, "describe_nodegroup", self.timeline.settling(describe))
        replace(EKSBackend, "update_nodegroup_config", self._update(EKSBackend.update_nodegroup_config))

    def adopt(self, region: str, name: str, cluster: FakeCluster) -> None:
        """Give a cluster the nodes that its nodegroups ask for, in place of those it came with."""
        self._clusters[name] = cluster
        for node in cluster.store.list(NODE):
            cluster.store.remove(NODE, node)
        for group in eks_backends[ACCOUNT][region].clusters[name].nodegroups.values():
            self._fit(name, group)

    def _update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def update_nodegroup_config(
            backend: EKSBackend, cluster_name: str, nodegroup_name: str, **more: Any
        ) -> Any:
            self.timeline.settle()
            group: Any = backend.describe_nodegroup(cluster_name, nodegroup_name)
            if group.status != "ACTIVE":
                raise ResourceInUseException(
                    clusterName=cluster_name,
                    nodegroupName=nodegroup_name,
                    addonName=None,
                    message=f"Nodegroup {nodegroup_name} is currently being updated",
                )
            before = copy.deepcopy(group.scaling_config)
            answer = original(backend, cluster_name, nodegroup_name, **more)
            group.status = "UPDATING"
            self.timeline.later(UPDATE, lambda: self._finish(cluster_name, group, before))
            return answer

        return update_nodegroup_config

    def _finish(self, cluster_name: str, group: Any, before: Any) -> None:
        group.status = "ACTIVE"
        if self._faults.take("aws", "eks", "NodegroupUpdate", group.nodegroup_name):
            group.scaling_config = before
            issue = {"code": "AsgInstanceLaunchFailures", "message": "the lab lets it fail"}
            group.health = {"issues": [issue]}
            return
        group.health = {"issues": []}
        self._fit(cluster_name, group)

    def _fit(self, cluster_name: str, group: Any) -> None:
        """Let nodes join or leave until there are as many as the nodegroup asks for."""
        cluster = self._clusters.get(cluster_name)
        if cluster is None:
            return
        fit_nodes(cluster.writes, group.nodegroup_name, int(group.scaling_config["desiredSize"]))
