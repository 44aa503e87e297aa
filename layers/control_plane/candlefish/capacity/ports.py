"""What capacity needs of the world beside the shared ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.kinds import Fragment, Kind
from candlefish.capacity.model import CapacityRecord, CapacitySight
from candlefish.capacity.scope import ClusterLists

# What a change of the capacity record returns: the next record, or that and an answer.
CapacityChanged = TypeVar("CapacityChanged", bound=CapacityRecord | tuple[CapacityRecord, Any])


class CapacityWorld(Protocol):
    """An environment's workloads, nodes and databases."""

    def observe(self) -> CapacitySight:
        """Everything in scope as it is now.

        Raises
        ------
        Throttled, Unavailable
            Something could not be read: then nothing is known, and nothing may be done.
        """

    def apply(self, act: CapacityAct) -> None:
        """Set one thing. Setting it again is harmless; it takes effect later.

        Raises
        ------
        Throttled, Unavailable
            It may or may not have taken effect; look again.
        Permanent
            The world says no; the message names the thing and the next step.
        """


class CapacityStore(Protocol):
    """The capacity record of one environment."""

    def get(self) -> CapacityRecord:
        """The newest record (a consistent read); a fresh one when there is none yet."""

    def update(self, change: Callable[[CapacityRecord], CapacityChanged]) -> CapacityChanged:
        """Read, change, and store if nobody else stored in between; otherwise again from the start.

        A change returns the next record, or that and an answer: then both are returned. One that returns the
        record it was given stores nothing. What the change raises, this raises.

        Raises
        ------
        RecordContested
            Others were faster every time.
        """


class ClusterWorkloads(Protocol):
    """What of a cluster sleeps, by its API."""

    def lists(self) -> ClusterLists:
        """Everything that matters for sleep, as it is now.

        Raises
        ------
        Throttled, Unavailable, ClusterRefused
            Something could not be listed; then nothing is known.
        """

    def set(self, kind: Kind, name: str, to: Fragment, version: str) -> None:
        """Patch one object, if nobody wrote it since `version`."""

    def remove_nodes(self, pool: str) -> None:
        """Have the nodes of a Karpenter pool drained and ended."""


class ManagedNodegroups(Protocol):
    """The managed nodegroups of a cluster."""

    def describe(self) -> list[dict[str, Any]]:
        """Every one of them, as DescribeNodegroup has it."""

    def scale(self, name: str, to: Fragment) -> None:
        """Set minimum, desired and maximum size together."""


class StoppableDatabases(Protocol):
    """The databases of an environment that the catalog names."""

    def instances(self) -> Iterable[dict[str, Any]]:
        """Each RDS instance that there is, as DescribeDBInstances has it."""

    def clusters(self) -> Iterable[dict[str, Any]]:
        """Each Aurora cluster that there is, as DescribeDBClusters has it."""

    def set(self, kind: str, name: str, status: str) -> None:
        """Stop (`stopped`) or start (`available`) a `Database` or `DatabaseCluster`."""
