"""What a listener's load balancer is called in DNS."""

from __future__ import annotations

from typing import Any, NamedTuple

from candlefish.adapters.aws.api import aws_call


class Balancer(NamedTuple):
    """DNS name of a load balancer, and the hosted zone that alias records to it name."""

    dns_name: str
    zone: str


def balancer_of(elbv2: Any, listener: str) -> Balancer:
    """The load balancer behind a listener's ARN."""
    with aws_call(f"reading the load balancer of {listener}"):
        arn = elbv2.describe_listeners(ListenerArns=[listener])["Listeners"][0]["LoadBalancerArn"]
        found = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    return Balancer(found["DNSName"], found["CanonicalHostedZoneId"])
