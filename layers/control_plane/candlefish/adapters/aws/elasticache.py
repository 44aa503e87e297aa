"""Redis replication groups and Global Datastores, asked in one region.

AWS API: DescribeReplicationGroups, DescribeGlobalReplicationGroups, DescribeEvents, TestFailover,
FailoverGlobalReplicationGroup (called in the region that is to take the role). ElastiCache does not
say which node is primary in groups with cluster mode enabled: those have no `primaries` here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.aws.words import BUSY
from candlefish.failover.facts import CacheFacts

EVENTS_MINUTES = 24 * 60
# "Failover from primary node <id> to replica node <id> completed", and what older events say without the first half.
_FAILED_OVER = re.compile(r"failover( from primary node \S+)? to replica node \S+ complete", re.IGNORECASE)
cache_call = partial(aws_call, busy=BUSY["elasticache"])


class ElastiCacheCaches:
    """`failover.ports.Caches` in one region."""

    def __init__(self, region: str, elasticache: Any) -> None:
        self.region = region
        self._client = elasticache

    def read(self, group: str, datastore: str) -> CacheFacts:
        whole = self._datastore(datastore) if datastore else None
        members = {m["ReplicationGroupRegion"]: m for m in (whole or {}).get("Members", [])}
        mine = members.get(self.region, {}).get("ReplicationGroupId", group)
        with cache_call(f"reading replication group {mine} in {self.region}"):
            found = self._client.describe_replication_groups(ReplicationGroupId=mine)["ReplicationGroups"][0]
            events = self._client.describe_events(
                SourceType="replication-group", SourceIdentifier=mine, Duration=EVENTS_MINUTES
            )["Events"]
        primaries = {}
        for shard in found.get("NodeGroups", []):
            for node in shard.get("NodeGroupMembers", []):
                if node.get("CurrentRole") == "primary":
                    primaries[shard["NodeGroupId"]] = (
                        node["CacheClusterId"],
                        node.get("PreferredAvailabilityZone", ""),
                    )
        return CacheFacts(
            name="",
            group=mine,
            status=found["Status"],
            automatic_failover=found.get("AutomaticFailover") == "enabled",
            members=len(found.get("MemberClusters", [])),
            primaries=primaries,
            address=_address(found),
            failed_over_at=_failed_over(events),
            datastore=datastore,
            datastore_status=(whole or {}).get("Status", ""),
            global_primary=next((r for r, m in members.items() if m.get("Role") == "PRIMARY"), ""),
            regions={r: (m["ReplicationGroupId"], m.get("Status", "")) for r, m in members.items()},
        )

    def _datastore(self, datastore: str) -> Mapping[str, Any]:
        with cache_call(f"reading Global Datastore {datastore} in {self.region}"):
            found = self._client.describe_global_replication_groups(
                GlobalReplicationGroupId=datastore, ShowMemberInfo=True
            )
        whole: Mapping[str, Any] = found["GlobalReplicationGroups"][0]
        return whole

    def fail_over(self, group: str, node_group: str) -> None:
        with cache_call(f"failing over node group {node_group} of {group} in {self.region}"):
            self._client.test_failover(ReplicationGroupId=group, NodeGroupId=node_group)

    def promote(self, datastore: str, region: str, group: str) -> None:
        with cache_call(f"making {region} the primary of {datastore}"):
            self._client.failover_global_replication_group(
                GlobalReplicationGroupId=datastore, PrimaryRegion=region, PrimaryReplicationGroupId=group
            )


def _address(found: Mapping[str, Any]) -> str:
    shards = found.get("NodeGroups") or [{}]
    endpoint = found.get("ConfigurationEndpoint") or shards[0].get("PrimaryEndpoint") or {}
    return str(endpoint.get("Address", ""))


def _failed_over(events: list[Mapping[str, Any]]) -> float:
    done = [e["Date"].timestamp() for e in events if _FAILED_OVER.search(e.get("Message", ""))]
    return max(done, default=0.0)
