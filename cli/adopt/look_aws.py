"""Reads an account, and changes nothing in it. What may not be read is said, and is no reason to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from cli.adopt.facts import Balancer, Cluster, Facts, Group, Listener, Rule, Stored

T = TypeVar("T")
# DescribeTags takes so many ARNs at once.
AT_ONCE = 20


def look_at_account(client: Callable[[str], Any], region: str, cluster: str) -> Facts:
    """What an account has in a region; `client` makes clients of boto3.

    Raises
    ------
    BotoCoreError, ClientError
        Nobody says who asks: then there is nothing to be read.
    """
    identity = client("sts").get_caller_identity()
    unread: list[str] = []

    def tried(what: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except (BotoCoreError, ClientError) as error:
            unread.append(f"{what}: {' '.join(str(error).split())[:200]}")
            return None

    found = tried(f"cluster {cluster}", lambda: _cluster(client("eks"), cluster)) if cluster else None
    balancers = tried("load balancers", lambda: tuple(_balancers(client("elbv2"), found))) or ()
    if found and not found.groups:
        there = found.vpc
        own = tried("security groups", lambda: _default_group(client("ec2"), there)) or ()
        found = msgspec.structs.replace(found, groups=own)
    vpc = found.vpc if found else next((each.vpc for each in balancers), "")
    return Facts(
        account=identity["Account"],
        region=region,
        caller=identity["Arn"].split(":", 5)[5],
        cluster=found,
        balancers=balancers,
        groups=tried("target groups", lambda: tuple(_groups(client("elbv2"), vpc))) or (),
        stored=(
            *(tried("databases", lambda: tuple(_databases(client("rds")))) or ()),
            *(tried("caches", lambda: tuple(_caches(client("elasticache")))) or ()),
        ),
        networks=(tried("networks", lambda: _networks(client("ec2"), vpc)) if vpc else None) or (),
        budgets=tried("budgets", lambda: _budgets(client("budgets"), identity["Account"])) or {},
        provider=tried("OIDC providers", lambda: _provider(client("iam"))) or "",
        unread=tuple(unread),
    )


def clusters(client: Callable[[str], Any]) -> list[str]:
    """The names of the region's clusters."""
    return [name for page in _pages(client("eks"), "list_clusters") for name in page["clusters"]]


