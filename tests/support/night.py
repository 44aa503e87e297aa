"""Staging in a running lab, for tests of its nights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.capacity.model import CapacityRecord
from lab.kube.kinds import AUTOSCALER, BUDGET, DEPLOYMENT, NODE
from lab.scenes.driver import call_url
from lab.world import Site, World
from tests.support.waiting import rounds

ENVIRONMENT = "staging"


class Night:
    """Staging in a running lab."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.site: Site = world.sites[ENVIRONMENT]
        self.env = world.catalog.environments[ENVIRONMENT]
        self.store = DynamoCapacity(
            self.client("dynamodb"), self.site.stack.outputs["TableName"], ENVIRONMENT
        )

    def client(self, service: str) -> Any:
        return self.world.clients(self.site.region)(service)

    def say(self, action: str, until: str = "2h") -> tuple[int, Any]:
        """POST a command as a person; status and answer."""
        body = {"action": action, "until": until, "reason": "a test"}
        function = f"candlefish-{ENVIRONMENT}-command-capacity"
        found = self.client("lambda").get_function_url_config(FunctionName=function, Qualifier="live")
        return call_url(
            self.world, found["FunctionUrl"], body, person="platform-lead", region=self.site.region
        )

    def until(self, done: Callable[[CapacityRecord], bool]) -> CapacityRecord:
        for _ in rounds(lambda: (record.phase, record.goal, record.notes, record.tried)):
            if done(record := self.store.get()):
                break
        return record

    def phase(self, wanted: str) -> CapacityRecord:
        return self.until(lambda record: record.phase == wanted == record.goal)

    def until_ready(self) -> None:
        for _ in rounds(lambda: "the Pods do not become ready"):
            if all(
                thing.get("status", {}).get("readyReplicas", 0) >= thing["spec"]["replicas"]
                for thing in self.site.cluster.store.list(DEPLOYMENT, self.env.namespace)
            ):
                break

    def picture(self) -> dict[str, Any]:
        """What sleep could have changed."""
        cluster, namespace = self.site.cluster, self.env.namespace
        found: dict[str, Any] = {"nodes": len(cluster.store.list(NODE))}
        for kind in (DEPLOYMENT, AUTOSCALER, BUDGET):
            for thing in cluster.store.list(kind, namespace):
                found[f"{kind.kind}/{thing['metadata']['name']}"] = thing["spec"]
        for name in self.client("eks").list_nodegroups(clusterName=self.env.cluster)["nodegroups"]:
            group = self.client("eks").describe_nodegroup(clusterName=self.env.cluster, nodegroupName=name)
            found[f"Nodegroup/{name}"] = group["nodegroup"]["scalingConfig"]
        for database in self.client("rds").describe_db_instances()["DBInstances"]:
            found[f"Database/{database['DBInstanceIdentifier']}"] = database["DBInstanceStatus"]
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]
