"""Leads the callers of a Service in the cluster back to the Pods that it selected before the control plane took it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import msgspec

from candlefish.adapters.kubernetes.shares import (
    BEFORE_NOTE,
    ENVIRONMENT_NOTE,
    MOVING_NOTE,
    WEIGHTS_NOTE,
)
from candlefish.errors import Misconfigured, Unavailable
from candlefish.release.manifests.model import GENERATION_NOTE, REVISION_NOTE, SHARE_LABEL
from cli.adopt.clusters import Request
from cli.adopt.facts import Object

NOTES = (BEFORE_NOTE, ENVIRONMENT_NOTE, GENERATION_NOTE, MOVING_NOTE, REVISION_NOTE, WEIGHTS_NOTE)


def service_of(ask: Request, namespace: str, service: str) -> Object:
    """A Service as it is; empty where there is none.

    Raises
    ------
    Unavailable
        The cluster did not say.
    """
    status, body = ask(_path(namespace, service))
    if status not in (200, 404):
        raise Unavailable(f"the cluster answered {status} for Service {service}; nothing was changed")
    found: Object = msgspec.json.decode(body) if status == 200 else {}
    return found


def selected_before(service: Object) -> dict[str, str]:
    """What a Service selected before its callers were led to slots; empty where that is unknown, or they never were."""
    said = (service.get("metadata", {}).get("annotations") or {}).get(BEFORE_NOTE, "")
    try:
        found = json.loads(said or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def led_back(service: Object) -> Any:
    """The merge patch by which a Service is what it was, and nobody's but its owner's (pure)."""
    before = selected_before(service)
    gone = dict.fromkeys(service["spec"].get("selector", {}).keys() - before.keys())
    return {
        "metadata": {
            "annotations": dict.fromkeys(NOTES),
            "labels": {SHARE_LABEL: None},
            # Whoever wrote in between is looked at again.
            "resourceVersion": service["metadata"]["resourceVersion"],
        },
        "spec": {"selector": {**gone, **before}},
    }


def require_pods(ask: Request, namespace: str, name: str, selector: dict[str, str]) -> None:
    """Refuse to lead callers to where nobody serves them.

    Raises
    ------
    Misconfigured
        No Pod that is selected is ready.
    Unavailable
        The cluster did not say: nobody knows.
    """
    wanted = quote(",".join(f"{key}={value}" for key, value in selector.items()))
    status, body = ask(f"/api/v1/namespaces/{namespace}/pods?labelSelector={wanted}")
    if status != 200:
        raise Unavailable(
            f"the cluster answered {status} when it was asked for the Pods that Service {name} selected before: whether one "
            "is ready is not known (403: these credentials may not list Pods); ask again, or say --unseen if you know that "
            "they serve; nothing was changed"
        )
    found = msgspec.json.decode(body).get("items") or []
    if not any(_ready(each) for each in found):
        raise Misconfigured(
            f"no Pod that Service {name} selected before is ready: what ran before has to run again first (its Deployment; "
            "helm rollback or kubectl scale), or say --unseen; nothing was changed"
        )


def lead_back(ask: Request, namespace: str, service: Object) -> None:
    """Lead a Service's callers back.

    Raises
    ------
    Unavailable
        The cluster did not take it.
    """
    name = service["metadata"]["name"]
    status, _ = ask(_path(namespace, name), "PATCH", led_back(service))
    if status != 200:
        raise Unavailable(
            f"the cluster answered {status} when Service {name} was led back; run give-back again"
        )


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        (each["type"], each["status"]) == ("Ready", "True") for each in conditions
    )


def _path(namespace: str, service: str) -> str:
    return f"/api/v1/namespaces/{namespace}/services/{service}"
