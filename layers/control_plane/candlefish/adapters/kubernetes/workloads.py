"""Everything of a cluster that sleeps, over the Kubernetes API: lists, and merge patches of single objects."""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import cached_property
from typing import Any
from urllib.parse import quote

import msgspec

from candlefish.adapters.kubernetes.messages import MERGE, RequestCarrier
from candlefish.adapters.kubernetes.objects import CONFLICT, MISSING, accepted, answered
from candlefish.capacity.kinds import KINDS, Fragment, Kind
from candlefish.capacity.scope import NODEPOOL_LABEL, ClusterLists, stays_awake
from candlefish.errors import Unavailable
from candlefish.release.manifests.model import MANAGER

PAGE = 250

NODES = "/api/v1/nodes"
PODS = "/api/v1/namespaces/{}/pods"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/applications"


class Listing(msgspec.Struct, frozen=True):
    """A list of the API. Objects stay as they are: restoring exactly must not lose what we do not know."""

    items: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}


class Served(msgspec.Struct, frozen=True):
    """A version of an API group."""

    version: str = ""


class Group(msgspec.Struct, frozen=True):
    """What the API says of a group."""

    versions: tuple[Served, ...] = ()


class Workloads:
    """`capacity.ports.ClusterWorkloads`. The cluster is looked for when something is first asked of it."""

    def __init__(self, connect: Callable[[], RequestCarrier], namespace: str) -> None:
        self._connect = connect
        self._namespace = namespace
        # Where the cluster serves a kind, as it was listed last.
        self._served: dict[str, str] = {}

    @cached_property
    def _api(self) -> RequestCarrier:
        return self._connect()

    def lists(self) -> ClusterLists:
        """Everything that matters for sleep, as it is now.

        Raises
        ------
        Throttled, Unavailable, ClusterRefused
            Something could not be listed; then nothing is known.
        """
        unknown: list[str] = []
        objects = {
            kind.name: [{**each, "kind": kind.name} for each in self._of_kind(kind, unknown)]
            for kind in KINDS.values()
            if kind.in_cluster
        }
        lists = ClusterLists(
            objects,
            self._list(NODES, "nodes"),
            self._list(self._claims, "NodeClaims", optional=True) if objects["NodePool"] else [],
            applications=self._list(APPLICATIONS, "Argo CD applications", optional=True),
            unknown=unknown,
        )
        if not stays_awake(lists, self._namespace):
            return lists
        pods = self._list(PODS.format(quote(self._namespace)), f"Pods in {self._namespace}")
        return msgspec.structs.replace(lists, pods=pods)

    def set(self, kind: Kind, name: str, to: Fragment, version: str) -> None:
        """Patch one object, if nobody wrote it since `version`.

        Raises
        ------
        Unavailable
            Somebody wrote it meanwhile: look again.
        ClusterRefused
            The API says no.
        """
        subject = f"{kind.name} {name}"
        body = {**to, "metadata": {**to.get("metadata", {}), "resourceVersion": version}} if version else to
        answer = self._api.request(
            "PATCH",
            _path(self._served.get(kind.name, kind.api), kind, name),
            subject=subject,
            query={"fieldManager": MANAGER},
            body=body,
            content_type=MERGE,
        )
        if answer.status == CONFLICT:
            raise Unavailable(f"{subject} was changed by somebody else meanwhile; it is looked at again")
        accepted(subject, answer)

    def remove_nodes(self, pool: str) -> None:
        """Delete the claims of a Karpenter pool: Karpenter drains and ends their nodes, and makes no new ones."""
        for claim in self._list(self._claims, "NodeClaims", optional=True):
            if (claim["metadata"].get("labels") or {}).get(NODEPOOL_LABEL) == pool:
                name = claim["metadata"]["name"]
                answer = self._api.request(
                    "DELETE", f"{self._claims}/{quote(name)}", subject=f"NodeClaim {name}"
                )
                if answer.status != MISSING:
                    accepted(f"NodeClaim {name}", answer)

    @property
    def _claims(self) -> str:
        """Where Karpenter's claims are: beside its pools."""
        pool = KINDS["NodePool"]
        return f"{self._served.get(pool.name, pool.api)}/nodeclaims"

    def _of_kind(self, kind: Kind, unknown: list[str]) -> list[dict[str, Any]]:
        """The objects of a kind in the newest version that the cluster serves; what it has instead goes to `unknown`."""
        if not kind.optional:
            return self._list(f"{kind.api}/{kind.plural}", kind.plural)
        group, _, newest = kind.api.rpartition("/")
        versions = self._versions(group)
        known = next((version for version in (newest, *kind.older) if version in versions), "")
        if known:
            self._served[kind.name] = f"{group}/{known}"
            return self._list(f"{group}/{known}/{kind.plural}", kind.plural, optional=True)
        if versions:
            unknown.append(
                f"the cluster has {group.removeprefix('/apis/')} in {', '.join(sorted(versions))}, of which nothing is "
                f"known here ({', '.join((newest, *kind.older))} is): its {kind.plural} do not sleep"
            )
        return []

    def _versions(self, group: str) -> Set[str]:
        """The versions of a group that the cluster serves; empty where it has no such group."""
        answer = self._api.request("GET", group, subject=group)
        if answer.status == MISSING:
            return frozenset()
        return frozenset(each.version for each in answered(group, answer, Group).versions)

    def _list(self, path: str, subject: str, *, optional: bool = False) -> list[dict[str, Any]]:
        query, found = {"limit": str(PAGE)}, []
        while True:
            answer = self._api.request("GET", path, subject=subject, query=query)
            if answer.status == MISSING and optional:
                return []
            page = answered(subject, answer, Listing)
            found.extend(page.items)
            if not page.metadata.get("continue"):
                return found
            query["continue"] = page.metadata["continue"]


def _path(api: str, kind: Kind, name: str) -> str:
    if not kind.namespaced:
        return f"{api}/{kind.plural}/{quote(name)}"
    namespace, _, own = name.partition("/")
    return f"{api}/namespaces/{quote(namespace)}/{kind.plural}/{quote(own)}"
