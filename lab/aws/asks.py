"""What a request needs permissions for, as IAM sees it: actions on resources, with the values that conditions ask for.

One call may need several: making something with tags needs the right to tag, a password that RDS keeps needs rights in
Secrets Manager and KMS. Which resources and keys an action has:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

import msgspec
from botocore.parsers import RpcV2CBORParser

from lab.iam.policies import Ask, Context
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
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
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
        "DBClusterIdentifier": "cluster:{}",
        "GlobalClusterIdentifier": f"arn:aws:rds::{ACCOUNT}:global-cluster:{{}}",
        "DBSnapshotIdentifier": "snapshot:{}",
        "DBSubnetGroupName": "subgrp:{}",
        "DBParameterGroupName": "pg:{}",
        "ResourceName": "{}",
    },
    "elasticache": {
        "ReplicationGroupId": "replicationgroup:{}",
        "GlobalReplicationGroupId": f"arn:aws:elasticache::{ACCOUNT}:globalreplicationgroup:{{}}",
    },
    "kms": {"KeyId": "key/{}"},
}
# These look for what they name, and may find anything: a kind of resource, or nothing that IAM could tell apart.
LOOKS = {
    "cloudwatch:DescribeAlarms": "alarm:*",
    "rds:DescribeDBInstances": "db:*",
    "rds:DescribeDBClusters": "cluster:*",
    "rds:DescribeDBSnapshots": "snapshot:*",
    "rds:DescribeDBClusterSnapshots": "cluster-snapshot:*",
    "rds:DescribeDBInstanceAutomatedBackups": "auto-backup:*",
    "elasticache:DescribeReplicationGroups": "replicationgroup:*",
    "elasticache:DescribeSnapshots": "snapshot:*",
}
_LOOKS = re.compile(
    r"(elasticloadbalancing|elasticache|rds):Describe|cloudwatch:(DescribeAlarms|GetMetricData)"
)
# Each item of a DynamoDB transaction is asked for by itself, as what is done to it, says "Using IAM with DynamoDB
# transactions" of its developer guide.
TRANSACTED = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
# What answers nothing about a resource.
NOWHERE = frozenset({"states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"})
# AWS asks nobody for a permission.
FREE = frozenset({"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"})
# How the query protocol spells an entry of a list: `ResourceArns.member.1`.
_MEMBER = re.compile(r"\.(?:member|[A-Z]\w*)\.\d+$")
_TAG = re.compile(r"Tags\.\w+\.(\d+)\.(Key|Value)|TagKeys\.\w+\.\d+")


class Request(msgspec.Struct, frozen=True):
    """A request as it came in. `body` reads it when somebody asks."""

    service: str
    operation: str
    region: str
    path: str
    query: str
    body: Callable[[], bytes]
    content_type: str = ""

    @property
    def action(self) -> str:
        prefix = PREFIXES.get(self.service, self.service)
        return OPERATIONS.get(f"{prefix}:{self.operation}", f"{prefix}:{self.operation}")

    def parameters(self) -> Mapping[str, Any]:
        """The parameters of the call; of the query protocol what is no list or structure, each a list of values."""
        data = self.body()
        if "cbor" in self.content_type:
            parser = RpcV2CBORParser()
            stream = parser.get_peekable_stream_from_bytes(data)
            decoded: dict[str, Any] = parser.parse_data_item(stream) if data else {}
            return decoded
        if data.startswith(b"{"):
            loaded: dict[str, Any] = json.loads(data)
            return loaded
        if self.service == "s3":
            return {}
        found: dict[str, list[str]] = {}
        tags: dict[str, dict[str, str]] = {}
        for name, value in parse_qsl(f"{self.query}&{data.decode('utf-8', 'replace')}"):
            if match := _TAG.fullmatch(name):
                tags.setdefault(match[1] or name, {})[match[2] or "Key"] = value
            else:
                found.setdefault(_MEMBER.sub("", name), []).append(value)
        return found | {"Tags": list(tags.values())} if tags else found


def asked(request: Request) -> Iterator[Ask]:
    """Everything that a request needs a permission for, but for what only the resource tells (`lab.aws.authority`)."""
    prefix, action = request.action.split(":")[0], request.action
    if action in FREE:
        return
    parameters = request.parameters()
    if action == "dynamodb:TransactWriteItems":
        for kind, item in (pair for each in parameters["TransactItems"] for pair in each.items()):
            for arn in _resources(request, prefix, action, item):
                yield Ask(TRANSACTED[kind], arn, _leading_keys(prefix, item))
        return
    tags = _tags(parameters)
    context = [*_tagging(tags), *_leading_keys(prefix, parameters)]
    for arn in _resources(request, prefix, action, parameters):
        yield Ask(action, arn, tuple(sorted(context)))
    yield from _with_tags(request, action, parameters, tags)
    if _texts_of(parameters, "ManageMasterUserPassword") & {"true", "True"}:
        yield from _kept_password(request, parameters)


def _resources(request: Request, prefix: str, action: str, parameters: Mapping[str, Any]) -> list[str]:
    if action in NOWHERE:
        return ["*"]
    if _LOOKS.match(action):
        return [_arn(prefix, request.region, LOOKS[action], "")] if action in LOOKS else ["*"]
    patterns, parts = NAMED.get(prefix, {}), {}
    if prefix in PATHS:
        match = PATHS[prefix].search(request.path)
        parts = {name: unquote(value) for name, value in match.groupdict().items() if value} if match else {}
        if "FunctionName" in parts and (qualifier := parse_qs(request.query).get("Qualifier")):
            parts["FunctionName"] = f"{parts['FunctionName'].removesuffix(':' + qualifier[0])}:{qualifier[0]}"
        # The narrowest that the path names: a group of nodes before its cluster.
        pairs = [(name, parts[name]) for name in patterns if name in parts][:1]
    else:
        pairs = list(_texts(parameters))
    found = {
        _arn(prefix, request.region, patterns[n].format(v, **parts), v) for n, v in pairs if n in patterns
    }
    if action == "states:StartExecution":
        # For a version or an alias Step Functions asks about the machine.
        found = {":".join(arn.split(":")[:7]) for arn in found}
    return sorted(found) or ["*"]


def _arn(prefix: str, region: str, rest: str, value: str) -> str:
    if value.startswith("arn:"):
        return value
    if rest.startswith("arn:"):
        return rest
    # A queue is named by its URL.
    return f"arn:aws:{prefix}:{region}:{ACCOUNT}:{rest.rsplit('/', 1)[-1] if '://' in rest else rest}"


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text, however deep, with the name of its parameter."""
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


