"""An environment in simulated time: workloads, nodes and databases that take as long as real ones.

Pure Python and no waiting: a week passes in seconds. It implements the ports of `candlefish.capacity`,
so the real use cases run against it; what it imitates is listed in docs/capacity.md.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.infra import nodegroup_stays, observed_database, observed_nodegroup
from candlefish.capacity.kinds import KINDS, key_of
from candlefish.capacity.model import CapacitySight
from candlefish.capacity.scope import (
    NODEGROUP_LABEL,
    NODEPOOL_LABEL,
    ClusterLists,
    kept_nodes,
    see,
    stays_awake,
)
from candlefish.errors import Unavailable

# How long things take, in seconds: as measured by others on EKS and RDS, rounded.
POD_SECONDS, NODE_SECONDS, STOP_SECONDS, START_SECONDS = 40.0, 180.0, 300.0, 420.0
WEEK = 7 * 86400.0
OURS = "candlefish-control-plane"

Object = dict[str, Any]


class Died(Exception):
    """The function's process is gone; whatever it was about to do next did not happen."""


class SimulatedWorld:
    """`capacity.ports.CapacityWorld`. `clock` tells the time; `before` and `after` may raise around each act."""

    def __init__(self, clock: Callable[[], float], namespace: str) -> None:
        self.clock = clock
        self.namespace = namespace
        self.objects: dict[str, dict[str, Object]] = {name: {} for name in KINDS if KINDS[name].in_cluster}
        self.nodegroups: dict[str, Object] = {}
        self.databases: dict[str, Object] = {}
        self.applications: list[Object] = []
        self.acts: list[CapacityAct] = []
        self.before: Callable[[CapacityAct], None] = lambda act: None
        self.after: Callable[[CapacityAct], None] = lambda act: None
        # How many of the next updates of a nodegroup end as failed.
        self.failing: dict[str, int] = {}
        # Deployments that a GitOps controller puts back: key -> replicas.
        self.healed: dict[str, int] = {}
        self._version = 0
        self._effects: list[tuple[float, Callable[[], None]]] = []

    # --- filling it ---------------------------------------------------------------------------

    def add(self, kind: str, name: str, spec: Object, **metadata: Any) -> Object:
        """Add an object of the cluster, up and ready."""
        namespaced = KINDS[kind].namespaced
        namespace = metadata.pop("namespace", self.namespace)
        thing: Object = {
            "kind": kind,
            "metadata": {
                "name": name,
                "generation": 1,
                **({"namespace": namespace} if namespaced else {}),
                **metadata,
            },
            "spec": spec,
        }
        if "replicas" in spec:
            count = spec["replicas"]
            thing["status"] = {"replicas": count, "readyReplicas": count, "observedGeneration": 1}
        self._stamp(thing, "helm", spec)
        self.objects[kind][f"{namespace}/{name}" if namespaced else name] = thing
        return thing

    def add_nodegroup(self, name: str, minimum: int, desired: int, maximum: int) -> None:
        self.nodegroups[name] = {
            "nodegroupName": name,
            "status": "ACTIVE",
            "scalingConfig": {"minSize": minimum, "desiredSize": desired, "maxSize": maximum},
            "nodes": desired,
        }

    def add_database(self, name: str, status: str = "available") -> None:
        self.databases[name] = {"status": status, "since": self.clock()}

    def edit(self, key: str, fragment: Object, by: str = "kubectl-edit") -> None:
        """Somebody else changes an object of the cluster."""
        self._tick()
        kind, _, name = key.partition("/")
        self._patch(self.objects[kind][name], fragment, by)

    # --- the port -----------------------------------------------------------------------------

    def observe(self) -> CapacitySight:
        self._tick()
        nodes = list(self._nodes())
        lists = ClusterLists(
            {name: list(things.values()) for name, things in self.objects.items()},
            nodes,
            list(self._claims()),
            list(self._pods()),
            self.applications,
        )
        sight = see(lists, self.namespace)
        kept = kept_nodes(lists, stays_awake(lists, self.namespace))
        things, left = dict(sight.things), dict(sight.left_alone)
        for name, group in self.nodegroups.items():
            things[key_of("Nodegroup", name)] = observed_nodegroup(group, nodes)
            if why := nodegroup_stays(group, kept):
                left[key_of("Nodegroup", name)] = why
        for name, database in self.databases.items():
            things[key_of("Database", name)] = observed_database(database["status"])
        return CapacitySight(things, left, sight.warnings)

    def apply(self, act: CapacityAct) -> None:
        self._tick()
        self.before(act)
        self.acts.append(act)
        kind, _, name = act.key.partition("/")
        if kind == "Nodegroup":
            self._update_nodegroup(name, act.to)
        elif kind == "Database":
            self._set_database(name, act.to["status"])
        else:
            thing = self.objects[kind][name]
            if act.version and thing["metadata"]["resourceVersion"] != act.version:
                raise Unavailable(f"{act.key} was changed meanwhile; looking again")
            self._patch(thing, act.to, OURS)
        self.after(act)

    # --- how it moves -------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.clock()
        due = sorted((each for each in self._effects if each[0] <= now), key=lambda each: each[0])
        self._effects = [each for each in self._effects if each[0] > now]
        for _, effect in due:
            effect()
        if due:
            self._tick()
            return
        for name, database in self.databases.items():
            if database["status"] == "stopped" and now - database["since"] >= WEEK:
                self._set_database(name, "available")
        for key, replicas in self.healed.items():
            kind, _, name = key.partition("/")
            if self.objects[kind][name]["spec"]["replicas"] != replicas:
                self._patch(
                    self.objects[kind][name],
                    {"spec": {"replicas": replicas}},
                    "argocd-application-controller",
                )

    def _later(self, seconds: float, effect: Callable[[], None]) -> None:
        self._effects.append((self.clock() + seconds, effect))

    def _update_nodegroup(self, name: str, scaling: Object) -> None:
        group = self.nodegroups[name]
        if group["status"] == "UPDATING":
            raise Unavailable(f"nodegroup {name} is being updated")
        before = dict(group["scalingConfig"])
        group.update(status="UPDATING", scalingConfig=dict(scaling), health={})

        def finish() -> None:
            group["status"] = "ACTIVE"
            if self.failing.get(name, 0) > 0:
                self.failing[name] -= 1
                group["scalingConfig"] = before
                group["health"] = {
                    "issues": [{"code": "AsgInstanceLaunchFailures", "message": "no capacity"}]
                }
            else:
                group["nodes"] = scaling["desiredSize"]

        self._later(NODE_SECONDS, finish)

    def _set_database(self, name: str, status: str) -> None:
        database = self.databases[name]
        allowed = {"stopped": "available", "available": "stopped"}[status]
        if database["status"] != allowed:
            raise Unavailable(f"database {name} is {database['status']}")
        seconds = STOP_SECONDS if status == "stopped" else START_SECONDS
        database.update(status="stopping" if status == "stopped" else "starting")
        self._later(seconds, lambda: database.update(status=status, since=self.clock()))

    def _patch(self, thing: Object, fragment: Object, by: str) -> None:
        before = copy.deepcopy(thing["spec"])
        _merge(thing, copy.deepcopy(fragment))
        _prune(thing)
        if thing["spec"] != before:
            thing["metadata"]["generation"] += 1
        self._stamp(thing, by, fragment)
        if "replicas" in thing["spec"] and thing["spec"] != before:
            generation, count = thing["metadata"]["generation"], thing["spec"]["replicas"]

            def follow() -> None:
                if thing["metadata"]["generation"] == generation:
                    ready = count if self._room() else 0
                    thing["status"] = {
                        "replicas": count,
                        "readyReplicas": ready,
                        "observedGeneration": generation,
                    }
                    if not ready and count:
                        self._later(POD_SECONDS, follow)

            self._later(POD_SECONDS, follow)

    def _stamp(self, thing: Object, by: str, fragment: Object) -> None:
        self._version += 1
        metadata = thing["metadata"]
        metadata["resourceVersion"] = str(self._version)
        others = [entry for entry in metadata.get("managedFields", ()) if entry["manager"] != by]
        entry = {
            "manager": by,
            "time": f"{self._version:020d}",
            "fieldsV1": _field_names({"spec": fragment.get("spec", fragment)}),
        }
        metadata["managedFields"] = [*others, entry]

    def _room(self) -> bool:
        return not self.nodegroups or any(group["nodes"] for group in self.nodegroups.values())

    def _nodes(self) -> Iterator[Object]:
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        for name, group in self.nodegroups.items():
            for number in range(group["nodes"]):
                yield {
                    "metadata": {"name": f"{name}-{number}", "labels": {NODEGROUP_LABEL: name}},
                    "status": ready,
                }

    def _claims(self) -> Iterator[Object]:
        for name, pool in self.objects["NodePool"].items():
            limits = pool["spec"].get("limits") or {}
            if limits.get("cpu") != "0":
                yield {"metadata": {"name": f"{name}-1", "labels": {NODEPOOL_LABEL: name}}}

    def _pods(self) -> Iterator[Object]:
        hosts = [node["metadata"]["name"] for node in self._nodes()]
        for kind in ("Deployment", "StatefulSet"):
            for thing in self.objects[kind].values():
                labels = (thing["spec"].get("template") or {}).get("metadata", {}).get("labels", {})
                for number in range(thing["status"]["readyReplicas"]):
                    if hosts:
                        yield {
                            "metadata": {"namespace": thing["metadata"]["namespace"], "labels": labels},
                            "spec": {"nodeName": hosts[number % len(hosts)]},
                        }

    # --- looking at it ------------------------------------------------------------------------

    def picture(self) -> str:
        """Everything that sleep could have changed, in one canonical text: equal pictures, equal worlds."""
        self._tick()
        everything = copy.deepcopy(
            {
                "objects": self.objects,
                "nodegroups": self.nodegroups,
                "databases": {name: each["status"] for name, each in self.databases.items()},
            }
        )
        for things in everything["objects"].values():
            for thing in things.values():
                for field in ("resourceVersion", "generation", "managedFields"):
                    thing["metadata"].pop(field, None)
                thing.get("status", {}).pop("observedGeneration", None)
        for group in everything["nodegroups"].values():
            group.pop("health", None)
        return json.dumps(everything, sort_keys=True, indent=1)


def _merge(target: Object, patch: Object) -> None:
    """RFC 7396."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(name), dict):
                target[name] = {}
            _merge(target[name], value)
        else:
            target[name] = value


def _prune(thing: Object) -> None:
    """The API server keeps no empty maps in metadata."""
    for name in ("annotations", "labels"):
        if thing["metadata"].get(name) == {}:
            del thing["metadata"][name]


def _field_names(value: Any) -> Object:
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": _field_names(inner) for name, inner in value.items()}
