"""Every way an object may be written, from the request to the store."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from lab.kube.defaults import cluster_addresses, with_defaults
from lab.kube.kinds import DEPLOYMENT, NAMESPACE, POD, QUOTA, SERVICE, Kind
from lab.kube.ownership import Manager, applied, read_owners, updated, write_owners
from lab.kube.patches import patched
from lab.kube.pod_security import ENFORCE, violations
from lab.kube.problems import MODIFIED, bad_request, conflict, exists, forbidden, not_found
from lab.kube.runtime import Object
from lab.kube.schema import check
from lab.kube.store import Store
from lab.kube.validation import quantity, validate

_TIMES = "%Y-%m-%dT%H:%M:%SZ"
APPLY = ("application/apply-patch+yaml", "application/apply-patch+json")
# Without vowels, so that no word comes of it.
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SYSTEM = random.SystemRandom()
# Metadata that only the server writes.
_SERVERS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Options(msgspec.Struct, frozen=True):
    """What a request asks for beside its object."""

    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    # What to do about unknown fields: Strict, Warn or Ignore.
    validation: str = "Warn"
    warn: Callable[[str], None] = lambda text: None


def timestamp(now: float) -> str:
    """Epoch seconds as the API writes times."""
    return datetime.fromtimestamp(now, UTC).strftime(_TIMES)


def epoch(stamp: str) -> float:
    """A time that the API wrote, as epoch seconds."""
    return datetime.strptime(stamp, _TIMES).replace(tzinfo=UTC).timestamp()


class Writes:
    """Writes to the store with defaults, validation, ownership and optimistic locking.

    `now` is the clock, epoch seconds; uids and ends of names come from `chance`.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float] = time.time,
        chance: random.Random = _SYSTEM,
    ) -> None:
        self.store, self.now = store, now
        # What a Pod has written to its log; whoever runs Pods puts it here.
        self.logs: Callable[[Object], str] = lambda pod: ""
        # A secret's text by its name in Secrets Manager; None for a cluster in which nobody reads them.
        self.secret_values: Callable[[str], str | None] | None = None
        # What stands behind a Service, for whoever asks through the API: by `namespace/name:port`, what a path answers.
        self.behind: dict[str, Callable[[str], Any]] = {}
        self._chance = chance
        self._addresses = cluster_addresses()

    def create(self, kind: Kind, namespace: str, value: Object, options: Options) -> Object:
        """POST."""
        metadata = dict(value.get("metadata") or {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + self.suffix()
        value = self._addressed(kind, namespace, {**value, "metadata": metadata})
        if self.store.get(kind, namespace, metadata.get("name", "")) is not None:
            raise exists(kind, metadata["name"])
        return self._store(kind, None, value, options, "Update")

    def replace(
        self, kind: Kind, namespace: str, name: str, value: Object, options: Options, subresource: str = ""
    ) -> Object:
        """PUT."""
        before = self.existing(kind, namespace, name)
        value = self._addressed(kind, namespace, value, name)
        return self._change(kind, before, value, options, subresource)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Any,
        content_type: str,
        options: Options,
        subresource: str = "",
    ) -> tuple[Object, bool]:
        """PATCH of any kind; the object, and whether it was made."""
        if content_type in APPLY:
            return self._apply(kind, namespace, name, patch, options, subresource)
        before = self.existing(kind, namespace, name)
        after = patched(before, patch, content_type, builtin=bool(kind.model))
        return self._change(kind, before, after, options, subresource), False

    def delete(self, kind: Kind, namespace: str, name: str, options: Options, body: Any = None) -> Object:
        """DELETE: at once, but for Pods, which get their grace period."""
        before = self.existing(kind, namespace, name)
        wanted = (body or {}).get("preconditions") or {}
        for field in ("uid", "resourceVersion"):
            if field in wanted and wanted[field] != before["metadata"][field]:
                raise conflict(kind, name, f"the {field} in the precondition does not match")
        grace = (body or {}).get("gracePeriodSeconds")
        if options.dry_run:
            return before
        if kind is POD and grace != 0:
            asked = before["spec"]["terminationGracePeriodSeconds"] if grace is None else grace
            ended = (before.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            # What has no node or has ended needs no time to stop.
            if "nodeName" in before["spec"] and not ended:
                return self._mark(kind, before, asked)
        if before["metadata"].get("finalizers"):
            return self._mark(kind, before, 0)
        return self.store.remove(kind, before) or before

    def suffix(self) -> str:
        """The end of a name that the cluster makes up."""
        return "".join(self._chance.choice(_SUFFIX_LETTERS) for _ in range(5))

    def existing(self, kind: Kind, namespace: str, name: str) -> Object:
        """The object, or 404."""
        found = self.store.get(kind, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def set_status(self, kind: Kind, value: Object, status: dict[str, Any]) -> Object:
        """A controller's write of a status."""
        current = self.store.get(kind, value["metadata"].get("namespace", ""), value["metadata"]["name"])
        if current is None or current["metadata"]["uid"] != value["metadata"]["uid"]:
            return value
        if current.get("status") == status:
            return current
        return self.store.put(kind, {**current, "status": status})

    def scale(self, kind: Kind, value: Object, replicas: int, options: Options) -> Object:
        """Set `spec.replicas`, as the scale subresource does."""
        after = {**value, "spec": {**value["spec"], "replicas": replicas}}
        return self._store(kind, value, after, options, "Update", "scale")

    def _apply(
        self, kind: Kind, namespace: str, name: str, config: Object, options: Options, subresource: str
    ) -> tuple[Object, bool]:
        if options.manager == "unknown":
            raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
        metadata = config.get("metadata") or {}
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if not metadata.get("name"):
            raise bad_request("metadata.name: Required value")
        config = self._addressed(kind, namespace, config, name)
        before = self.store.get(kind, namespace, name)
        self._check_fields(kind, config, options)
        manager = Manager(options.manager, "Apply", config["apiVersion"], subresource)
        merged, owners = applied(before, config, manager, read_owners(before), force=options.force)
        # A version that is set makes the apply conditional; an object that is not there has none to compare.
        if before is not None:
            _check_version(kind, before, config)
        return self._store(kind, before, merged, options, owners=owners), before is None

    def _change(
        self, kind: Kind, before: Object, after: Object, options: Options, subresource: str
    ) -> Object:
        _check_version(kind, before, after)
        if subresource == "status":
            after = {**before, "status": after.get("status") or {}}
            return after if options.dry_run else self.store.put(kind, after)
        if "status" in kind.subresources:
            after = {**{key: part for key, part in after.items() if key != "status"}}
            if "status" in before:
                after["status"] = before["status"]
        return self._store(kind, before, after, options, "Update", subresource)

    def _store(
        self,
        kind: Kind,
        before: Object | None,
        value: Object,
        options: Options,
        operation: str = "",
        subresource: str = "",
        owners: Any = None,
    ) -> Object:
        metadata = {key: part for key, part in value["metadata"].items() if part not in ({}, [], None)}
        value = {**value, "metadata": metadata}
        if owners is None:
            self._check_fields(kind, value, options)
            manager = Manager(options.manager, operation, kind.api_version, subresource)
            owners = updated(before, value, manager, read_owners(before))
        value = self._numbered(kind, before, with_defaults(value))
        validate(kind, value, before)
        stamp = timestamp(self.now())
        value["metadata"]["managedFields"] = write_owners(owners, before, stamp)
        if before is None:
            self._admit(kind, value)
        if options.dry_run:
            return value
        metadata = value["metadata"]
        going = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if before is not None and going and kind is not POD:
            return self.store.remove(kind, before) or value
        return self.store.put(kind, value)

    def _numbered(self, kind: Kind, before: Object | None, value: Object) -> Object:
        """A copy with the metadata that the server keeps."""
        metadata = {
            key: part for key, part in value["metadata"].items() if key not in (*_SERVERS, "managedFields")
        }
        if before is None:
            metadata["uid"] = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
            metadata["creationTimestamp"] = timestamp(self.now())
            if "spec" in value:
                metadata["generation"] = 1
            if kind is SERVICE and "clusterIP" not in value["spec"]:
                address = next(self._addresses)
                value = {**value, "spec": {**value["spec"], "clusterIP": address, "clusterIPs": [address]}}
            if kind is NAMESPACE:
                value = {**value, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
            return {**value, "metadata": metadata}
        kept = {key: before["metadata"][key] for key in _SERVERS if key in before["metadata"]}
        if kind is SERVICE and "clusterIP" not in value["spec"]:
            fixed = {key: before["spec"][key] for key in ("clusterIP", "clusterIPs") if key in before["spec"]}
            value = {**value, "spec": {**value["spec"], **fixed}}
        if "generation" in kept and _bumps(kind, before, value):
            kept["generation"] += 1
        return {**value, "metadata": {**metadata, **kept}}

    def _addressed(self, kind: Kind, namespace: str, value: Object, name: str = "") -> Object:
        """Check that body and path speak of the same object, and fill in what the path says."""
        metadata = dict(value.get("metadata") or {})
        if (
            value.get("apiVersion", kind.api_version) != kind.api_version
            or value.get("kind", kind.kind) != kind.kind
        ):
            raise bad_request(
                f"the API version in the data ({value.get('apiVersion')}/{value.get('kind')}) does not match "
                f"the expected API version ({kind.api_version}/{kind.kind})"
            )
        if name and metadata.setdefault("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if kind.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if kind.namespaced and self.store.get(NAMESPACE, "", namespace) is None:
            raise not_found(NAMESPACE, namespace)
        return {**value, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}

    def _check_fields(self, kind: Kind, value: Object, options: Options) -> None:
        if options.validation == "Ignore":
            return
        unknown, wrong = check(value, kind.model)
        if wrong:
            raise bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled: {"; ".join(wrong)}'
            )
        if unknown and options.validation == "Strict":
            listed = ", ".join(f'unknown field "{field}"' for field in unknown)
            raise bad_request(f"strict decoding error: {listed}")
        for field in unknown:
            options.warn(f'unknown field "{field}"')

    def _admit(self, kind: Kind, value: Object) -> None:
        """Pod Security and quota: which Pods a namespace may have, and how many."""
        if kind is not POD:
            return
        namespace = value["metadata"]["namespace"]
        labels = (self.store.get(NAMESPACE, "", namespace) or {"metadata": {}})["metadata"].get(
            "labels"
        ) or {}
        level = labels.get(ENFORCE, "")
        if found := violations(level, value["metadata"], value["spec"]):
            raise forbidden(
                POD, value["metadata"]["name"], f'violates PodSecurity "{level}:latest": {", ".join(found)}'
            )
        for quota in self.store.list(QUOTA, namespace):
            hard = quota["spec"].get("hard") or {}
            most = hard.get("pods", hard.get("count/pods"))
            used = sum(
                1
                for pod in self.store.list(POD, namespace)
                if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
            )
            if most is not None and used + 1 > quantity(most):
                raise forbidden(
                    POD,
                    value["metadata"]["name"],
                    f"exceeded quota: {quota['metadata']['name']}, requested: pods=1, used: pods={used}, "
                    f"limited: pods={most}",
                )

    def _mark(self, kind: Kind, value: Object, grace: float) -> Object:
        """Note that an object is going; marking again never makes it stay longer."""
        metadata = value["metadata"]
        if "deletionTimestamp" in metadata and grace >= metadata["deletionGracePeriodSeconds"]:
            return value
        marks = {"deletionTimestamp": timestamp(self.now() + grace), "deletionGracePeriodSeconds": int(grace)}
        return self.store.put(kind, {**value, "metadata": {**metadata, **marks}})


def _bumps(kind: Kind, before: Object, value: Object) -> bool:
    """Whether a change gives an object its next generation; a Deployment's annotations do so, too."""
    if value.get("spec") != before.get("spec"):
        return True
    notes = [each["metadata"].get("annotations") or {} for each in (before, value)]
    return kind is DEPLOYMENT and notes[0] != notes[1]


def _check_version(kind: Kind, before: Object, after: Object) -> None:
    wanted = after["metadata"].get("resourceVersion")
    if wanted and wanted != before["metadata"]["resourceVersion"]:
        raise conflict(kind, before["metadata"]["name"], MODIFIED)


def scale_of(kind: Kind, value: Object) -> Object:
    """The `Scale` object of a Deployment or ReplicaSet."""
    metadata = value["metadata"]
    labels = (value["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            key: metadata[key]
            for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if key in metadata
        },
        "spec": {"replicas": value["spec"]["replicas"]} if value["spec"]["replicas"] else {},
        "status": {
            "replicas": (value.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={text}" for key, text in sorted(labels.items())),
        },
    }
