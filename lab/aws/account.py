"""What an account holds before the control plane is deployed: network, load balancers, clusters, people.

All of it is made through the same APIs that a person would use.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from moto.eks.models import eks_backends

from lab.aws.server import Aws
from lab.kube import FakeCluster, Identity, User
from lab.kube.access import MASTERS
from lab.moto import ACCOUNT, eks_access


class Network(msgspec.Struct, frozen=True):
    """Where an environment's traffic comes in."""

    vpc: str
    subnets: tuple[str, ...]
    load_balancer: str
    listener: str


class Keys(msgspec.Struct, frozen=True):
    """A person's access key."""

    name: str
    access_key: str
    secret: str


def make_network(
    clients: Any, environment: str, region: str, number: int, *, scheme: str = "internet-facing"
) -> Network:
    """A VPC with two subnets, a load balancer and a listener that answers 404 by default."""
    ec2, elbv2 = clients("ec2"), clients("elbv2")
    vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
    subnets = tuple(
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.{at}.0/24", AvailabilityZone=f"{region}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for at, zone in enumerate("ab")
    )
    balancer = elbv2.create_load_balancer(
        Name=f"candlefish-{environment}"[:32],
        Subnets=list(subnets),
        Scheme=scheme,
        Type="application",
    )["LoadBalancers"][0]["LoadBalancerArn"]
    nothing = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no service has this host\n"}
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": nothing}],
    )["Listeners"][0]["ListenerArn"]
    return Network(vpc, subnets, balancer, listener)


def lead_out(clients: Any, network: Network) -> None:
    """NAT, and a default route of every subnet of the VPC that leads there."""
    ec2 = clients("ec2")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=address)["NatGateway"][
        "NatGatewayId"
    ]
    wanted = [{"Name": "vpc-id", "Values": [network.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    table = ec2.describe_route_tables(Filters=wanted)["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)


def make_cluster(
    clients: Any,
    name: str,
    region: str,
    network: Network,
    cluster: FakeCluster,
    creator: str,
    *,
    private: bool = False,
) -> None:
    """An EKS cluster whose endpoint and certificate authority are the fake cluster's, and a node group.

    Whoever made it (the ARN `creator`) is its administrator. The endpoint of a `private` one answers in its VPC alone.
    """
    iam, eks = clients("iam"), clients("eks")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = iam.create_role(RoleName=f"{name}-cluster", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    eks.create_cluster(
        name=name,
        roleArn=role,
        version="1.33",
        resourcesVpcConfig={
            "subnetIds": list(network.subnets),
            "endpointPublicAccess": not private,
            "endpointPrivateAccess": private,
        },
    )
    eks.create_nodegroup(
        clusterName=name,
        nodegroupName="default",
        nodeRole=role,
        subnets=list(network.subnets),
        scalingConfig={"minSize": 2, "desiredSize": 3, "maxSize": 10},
    )
    made = eks_backends[ACCOUNT][region].clusters[name]
    made.endpoint = cluster.endpoint
    made.resources_vpc_config["vpcId"] = network.vpc
    made.certificate_authority = {"data": base64.b64encode(cluster.ca_pem.encode()).decode()}
    made.access_config = {  # type: ignore[attr-defined]
        "authenticationMode": "API_AND_CONFIG_MAP"
    }
    eks.create_access_entry(clusterName=name, principalArn=creator)
    eks.associate_access_policy(
        clusterName=name,
        principalArn=creator,
        policyArn=eks_access.ADMIN_POLICY,
        accessScope={"type": "cluster"},
    )


# What an administrator of an account has.
EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def make_people(clients: Any, names: list[str]) -> list[Keys]:
    """IAM users with an access key each. The first one administers the account; the others may nothing yet."""
    iam = clients("iam")
    people: list[Keys] = []
    for name in names:
        iam.create_user(UserName=name)
        if not people:
            iam.put_user_policy(UserName=name, PolicyName="administrator", PolicyDocument=EVERYTHING)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        people.append(Keys(name, key["AccessKeyId"], key["SecretAccessKey"]))
    return people


def give(clients: Any, name: str, policies: Iterable[str]) -> None:
    """Attach managed policies of this account to a user."""
    for policy in policies:
        clients("iam").attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{policy}")


class ClusterIdentities(Mapping[str, Identity]):
    """Whom a cluster knows: who has an access entry, by the access keys that IAM and STS gave out."""

    def __init__(self, aws: Aws, cluster: str, region: str) -> None:
        self._aws, self._cluster, self._region = aws, cluster, region

    def __getitem__(self, access_key: str) -> Identity:
        found = self._aws.urls.identity(access_key)
        if found is None:
            raise KeyError(access_key)
        entry = eks_access.entry_of(self._cluster, self._region, found.arn)
        if entry is None:
            raise KeyError(access_key)
        groups = (*entry.groups, MASTERS) if eks_access.ADMIN_POLICY in entry.policies else entry.groups
        name = entry.username.replace("{{SessionName}}", found.arn.rsplit("/", 1)[-1])
        return Identity(User(name, groups), found.secret)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Registrar:
    """Fills target groups as the AWS Load Balancer Controller does."""

    def __init__(self, elbv2: Any) -> None:
        self._elbv2 = elbv2

    def __call__(self, target_group: str, targets: frozenset[tuple[str, int]]) -> None:
        found = self._elbv2.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        held = {
            (row["Target"]["Id"], int(row["Target"]["Port"]))
            for row in found
            if row["TargetHealth"]["State"] != "draining"
        }
        if new := targets - held:
            self._elbv2.register_targets(TargetGroupArn=target_group, Targets=_rows(new))
        if gone := held - targets:
            self._elbv2.deregister_targets(TargetGroupArn=target_group, Targets=_rows(gone))


def _rows(targets: frozenset[tuple[str, int]] | set[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"Id": host, "Port": port} for host, port in sorted(targets)]
