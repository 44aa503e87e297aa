"""How a service's secrets come to its Pods, by the environment's `secrets_by`.

With `role` a variable holds the secret's name and the service reads it itself. With the other two it holds the value:
the External Secrets Operator, or the Secrets Store CSI driver with AWS's provider, keeps a Kubernetes Secret of the
slot, and no value is ever in an object that we write.

Sources: external-secrets.io (API v1, ExternalSecret), secrets-store-csi-driver.sigs.k8s.io (secretObjects),
docs.aws.amazon.com/secretsmanager (ASCP: objects, jmesPath, usePodIdentity).
"""

from __future__ import annotations

import json
import re
from typing import Any

from candlefish.catalog.model import Secret
from candlefish.release.manifests.heads import owned
from candlefish.release.manifests.model import Workload
from candlefish.release.model import Manifest

EXTERNAL, CLASS = "ExternalSecret", "SecretProviderClass"
EXTERNAL_API, CLASS_API = "external-secrets.io/v1", "secrets-store.csi.x-k8s.io/v1"
DRIVER = "secrets-store.csi.k8s.io"
VOLUME, MOUNT = "secrets-store", "/mnt/secrets-store"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def kept_in(workload: Workload) -> str:
    """The Kubernetes Secret of a slot that its secrets are kept in."""
    return f"{workload.name}-secrets"


def _head(api: str, kind: str, workload: Workload) -> Manifest:
    """Called like the Secret, so that no object of a chart is meant."""
    head = owned(api, kind, workload)
    return {**head, "metadata": {**head["metadata"], "name": kept_in(workload)}}


def by_value(workload: Workload) -> bool:
    """Whether the service's Pods get values of secrets."""
    return bool(workload.service.secrets) and workload.environment.secrets_by != "role"


def secret_objects(workload: Workload) -> tuple[Manifest, ...]:
    """What makes the slot's Kubernetes Secret; nothing where the service reads its secrets itself."""
    if not by_value(workload):
        return ()
    if workload.environment.secrets_by == "csi":
        return (_provider_class(workload),)
    return (_external_secret(workload),)


def secret_variables(workload: Workload) -> dict[str, Manifest]:
    """The variables of the service's secrets, each as Kubernetes writes one, without its name."""
    if by_value(workload):
        kept = kept_in(workload)
        return {
            secret.env: {"valueFrom": {"secretKeyRef": {"name": kept, "key": secret.env}}}
            for secret in workload.service.secrets
        }
    return {secret.env: {"value": secret.name.replace("$", "$$")} for secret in workload.service.secrets}


def secret_volumes(workload: Workload) -> tuple[list[Manifest], list[Manifest]]:
    """Volumes and mounts that make the CSI driver fetch: it does so only for a Pod that mounts one."""
    if not (by_value(workload) and workload.environment.secrets_by == "csi"):
        return [], []
    source = {
        "driver": DRIVER,
        "readOnly": True,
        "volumeAttributes": {"secretProviderClass": kept_in(workload)},
    }
    return [{"name": VOLUME, "csi": source}], [{"name": VOLUME, "mountPath": MOUNT, "readOnly": True}]


def _external_secret(workload: Workload) -> Manifest:
    store = workload.environment.secret_store
    assert store, f"{workload.environment.name} has no secret_store; the catalog's check says so"
    return {
        **_head(EXTERNAL_API, EXTERNAL, workload),
        "spec": {
            "refreshInterval": store.refresh,
            "secretStoreRef": {"name": store.name, "kind": store.kind},
            "target": {"name": kept_in(workload), "creationPolicy": "Owner"},
            "data": [
                {"secretKey": secret.env, "remoteRef": _remote(secret)} for secret in workload.service.secrets
            ],
        },
    }


def _remote(secret: Secret) -> Manifest:
    return {"key": secret.name, **({"property": secret.key} if secret.key else {})}


def _provider_class(workload: Workload) -> Manifest:
    environment = workload.environment
    parameters = {"region": environment.region, "objects": json.dumps(_objects(workload.service.secrets))}
    if environment.identity_by == "pod-identity":
        parameters["usePodIdentity"] = "true"
    data = [{"objectName": secret.env, "key": secret.env} for secret in workload.service.secrets]
    return {
        **_head(CLASS_API, CLASS, workload),
        "spec": {
            "provider": "aws",
            "parameters": parameters,
            "secretObjects": [{"secretName": kept_in(workload), "type": "Opaque", "data": data}],
        },
    }


def _objects(secrets: tuple[Secret, ...]) -> list[dict[str, Any]]:
    """AWS's provider takes each secret once: with an alias as a whole, and a path for each key of it.

    A whole secret that nobody asks for is written to the volume all the same, under its own name.
    """
    made: dict[str, dict[str, Any]] = {}
    for secret in secrets:
        entry = made.setdefault(secret.name, {"objectName": secret.name, "objectType": "secretsmanager"})
        if secret.key:
            path = secret.key if _PLAIN.fullmatch(secret.key) else f'"{secret.key}"'
            entry.setdefault("jmesPath", []).append({"path": path, "objectAlias": secret.env})
        else:
            entry["objectAlias"] = secret.env
    return list(made.values())
