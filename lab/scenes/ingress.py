"""What the Load Balancer Controller makes of an Ingress, piece by piece, in front of what is live already."""

from __future__ import annotations

from typing import Any


def listening(elbv2: Any, name: str, subnets: list[str], **more: Any) -> tuple[str, str]:
    """A load balancer and its listener, which answers 404 by default; their ARNs. `more` is said of the load balancer."""
    balancer: str = elbv2.create_load_balancer(Name=name, Subnets=subnets, Type="application", **more)[
        "LoadBalancers"
    ][0]["LoadBalancerArn"]
    nothing = {"StatusCode": "404", "ContentType": "text/plain"}
    listener: str = elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": nothing}],
    )["Listeners"][0]["ListenerArn"]
    return balancer, listener


def led_to(elbv2: Any, listener: str, host: str, group: dict[str, Any], **more: Any) -> str:
    """A target group of addresses, and the rule that leads a host there; the group's ARN. `more` is said of the rule."""
    made: str = elbv2.create_target_group(
        Protocol="HTTP", TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, **group
    )["TargetGroups"][0]["TargetGroupArn"]
    elbv2.create_rule(
        ListenerArn=listener,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": made}],
        **more,
    )
    return made


def binding(name: str, service: str, port: int | str, group: str) -> dict[str, Any]:
    """What keeps the Pods of a Service in a target group."""
    return {
        "apiVersion": "elbv2.k8s.aws/v1beta1",
        "kind": "TargetGroupBinding",
        "metadata": {"name": name},
        "spec": {
            "serviceRef": {"name": service, "port": port},
            "targetGroupARN": group,
            "targetType": "ip",
        },
    }
