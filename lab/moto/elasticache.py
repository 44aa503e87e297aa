"""ElastiCache: failovers that take time and change zone, events, and Global Datastores.

moto knows neither TestFailover nor DescribeEvents nor anything of global replication groups.
Not imitated: resharding, and that a Global Datastore needs certain node types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.elasticache.models import ElastiCacheBackend, elasticache_backends
from moto.elasticache.responses import ElastiCacheResponse

from lab.moto import replace
from lab.moto.timeline import Timeline

# Seconds on AWS.
NODE_FAILOVER, GLOBAL_FAILOVER = 45, 60
# https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_TestFailover.html
TESTS_A_DAY = 15


class _Refused(ServiceException):
    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class ElastiCache:
    """The behaviour; `install` puts it into moto."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.datastores: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.tests = 0

    def install(self) -> None:
        """Put it in moto's place."""
        original = ElastiCacheBackend.describe_replication_groups

        def describe(backend: ElastiCacheBackend, *args: Any, **kwargs: Any) -> Any:
            self.timeline.settle()
            return original(backend, *args, **kwargs)

        replace(ElastiCacheBackend, "describe_replication_groups", describe)
        for name, action in (
            ("test_failover", self._test_failover),
            ("describe_events", self._describe_events),
            ("create_global_replication_group", self._create_global),
            ("describe_global_replication_groups", self._describe_global),
            ("failover_global_replication_group", self._fail_over_global),
        ):
            setattr(ElastiCacheResponse, name, _bound(action))

    # --- one group ---------------------------------------------------------------------------

    def _test_failover(self, response: ElastiCacheResponse) -> ActionResult:
        self.timeline.settle()
        group = _group(response, response._get_param("ReplicationGroupId"))
        shard = next(
            (s for s in group.node_groups if s["node_group_id"] == response._get_param("NodeGroupId")), None
        )
        if shard is None:
            raise _Refused("NodeGroupNotFoundFault", "the node group does not exist")
        if group.automatic_failover != "enabled":
            raise _Refused("InvalidReplicationGroupState", "Automatic failover is not enabled.")
        if group.status != "available":
            raise _Refused("InvalidReplicationGroupState", f"{group.replication_group_id} is {group.status}")
        if self.tests >= TESTS_A_DAY:
            raise _Refused("APICallRateForCustomerExceededFault", f"{TESTS_A_DAY} node groups a day")
        self.tests += 1
        group.status = "modifying"
        name = group.replication_group_id
        self._tell(name, f"Test Failover API called for node group {shard['node_group_id']}")

        def done() -> None:
            members = shard["node_group_members"]
            old = next(m for m in members if m["current_role"] == "primary")
            new = next(m for m in members if m["current_role"] == "replica")
            old["current_role"], new["current_role"] = "replica", "primary"
            group.status = "available"
            nodes = f"from primary node {old['cache_cluster_id']} to replica node {new['cache_cluster_id']}"
            self._tell(name, f"Failover {nodes} completed")

        self.timeline.later(NODE_FAILOVER, done)
        return ActionResult({"ReplicationGroup": group})

    def _tell(self, group: str, message: str) -> None:
        event = {
            "SourceIdentifier": group,
            "SourceType": "replication-group",
            "Message": message,
            "Date": utcnow(),
        }
        self.events.append((group, event))

    def _describe_events(self, response: ElastiCacheResponse) -> ActionResult:
        self.timeline.settle()
        wanted = response._get_param("SourceIdentifier")
        return ActionResult({"Events": [event for name, event in self.events if wanted in (None, name)]})

    # --- Global Datastores -------------------------------------------------------------------

    def _create_global(self, response: ElastiCacheResponse) -> ActionResult:
        group = _group(response, response._get_param("PrimaryReplicationGroupId"))
        name = f"ldgnf-{response._get_param('GlobalReplicationGroupIdSuffix')}"
        member = {"group": group, "region": response.region, "role": "PRIMARY", "status": "associated"}
        self.datastores[name] = {"status": "available", "members": [member]}
        return ActionResult({"GlobalReplicationGroup": self._shown(name)})

    def join(self, datastore: str, region: str, group: str, account: str) -> None:
        """Make an existing group of another region a secondary (CreateReplicationGroup with a datastore)."""
        found = elasticache_backends[account][region].replication_groups[group]
        self.datastores[datastore]["members"].append(
            {"group": found, "region": region, "role": "SECONDARY", "status": "associated"}
        )

    def _describe_global(self, response: ElastiCacheResponse) -> ActionResult:
        self.timeline.settle()
        name = response._get_param("GlobalReplicationGroupId")
        if name is not None and name not in self.datastores:
            raise _Refused("GlobalReplicationGroupNotFoundFault", f"{name} does not exist")
        names = [name] if name else list(self.datastores)
        return ActionResult({"GlobalReplicationGroups": [self._shown(each) for each in names]})

    def _fail_over_global(self, response: ElastiCacheResponse) -> ActionResult:
        self.timeline.settle()
        name = response._get_param("GlobalReplicationGroupId")
        region = response._get_param("PrimaryRegion")
        store = self.datastores[name]
        if store["status"] != "available":
            raise _Refused("InvalidGlobalReplicationGroupState", f"{name} is {store['status']}")
        if all(m["region"] != region or m["role"] == "PRIMARY" for m in store["members"]):
            raise _Refused("InvalidParameterValue", f"{name} has no secondary in {region}")
        store["status"] = "modifying"

        def done() -> None:
            store["status"] = "available"
            for member in store["members"]:
                member["role"] = "PRIMARY" if member["region"] == region else "SECONDARY"

        self.timeline.later(GLOBAL_FAILOVER, done)
        return ActionResult({"GlobalReplicationGroup": self._shown(name)})

    def _shown(self, name: str) -> dict[str, Any]:
        store = self.datastores[name]
        members = [
            {
                "ReplicationGroupId": m["group"].replication_group_id,
                "ReplicationGroupRegion": m["region"],
                "Role": m["role"],
                "Status": m["status"],
            }
            for m in store["members"]
        ]
        return {"GlobalReplicationGroupId": name, "Status": store["status"], "Members": members}


def _bound(
    action: Callable[[ElastiCacheResponse], ActionResult],
) -> Callable[[ElastiCacheResponse], ActionResult]:
    def method(response: ElastiCacheResponse) -> ActionResult:
        return action(response)

    return method


def _group(response: ElastiCacheResponse, name: str) -> Any:
    return response.elasticache_backend.describe_replication_groups(name)[0]
