"""Asks the account, and the cluster, for what the checks hold the section against."""

from __future__ import annotations

import time
from typing import Any

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from candlefish.adapters.http.oidc_tokens import OidcIssuer
from candlefish.adapters.kubernetes.eks import eks_api
from candlefish.errors import ControlPlaneError
from candlefish.names import partition_of
from tools.preflight.model import (
    Cluster,
    Found,
    Issuer,
    Kubernetes,
    Limits,
    Listener,
    Section,
    Subnet,
    Subscription,
)
from tools.take_over import BUCKET, TABLE, find

CONTROLLER = "app.kubernetes.io/name=aws-load-balancer-controller"
# How long the cluster is waited for, in seconds.
PATIENCE = 15.0


def look(section: Section, functions: list[str]) -> Found:
    """Ask the account; `functions` are those that reserve concurrency."""
    session = boto3.Session(region_name=section.region)
    ask = session.client
    identity = ask("sts").get_caller_identity()["Account"]
    name = section.get("ClusterName") or "-"
    cluster = _or_none(ask("eks").describe_cluster, name=name)
    boundary = section.get("PermissionsBoundaryArn")
    stack = _stack(ask("cloudformation"), section.deploy.get("stack_name", ""))
    vpc = ""
    subnets = {each: _subnet(ask("ec2"), each) for each in section.several("FunctionSubnetIds")}
    if known := [each for each in subnets.values() if each]:
        vpc = known[0].vpc
    return Found(
        account=identity,
        cluster=_cluster(cluster["cluster"]) if cluster else None,
        listeners={each: _listener(ask("elbv2"), each) for each in section.several("ListenerArns")},
        boundary=bool(boundary and _or_none(ask("iam").get_policy, PolicyArn=boundary)),
        stack=stack,
        kept=() if stack and stack != "REVIEW_IN_PROGRESS" else _kept(session, section),
        limits=_limits(ask("lambda"), functions),
        subscriptions=_subscriptions(
            ask("sns"),
            f"arn:{partition_of(section.region)}:sns:{section.region}:{identity}:{section.table}-notices",
        ),
        kubernetes=_kubernetes(session, name) if cluster else Kubernetes(),
        subnets=subnets,
        groups={each: _group(ask("ec2"), each) for each in section.several("FunctionSecurityGroupIds")},
        endpoints=_endpoints(ask("ec2"), vpc) if vpc else frozenset(),
        provider=_provider(ask("iam")),
        issuer=signing(section.environment.console.issuer) if section.environment.console else None,
    )


def _cluster(told: dict[str, Any]) -> Cluster:
    network = told.get("resourcesVpcConfig", {})
    return Cluster(
        mode=told.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP"),
        version=told.get("version", ""),
        vpc=network.get("vpcId", ""),
        public=network.get("endpointPublicAccess", True),
        private=network.get("endpointPrivateAccess", False),
        cidrs=tuple(network.get("publicAccessCidrs") or ["0.0.0.0/0"]),
    )


def _listener(elbv2: Any, arn: str) -> Listener | None:
    found = _or_none(elbv2.describe_listeners, ListenerArns=[arn])
    if not found or not found["Listeners"]:
        return None
    arn = found["Listeners"][0]["LoadBalancerArn"]
    balancer = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    rules = [
        rule
        for each in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        for rule in elbv2.describe_rules(ListenerArn=each["ListenerArn"])["Rules"]
        if not rule["IsDefault"]
    ]
    return Listener(balancer["VpcId"], balancer.get("Scheme", "internet-facing"), len(rules))


def _stack(cloudformation: Any, name: str) -> str:
    found = _or_none(cloudformation.describe_stacks, StackName=name)
    return str(found["Stacks"][0]["StackStatus"]) if found and found["Stacks"] else ""


def _kept(session: boto3.Session, section: Section) -> tuple[str, ...]:
    """What would be in the way by its name; a key has none."""
    kept = find(session, section.environment.name).by_type
    words = {TABLE: "the table", BUCKET: "the bucket"}
    return tuple(f"{said} {kept[kind]}" for kind, said in words.items() if kind in kept)


