"""RDS instances that take minutes to stop and to start, where moto does both at once.

Not imitated: a stopped database does not start by itself after seven days here (the simulated week
shows that).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.rds.exceptions import InvalidDBInstanceStateError
from moto.rds.models import RDSBackend

from lab.moto import replace
from lab.moto.timeline import Timeline

# Seconds on AWS.
STOP, START = 300, 420


def install(timeline: Timeline) -> None:
    """Put it in moto's place; `lab.moto.restore` takes it out again."""
    replace(RDSBackend, "describe_db_instances", timeline.settling(RDSBackend.describe_db_instances))
    for name, starts, works, seconds, ends in (
        ("stop_db_instance", "available", "stopping", STOP, "stopped"),
        ("start_db_instance", "stopped", "starting", START, "available"),
    ):
        replace(RDSBackend, name, _slowly(timeline, name, starts, works, seconds, ends))


def _slowly(
    timeline: Timeline, name: str, starts: str, works: str, seconds: float, ends: str
) -> Callable[..., Any]:
    original = getattr(RDSBackend, name)

    def change(backend: RDSBackend, db_instance_identifier: str, *args: Any, **more: Any) -> Any:
        timeline.settle()
        if backend.describe_db_instances(db_instance_identifier)[0].status != starts:
            raise InvalidDBInstanceStateError(db_instance_identifier, name.partition("_")[0])
        instance = original(backend, db_instance_identifier, *args, **more)
        instance.status = works
        timeline.later(seconds, lambda: setattr(instance, "status", ends))
        return instance

    return change
