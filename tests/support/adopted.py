"""A small company's cluster and account, of objects as the API has them."""

from __future__ import annotations

from typing import Any

DIGEST = "sha256:" + "a" * 64
GROUP = "arn:aws:elasticloadbalancing:eu-central-1:222222222222:targetgroup/k8s-shop-shop-1/1"


def labels(name: str) -> dict[str, str]:
    """What a chart of `helm create` selects by."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}


def deployment(name: str, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": {**labels(name), "team": "checkout"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels(name)},
            "template": {
                "metadata": {"labels": labels(name)},
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "image": f"registry.acme.example/{name}:1.4",
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                            "resources": {
                                "requests": {"cpu": "0.25", "memory": "128Mi"},
                                "limits": {"cpu": "1", "memory": "1Gi"},
                            },
                            "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True},
                            **(container or {}),
                        }
                    ],
                    **spec,
                },
            },
        },
    }


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": labels(name), "ports": [{"port": 80, "targetPort": "http"}], **spec},
    }


def pod(name: str, digest: str = DIGEST) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": f"{name}-1", "namespace": "shop", "labels": labels(name)},
        "status": {
            "containerStatuses": [{"name": name, "imageID": f"registry.acme.example/{name}@{digest}"}]
        },
    }
