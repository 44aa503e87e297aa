"""What a bundle may hold, and why something else is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from candlefish.errors import InvalidInput
from candlefish.release.manifests.allowed import MOST, OBJECTS
from candlefish.release.manifests.hooks import events_of, why_not_run
from candlefish.release.manifests.model import Workload
from candlefish.release.manifests.reach import Reach
from candlefish.release.manifests.shape import FieldRefused, shown
from candlefish.release.model import Manifest

MOST_OBJECTS = 40
_PLAIN = re.compile(r"[A-Za-z0-9.-]{1,253}")

_ELSEWHERE = "install it once with your cluster tooling, not with a release"
_NO_SLOTS = "it cannot run in two slots; use a Deployment"
# Kinds that charts often bring, and what to do instead.
REFUSED = {
    "Secret": "keep its value in Secrets Manager and name it under `secrets` in the catalog (or bring an ExternalSecret); "
    "where Pods mount a Secret that exists, leave the Secret out of the chart",
    "Ingress": "the control plane owns the listener rule; leave it out of the chart",
    "TargetGroupBinding": "the control plane makes it; leave it out of the chart",
    "StatefulSet": "it cannot run in two slots; write it into the catalog as kind: stateful, which takes it over where it "
    "stands, or use a Deployment",
    "DaemonSet": _NO_SLOTS,
    "ReplicaSet": _NO_SLOTS,
    "Pod": _NO_SLOTS,
    "Role": f"it grants rights; {_ELSEWHERE}",
    "RoleBinding": f"it grants rights; {_ELSEWHERE}",
    "List": "it hides what is in it; upload what helm template printed",
}


def admit(bundle: Sequence[Manifest], workload: Workload) -> dict[str, list[Manifest]]:
    """The bundle's objects by kind: new ones, of nothing but what the allow-list names.

    Raises
    ------
    InvalidInput
        It holds something that a release must not touch, or not one Deployment. The message names
        the object, the path in it and what to do.
    """
    if len(bundle) > MOST_OBJECTS:
        raise InvalidInput(
            f"bundle: it holds {len(bundle)} objects, at most {MOST_OBJECTS} may be in one; "
            "move what does not belong to the version out of the chart"
        )
    for document in bundle:
        _check_head(document, workload)
    reach = Reach(
        workload,
        configs=_names(bundle, "ConfigMap"),
        accounts=_names(bundle, "ServiceAccount"),
        classes=_names(bundle, "SecretProviderClass"),
    )
    kinds: dict[str, list[Manifest]] = {kind: [] for kind in OBJECTS}
    for document in bundle:
        try:
            kinds[document["kind"]].append(OBJECTS[document["kind"]].take(document, "", reach))
        except FieldRefused as refused:
            raise refuse_object(document, str(refused)) from refused
    _check_counts(kinds)
    return kinds


def refuse_object(document: Any, why: str) -> InvalidInput:
    """The error that refuses a bundle because of one of its objects."""
    return InvalidInput(f"bundle: {_title(document)}: {why}")


def _title(document: Any) -> str:
    if not isinstance(document, dict):
        return shown(document)
    metadata, kind = document.get("metadata"), document.get("kind")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{_word(kind) or 'object without kind'} {_word(name) or '(no name)'}"


def _word(value: Any) -> str:
    """A kind or a name as it is, when nothing about it could mislead."""
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) is not None
    return str(value) if plain else shown(value) if value else ""


def _names(bundle: Sequence[Manifest], kind: str) -> frozenset[str]:
    return frozenset(document["metadata"]["name"] for document in bundle if document["kind"] == kind)


def _check_head(document: Any, workload: Workload) -> None:
    """What has to be known of an object before its fields are looked at."""
    kind = document.get("kind") if isinstance(document, dict) else None
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if (
        not isinstance(kind, str)
        or not isinstance(metadata, dict)
        or not isinstance(metadata.get("name"), str)
    ):
        raise refuse_object(
            document, "not a Kubernetes object (kind, metadata.name); upload what helm template printed"
        )
    if kind in REFUSED:
        raise refuse_object(document, f"not allowed in a bundle: {REFUSED[kind]}")
    if kind not in OBJECTS:
        raise refuse_object(document, f"not allowed in a bundle, only {', '.join(OBJECTS)} are; {_ELSEWHERE}")
    if metadata.get("namespace") not in (None, workload.namespace):
        raise refuse_object(
            document,
            f"metadata.namespace is {shown(metadata['namespace'])}, the release is for {workload.namespace}; "
            f"render with: helm template --namespace {workload.namespace}",
        )
    if why := why_not_run(document):
        raise refuse_object(document, f"{why}; leave it out (candlefish bundle does)")
    if kind != "Job" and events_of(document):
        raise refuse_object(
            document,
            "is a Helm hook, and of those a release runs Jobs alone; take helm.sh/hook off it (candlefish bundle does), or "
            "render with: helm template --no-hooks",
        )


def _check_counts(kinds: dict[str, list[Manifest]]) -> None:
    if len(kinds["Deployment"]) != 1:
        found = ", ".join(d["metadata"]["name"] for d in kinds["Deployment"]) or "none"
        raise InvalidInput(
            f"bundle: it must hold exactly one Deployment, the one that takes traffic, and holds {found}; "
            "a worker cannot be held at 10% by the load balancer, so give it a service of its own"
        )
    for kind, found_of_kind in kinds.items():
        if len(found_of_kind) > (most := MOST.get(kind, 1)):
            raise refuse_object(
                found_of_kind[most],
                f"the bundle holds {len(found_of_kind)} of kind {kind}; at most {most} may be there",
            )
