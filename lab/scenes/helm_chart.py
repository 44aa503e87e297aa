"""What `helm template` writes for a small chart of a service."""

from __future__ import annotations

from typing import Any

PORT = 8080


def rendered(service: str, image: str) -> list[dict[str, Any]]:
    """Settings, a Deployment that takes them, and a Service."""
    labels = {"app": service}
    settings = f"{service}-settings"
    container = {
        "name": service,
        "image": image,
        "ports": [{"name": "http", "containerPort": PORT}],
        "envFrom": [{"configMapRef": {"name": settings}}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "200m", "memory": "256Mi"},
        },
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": settings},
            "data": {"LOG_LEVEL": "info"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": service, "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": service},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
        },
    ]
