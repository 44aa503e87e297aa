"""A small company's cluster and account, as `candlefish init` finds them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cli.adopt.facts import (
    Balancer,
    Cluster,
    Facts,
    Group,
    Listener,
    Prometheus,
    Rule,
    Stored,
    trimmed,
)
from tests.support.adopted import GROUP, deployment, pod, service


@pytest.fixture
def facts() -> Facts:
    """A web service behind an Ingress, one in the cluster, a worker; a private cluster."""
    shop = deployment(
        "shop",
        {
            "env": [
                {"name": "CATALOG_URL", "value": "http://catalog.shop.svc:80/items"},
                {"name": "DB_PASSWORD", "value": "hunter2"},
                {"name": "DSN", "valueFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}}},
            ]
        },
    )
    ingress = {
        "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "rules": [
                {
                    "host": "shop.acme.example",
                    "http": {"paths": [{"path": "/", "backend": {"service": {"name": "shop"}}}]},
                }
            ]
        },
    }
    binding = {
        "kind": "TargetGroupBinding",
        "metadata": {"name": "k8s-shop", "namespace": "shop"},
        "spec": {"serviceRef": {"name": "shop"}, "targetGroupARN": GROUP},
    }
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "shop"},
            "minReplicas": 2,
            "maxReplicas": 9,
            "metrics": [{"resource": {"name": "cpu", "target": {"averageUtilization": 80}}}],
        },
    }
    objects = [
        shop,
        deployment("catalog"),
        deployment("mailer", {"ports": []}),
        service("shop"),
        service("catalog"),
        ingress,
        binding,
        scaler,
        pod("shop"),
        pod("catalog"),
        pod("mailer"),
    ]
    listener = "arn:aws:elasticloadbalancing:eu-central-1:222222222222:listener/app/k8s-shop/1/1"
    rule = Rule(f"{listener}/1", "1", ("shop.acme.example",), {GROUP: 1})
    return Facts(
        account="222222222222",
        region="eu-central-1",
        caller="user/ada",
        namespace="shop",
        cluster=Cluster(
            "acme-prod",
            "1.33",
            "API_AND_CONFIG_MAP",
            "vpc-1",
            public=False,
            subnets=("subnet-1", "subnet-2"),
            groups=("sg-1",),
        ),
        objects=tuple(map(trimmed, objects)),
        balancers=(
            Balancer(
                "arn:aws:elasticloadbalancing:eu-central-1:222222222222:loadbalancer/app/k8s-shop/1",
                "k8s-shop",
                "internet-facing",
                "vpc-1",
                "k8s-shop.eu-central-1.elb.amazonaws.com",
                "Z215JYRZR1TBD5",
                ("subnet-1", "subnet-2"),
                ("sg-9",),
                {"elbv2.k8s.aws/cluster": "acme-prod"},
                (
                    Listener(
                        listener,
                        "HTTPS",
                        443,
                        ("arn:aws:acm:eu-central-1:222222222222:certificate/1",),
                        rules=(rule,),
                    ),
                ),
            ),
        ),
        groups=(Group(GROUP, "k8s-shop-shop-1", "ip", "HTTP1", "/healthz"),),
        stored=(
            Stored("rds", "acme-prod", "postgres", multi_az=True, secret="rds!db-1"),
            Stored("rds", "acme-staging", "postgres"),
            Stored("cache", "acme-prod-sessions", "redis"),
        ),
        networks=("10.20.0.0/16",),
        budgets={"acme-prod": 1200.0},
        prometheus=Prometheus(
            "monitoring/kube-prometheus-stack-prometheus:9090",
            ("http_server_requests_seconds_count", "http_server_requests_seconds_bucket", "up"),
            ("KubePodCrashLooping", "KubeletDown"),
        ),
        repository="acme/platform",
    )


@pytest.fixture
def with_objects(facts: Facts) -> Any:
    """The same facts with other objects beside theirs."""

    def make(*objects: dict[str, Any]) -> Facts:
        return msgspec.structs.replace(facts, objects=(*facts.objects, *map(trimmed, objects)))

    return make
