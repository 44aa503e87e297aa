"""Managed node groups of one EKS cluster, as a failover needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws import aws_call, code_of
from candlefish.errors import Unavailable
from candlefish.recovery.facts import NodeGroup


class EksNodeGroups:
    """`recovery.ports.NodeGroups`."""

    def __init__(self, eks: Any, cluster: str) -> None:
        self._eks = eks
        self._cluster = cluster

    def read(self, wanted: Mapping[str, int]) -> dict[str, NodeGroup]:
        found = {}
        for name, needed in wanted.items():
            with aws_call(f"reading node group {name} of {self._cluster}"):
                try:
                    group = self._eks.describe_nodegroup(clusterName=self._cluster, nodegroupName=name)
                except ClientError as error:
                    if code_of(error) == "ResourceNotFoundException":
                        continue
                    raise
            spec = group["nodegroup"]
            found[name] = NodeGroup(name, spec["scalingConfig"]["desiredSize"], needed, spec["status"])
        return found

    def raise_to(self, name: str, nodes: int) -> None:
        with aws_call(f"raising node group {name} of {self._cluster} to {nodes} nodes"):
            spec = self._eks.describe_nodegroup(clusterName=self._cluster, nodegroupName=name)["nodegroup"]
            sizes = spec["scalingConfig"]
            # Minimum and maximum move along, or the cluster's autoscaler takes the nodes back.
            raised = {
                "minSize": max(sizes["minSize"], nodes),
                "maxSize": max(sizes["maxSize"], nodes),
                "desiredSize": max(sizes["desiredSize"], nodes),
            }
            try:
                self._eks.update_nodegroup_config(
                    clusterName=self._cluster, nodegroupName=name, scalingConfig=raised
                )
            except ClientError as error:
                if code_of(error) == "ResourceInUseException":
                    raise Unavailable(
                        f"node group {name} is being changed; it will be tried again"
                    ) from error
                raise
