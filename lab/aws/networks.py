"""Who reaches whom: what is private answers functions in its VPC alone, and those need a way out of it to AWS's APIs.

- A cluster whose public endpoint is switched off or limited to addresses, and a load balancer with the scheme `internal`,
  are private to their VPC; so is what a lab marks (`private`).
- A function without VpcConfig does not get there: its connections time out.
- A function in a VPC reaches an API when a subnet's default route leads to NAT, or the VPC has an endpoint for that service.
  In a public subnet it reaches none: it has no address of its own there.

Security groups, network ACLs and peering are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from moto.ec2.models import ec2_backends
from moto.eks.models import eks_backends
from moto.elbv2.models import elbv2_backends

from lab.functions.pool import Address, Spec
from lab.moto import ACCOUNT

ANYWHERE = "0.0.0.0/0"
# botocore's names of services -> the names of their endpoints, where those differ.
ENDPOINTS = {
    "elbv2": "elasticloadbalancing",
    "stepfunctions": "states",
    "cloudwatch": "monitoring",
    "amp": "aps-workspaces",
}


class Networks:
    """The networks of the lab's account."""

    def __init__(self) -> None:
        # What somebody said is private: host and port -> VPC.
        self.private: dict[Address, str] = {}

    def closed_to(self, spec: Spec) -> frozenset[Address]:
        """The private addresses that a function does not reach."""
        known = {**self.private, **dict(self._clusters()), **dict(self._balancers())}
        if not known:
            return frozenset()
        own = self._vpcs(spec)
        return frozenset(address for address, vpc in known.items() if vpc not in own)

    def shut_in(self, spec: Spec, service: str) -> bool:
        """Whether a function does not reach an API of AWS from its subnets."""
        if not spec.subnets:
            return False
        backend = ec2_backends[ACCOUNT][spec.region]
        if all(_leads_out(backend, subnet) for subnet in spec.subnets):
            return False
        name = f"com.amazonaws.{spec.region}.{ENDPOINTS.get(service, service)}"
        return not any(
            each.service_name == name and each.vpc_id in self._vpcs(spec)
            for each in backend.vpc_end_points.values()
        )

    def _vpcs(self, spec: Spec) -> set[str]:
        backend = ec2_backends[ACCOUNT][spec.region]
        return {backend.get_subnet(subnet).vpc_id for subnet in spec.subnets}

    @staticmethod
    def _clusters() -> Iterator[tuple[Address, str]]:
        for region, backend in list(eks_backends[ACCOUNT].items()):
            for cluster in list(backend.clusters.values()):
                network = cluster.resources_vpc_config or {}
                limited = ANYWHERE not in (network.get("publicAccessCidrs") or [ANYWHERE])
                if not network.get("endpointPublicAccess", True) or limited:
                    found = urlsplit(cluster.endpoint)
                    (subnet, *_) = network["subnetIds"]
                    yield (
                        (str(found.hostname), int(found.port or 443)),
                        ec2_backends[ACCOUNT][region].get_subnet(subnet).vpc_id,
                    )

    @staticmethod
    def _balancers() -> Iterator[tuple[Address, str]]:
        for backend in list(elbv2_backends[ACCOUNT].values()):
            for balancer in list(backend.load_balancers.values()):
                if balancer.scheme == "internal":
                    for listener in list(balancer.listeners.values()):
                        yield (balancer.dns_name, int(listener.port or 80)), balancer.vpc_id


def _leads_out(backend: Any, subnet: str) -> bool:
    tables: Iterable[Any] = backend.describe_route_tables(filters={"association.subnet-id": [subnet]})
    tables = tables or backend.describe_route_tables(
        filters={"vpc-id": [backend.get_subnet(subnet).vpc_id], "association.main": ["true"]}
    )
    routes = [route for table in tables for route in table.routes]
    return any(route.destination_cidr_block == ANYWHERE and route.nat_gateway for route in routes)
