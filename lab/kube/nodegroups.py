"""The nodes that a managed nodegroup gives to a cluster."""

from __future__ import annotations

from typing import Any

from lab.kube.controllers.objects import CONTROLLER
from lab.kube.kinds import NODE
from lab.kube.writes import Writes

# What EKS labels the nodes of a nodegroup with.
LABEL = "eks.amazonaws.com/nodegroup"


def fit_nodes(writes: Writes, group: str, wanted: int) -> None:
    """Let nodes join or leave until there are as many as the nodegroup asks for."""
    there = [
        node for node in writes.store.list(NODE) if (node["metadata"].get("labels") or {}).get(LABEL) == group
    ]
    for node in there[wanted:]:
        writes.store.remove(NODE, node)
    for number in range(len(there), wanted):
        writes.create(NODE, "", _node(group, number), CONTROLLER)


def _node(group: str, number: int) -> dict[str, Any]:
    name = f"ip-10-0-{number}-{sum(group.encode()) % 250}.us-west-2.compute.internal"
    return {
        "metadata": {"name": name, "labels": {LABEL: group, "kubernetes.io/hostname": name}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "lab"}]
        },
    }
