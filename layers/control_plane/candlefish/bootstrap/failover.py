"""Composition root of failovers: one adapter a region, so that it can be read here which region each needs.

This stack's own region answers for everything: its table, its machines, its cluster. The other
region is asked for its copies of databases, and everything goes on when it does not answer.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import msgspec

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
    region,
    table,
)
from candlefish.bootstrap.release import bundles, cluster, movers
from candlefish.catalog.standby import peer_region
from candlefish.failover.model import Pace
from candlefish.failover.ports import FailoverPorts, RegionPorts, SitePorts
from candlefish.failover.remember_stable import CarriedVersions
from candlefish.settings import Setting, Settings, listed

if TYPE_CHECKING:
    from candlefish.adapters.aws.lambda_probe import LambdaProbe
    from candlefish.adapters.table.failovers import DynamoRuns, DynamoStableVersions
    from candlefish.failover.model import Run
    from candlefish.failover.ports import Routes
    from candlefish.service.model import Version

__all__ = ["caller", "catalog", "declared", "environment", "executions", "now", "records", "region"]

# The probe opens a connection and writes a row.
PROBE_TIMEOUT = 30


class FailoverSettings(Settings):
    """What functions of failovers and backups are told."""

    cluster_name = Setting(str)
    bundles_prefix = Setting(str)
    # Empty where the function has no application to bring up.
    listener_arns = Setting(listed, optional=listed(""))
    # How long functions that write weights, and to the cluster, live at most, in seconds: empty where nothing is written.
    writers_live_seconds = Setting(float, optional=20.0)
    cluster_writers_live_seconds = Setting(float, optional=60.0)
    # How much faster than usual a failover may look again; the lab's time scale.
    recovery_speed = Setting(float, optional=1.0)


settings = FailoverSettings()


def regions() -> tuple[str, ...]:
    """Every region that the environment's databases and caches are in."""
    env = declared()
    replicas = [d.replica.region for d in env.databases if d.replica]
    return tuple(dict.fromkeys([*env.regions, *replicas]))


def other_region() -> str | None:
    """The region that takes over from this one, or that this one takes over from; None when there is none."""
    return peer_region(declared(), region())


@cache
def pace() -> Pace:
    """The usual patience, in compressed time where the stack says so (the lab)."""
    speed, usual = settings.recovery_speed, Pace()
    return Pace(
        poll=max(1.0, usual.poll / speed),
        settle=max(4.0, usual.settle / speed),
        within=max(60.0, usual.within / speed),
    )


@cache
def runs() -> DynamoRuns:
    from candlefish.adapters.table.failovers import DynamoRuns

    return DynamoRuns(client("dynamodb"), table(), environment())


def elsewhere() -> list[Run]:
    """The newest failovers of the other region's control plane; none when it does not answer or is not there."""
    from candlefish.adapters.table.failovers import DynamoRuns
    from candlefish.errors import ControlPlaneError
    from candlefish.telemetry import logger

    there = other_region()
    if there is None:
        return []
    try:
        return DynamoRuns(client("dynamodb", there), table(), environment()).recent()
    except ControlPlaneError as error:
        logger.warning("the failovers of %s cannot be read: %s", there, error)
        return []


@cache
def stable(where: str = "") -> DynamoStableVersions:
    """Stable versions as one region knows them; this one by default."""
    from candlefish.adapters.table.failovers import DynamoStableVersions

    return DynamoStableVersions(client("dynamodb", where or region()), table(), environment())


def stable_there() -> CarriedVersions | None:
    """Stable versions as the other region knows them; None when no control plane is there."""
    there = other_region()
    return CarriedVersions(stable(there), partial(_carry, there)) if there else None


def _carry(there: str, version: Version) -> Version:
    """The version with its bundle, if it has one, in the other region's bucket: this region may be what is lost."""
    if not version.bundle:
        return version
    bucket = f"{settings.bundles_prefix}-{there}"
    carried = bundles().carry(version.bundle, version.bundle_digest, bucket, client("s3", there))
    return msgspec.structs.replace(version, bundle=carried)


def probe(where: str, timeout: float = PROBE_TIMEOUT) -> LambdaProbe:
    from candlefish.adapters.aws.lambda_probe import LambdaProbe

    function = f"candlefish-{environment()}-probe-database"
    return LambdaProbe(client("lambda", where, read_timeout=timeout), function)


@cache
def failover_ports() -> FailoverPorts:
    from candlefish.adapters.aws.route53 import Cnames

    return FailoverPorts(
        environment=declared(),
        catalog=catalog(),
        runs=runs(),
        events=events(),
        regions={where: _region(where) for where in regions()},
        dns=Cnames(client("route53")),
        site=site,
        now=now,
        writers_live=settings.writers_live_seconds,
        cluster_writers_live=settings.cluster_writers_live_seconds,
    )


def _region(where: str) -> RegionPorts:
    from candlefish.adapters.aws.elasticache import ElastiCacheCaches
    from candlefish.adapters.aws.rds_failover import RdsDatabases
    from candlefish.adapters.aws.secret_hosts import SecretHosts

    period = max(1.0, 60 / settings.recovery_speed)
    return RegionPorts(
        databases=RdsDatabases(where, client("rds", where), client("cloudwatch", where), lag_period=period),
        caches=ElastiCacheCaches(where, client("elasticache", where)),
        secrets=SecretHosts(where, client("secretsmanager", where)),
        probe=probe(where),
    )


@cache
def site() -> SitePorts | None:
    """The application's site of this region; None where the function was told of no listener."""
    from candlefish.adapters.aws.elbv2 import load_balancer_of
    from candlefish.adapters.aws.nodegroups import EksNodeGroups
    from candlefish.errors import Misconfigured
    from candlefish.service.model import balancer_of

    if not settings.listener_arns:
        return None
    listeners = settings.listener_arns
    if len({balancer_of(each) for each in listeners}) > 1:
        raise Misconfigured(
            f"{environment()} has several load balancers, and an application's failover leads all hosts to one; move "
            "its users by hand (docs/limits.md, Growth)"
        )
    balancer = load_balancer_of(client("elbv2"), listeners[0])
    return SitePorts(
        region=region(),
        balancer=balancer.dns_name,
        records=records(),
        stable=stable(),
        cluster=cluster(),
        bundles=bundles(),
        rules=movers(),
        nodes=EksNodeGroups(client("eks"), settings.cluster_name),
        routes=_routes(balancer.dns_name, balancer.zone),
    )


def _routes(balancer: str, balancer_zone: str) -> Routes:
    from candlefish.adapters.aws.route53 import AliasRoutes
    from candlefish.adapters.aws.routing_controls import RoutingControls
    from candlefish.errors import Misconfigured

    routing = declared().recovery.routing
    if routing is None:
        raise Misconfigured(
            f"{environment()} declares no recovery.routing, so nobody could be led to another region; "
            "name a hosted zone or ARC routing controls in the catalog"
        )
    if routing.controls:
        clients = {
            where: session().create_client(
                "route53-recovery-cluster", region_name=where, endpoint_url=endpoint
            )
            for where, endpoint in routing.endpoints.items()
        }
        return RoutingControls(clients, routing.controls, region(), balancer)
    return AliasRoutes(client("route53"), routing.zone or "", balancer, balancer_zone)