def _limits(api: Any, functions: list[str]) -> Limits:
    limit = api.get_account_settings()["AccountLimit"]
    ours = 0
    for name in functions:
        told = _or_none(api.get_function_concurrency, FunctionName=name)
        ours += (told or {}).get("ReservedConcurrentExecutions", 0)
    return Limits(limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"], ours)


def _subscriptions(sns: Any, topic: str) -> tuple[Subscription, ...] | None:
    found = _or_none(sns.list_subscriptions_by_topic, TopicArn=topic)
    if found is None:
        return None
    return tuple(
        Subscription(each["Protocol"], each["Endpoint"], each["SubscriptionArn"].startswith("arn:"))
        for each in found["Subscriptions"]
    )


def _kubernetes(session: boto3.Session, name: str) -> Kubernetes:
    until = time.monotonic() + PATIENCE
    try:
        credentials: Any = session.get_credentials()
        api = eks_api(session.client("eks"), name, credentials, time.time, lambda: until - time.monotonic())

        def asked(path: str, **query: str) -> tuple[int, bytes]:
            answer = api.request("GET", path, subject="preflight", query=query)
            return answer.status, answer.body

        status, _ = asked("/version")
        if status != 200:
            return Kubernetes(unknown=f"it answered {status}; you need an access entry of the cluster")
        bindings, _ = asked("/apis/elbv2.k8s.aws/v1beta1")
        metrics, _ = asked("/apis/metrics.k8s.io/v1beta1")
        listed, body = asked("/apis/apps/v1/namespaces/kube-system/deployments", labelSelector=CONTROLLER)
        if listed == 403:
            return Kubernetes(unknown="you may not list deployments in kube-system", bindings=bindings == 200)
        running = [
            each
            for each in msgspec.json.decode(body).get("items", [])
            if each.get("status", {}).get("availableReplicas", 0) > 0
        ]
        return Kubernetes(bindings=bindings == 200, metrics=metrics == 200, controller=bool(running))
    except (ControlPlaneError, BotoCoreError, ClientError, OSError) as error:
        return Kubernetes(unknown=f"{error}; ask from inside its network")


def _subnet(ec2: Any, name: str) -> Subnet | None:
    found = _or_none(ec2.describe_subnets, SubnetIds=[name])
    if not found or not found["Subnets"]:
        return None
    vpc = found["Subnets"][0]["VpcId"]
    own = [{"Name": "association.subnet-id", "Values": [name]}]
    main = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    tables = (
        ec2.describe_route_tables(Filters=own)["RouteTables"]
        or ec2.describe_route_tables(Filters=main)["RouteTables"]
    )
    for route in (route for each in tables for route in each["Routes"]):
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            gateway = route.get("GatewayId", "")
            return Subnet(
                vpc, "igw" if gateway.startswith("igw-") else "nat" if route.get("NatGatewayId") else "other"
            )
    return Subnet(vpc)


def _group(ec2: Any, name: str) -> str | None:
    found = _or_none(ec2.describe_security_groups, GroupIds=[name])
    return str(found["SecurityGroups"][0]["VpcId"]) if found and found["SecurityGroups"] else None


def _endpoints(ec2: Any, vpc: str) -> frozenset[str]:
    found = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    return frozenset(
        each["ServiceName"].split(".", 3)[3]
        for each in found
        if each.get("State", "available") == "available"
    )


class _Algorithms(msgspec.Struct):
    id_token_signing_alg_values_supported: tuple[str, ...] = ()


def signing(issuer: str) -> Issuer:
    """What an issuer says of itself, asked as API Gateway and the functions ask it."""
    try:
        asked = OidcIssuer(issuer, time.time)
        found = asked.discovery()
        if not (found.authorization_endpoint and found.token_endpoint):
            return Issuer(
                "it names no authorization and token endpoint: nobody can sign in there with a code"
            )
        said = asked.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", _Algorithms)
    except ControlPlaneError as error:
        return Issuer(str(error))
    return Issuer(algorithms=said.id_token_signing_alg_values_supported)


def _provider(iam: Any) -> str:
    known = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return next(
        (each["Arn"] for each in known if each["Arn"].endswith("token.actions.githubusercontent.com")), ""
    )


def _or_none(call: Any, **arguments: Any) -> Any:
    """The answer, or None when there is no such thing. Anything else that goes wrong is not an answer."""
    try:
        return call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        nothing = ("NoSuchEntity", "ValidationError", "InvalidParameterException", "NoSuchBucket", "404")
        if "NotFound" in code or code in nothing:
            return None
        raise
