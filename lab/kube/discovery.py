"""What clients read before they speak: versions, groups, resources, and enough OpenAPI for kubectl."""

from __future__ import annotations

from typing import Any

from lab.kube.kinds import KINDS, Kind

VERSION = {
    "major": "1",
    "minor": "31",
    "gitVersion": "v1.31.0-candlefish-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "lab",
}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
GROUP_VERSIONS = sorted({(kind.group, kind.version) for kind in KINDS})


def document(path: str) -> dict[str, Any] | None:
    """The discovery document at a path; None when there is none."""
    return _DOCUMENTS.get(path.rstrip("/"))


def _group(group: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [served], "preferredVersion": served}


def _resources(group: str, version: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        entry = {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": _VERBS,
        }
        listed.append({**entry, "shortNames": list(kind.short), "categories": ["all"] * kind.shown})
        listed += [_subresource(kind, each) for each in kind.subresources]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _subresource(kind: Kind, name: str) -> dict[str, Any]:
    entry = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": {"scale": "Scale", "eviction": "Eviction"}.get(name, kind.kind),
        "verbs": {"eviction": ["create"], "log": ["get"]}.get(name, ["get", "patch", "update"]),
    }
    if name == "scale":
        return {**entry, "group": "autoscaling", "version": "v1"}
    return {**entry, "group": "policy", "version": "v1"} if name == "eviction" else entry


def _review() -> dict[str, Any]:
    entry = {
        "name": "selfsubjectaccessreviews",
        "singularName": "selfsubjectaccessreview",
        "namespaced": False,
        "kind": "SelfSubjectAccessReview",
        "verbs": ["create"],
    }
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "authorization.k8s.io/v1",
        "resources": [entry],
    }


def _openapi_index() -> dict[str, Any]:
    paths = {}
    for group, version in GROUP_VERSIONS:
        at = f"apis/{group}/{version}" if group else f"api/{version}"
        paths[at] = {"serverRelativeURL": f"/openapi/v3/{at}"}
    return {"paths": paths}


def _openapi(group: str, version: str) -> dict[str, Any]:
    """Which kinds a PATCH serves, and that it takes `fieldValidation`: kubectl asks before it applies."""
    paths = {}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("fieldValidation", "dryRun")
    ]
    for kind in KINDS:
        if (kind.group, kind.version) == (group, version):
            root = f"/apis/{group}/{version}" if group else f"/api/{version}"
            scope = "/namespaces/{namespace}" if kind.namespaced else ""
            paths[f"{root}{scope}/{kind.plural}/{{name}}"] = {
                "patch": {
                    "operationId": f"patch{kind.kind}",
                    "parameters": parameters,
                    "x-kubernetes-group-version-kind": {
                        "group": group,
                        "kind": kind.kind,
                        "version": version,
                    },
                    "responses": {"200": {"description": "OK"}},
                }
            }
    info = {"title": "Candlefish lab", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths}


def _documents() -> dict[str, dict[str, Any]]:
    groups = [_group(group, version) for group, version in GROUP_VERSIONS if group]
    groups.append(_group("authorization.k8s.io", "v1"))
    made: dict[str, dict[str, Any]] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        "/apis/authorization.k8s.io/v1": _review(),
        "/openapi/v3": _openapi_index(),
    }
    for group, version in GROUP_VERSIONS:
        at = f"/apis/{group}/{version}" if group else f"/api/{version}"
        made[at] = _resources(group, version)
        made[f"/openapi/v3{at}"] = _openapi(group, version)
    for each in groups:
        made[f"/apis/{each['name']}"] = {"kind": "APIGroup", "apiVersion": "v1", **each}
    return made


_DOCUMENTS = _documents()