def _texts_of(parameters: Mapping[str, Any], name: str) -> set[str]:
    return {str(v) for v in _listed(parameters.get(name, []))}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# --- what conditions ask for ---------------------------------------------------------------------


def _tags(parameters: Mapping[str, Any]) -> dict[str, str | None]:
    """The tags that a request sets (or, without a value, names)."""
    found: dict[str, str | None] = {}
    for name in ("Tags", "tags", "TagKeys", "tagKeys"):
        given = parameters.get(name) or []
        if isinstance(given, dict):
            found |= given
            continue
        for tag in _listed(given):
            if isinstance(tag, str):
                found[tag] = None
            else:
                found[tag.get("Key", tag.get("key"))] = tag.get("Value", tag.get("value"))
    return found


def _tagging(tags: Mapping[str, str | None]) -> Context:
    if not tags:
        return ()
    values = tuple((f"aws:RequestTag/{key}", (value,)) for key, value in tags.items() if value is not None)
    return (("aws:TagKeys", tuple(sorted(tags))), *values)


def _leading_keys(prefix: str, parameters: Mapping[str, Any]) -> Context:
    """The partition keys of the items that a request names."""
    if prefix != "dynamodb":
        return ()
    found = {value["S"] for value in _keys(parameters) if "S" in value}
    return (("dynamodb:LeadingKeys", tuple(sorted(found))),) if found else ()


def _keys(value: Any) -> Iterator[Mapping[str, str]]:
    if isinstance(value, list):
        for each in value:
            yield from _keys(each)
    elif isinstance(value, dict):
        if expression := value.get("KeyConditionExpression"):
            match = re.search(r"(:\w+)", expression)
            if match:
                yield value.get("ExpressionAttributeValues", {}).get(match[1], {})
        for name, each in value.items():
            if name in ("Key", "Item") and "pk" in each:
                yield each["pk"]
            elif name in ("Keys",):
                yield from (key["pk"] for key in each if "pk" in key)
            else:
                yield from _keys(each)


# --- what a call needs beside --------------------------------------------------------------------


def _with_tags(
    request: Request, action: str, parameters: Mapping[str, Any], tags: Mapping[str, str | None]
) -> Iterator[Ask]:
    """Making something with tags asks for the right to tag what is made."""
    if not tags:
        return
    prefix, operation = action.split(":")
    made = ""
    if action == "elasticloadbalancing:CreateTargetGroup":
        made = f"targetgroup/{parameters['Name'][0]}/0"
    elif action == "elasticloadbalancing:CreateRule":
        made = parameters["ListenerArn"][0].split(":", 5)[5].replace("listener/", "listener-rule/", 1) + "/0"
    elif re.match(r"rds:(Create|Restore)DBInstance", action):
        made, operation = f"db:{parameters['DBInstanceIdentifier'][0]}", ""
    if made:
        right = "rds:AddTagsToResource" if prefix == "rds" else f"{prefix}:AddTags"
        context = [*_tagging(tags)]
        if operation:
            context.append(("elasticloadbalancing:CreateAction", (operation,)))
        yield Ask(right, _arn(prefix, request.region, made, ""), tuple(sorted(context)))


def _kept_password(request: Request, parameters: Mapping[str, Any]) -> Iterator[Ask]:
    """RDS makes the secret of a password that it keeps with the rights of whoever asks for it."""
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    secret = _arn("secretsmanager", request.region, "secret:rds!db-0", "")
    yield Ask("secretsmanager:CreateSecret", secret)
    yield Ask("secretsmanager:TagResource", secret)
    given = next(iter(_texts_of(parameters, "MasterUserSecretKmsKeyId")), "")
    key = _arn("kms", request.region, f"key/{given or 'aws-secretsmanager'}", given)
    yield Ask("kms:DescribeKey", key)
    if given:
        via = (("kms:ViaService", (f"secretsmanager.{request.region}.amazonaws.com",)),)
        yield Ask("kms:CreateGrant", key, via)
        yield Ask("kms:Decrypt", key, via)
        yield Ask("kms:GenerateDataKey", key, via)
