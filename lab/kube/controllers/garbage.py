"""Deletes what belonged to an object that is gone."""

from __future__ import annotations

from lab.kube.controllers.objects import CONTROLLER, by_owner, is_going
from lab.kube.kinds import DEPLOYMENT, JOB, POD, REPLICA_SET, SERVICE, SLICE, STATEFUL_SET
from lab.kube.writes import Writes


def sync(writes: Writes) -> None:
    """Delete orphans; Pods with their grace."""
    alive = {
        value["metadata"]["uid"]
        for kind in (DEPLOYMENT, REPLICA_SET, STATEFUL_SET, JOB, SERVICE)
        for value in writes.store.list(kind)
    }
    for kind in (REPLICA_SET, POD, SLICE):
        for uid, values in by_owner(writes.store, kind).items():
            for value in values if uid not in alive else []:
                if not is_going(value):
                    metadata = value["metadata"]
                    writes.delete(kind, metadata["namespace"], metadata["name"], CONTROLLER)
