"""The stack's parameters that say by ARN what the catalog names, so that roles reach just that. Pure.

Names are whatever the owner of a database or secret gave it; a role that reaches all that begins alike reaches another
environment's. What does not fit is reached by its tag (`StackReach.left_out`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from candlefish.catalog.model import Database, Environment, Replica
from candlefish.names import INSTANCE, bounded_name, mark_of

# Characters of one list. CloudFormation takes 4,096 of a parameter, IAM 10,240 of all inline policies of a role, and
# the role that fails over has five lists and more.
LONGEST = 1_800


class StackReach(msgspec.Struct, frozen=True):
    """Parameters by name, and the ARNs that did not fit into them. A parameter that would be empty is left out."""

    parameters: dict[str, str]
    left_out: tuple[str, ...] = ()


def reach_of(environment: Environment) -> StackReach:
    """What an environment's roles may act on beyond what the stack makes, in both of its regions."""
    parameters: dict[str, str] = {}
    left_out: list[str] = []
    for name, arns in _lists(environment).items():
        kept: list[str] = []
        length = 0
        for arn in dict.fromkeys(arns):
            length += len(arn) + 1
            (kept if length <= LONGEST else left_out).append(arn)
        if kept:
            parameters[name] = ",".join(kept)
    return StackReach(parameters, tuple(left_out))


def _lists(environment: Environment) -> dict[str, Iterable[str]]:
    databases, caches = environment.databases, environment.caches
    routing = environment.recovery.routing
    endpoints = [each.endpoint for each in databases] + [each.endpoint for each in caches]
    zones = [each.zone for each in endpoints if each] + ([routing.zone] if routing and routing.zone else [])
    partition = partition_of(environment.region)
    copies = [copy for each in databases for copy in (each, each.replica) if copy]
    return {
        "DatabaseArns": (arn for each in databases for arn in _database(each, environment)),
        "CacheArns": _caches(environment),
        "SecretArns": _secrets(environment),
        "SnapshotArns": (arn for each in copies for arn in _snapshots(each, environment)),
        "KeyArns": (key for copy in copies for key in copy.keys),
        "HostedZoneArns": (f"arn:{partition}:route53:::hostedzone/{zone}" for zone in zones),
        "RoutingControlArns": routing.controls.values() if routing else (),
        "BucketArns": (f"arn:{partition}:s3:::{bucket}" for bucket in environment.recovery.buckets),
    }


# Every parameter that is derived, whether or not an environment needs it.
NAMES = (
    "DatabaseArns",
    "CacheArns",
    "SecretArns",
    "SnapshotArns",
    "KeyArns",
    "HostedZoneArns",
    "RoutingControlArns",
    "BucketArns",
)


def partition_of(region: str) -> str:
    """The partition that ARNs of a region begin with."""
    names = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
    return next((name for start, name in names.items() if region.startswith(f"{start}-")), "aws")


def _database(database: Database, environment: Environment) -> Iterator[str]:
    """Its copies, and what each is called once it was fenced and its name is needed again."""
    copies = [(environment.region, database.identifier)]
    if database.replica:
        copies.append((database.replica.region, database.replica.identifier))
    kind = "db" if database.kind == "rds" else "cluster"
    for region, identifier in copies:
        arn = _arn(environment, "rds", region)
        yield from (f"{arn}:{kind}:{identifier}", f"{arn}:{kind}:{_fenced(identifier)}")
        if database.kind == "aurora":
            # The reader that a promoted cluster is given.
            yield f"{arn}:db:{identifier}-standby"
    if database.global_cluster:
        yield f"{_arn(environment, 'rds', '')}:global-cluster:{database.global_cluster}"


def _fenced(identifier: str) -> str:
    """Every name that a fenced predecessor may have (`failover.steps.database.kept_name`), as a pattern."""
    epoch = "?" * 10
    name = bounded_name(identifier, "fenced", epoch, longest=INSTANCE)
    return name.replace(mark_of(identifier, "fenced", epoch), "?" * 10)


def _caches(environment: Environment) -> Iterator[str]:
    for cache in environment.caches:
        for region in (environment.region, environment.recovery_region):
            yield f"{_arn(environment, 'elasticache', region)}:replicationgroup:{cache.replication_group}"
        if cache.global_datastore:
            whole = f"globalreplicationgroup:{cache.global_datastore}"
            yield f"{_arn(environment, 'elasticache', '')}:{whole}"


def _secrets(environment: Environment) -> Iterator[str]:
    """AWS puts a hyphen and six characters of its own behind a secret's name, the same in every region."""
    for database in environment.databases:
        if database.secret:
            for region in (environment.region, environment.recovery_region):
                yield f"{_arn(environment, 'secretsmanager', region)}:secret:{database.secret}-??????"


def _snapshots(copy: Database | Replica, environment: Environment) -> Iterator[str]:
    """Those that RDS makes by itself, which end in when; others are reached by their tag."""
    for region in (environment.region, environment.recovery_region):
        yield f"{_arn(environment, 'rds', region)}:snapshot:rds:{copy.identifier}-????-??-??-??-??"


def _arn(environment: Environment, service: str, region: str) -> str:
    return f"arn:{partition_of(environment.region)}:{service}:{region}:{environment.account}"
