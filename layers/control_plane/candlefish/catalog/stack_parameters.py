"""The stack's parameters that say by ARN what the catalog names, so that roles reach just that. Pure.

Names are whatever the owner of a database or secret gave it; a role that reaches all that begins alike reaches another
environment's. What does not fit is reached by its tag (`StackReach.left_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from candlefish.catalog.model import Catalog, Database, Environment, Replica
from candlefish.names import INSTANCE, bounded_name, mark_of, partition_of

# Characters of one list. CloudFormation takes 4,096 of a parameter, IAM 10,240 of all inline policies of a role, and
# the role that fails over has five lists and more.
LONGEST = 1_800
PRODUCTION_ARNS = "ProductionArns"
OWNER_TOPICS = "OwnerTopicArns"
PEERS = "PeerArns"
# Other accounts that may ask a stack for its fleet; each is a permission of its own in the template.
MOST_ACCOUNTS = 4
ACCOUNTS = tuple(f"PeerAccount{number}" for number in range(1, MOST_ACCOUNTS + 1))
# In place of what the catalog cannot know and nobody has written yet.
PLACEHOLDER = "TO-BE-FILLED"


class StackReach(msgspec.Struct, frozen=True):
    """Parameters by name, and the ARNs that did not fit into them. A parameter that would be empty is left out."""

    parameters: dict[str, str]
    left_out: tuple[str, ...] = ()


def reach_of(environment: Environment) -> StackReach:
    """What an environment's roles may act on beyond what the stack makes, in both of its regions."""
    parameters: dict[str, str] = {}
    left_out: list[str] = []
    for name, arns_of in _ARNS.items():
        _write(name, arns_of(environment), parameters, left_out)
    return StackReach(parameters, tuple(left_out))


def derived(environment: Environment, catalog: Catalog) -> dict[str, str]:
    """Every parameter of an environment's stacks that follows from the catalog, by name.

    What would be empty is left out, and has the template's default; in a partition other than `aws` it names nobody's there.
    """
    values = {"Environment": environment.name, "Production": "yes" if environment.production else "no"}
    if environment.cost:
        values["CostTarget"] = f"{environment.cost.high:.2f}".removesuffix(".00")
    values |= reach_of(environment).parameters
    values |= _console(environment)
    _write(OWNER_TOPICS, _topics(environment, catalog), values, [])
    _write(PEERS, peers_of(environment, catalog).values(), values, [])
    values |= dict(zip(ACCOUNTS, _asking(environment, catalog), strict=False))
    if not environment.production:
        _write(PRODUCTION_ARNS, _production(catalog), values, [])
    if (partition := partition_of(environment.region)) != "aws":
        # IAM takes no policy that names another partition, as the template's defaults would.
        values = {name: f"arn:{partition}:{rest}" for name, rest in NOBODYS.items()} | values
    return values


def _console(environment: Environment) -> dict[str, str]:
    """Who signs people in, and whom the tokens must be for."""
    if (console := environment.console) is None:
        return {}
    values = {"ConsoleIssuer": console.issuer, "ConsoleAudience": console.meant}
    if console.secret:
        # As `_secrets`: six characters of AWS's own stand behind the name.
        values["ConsoleSecretArn"] = (
            f"{_arn(environment, 'secretsmanager', '*')}:secret:{console.secret}-??????"
        )
    return values


def peers_of(environment: Environment, catalog: Catalog) -> dict[str, str]:
    """What shows the views of the catalog's other environments with a console, each in its own region, by their names."""
    partition = partition_of(environment.region)
    return {
        name: f"{_arn(other, 'lambda', other.region)}:function:candlefish-{name}-serve-views:live"
        for name, other in catalog.environments.items()
        if environment.console and other.console and other.name != environment.name
        if partition_of(other.region) == partition
    }


def _asking(environment: Environment, catalog: Catalog) -> list[str]:
    """Other accounts from which an environment is asked for its fleet."""
    others = (catalog.environments[name] for name in peers_of(environment, catalog))
    return sorted({other.account for other in others} - {environment.account})


def _topics(environment: Environment, catalog: Catalog) -> Iterator[str]:
    """Where owners read what is told of their services: one topic in each region that has a stack."""
    for owner in catalog.responses.owners.values():
        if owner.topic:
            for region in environment.regions:
                yield f"{_arn(environment, 'sns', region)}:{owner.topic}"


def _write(name: str, arns: Iterable[str], parameters: dict[str, str], left_out: list[str]) -> None:
    kept: list[str] = []
    length = 0
    for arn in dict.fromkeys(arns):
        length += len(arn) + 1
        (kept if length <= LONGEST else left_out).append(arn)
    if kept:
        parameters[name] = ",".join(kept)


