"""An environment as a whole: its cluster, its nodegroups and its databases, each behind a port of its own."""

from __future__ import annotations

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.infra import (
    cluster_stays,
    instance_stays,
    nodegroup_stays,
    observed_database,
    observed_nodegroup,
)
from candlefish.capacity.kinds import key_of, kind_of, same_fragment
from candlefish.capacity.model import CapacitySight
from candlefish.capacity.ports import ClusterWorkloads, ManagedNodegroups, StoppableDatabases
from candlefish.capacity.scope import kept_nodes, see, stays_awake


class WholeEnvironment:
    """`capacity.ports.CapacityWorld`: observes all three or nothing, and hands each act to whom it concerns."""

    def __init__(
        self,
        workloads: ClusterWorkloads,
        nodegroups: ManagedNodegroups,
        databases: StoppableDatabases,
        namespace: str,
        environment: str,
    ) -> None:
        self._workloads = workloads
        self._nodegroups = nodegroups
        self._databases = databases
        self._namespace = namespace
        self._environment = environment

    def observe(self) -> CapacitySight:
        lists = self._workloads.lists()
        sight = see(lists, self._namespace)
        kept = kept_nodes(lists, stays_awake(lists, self._namespace))
        things, left = dict(sight.things), dict(sight.left_alone)
        for group in self._nodegroups.describe():
            key = key_of("Nodegroup", group["nodegroupName"])
            things[key] = observed_nodegroup(group, lists.nodes)
            if why := nodegroup_stays(group, kept, self._environment):
                left[key] = why
        for instance in self._databases.instances():
            key = key_of("Database", instance["DBInstanceIdentifier"])
            things[key] = observed_database(instance["DBInstanceStatus"])
            if why := instance_stays(instance):
                left[key] = why
        for cluster in self._databases.clusters():
            key = key_of("DatabaseCluster", cluster["DBClusterIdentifier"])
            things[key] = observed_database(cluster["Status"])
            if why := cluster_stays(cluster):
                left[key] = why
        return CapacitySight(things, left, sight.warnings)

    def apply(self, act: CapacityAct) -> None:
        kind = kind_of(act.key)
        name = act.key.partition("/")[2]
        if kind.name == "Nodegroup":
            self._nodegroups.scale(name, act.to)
        elif kind.name.startswith("Database"):
            self._databases.set(kind.name, name, act.to["status"])
        else:
            self._workloads.set(kind, name, act.to, act.version)
            if kind.name == "NodePool" and same_fragment(kind, act.to, kind.park(act.to)):
                self._workloads.remove_nodes(name)
