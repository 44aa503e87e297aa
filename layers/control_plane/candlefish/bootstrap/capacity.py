"""Composition root of capacity: builds each adapter once, when a function first asks for it."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from candlefish.adapters.aws.api import aws_call, client, session
from candlefish.bootstrap.release import catalog, environment, executions, now, records, settings

if TYPE_CHECKING:
    from candlefish.adapters.capacity_world import CapacityWorld
    from candlefish.adapters.table.capacity import DynamoCapacity
    from candlefish.capacity.ports import Events

__all__ = ["catalog", "environment", "executions", "now", "records", "settings"]


@cache
def store() -> DynamoCapacity:
    from candlefish.adapters.table.capacity import DynamoCapacity

    return DynamoCapacity(client("dynamodb"), settings()["TABLE_NAME"], environment())


@cache
def world() -> CapacityWorld:
    from candlefish.adapters.aws.eks_token import EksTokens
    from candlefish.adapters.aws.nodegroups import Nodegroups
    from candlefish.adapters.aws.rds_sleep import SleepingDatabases
    from candlefish.adapters.capacity_world import CapacityWorld
    from candlefish.adapters.kubernetes.api import Api
    from candlefish.adapters.kubernetes.workloads import Workloads

    name, env = settings()["CLUSTER_NAME"], catalog().environment(environment())
    eks = client("eks")
    with aws_call(f"describing cluster {name}"):
        found = eks.describe_cluster(name=name)["cluster"]
    tokens = EksTokens(session().get_credentials(), cluster=name, region=eks.meta.region_name, now=now)
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    return CapacityWorld(
        Workloads(Api(found["endpoint"], ca, tokens, sleep=time.sleep), env.namespace),
        Nodegroups(eks, name),
        SleepingDatabases(client("rds"), env.databases),
        env.namespace,
    )


class BestEffort:
    """`capacity.ports.Events`: a bus that is down is logged and stops nothing."""

    def publish(self, kind: str, detail: Mapping[str, Any]) -> None:
        from candlefish.adapters.aws.eventbridge import EventBus
        from candlefish.errors import ControlPlaneError
        from candlefish.handler import logger

        try:
            EventBus(client("events"), settings()["BUS_NAME"]).publish(kind, detail)
        except ControlPlaneError as error:
            logger.warning("event %s could not be published: %s", kind, error)


@cache
def events() -> Events:
    return BestEffort()