def _databases(environment: Environment) -> Iterator[str]:
    for database in environment.databases:
        yield from _database(database, environment)


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
        for region in environment.regions:
            yield f"{_arn(environment, 'elasticache', region)}:replicationgroup:{cache.replication_group}"
        if cache.global_datastore:
            whole = f"globalreplicationgroup:{cache.global_datastore}"
            yield f"{_arn(environment, 'elasticache', '')}:{whole}"


def _secrets(environment: Environment) -> Iterator[str]:
    """AWS puts a hyphen and six characters of its own behind a secret's name, the same in every region."""
    for database in environment.databases:
        if database.secret:
            for region in environment.regions:
                yield f"{_arn(environment, 'secretsmanager', region)}:secret:{database.secret}-??????"


def _snapshots(environment: Environment) -> Iterator[str]:
    """Those that RDS makes by itself, which end in when; others are reached by their tag."""
    for copy in _copies(environment):
        for region in environment.regions:
            yield f"{_arn(environment, 'rds', region)}:snapshot:rds:{copy.identifier}-????-??-??-??-??"


def _keys(environment: Environment) -> Iterator[str]:
    for copy in _copies(environment):
        yield from copy.keys


def _copies(environment: Environment) -> Iterator[Database | Replica]:
    for database in environment.databases:
        yield database
        if database.replica:
            yield database.replica


def _zones(environment: Environment) -> Iterator[str]:
    endpoints = [each.endpoint for each in environment.databases]
    endpoints += [each.endpoint for each in environment.caches]
    zones = [each.zone for each in endpoints if each]
    if (routing := environment.recovery.routing) and routing.zone:
        zones.append(routing.zone)
    for zone in zones:
        yield f"arn:{partition_of(environment.region)}:route53:::hostedzone/{zone}"


def _routing_controls(environment: Environment) -> Iterable[str]:
    routing = environment.recovery.routing
    return routing.controls.values() if routing else ()


def _buckets(environment: Environment) -> Iterator[str]:
    for bucket in environment.recovery.buckets:
        yield f"arn:{partition_of(environment.region)}:s3:::{bucket}"


def _production(catalog: Catalog) -> Iterator[str]:
    """Nodes and databases of every production environment: one account may have several environments."""
    for environment in catalog.environments.values():
        if environment.production:
            yield f"{_arn(environment, 'eks', environment.region)}:nodegroup/{environment.cluster}/*"
            for database in environment.databases:
                kind = "db" if database.kind == "rds" else "cluster"
                yield f"{_arn(environment, 'rds', environment.region)}:{kind}:{database.identifier}"


def _arn(environment: Environment, service: str, region: str) -> str:
    return f"arn:{partition_of(environment.region)}:{service}:{region}:{environment.account}"


_ARNS: Mapping[str, Callable[[Environment], Iterable[str]]] = {
    "DatabaseArns": _databases,
    "CacheArns": _caches,
    "SecretArns": _secrets,
    "SnapshotArns": _snapshots,
    "KeyArns": _keys,
    "HostedZoneArns": _zones,
    "RoutingControlArns": _routing_controls,
    "BucketArns": _buckets,
}
# What stands for nothing in a list, after its partition: as the template's defaults have it.
NOBODYS: Mapping[str, str] = {
    "DatabaseArns": "rds:us-east-1:000000000000:db:none",
    "CacheArns": "elasticache:us-east-1:000000000000:replicationgroup:none",
    "SecretArns": "secretsmanager:us-east-1:000000000000:secret:none",
    "SnapshotArns": "rds:us-east-1:000000000000:snapshot:none",
    "KeyArns": "kms:us-east-1:000000000000:key/none",
    "HostedZoneArns": "route53:::hostedzone/NONE",
    "RoutingControlArns": "route53-recovery-control::000000000000:controlpanel/none",
    "BucketArns": "s3:::candlefish-none",
    PEERS: "lambda:us-east-1:000000000000:function:none",
    OWNER_TOPICS: "sns:us-east-1:000000000000:none",
    PRODUCTION_ARNS: "rds:us-east-1:000000000000:db:none",
}
# Every parameter that is derived, whether or not an environment needs it.
NAMES = (
    "Environment",
    "Production",
    "CostTarget",
    "ConsoleIssuer",
    "ConsoleAudience",
    "ConsoleSecretArn",
    *_ARNS,
    PEERS,
    *ACCOUNTS,
    OWNER_TOPICS,
    PRODUCTION_ARNS,
)
