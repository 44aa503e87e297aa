"""Two regions in moto, with databases and caches that take time, for the failover adapters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import msgspec
from moto import mock_aws

from candlefish.adapters.aws.elasticache import ElastiCacheCaches
from candlefish.adapters.aws.rds_failover import RdsDatabases
from candlefish.adapters.aws.route53 import Cnames
from candlefish.adapters.aws.secret_hosts import SecretHosts
from candlefish.adapters.table.failovers import DynamoRuns
from candlefish.catalog.model import Cache, Database, Endpoint, Replica
from candlefish.failover.ports import FailoverPorts, RegionPorts
from lab.memory.events import MemoryEvents
from lab.memory.failover.edges import MemoryProbe
from lab.moto import restore
from lab.moto.elasticache import ElastiCache
from lab.moto.rds import Hooks, Rds
from lab.moto.timeline import Timeline
from tests.support.failover.catalog import AWAY, CATALOG, ENVIRONMENT, HOME
from tests.support.table import TABLE, make_table

ACCOUNT = "123456789012"
# A minute of AWS takes this many of the test's: 90 s of failover are 0.1 s.
SCALE = 900.0
# Loading service models is most of what a client costs.
SESSION = botocore.session.Session()


class AwsWorld:
    """Clients and resources of both regions."""

    def __init__(self, hooks: Hooks | None = None) -> None:
        self.session = SESSION
        self._clients: dict[tuple[str, str], Any] = {}
        # Seconds by which the world's clock is ahead: who waits moves it and does not sleep.
        self.ahead = 0.0
        self.timeline = Timeline(SCALE, clock=lambda: time.monotonic() + self.ahead)
        self.elasticache = ElastiCache(self.timeline)
        Rds(self.timeline, hooks).install()
        self.elasticache.install()
        self.zone = (
            self.client("route53", "us-east-1")
            .create_hosted_zone(Name="internal.example", CallerReference="x")["HostedZone"]["Id"]
            .removeprefix("/hostedzone/")
        )
        self.groups = {
            region: (self._group(region, "clients"), self._group(region, "fence")) for region in (HOME, AWAY)
        }
        self.database = Database(
            name="main",
            identifier="orders",
            secret="app/database",
            replica=Replica(
                identifier="orders-away",
                region=AWAY,
                groups=(self.groups[AWAY][0],),
                fence_group=self.groups[AWAY][1],
            ),
            groups=(self.groups[HOME][0],),
            fence_group=self.groups[HOME][1],
            endpoint=Endpoint(zone=self.zone, name="db.internal.example"),
        )
        self.cache = Cache(
            name="sessions",
            replication_group="sessions",
            global_datastore="ldgnf-sessions",
            endpoint=Endpoint(zone=self.zone, name="cache.internal.example"),
        )
        self.environment = msgspec.structs.replace(
            ENVIRONMENT, databases=(self.database,), caches=(self.cache,)
        )
        self.catalog = msgspec.structs.replace(CATALOG, environments={"production": self.environment})
        # moto has no database that answers SQL.
        self.rows: dict[str, dict[int, dict[str, Any]]] = {}
        self.probe = MemoryProbe(self.sentinel, time.time)
        self.events = MemoryEvents()

    def sentinel(self, host: str) -> tuple[dict[int, dict[str, Any]], float]:
        return self.rows.setdefault(host, {}), time.time() - 1

    def client(self, service: str, region: str) -> Any:
        """The world's one client of a service in a region: making one costs more than most calls."""
        where = (service, region)
        if where not in self._clients:
            self._clients[where] = self.session.create_client(service, region_name=region)
        return self._clients[where]

    def _group(self, region: str, name: str) -> str:
        group: str = self.client("ec2", region).create_security_group(GroupName=name, Description=name)[
            "GroupId"
        ]
        return group

    def make_database(self) -> None:
        home, away = self.client("rds", HOME), self.client("rds", AWAY)
        arn = home.create_db_instance(
            DBInstanceIdentifier="orders",
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            MasterUsername="app",
            MasterUserPassword="password",
            AllocatedStorage=20,
            MultiAZ=True,
            BackupRetentionPeriod=30,
            VpcSecurityGroupIds=[self.groups[HOME][0]],
        )["DBInstance"]["DBInstanceArn"]
        away.create_db_instance_read_replica(
            DBInstanceIdentifier="orders-away",
            SourceDBInstanceIdentifier=arn,
            VpcSecurityGroupIds=[self.groups[AWAY][0]],
        )
        self.wait(lambda: self.status(AWAY, "orders-away") == "available")
        self.report_lag(2.0)
        address = self.copy(HOME, "orders").address
        Cnames(self.client("route53", "us-east-1")).point(self.zone, "db.internal.example", address)
        secret = json.dumps({"host": "old.example", "username": "app", "password": "p"})
        for region in (HOME, AWAY):
            self.client("secretsmanager", region).create_secret(Name="app/database", SecretString=secret)

    def make_cache(self) -> None:
        for region, name in ((HOME, "sessions"), (AWAY, "sessions-away")):
            self.client("elasticache", region).create_replication_group(
                ReplicationGroupId=name,
                ReplicationGroupDescription="sessions",
                ReplicasPerNodeGroup=1,
                PreferredCacheClusterAZs=[f"{region}a", f"{region}b"],
                AutomaticFailoverEnabled=True,
                MultiAZEnabled=True,
            )
        self.client("elasticache", HOME).create_global_replication_group(
            GlobalReplicationGroupIdSuffix="sessions", PrimaryReplicationGroupId="sessions"
        )
        self.elasticache.join("ldgnf-sessions", AWAY, "sessions-away", ACCOUNT)
        address = self.caches()[HOME].read("sessions", "ldgnf-sessions").address
        Cnames(self.client("route53", "us-east-1")).point(self.zone, "cache.internal.example", address)

    def make_table(self) -> DynamoRuns:
        client = self.client("dynamodb", AWAY)
        make_table(client)
        return DynamoRuns(client, TABLE, "production")

    def report_lag(self, seconds: float, region: str = AWAY, identifier: str = "orders-away") -> None:
        self.client("cloudwatch", region).put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": "ReplicaLag",
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": identifier}],
                    "Value": seconds,
                    "Timestamp": time.time() - 1,
                }
            ],
        )

    def databases(self) -> dict[str, RdsDatabases]:
        return {
            r: RdsDatabases(r, self.client("rds", r), self.client("cloudwatch", r), lag_period=1)
            for r in (HOME, AWAY)
        }

    def caches(self) -> dict[str, ElastiCacheCaches]:
        return {r: ElastiCacheCaches(r, self.client("elasticache", r)) for r in (HOME, AWAY)}

    def copy(self, region: str, identifier: str) -> Any:
        return self.databases()[region].read(self.database, identifier)

    def status(self, region: str, identifier: str) -> str:
        copy = self.copy(region, identifier)
        return copy.status if copy else ""

    def ports(self, runs: DynamoRuns) -> FailoverPorts:
        databases, caches = self.databases(), self.caches()
        return FailoverPorts(
            environment=self.environment,
            catalog=self.catalog,
            runs=runs,
            events=self.events,
            regions={
                r: RegionPorts(
                    databases[r], caches[r], SecretHosts(r, self.client("secretsmanager", r)), self.probe
                )
                for r in (HOME, AWAY)
            },
            dns=Cnames(self.client("route53", "us-east-1")),
            site=lambda: None,
            now=time.time,
        )

    def wait(self, condition: Callable[[], object]) -> None:
        """Let time pass until it is so: 18 seconds of AWS between two looks, or else ten days in vain."""
        for _ in range(50_000):
            if condition():
                return
            self.ahead += 18 / SCALE
        raise AssertionError("it never came")


@contextmanager
def aws_world(hooks: Hooks | None = None) -> Iterator[AwsWorld]:
    """The world for one test."""
    with mock_aws():
        try:
            yield AwsWorld(hooks)
        finally:
            restore()
