"""Staging in a running lab, for tests of its nights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3 import request as http

from candlefish.adapters.table.capacity import DynamoCapacity
from candlefish.capacity.model import CapacityRecord
from lab.kube.kinds import AUTOSCALER, BUDGET, DEPLOYMENT, NODE
from lab.world import Site, World
from tests.support.waiting import PATIENCE, rounds

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
        keys = self.world.people["platform-lead"]
        function = f"candlefish-{ENVIRONMENT}-command-capacity"
        url = self.client("lambda").get_function_url_config(FunctionName=function)["FunctionUrl"]
        body = json.dumps({"action": action, "until": until, "reason": "a test"})
        signed = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
        SigV4Auth(Credentials(keys.access_key, keys.secret), "lambda", self.site.region).add_auth(signed)
        answer = http("POST", url, body=body, headers=dict(signed.headers.items()), timeout=PATIENCE)
        return answer.status, json.loads(answer.data)

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