def _pages(api: Any, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    yield from api.get_paginator(operation).paginate(**arguments)


def _cluster(eks: Any, name: str) -> Cluster:
    told = eks.describe_cluster(name=name)["cluster"]
    network = told.get("resourcesVpcConfig", {})
    own = network.get("clusterSecurityGroupId")
    return Cluster(
        name=name,
        version=told.get("version", ""),
        mode=told.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP"),
        vpc=network.get("vpcId", ""),
        public=network.get("endpointPublicAccess", True),
        subnets=tuple(network.get("subnetIds") or ()),
        groups=tuple(dict.fromkeys(([own] if own else []) + list(network.get("securityGroupIds") or ()))),
        tags=told.get("tags") or {},
    )


def _default_group(ec2: Any, vpc: str) -> tuple[str, ...]:
    """The security group that every network has."""
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    return tuple(each["GroupId"] for each in ec2.describe_security_groups(Filters=wanted)["SecurityGroups"])


def _balancers(elbv2: Any, cluster: Cluster | None) -> Iterator[Balancer]:
    found = [
        each
        for page in _pages(elbv2, "describe_load_balancers")
        for each in page["LoadBalancers"]
        if each.get("Type") == "application" and (cluster is None or each["VpcId"] == cluster.vpc)
    ]
    tags = _tags(elbv2, [each["LoadBalancerArn"] for each in found])
    for each in found:
        arn = each["LoadBalancerArn"]
        yield Balancer(
            arn=arn,
            name=each["LoadBalancerName"],
            scheme=each.get("Scheme", "internet-facing"),
            vpc=each["VpcId"],
            dns=each["DNSName"],
            zone=each.get("CanonicalHostedZoneId", ""),
            subnets=tuple(zone["SubnetId"] for zone in each.get("AvailabilityZones", ())),
            groups=tuple(each.get("SecurityGroups") or ()),
            tags=tags.get(arn, {}),
            listeners=tuple(_listeners(elbv2, arn)),
        )


def _listeners(elbv2: Any, balancer: str) -> Iterator[Listener]:
    for page in _pages(elbv2, "describe_listeners", LoadBalancerArn=balancer):
        for each in page["Listeners"]:
            yield Listener(
                arn=each["ListenerArn"],
                protocol=each.get("Protocol", ""),
                port=each.get("Port", 0),
                certificates=_certificates(elbv2, each),
                ssl_policy=each.get("SslPolicy", "") or "",
                rules=tuple(rules_of(elbv2, each["ListenerArn"])),
            )


def _certificates(elbv2: Any, listener: dict[str, Any]) -> tuple[str, ...]:
    """The default one, which is all that a listener itself names, and then the others."""
    found = list(listener.get("Certificates", ()))
    if found:
        arn = listener["ListenerArn"]
        for page in _pages(elbv2, "describe_listener_certificates", ListenerArn=arn):
            found += page["Certificates"]
    return tuple(dict.fromkeys(each["CertificateArn"] for each in found))


def rules_of(elbv2: Any, listener: str) -> Iterator[Rule]:
    """A listener's rules, in the order of the API."""
    for page in _pages(elbv2, "describe_rules", ListenerArn=listener):
        yield from map(_rule, page["Rules"])


def _rule(rule: dict[str, Any]) -> Rule:
    hosts: list[str] = []
    for condition in rule.get("Conditions", ()):
        if condition["Field"] == "host-header":
            hosts += condition.get("HostHeaderConfig", {}).get("Values") or condition.get("Values", [])
    groups: dict[str, int] = {}
    for action in rule.get("Actions", ()):
        if action["Type"] == "forward":
            several = action.get("ForwardConfig", {}).get("TargetGroups") or [
                {"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}
            ]
            groups |= {each["TargetGroupArn"]: int(each.get("Weight", 1)) for each in several}
    return Rule(rule["RuleArn"], str(rule["Priority"]), tuple(hosts), groups)


def _tags(elbv2: Any, arns: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for at in range(0, len(arns), AT_ONCE):
        told = elbv2.describe_tags(ResourceArns=arns[at : at + AT_ONCE])["TagDescriptions"]
        found |= {each["ResourceArn"]: _plain(each["Tags"]) for each in told}
    return found


def _plain(tags: Iterable[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in tags or ()}


def _groups(elbv2: Any, vpc: str) -> Iterator[Group]:
    for page in _pages(elbv2, "describe_target_groups"):
        for each in page["TargetGroups"]:
            if vpc and each.get("VpcId") != vpc:
                continue
            yield Group(
                arn=each["TargetGroupArn"],
                name=each["TargetGroupName"],
                target_type=each.get("TargetType", "instance"),
                protocol_version=each.get("ProtocolVersion", "") or "",
                health_path=each.get("HealthCheckPath", "") or "",
            )


def _databases(rds: Any) -> Iterator[Stored]:
    for page in _pages(rds, "describe_db_clusters"):
        for each in page["DBClusters"]:
            if str(each.get("Engine", "")).startswith("aurora"):
                yield Stored(
                    "aurora",
                    each["DBClusterIdentifier"],
                    each["Engine"],
                    bool(each.get("MultiAZ")),
                    _secret(each),
                    _plain(each.get("TagList", ())),
                )
    for page in _pages(rds, "describe_db_instances"):
        for each in page["DBInstances"]:
            if not each.get("DBClusterIdentifier") and not each.get("ReadReplicaSourceDBInstanceIdentifier"):
                yield Stored(
                    "rds",
                    each["DBInstanceIdentifier"],
                    each.get("Engine", ""),
                    bool(each.get("MultiAZ")),
                    _secret(each),
                    _plain(each.get("TagList", ())),
                )


def _secret(each: dict[str, Any]) -> str:
    """The name of the secret that RDS keeps the login in: an ARN ends in it and six characters."""
    arn = (each.get("MasterUserSecret") or {}).get("SecretArn", "")
    return str(arn.rpartition(":secret:")[2].rpartition("-")[0])


def _caches(elasticache: Any) -> Iterator[Stored]:
    for page in _pages(elasticache, "describe_replication_groups"):
        for each in page["ReplicationGroups"]:
            yield Stored(
                "cache", each["ReplicationGroupId"], "redis", each.get("MultiAZ", "") in ("enabled", True)
            )


def _networks(ec2: Any, vpc: str) -> tuple[str, ...]:
    found = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    return tuple(each["CidrBlock"] for each in found)


def _budgets(budgets: Any, account: str) -> dict[str, float]:
    found = budgets.describe_budgets(AccountId=account).get("Budgets", ())
    return {
        each["BudgetName"]: float(each["BudgetLimit"]["Amount"])
        for each in found
        if each.get("TimeUnit") == "MONTHLY" and each.get("BudgetLimit", {}).get("Unit") == "USD"
    }


def _provider(iam: Any) -> str:
    known = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return next(
        (each["Arn"] for each in known if each["Arn"].endswith("token.actions.githubusercontent.com")), ""
    )
