"""What `helm template` writes for a small chart of a service, and the bundle that is made of it."""

from __future__ import annotations

import hashlib
import json
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


def nightly(service: str, image: str) -> dict[str, Any]:
    """A CronJob of the same chart, which runs the service's own image."""
    pod = {"containers": [{"name": service, "image": image}], "restartPolicy": "Never"}
    jobs = {"spec": {"template": {"spec": pod}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"{service}-nightly"},
        "spec": {"schedule": "17 3 * * *", "concurrencyPolicy": "Forbid", "jobTemplate": jobs},
    }


def upload(s3: Any, bucket: str, documents: list[dict[str, Any]]) -> dict[str, str]:
    """Store a bundle; what a release says of it."""
    body = json.dumps(documents).encode()
    digest = hashlib.sha256(body).hexdigest()
    s3.put_object(Bucket=bucket, Key=digest, Body=body)
    return {"bundle": f"s3://{bucket}/{digest}", "bundle_digest": digest}
