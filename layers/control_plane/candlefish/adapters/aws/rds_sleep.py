"""Stopping and starting the databases that the catalog names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.rds_failover import MISSING, rds_call
from candlefish.adapters.aws.refusals import code_of
from candlefish.catalog.model import Database


class SleepingDatabases:
    """RDS instances and Aurora clusters of one environment."""

    def __init__(self, client: Any, databases: Iterable[Database]) -> None:
        self._client = client
        self._databases = tuple(databases)

    def instances(self) -> Iterator[dict[str, Any]]:
        """DescribeDBInstances of each catalogued instance that there is."""
        for name in (each.identifier for each in self._databases if each.kind == "rds"):
            found = self._describe("describe_db_instances", "DBInstanceIdentifier", name)
            if found:
                yield found["DBInstances"][0]

    def clusters(self) -> Iterator[dict[str, Any]]:
        """DescribeDBClusters of each catalogued Aurora cluster that there is."""
        for name in (each.identifier for each in self._databases if each.kind == "aurora"):
            found = self._describe("describe_db_clusters", "DBClusterIdentifier", name)
            if found:
                yield found["DBClusters"][0]

    def _describe(self, call: str, field: str, name: str) -> dict[str, Any]:
        with rds_call(f"describing database {name}"):
            try:
                answer: dict[str, Any] = getattr(self._client, call)(**{field: name})
            except ClientError as error:
                if code_of(error) not in MISSING:
                    raise
                return {}
        return answer

    def set(self, kind: str, name: str, status: str) -> None:
        """Stop (`stopped`) or start (`available`) an instance (`Database`) or cluster (`DatabaseCluster`).

        Raises
        ------
        Unavailable
            It is not in a state to be stopped or started: look again.
        """
        verb = "stop" if status == "stopped" else "start"
        thing, field = (
            ("db_cluster", "DBClusterIdentifier")
            if kind == "DatabaseCluster"
            else ("db_instance", "DBInstanceIdentifier")
        )
        with rds_call(f"{verb} database {name}"):
            getattr(self._client, f"{verb}_{thing}")(**{field: name})
