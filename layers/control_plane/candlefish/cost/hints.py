"""Right-sizing and spot: hints from what is asked for against what is used, with the numbers behind each. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

GIB = 1024.0**3
# Requests should leave this much room over what is used at its highest.
CPU_ROOM, MEMORY_ROOM = 1.2, 1.25
# Less of a difference than this is not worth a change.
WORTH = 0.25
# Fewer days than this show no whole week.
ENOUGH_DAYS = 7.0
SMALLEST_CPU, SMALLEST_MEMORY = 0.01, 32 * 1024.0**2


class Usage(msgspec.Struct, frozen=True):
    """One container of one workload over `days` days. CPU in cores, memory in bytes, both for one Pod.

    `cpu_used` is the 95th percentile, `memory_used` the highest seen: what goes over its CPU request
    is slower, what goes over its memory is killed. `pods` is how many ran on average.
    """

    workload: str
    cpu_requested: float
    cpu_used: float
    memory_requested: float
    memory_used: float
    pods: float
    days: float


class Hint(msgspec.Struct, frozen=True):
    """One request that does not fit what is used."""

    workload: str
    resource: Literal["cpu", "memory"]
    requested: float
    used: float
    suggested: float
    # Times all its Pods; negative frees it, positive asks for it.
    difference: float
    reason: str


def hints(usages: Iterable[Usage]) -> list[Hint]:
    """Requests worth changing, those first that are too small, then by what they free."""
    found: list[Hint] = []
    for usage in usages:
        if usage.days < ENOUGH_DAYS:
            continue
        found += _hint(usage, "cpu", usage.cpu_requested, usage.cpu_used, CPU_ROOM, SMALLEST_CPU)
        found += _hint(
            usage, "memory", usage.memory_requested, usage.memory_used, MEMORY_ROOM, SMALLEST_MEMORY
        )
    return sorted(found, key=lambda hint: (hint.difference <= 0, hint.resource, -abs(hint.difference)))


def _hint(
    usage: Usage, resource: Literal["cpu", "memory"], requested: float, used: float, room: float, least: float
) -> list[Hint]:
    if not all(map(math.isfinite, (requested, used))) or used <= 0:
        return []
    suggested = max(least, used * room)
    small = requested < used
    if not small and requested > 0 and abs(suggested - requested) / requested < WORTH:
        return []
    what = "highest" if resource == "memory" else "95th percentile"
    reason = f"asks for {as_quantity(resource, requested)}, uses {as_quantity(resource, used)} ({what} of {usage.days:.0f} days)"
    if small:
        reason += (
            ": too little, its Pods are " + ("killed" if resource == "memory" else "slowed") + " under load"
        )
    elif suggested > requested:
        return []
    return [
        Hint(
            workload=usage.workload,
            resource=resource,
            requested=requested,
            used=used,
            suggested=suggested,
            difference=(suggested - requested) * usage.pods,
            reason=reason,
        )
    ]


def as_quantity(resource: str, amount: float) -> str:
    """An amount as Kubernetes writes it: `250m`, `512Mi`."""
    if resource == "cpu":
        return f"{math.ceil(amount * 1000 - 1e-6)}m"
    return f"{math.ceil(amount / 1024**2 - 1e-6)}Mi"


class SpotShare(msgspec.Struct, frozen=True):
    """How many of the nodes in managed nodegroups run on spot capacity."""

    spot: int
    nodes: int
    # Nodegroup -> (capacity type, desired size).
    groups: dict[str, tuple[str, int]]

    @property
    def share(self) -> float | None:
        return self.spot / self.nodes if self.nodes else None


def spot_share(groups: Sequence[Mapping[str, Any]]) -> SpotShare:
    """The share of spot nodes, from DescribeNodegroup of each group."""
    sizes = {
        group["nodegroupName"]: (
            group.get("capacityType", "ON_DEMAND"),
            group["scalingConfig"]["desiredSize"],
        )
        for group in groups
    }
    return SpotShare(
        spot=sum(size for kind, size in sizes.values() if kind == "SPOT"),
        nodes=sum(size for _, size in sizes.values()),
        groups=sizes,
    )
