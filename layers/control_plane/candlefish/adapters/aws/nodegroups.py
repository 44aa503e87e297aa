"""Managed nodegroups of one EKS cluster: as capacity scales them, and as a failover needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.adapters.aws.words import BUSY
from candlefish.capacity.kinds import Fragment
from candlefish.failover.facts import NodeGroup


class Nodegroups:
    """Describes and scales nodegroups."""

    def __init__(self, client: Any, cluster: str) -> None:
        self._client = client
        self._cluster = cluster

    def describe(self) -> list[dict[str, Any]]:
        """Every managed nodegroup of the cluster."""
        with aws_call(f"describing the nodegroups of {self._cluster}"):
            pages = self._client.get_paginator("list_nodegroups").paginate(clusterName=self._cluster)
            names = [name for page in pages for name in page["nodegroups"]]
            return [
                self._client.describe_nodegroup(clusterName=self._cluster, nodegroupName=name)["nodegroup"]
                for name in names
            ]

    def scale(self, name: str, to: Fragment) -> None:
        """Set minimum, desired and maximum size together; the update takes minutes.

        Raises
        ------
        Unavailable
            Another update of the nodegroup is under way: look again.
        """
        with aws_call(f"scaling nodegroup {name} of {self._cluster}", busy=BUSY["eks"]):
            self._client.update_nodegroup_config(
                clusterName=self._cluster, nodegroupName=name, scalingConfig=to
            )


class EksNodeGroups:
    """`failover.ports.NodeGroups`."""

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
        Nodegroups(self._eks, self._cluster).scale(name, raised)
