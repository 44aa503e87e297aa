"""What the account holds to be recovered: databases, caches, a bucket, and the names that lead to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from moto.rds.models import rds_backends

from candlefish.adapters.aws.elasticache import ElastiCacheCaches
from candlefish.adapters.aws.route53 import Cnames
from candlefish.catalog.model import Cache, Database, Endpoint, Environment, Replica, Routing, ScratchSettings
from lab.databases.postgres import DATABASE, PASSWORD, USER
from lab.databases.rds_servers import RdsServers
from lab.moto import ACCOUNT
from lab.moto.elasticache import ElastiCache

BUCKET = "candlefish-lab-uploads"
INTERNAL = "candlefish.internal"
# Route 53 is one for all regions.
GLOBAL = "us-east-1"


class Regions(msgspec.Struct, frozen=True):
    """The two regions, and boto3 clients by region and service."""

    home: str
    away: str
    clients: Callable[[str], Callable[[str], Any]]

    @property
    def both(self) -> tuple[str, str]:
        return self.home, self.away


def make_data(
    regions: Regions, environment: Environment, domain: str, servers: RdsServers, elasticache: ElastiCache
) -> Environment:
    """Make everything; the environment as the catalog shall have it, with the ids that AWS gave. Its hosts are in `domain`."""
    groups = _make_groups(regions)
    servers.open_groups = {gid for (_, name), gid in groups.items() if name != "fence"}
    internal, public = (_make_zone(regions, name) for name in (INTERNAL, domain))
    name = environment.cluster
    database, cache = _database(regions, name, groups, internal), _cache(name, internal)
    _make_subnets(regions)
    _make_instances(regions, database, servers)
    _make_secret(regions, database)
    _make_cache(regions, cache, elasticache)
    _make_buckets(regions)
    recovery = msgspec.structs.replace(
        environment.recovery,
        standby=True,
        nodes={"default": 4},
        buckets=(BUCKET,),
        routing=Routing(zone=public),
    )
    return msgspec.structs.replace(environment, databases=(database,), caches=(cache,), recovery=recovery)


def point_home(regions: Regions, environment: Environment) -> None:
    """Let the names of the database and the cache lead to what serves at home."""
    database, cache = environment.databases[0], environment.caches[0]
    assert database.endpoint and cache.endpoint
    names = Cnames(regions.clients(GLOBAL)("route53"))
    address = _address(regions, regions.home, database.identifier)
    names.point(database.endpoint.zone, database.endpoint.name, address)
    caches = ElastiCacheCaches(regions.home, regions.clients(regions.home)("elasticache"))
    facts = caches.read(cache.replication_group, cache.global_datastore)
    names.point(cache.endpoint.zone, cache.endpoint.name, facts.address)


def _make_groups(regions: Regions) -> dict[tuple[str, str], str]:
    """Security groups by (region, name)."""
    return {
        (region, name): regions.clients(region)("ec2").create_security_group(
            GroupName=f"database-{name}", Description=name
        )["GroupId"]
        for region in regions.both
        for name in ("clients", "fence", "drill")
    }


def _make_zone(regions: Regions, name: str) -> str:
    made = regions.clients(GLOBAL)("route53").create_hosted_zone(Name=name, CallerReference=name)
    return str(made["HostedZone"]["Id"].split("/")[-1])


# --- the database -----------------------------------------------------------------------------


def _database(regions: Regions, name: str, groups: dict[tuple[str, str], str], zone: str) -> Database:
    home, away = regions.both
    return Database(
        name="main",
        identifier=name,
        secret=f"{name}/database",
        replica=Replica(
            identifier=f"{name}-replica",
            region=away,
            groups=(groups[away, "clients"],),
            fence_group=groups[away, "fence"],
        ),
        groups=(groups[home, "clients"],),
        fence_group=groups[home, "fence"],
        endpoint=Endpoint(zone=zone, name=f"db.{INTERNAL}"),
        scratch=ScratchSettings(subnet_group="drills", security_group=groups[home, "drill"]),
    )


def _make_subnets(regions: Regions) -> None:
    """Where drills restore."""
    ec2 = regions.clients(regions.home)("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{n}.0/24", AvailabilityZone=f"{regions.home}{zone}")
        for n, zone in enumerate("ab")
    ]
    regions.clients(regions.home)("rds").create_db_subnet_group(
        DBSubnetGroupName="drills",
        DBSubnetGroupDescription="isolated",
        SubnetIds=[subnet["Subnet"]["SubnetId"] for subnet in subnets],
    )


def _make_instances(regions: Regions, database: Database, servers: RdsServers) -> None:
    """The primary at home with the application's table, and its replica away."""
    made = regions.clients(regions.home)("rds").create_db_instance(
        DBInstanceIdentifier=database.identifier,
        DBInstanceClass="db.r6g.large",
        Engine="postgres",
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        AllocatedStorage=20,
        MultiAZ=True,
        BackupRetentionPeriod=30,
        StorageEncrypted=True,
        VpcSecurityGroupIds=list(database.groups),
    )
    server = servers.primary(rds_backends[ACCOUNT][regions.home].databases[database.identifier])
    server.sql("create table orders (n bigint primary key, at timestamptz not null)")
    assert database.replica
    regions.clients(regions.away)("rds").create_db_instance_read_replica(
        DBInstanceIdentifier=database.replica.identifier,
        SourceDBInstanceIdentifier=made["DBInstance"]["DBInstanceArn"],
        VpcSecurityGroupIds=list(database.replica.groups),
    )


