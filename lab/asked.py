"""What functions ask AWS for, as IAM sees it: an action on a resource, beside what the caller's role says.

The check of roles reads it (tools/permissions.py). Which resources an action names:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from lab.functions import Spec
from lab.moto import ACCOUNT

# botocore's names of services -> the prefixes of IAM.
PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "stepfunctions": "states",
    "resourcegroupstaggingapi": "tag",
}
# Operations whose permission is called otherwise.
OPERATIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "s3:HeadObject": "s3:GetObject",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
}
# What the path of a request names.
PATHS = {
    "lambda": re.compile(r"/functions/(?P<FunctionName>[^/]+)"),
    "eks": re.compile(r"/clusters/(?P<cluster>[^/]+)(?:/node-groups/(?P<nodegroup>[^/]+))?"),
    "route53": re.compile(r"/(?P<zone>hostedzone/[^/]+)"),
    "s3": re.compile(r"/(?P<object>.+)"),
}
# Parameter -> the resource that it names; a parameter may hold the whole ARN as well.
NAMED = {
    "dynamodb": {"TableName": "table/{}"},
    "lambda": {"FunctionName": "function:{}"},
    "eks": {"nodegroup": "nodegroup/{cluster}/{}/0", "cluster": "cluster/{}"},
    "route53": {"zone": "arn:aws:route53:::{}"},
    "s3": {"object": "arn:aws:s3:::{}"},
    "elasticloadbalancing": {
        "RuleArn": "{}",
        "ListenerArn": "{}",
        "TargetGroupArn": "{}",
        "LoadBalancerArn": "{}",
        "Name": "targetgroup/{}/0",
    },
    "events": {"EventBusName": "event-bus/{}"},
    "states": {"stateMachineArn": "{}", "executionArn": "{}", "resourceArn": "{}"},
    "sns": {"TopicArn": "{}"},
    "sqs": {"QueueUrl": "{}"},
    "secretsmanager": {"SecretId": "secret:{}-AbCdEf"},
    "cloudwatch": {"AlarmName": "alarm:{}", "AlarmNames": "alarm:{}"},
    "rds": {
        "DBInstanceIdentifier": "db:{}",
        "SourceDBInstanceIdentifier": "db:{}",
        "DBSnapshotIdentifier": "snapshot:{}",
        "DBSubnetGroupName": "subgrp:{}",
        "DBParameterGroupName": "pg:{}",
    },
    "elasticache": {
        "ReplicationGroupId": "replicationgroup:{}",
        "GlobalReplicationGroupId": f"arn:aws:elasticache::{ACCOUNT}:globalreplicationgroup:{{}}",
    },
}
# These look for what they name, and may find anything.
LOOKS = re.compile(r"(elasticloadbalancing|elasticache|rds):Describe|cloudwatch:DescribeAlarms")


def asked(
    service: str, operation: str, region: str, path: str, query: str, body: Callable[[], bytes]
) -> Iterator[tuple[str, str]]:
    """Action and ARN of everything that a request needs a permission for; `*` where it names nothing."""
    prefix = PREFIXES.get(service, service)
    action = OPERATIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
    patterns = NAMED.get(prefix, {})
    if prefix in PATHS:
        match = PATHS[prefix].search(path)
        parts = {name: unquote(value) for name, value in match.groupdict().items() if value} if match else {}
        # The narrowest that the path names: a group of nodes before its cluster.
        pairs = [(name, parts[name]) for name in patterns if name in parts][:1]
    else:
        parts, pairs = {}, list(_parameters(query, body()))
    found = {_arn(prefix, region, patterns[n].format(v, **parts), v) for n, v in pairs if n in patterns}
    for arn in {"*"} if LOOKS.match(action) else found or {"*"}:
        yield action, arn


def _arn(prefix: str, region: str, rest: str, value: str) -> str:
    if value.startswith("arn:"):
        return value
    if rest.startswith("arn:"):
        return rest
    # A queue is named by its URL.
    return f"arn:aws:{prefix}:{region}:{ACCOUNT}:{rest.rsplit('/', 1)[-1] if '://' in rest else rest}"


def _parameters(query: str, body: bytes) -> Iterator[tuple[str, str]]:
    """The parameters that are texts: in JSON however deep, in a query those of the request itself."""
    if body.startswith(b"{"):
        yield from _texts(json.loads(body))
    else:
        yield from parse_qsl(f"{query}&{body.decode()}")


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, name)
    elif isinstance(value, dict):
        for key, each in value.items():
            # Its keys are tables.
            if name == "RequestItems":
                yield "TableName", key
            else:
                yield from _texts(each, key)


class Witness:
    """Remembers what each function asked for."""

    def __init__(self, function_of: Callable[[str], Spec | None]) -> None:
        self._function_of = function_of
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)

    def see(
        self,
        access_key: str,
        service: str,
        operation: str,
        region: str,
        path: str,
        query: str,
        body: Callable[[], bytes],
    ) -> None:
        """Note a request, if a function signed it."""
        spec = self._function_of(access_key)
        if spec is None:
            return
        seen = set(asked(service, operation, region, path, query, body))
        with self._lock:
            self._asked[spec.name, spec.region] |= seen

    def leave(self, directory: Path, role_of: Callable[[str, str], tuple[str, list[Any]]]) -> None:
        """Write what was seen; `role_of` gives the ARN and the statements of a function's role, or nothing."""
        directory.mkdir(parents=True, exist_ok=True)
        rows = []
        with self._lock:
            for (function, region), seen in sorted(self._asked.items()):
                role, statements = role_of(function, region)
                if not role:
                    # It was deleted while the lab ran.
                    continue
                rows.append(
                    {
                        "function": function,
                        "region": region,
                        "role": role,
                        "statements": statements,
                        "asked": sorted(seen),
                    }
                )
        (directory / f"{uuid.uuid4().hex}.json").write_text(json.dumps(rows))
