"""What roles are used for, as IAM sees it: actions on resources, beside what the role allows.

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

import msgspec

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
        "ResourceArns": "{}",
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
# How the query protocol spells an entry of a list: `ResourceArns.member.1`.
_MEMBER = re.compile(r"\.member\.\d+$")
# These look for what they name, and may find anything.
LOOKS = re.compile(r"(elasticloadbalancing|elasticache|rds):Describe|cloudwatch:DescribeAlarms")


class Ask(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """An action on a resource (an ARN, or `*` where the request names none).

    `leading_key` is what kind of item of a DynamoDB table it is, like `release#x`.
    """

    action: str
    resource: str
    leading_key: str = ""


def asked(
    service: str, operation: str, region: str, path: str, query: str, body: Callable[[], bytes]
) -> Iterator[Ask]:
    """Everything that a request needs a permission for."""
    prefix = PREFIXES.get(service, service)
    action = OPERATIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
    patterns, key = NAMED.get(prefix, {}), ""
    if prefix in PATHS:
        match = PATHS[prefix].search(path)
        parts = {name: unquote(value) for name, value in match.groupdict().items() if value} if match else {}
        # The narrowest that the path names: a group of nodes before its cluster.
        pairs = [(name, parts[name]) for name in patterns if name in parts][:1]
    else:
        data = body()
        parts, pairs = {}, list(_parameters(query, data))
        if prefix == "dynamodb":
            key = _leading_key(json.loads(data))
    found = {_arn(prefix, region, patterns[n].format(v, **parts), v) for n, v in pairs if n in patterns}
    for arn in {"*"} if LOOKS.match(action) else found or {"*"}:
        yield Ask(action, arn, key)


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
        for name, value in parse_qsl(f"{query}&{body.decode()}"):
            yield _MEMBER.sub("", name), value


def _leading_key(request: dict[str, Any]) -> str:
    """The partition key of a request for one item or of a query, without what tells it from others of its kind."""
    values = request.get("Key") or request.get("Item") or request.get("ExpressionAttributeValues") or {}
    key = (values.get("pk") or values.get(":pk") or {}).get("S", "")
    kind, mark, _ = key.partition("#")
    return f"{kind}#x" if mark else kind


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


class Session(msgspec.Struct, frozen=True):
    """Whoever took a role: its name (a function's is the function's), the role's ARN and statements."""

    name: str
    role: str
    statements: list[dict[str, Any]]


class Seen(Session, frozen=True):
    """What a session asked for: actions on resources."""

    asked: list[Ask]


class Witness:
    """Remembers what was asked for with each access key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, set[Ask]] = defaultdict(set)

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
        """Note a request."""
        seen = set(asked(service, operation, region, path, query, body))
        with self._lock:
            self._asked[access_key] |= seen

    def leave(self, directory: Path, session_of: Callable[[str], Session | None]) -> None:
        """Write what roles were used for; `session_of` gives the session of an access key, if it is one."""
        directory.mkdir(parents=True, exist_ok=True)
        together: dict[tuple[str, str], Seen] = {}
        for key, pairs in self._asked.items():
            if session := session_of(key):
                known = together.get((session.name, session.role))
                pairs = pairs | set(known.asked if known else ())
                together[session.name, session.role] = Seen(
                    session.name, session.role, session.statements, sorted(pairs)
                )
        (directory / f"{uuid.uuid4().hex}.json").write_bytes(msgspec.json.encode(list(together.values())))