def _make_secret(regions: Regions, database: Database) -> None:
    secret = {
        # The heartbeat connects by the secret; the lab has no resolver, so it names the address.
        "host": _address(regions, regions.home, database.identifier),
        "username": USER,
        "password": PASSWORD,
        "dbname": DATABASE,
    }
    regions.clients(regions.home)("secretsmanager").create_secret(
        Name=database.secret,
        SecretString=json.dumps(secret),
        AddReplicaRegions=[{"Region": regions.away}],
    )


def _address(regions: Regions, region: str, identifier: str) -> str:
    found = regions.clients(region)("rds").describe_db_instances(DBInstanceIdentifier=identifier)
    return str(found["DBInstances"][0]["Endpoint"]["Address"])


# --- the cache and the bucket -----------------------------------------------------------------


def _cache(group: str, zone: str) -> Cache:
    return Cache(
        name="sessions",
        replication_group=group,
        global_datastore="ldgnf-example-sessions",
        endpoint=Endpoint(zone=zone, name=f"cache.{INTERNAL}"),
    )


def _make_cache(regions: Regions, cache: Cache, elasticache: ElastiCache) -> None:
    """A replication group in either region, joined in a Global Datastore."""
    away = f"{cache.replication_group}-away"
    for region, name in ((regions.home, cache.replication_group), (regions.away, away)):
        regions.clients(region)("elasticache").create_replication_group(
            ReplicationGroupId=name,
            ReplicationGroupDescription="sessions",
            ReplicasPerNodeGroup=1,
            PreferredCacheClusterAZs=[f"{region}a", f"{region}b"],
            AutomaticFailoverEnabled=True,
            MultiAZEnabled=True,
            SnapshotRetentionLimit=7,
        )
    regions.clients(regions.home)("elasticache").create_global_replication_group(
        GlobalReplicationGroupIdSuffix="example-sessions",
        PrimaryReplicationGroupId=cache.replication_group,
    )
    elasticache.join(cache.global_datastore, regions.away, away, ACCOUNT)


def _make_buckets(regions: Regions) -> None:
    """A bucket and its copy in the other region."""
    copy = f"{BUCKET}-copy"
    home, away = regions.clients(regions.home)("s3"), regions.clients(regions.away)("s3")
    home.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": regions.home})
    away.create_bucket(Bucket=copy)
    for client, name in ((home, BUCKET), (away, copy)):
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{copy}"},
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/replication"
    home.put_bucket_replication(Bucket=BUCKET, ReplicationConfiguration={"Role": role, "Rules": [rule]})
