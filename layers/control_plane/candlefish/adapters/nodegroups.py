"""Managed nodegroups of one EKS cluster."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws import aws_call, code_of
from candlefish.capacity.kinds import Fragment
from candlefish.errors import Unavailable


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
        with aws_call(f"scaling nodegroup {name} of {self._cluster}"):
            try:
                self._client.update_nodegroup_config(
                    clusterName=self._cluster, nodegroupName=name, scalingConfig=to
                )
            except ClientError as error:
                if code_of(error) != "ResourceInUseException":
                    raise
                raise Unavailable(
                    f"nodegroup {name} of {self._cluster} is being updated; look again"
                ) from error
