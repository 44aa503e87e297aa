"""Composition root of capacity."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from candlefish.adapters.aws.api import client, session
from candlefish.bootstrap.core import (
    caller,
    catalog,
    declared,
    environment,
    events,
    executions,
    now,
    records,
    requesters,
    switchboard,
    table,
)
from candlefish.invocation import seconds_left
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.adapters.kubernetes.api import Api
    from candlefish.adapters.table.capacity import DynamoCapacity
    from candlefish.capacity.world import WholeEnvironment

__all__ = [
    "caller",
    "catalog",
    "environment",
    "events",
    "executions",
    "now",
    "records",
    "requesters",
    "switchboard",
]


class CapacitySettings(Settings):
    """What functions of capacity are told."""

    cluster_name = Setting(str)
    # How long a function that writes may live, in seconds.
    writers_live_seconds = Setting(float)


settings = CapacitySettings()


@cache
def store() -> DynamoCapacity:
    from candlefish.adapters.table.capacity import DynamoCapacity

    return DynamoCapacity(client("dynamodb"), table(), environment())


@cache
def world() -> WholeEnvironment:
    from candlefish.adapters.aws.nodegroups import Nodegroups
    from candlefish.adapters.aws.rds_sleep import SleepingDatabases
    from candlefish.adapters.kubernetes.workloads import Workloads
    from candlefish.capacity.world import WholeEnvironment

    name, env = settings.cluster_name, declared()
    eks = client("eks")
    return WholeEnvironment(
        Workloads(partial(_api, eks, name), env.namespace),
        Nodegroups(eks, name),
        SleepingDatabases(client("rds"), env.databases),
        env.namespace,
        env.name,
    )


def _api(eks: Any, name: str) -> Api:
    from candlefish.adapters.kubernetes.eks import eks_api

    return eks_api(eks, name, session().get_credentials(), now, seconds_left)
