"""The External Secrets Operator and the Secrets Store CSI driver with AWS's provider, where the cluster has them.

Each keeps the Kubernetes Secrets that its objects name, with values that Secrets Manager has. A value that changes
there later is not looked for again before the object changes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from lab.kube.controllers.objects import CONTROLLER, owner
from lab.kube.kinds import EXTERNAL_SECRET, POD, PROVIDER_CLASS, SECRET, Kind
from lab.kube.runtime import Object
from lab.kube.writes import Writes

DRIVER = "secrets-store.csi.k8s.io"
# On a Secret: uid and generation of the object that it was made from.
MADE_FROM = "lab.candlefish.ai/made-from"


def sync(writes: Writes) -> None:
    """Make the Secrets that are asked for and can be read; one that cannot is left for the next look."""
    if writes.secret_values is None:
        return
    for each in writes.store.list(EXTERNAL_SECRET):
        spec = each["spec"]
        name = (spec.get("target") or {}).get("name") or each["metadata"]["name"]
        if _is_kept(writes, each, name):
            continue
        asked = [(entry["secretKey"], entry["remoteRef"]) for entry in spec.get("data") or ()]
        values = {key: _value(writes, ref["key"], ref.get("property", "")) for key, ref in asked}
        _keep(writes, EXTERNAL_SECRET, each, name, values)
    classes = writes.store.list(PROVIDER_CLASS)
    # The driver fetches when a Pod mounts the class, not before.
    mounted = {_class_of(pod) for pod in writes.store.list(POD)} if classes else set()
    for each in classes:
        wanted = [
            kept
            for kept in each["spec"].get("secretObjects") or ()
            if not _is_kept(writes, each, kept["secretName"])
        ]
        if wanted and (each["metadata"]["namespace"], each["metadata"]["name"]) in mounted:
            files = dict(_files(writes, each))
            for kept in wanted:
                values = {entry["key"]: files.get(entry["objectName"]) for entry in kept["data"]}
                _keep(writes, PROVIDER_CLASS, each, kept["secretName"], values)


def _made_from(by: Object) -> dict[str, str]:
    return {MADE_FROM: f"{by['metadata']['uid']}/{by['metadata']['generation']}"}


def _is_kept(writes: Writes, by: Object, name: str) -> bool:
    """Whether the Secret is there, made from the object as it is: then nobody asks Secrets Manager."""
    held = writes.store.get(SECRET, by["metadata"]["namespace"], name)
    notes = (held["metadata"].get("annotations") or {}) if held else {}
    return _made_from(by).items() <= notes.items()


def _keep(writes: Writes, kind: Kind, by: Object, name: str, values: dict[str, str | None]) -> None:
    if any(value is None for value in values.values()):
        return
    data = {key: base64.b64encode(str(value).encode()).decode() for key, value in values.items()}
    namespace = by["metadata"]["namespace"]
    held = writes.store.get(SECRET, namespace, name)
    if held is None:
        metadata = {"name": name, "annotations": _made_from(by), "ownerReferences": owner(kind, by)}
        writes.create(SECRET, namespace, {"metadata": metadata, "type": "Opaque", "data": data}, CONTROLLER)
    else:
        notes = {**(held["metadata"].get("annotations") or {}), **_made_from(by)}
        writes.store.put(
            SECRET, {**held, "metadata": {**held["metadata"], "annotations": notes}, "data": data}
        )


def _files(writes: Writes, each: Object) -> Iterator[tuple[str, str | None]]:
    """What the driver would write into the volume, by the files' names."""
    objects: list[dict[str, Any]] = json.loads(each["spec"]["parameters"]["objects"])
    for wanted in objects:
        name = wanted["objectName"]
        yield wanted.get("objectAlias") or name, _value(writes, name, "")
        for path in wanted.get("jmesPath") or ():
            yield path["objectAlias"], _value(writes, name, path["path"].strip('"'))


def _value(writes: Writes, name: str, key: str) -> str | None:
    assert writes.secret_values
    text = writes.secret_values(name)
    if text is None or not key:
        return text
    try:
        found = json.loads(text).get(key)
    except (ValueError, AttributeError):
        return None
    return found if found is None or isinstance(found, str) else json.dumps(found)


def _class_of(pod: Object) -> tuple[str, str]:
    for volume in pod["spec"].get("volumes") or ():
        source = volume.get("csi") or {}
        if source.get("driver") == DRIVER:
            return pod["metadata"]["namespace"], source["volumeAttributes"]["secretProviderClass"]
    return "", ""
