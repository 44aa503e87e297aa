"""What stands at the head of every object."""

from __future__ import annotations

from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest


def owned(api_version: str, kind: str, workload: Workload) -> Manifest:
    """Head of an object that belongs to one slot."""
    metadata = {
        "name": workload.name,
        "namespace": workload.namespace,
        "labels": workload.labels,
        "annotations": {**workload.notes, **workload.fence},
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def shared(api_version: str, kind: str, workload: Workload) -> Manifest:
    """Head of an object that both slots use."""
    metadata = {
        "name": workload.service.name,
        "namespace": workload.namespace,
        "labels": workload.shared_labels,
        "annotations": workload.fence,
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
