"""Composition root of backups: audits and drills."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.backups.ports import DrillPorts
from candlefish.bootstrap.core import bus, catalog, declared, environment, now, records, region, table
from candlefish.bootstrap.failover import pace, probe, stable_there

if TYPE_CHECKING:
    from candlefish.adapters.aws.backups import AwsBackups
    from candlefish.adapters.aws.lambda_probe import LambdaProbe
    from candlefish.adapters.aws.rds_restores import RdsRestores
    from candlefish.adapters.table.drills import DynamoDrills

__all__ = ["bus", "declared", "now", "pace", "stable_there"]

# Reading a whole restored database takes long.
INSPECTION_TIMEOUT = 630


@cache
def drills() -> DynamoDrills:
    from candlefish.adapters.table.drills import DynamoDrills

    return DynamoDrills(client("dynamodb"), table(), environment())


@cache
def restores() -> RdsRestores:
    from candlefish.adapters.aws.rds_restores import RdsRestores

    return RdsRestores(client("rds"))


@cache
def inspector() -> LambdaProbe:
    return probe(region(), INSPECTION_TIMEOUT)


def drill_ports() -> DrillPorts:
    """What drills take."""
    return DrillPorts(
        environment=declared(),
        restores=restores(),
        inspector=inspector(),
        drills=drills(),
        events=bus(),
        now=now,
    )


@cache
def backups() -> AwsBackups:
    from candlefish.adapters.aws.backups import AwsBackups

    return AwsBackups(
        declared(),
        catalog(),
        lambda service, where: client(service, where),
        records(),
        stable_there(),
        now,
    )
