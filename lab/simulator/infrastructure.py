"""Managed nodegroups and databases in memory, which take as long as on AWS to follow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from candlefish.capacity.kinds import Fragment
from candlefish.errors import Unavailable
from lab.simulator.kernel import Kernel

# Seconds, as measured by others on EKS and RDS: nodes of a nodegroup, stopping and starting a database.
NODES, STOP, START = 180.0, 300.0, 420.0
# RDS starts what has been stopped for this long.
WEEK = 7 * 86400.0


class SimulatedNodegroups:
    """`capacity.ports.ManagedNodegroups`. `fit` is told how many nodes of a group there shall be."""

    def __init__(self, kernel: Kernel, fit: Callable[[str, int], None]) -> None:
        self._kernel, self._fit = kernel, fit
        self.groups: dict[str, dict[str, Any]] = {}

    def add(self, name: str, minimum: int, desired: int, maximum: int) -> None:
        """A nodegroup that is there."""
        scaling = {"minSize": minimum, "desiredSize": desired, "maxSize": maximum}
        self.groups[name] = {
            "nodegroupName": name,
            "status": "ACTIVE",
            "scalingConfig": scaling,
            "health": {"issues": []},
        }
        self._fit(name, desired)

    def describe(self) -> list[dict[str, Any]]:
        return copy.deepcopy(list(self.groups.values()))

    def scale(self, name: str, to: Fragment) -> None:
        group = self.groups[name]
        if group["status"] != "ACTIVE":
            raise Unavailable(f"nodegroup {name} is being updated")
        group |= {"status": "UPDATING", "scalingConfig": dict(to)}

        def finish() -> None:
            group["status"] = "ACTIVE"
            self._fit(name, to["desiredSize"])

        self._kernel.later(NODES, finish, f"nodegroup {name}")


class SimulatedDatabases:
    """`capacity.ports.StoppableDatabases`."""

    def __init__(self, kernel: Kernel, names: Iterable[str]) -> None:
        self._kernel = kernel
        self.status = dict.fromkeys(names, "available")
        self._stops = 0

    def instances(self) -> Iterable[dict[str, Any]]:
        return [
            {"DBInstanceIdentifier": name, "DBInstanceStatus": status} for name, status in self.status.items()
        ]

    def clusters(self) -> Iterable[dict[str, Any]]:
        return []

    def set(self, kind: str, name: str, status: str) -> None:
        allowed, on_the_way, seconds = {
            "stopped": ("available", "stopping", STOP),
            "available": ("stopped", "starting", START),
        }[status]
        if self.status[name] != allowed:
            raise Unavailable(f"database {name} is {self.status[name]}")
        self.status[name] = on_the_way
        self._kernel.later(seconds, lambda: self._arrive(kind, name, status), f"database {name}")

    def _arrive(self, kind: str, name: str, status: str) -> None:
        self.status[name] = status
        if status == "stopped":
            self._stops += 1
            stop = self._stops

            def week_over() -> None:
                if self.status[name] == "stopped" and self._stops == stop:
                    self.set(kind, name, "available")

            self._kernel.later(WEEK, week_over, f"database {name} was stopped for a week")
