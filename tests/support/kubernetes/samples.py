"""A service to release in the contract tests."""

from __future__ import annotations

from typing import Any

from candlefish.catalog.model import Cost, Environment, Replicas, Resources, Service
from candlefish.release.manifests import Workload

DIGEST = "sha256:" + "ab" * 32


def service(**changes: Any) -> Service:
    """A service with small needs."""
    fields: dict[str, Any] = {
        "name": "api",
        "image": "registry.example/api",
        "port": 8000,
        "health_path": "/health",
        "host": "api.example.org",
        "replicas": Replicas(min=2, max=4),
        "resources": Resources(cpu="100m", memory="64Mi", cpu_limit="500m", memory_limit="128Mi"),
        "owner": "platform",
    }
    return Service(**{**fields, **changes})


def environment(namespace: str, **changes: Any) -> Environment:
    """Production in a namespace."""
    fields: dict[str, Any] = {
        "name": "production",
        "account": "123456789012",
        "region": "us-west-2",
        "recovery_region": "us-east-1",
        "cluster": "example-production",
        "namespace": namespace,
        "strategy": "canary",
        "cost": Cost(low=1, high=2),
        "production": True,
    }
    return Environment(**{**fields, **changes})


def workload(namespace: str, tag: str = "v1", **changes: Any) -> Workload:
    """A version in the blue slot; the tag says what its Pods do (`lab.kube.runtime.STATES`)."""
    served = changes.pop("service", None) or service()
    fields: dict[str, Any] = {
        "service": served,
        "environment": environment(namespace),
        "slot": "blue",
        "image": f"{served.image}:{tag}@{DIGEST}",
        "version": tag,
        "release": f"release-{tag}",
        "generation": 1,
        "replicas": served.replicas,
        "target_group": "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/api-blue/1",
        "role": "arn:aws:iam::123456789012:role/api",
        "ready_within": 60,
    }
    return Workload(**{**fields, **changes})
