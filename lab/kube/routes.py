"""From a request's path to what it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from lab.kube.kinds import BY_PATH, Kind

_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?/?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Route(msgspec.Struct, frozen=True):
    """What a request is about."""

    kind: Kind
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As RBAC names it: `deployments/scale`."""
        return self.kind.plural + (f"/{self.subresource}" if self.subresource else "")


def route(method: str, path: str, query: Mapping[str, str]) -> Route | None:
    """The route of a resource path; None for anything else."""
    match = _PATH.fullmatch(path)
    if match is None:
        # `/api/v1/namespaces/x` reads as a path inside a namespace; it is the namespace itself.
        inner = re.fullmatch(r"/api/v1/namespaces/([^/]+)/?", path)
        if inner is None:
            return None
        kind, namespace, name, sub = BY_PATH["", "v1", "namespaces"], "", inner[1], ""
    else:
        found = BY_PATH.get((match["group"] or "", match["core"] or match["version"], match["plural"]))
        if found is None:
            return None
        kind, namespace = found, match["namespace"] or ""
        name, sub = match["name"] or "", match["sub"] or ""
    if sub and sub not in kind.subresources:
        return None
    watching = query.get("watch", "") in ("true", "1")
    verb = _VERBS.get(method) or ("get" if name else "watch" if watching else "list")
    return Route(kind, verb, namespace, name, sub)
