"""What IAM looks at of a resource: its tags, its policy, and the customer's key that encrypts it, from moto's backends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.dynamodb.models import dynamodb_backends
from moto.eks.models import eks_backends
from moto.elasticache.models import elasticache_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.rds.models import rds_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from lab.iam.conditions import Unknown
from lab.iam.policies import OnResource, policy
from lab.moto import ACCOUNT

Tags = Mapping[str, str]


def tags_of(arn: str) -> Tags:
    """A resource's tags; none when there is no such resource yet.

    Raises
    ------
    Unknown
        Of a kind of resource whose tags the lab does not look at.
    """
    if arn == "*":
        return {}
    service = arn.split(":")[2]
    if service not in _TAGS:
        raise Unknown(f"the lab does not know the tags of {arn}")
    try:
        return _TAGS[service](arn)
    except Exception:  # noqa: BLE001 - every backend of moto has errors of its own for what is not there
        return {}


def _listed(tags: Any) -> Tags:
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags or ()}


def _of_rds(arn: str) -> Tags:
    return _listed(rds_backends[ACCOUNT][arn.split(":")[3]].list_tags_for_resource(arn))


def _of_eks(arn: str) -> Tags:
    kind, cluster, *rest = arn.split(":")[5].split("/")
    backend = eks_backends[ACCOUNT][arn.split(":")[3]]
    if kind == "nodegroup":
        return dict(backend.describe_nodegroup(cluster, rest[0]).tags or {})
    return dict(backend.describe_cluster(cluster).tags or {})


def _of_states(arn: str) -> Tags:
    backend = stepfunctions_parser_backends[ACCOUNT][arn.split(":")[3]]
    return {
        tag["key"]: tag["value"]
        for tag in backend.list_tags_for_resource(":".join(arn.split(":")[:7]))["tags"]
    }


def _of_elasticache(arn: str) -> Tags:
    found = elasticache_backends[ACCOUNT][arn.split(":")[3]].list_tags_for_resource(arn)
    return _listed(found["Tags"])


_TAGS: Mapping[str, Callable[[str], Tags]] = {
    "elasticloadbalancing": lambda arn: elbv2_backends[ACCOUNT][
        arn.split(":")[3]
    ].tagging_service.get_tag_dict_for_resource(arn),
    "rds": _of_rds,
    "eks": _of_eks,
    "elasticache": _of_elasticache,
    "states": _of_states,
    "secretsmanager": lambda arn: _listed(_secret(arn).tags),
}


# --- policies of resources -------------------------------------------------------------------------


def policy_of(arn: str) -> OnResource | None:
    """The policy on a resource, if it has one."""
    if arn == "*":
        return None
    service = arn.split(":")[2]
    if service not in _POLICIES:
        return None
    found = _POLICIES[service](arn)
    if not isinstance(found, str):
        # As CloudFormation has it.
        found = json.dumps(found)
    # Nobody uses a key, or takes a role, whom its own policy does not let.
    return OnResource(policy(found), final=service in ("kms", "iam")) if found else None


def _of_queue(arn: str) -> str:
    queue = _queue(arn)
    return str(queue.policy or "") if queue is not None else ""


def _of_topic(arn: str) -> str:
    topic = sns_backends[ACCOUNT][arn.split(":")[3]].topics.get(arn)
    return topic.policy if topic is not None else ""


def _of_function(arn: str) -> str:
    name = arn.split(":")[6]
    try:
        fn: Any = lambda_backends[ACCOUNT][arn.split(":")[3]].get_function(name)
    except UnknownFunctionException:
        return ""
    return json.dumps({"Statement": fn.policy.statements}) if fn.policy.statements else ""


def _of_bucket(arn: str) -> str:
    bucket = s3_backends[ACCOUNT]["aws"].buckets.get(arn.rsplit(":", 1)[1].split("/")[0])
    return bucket.policy.decode() if bucket is not None and bucket.policy else ""


def _of_key(arn: str) -> Any:
    keys = kms_backends[ACCOUNT][arn.split(":")[3]].keys
    key = keys.get(arn.rsplit("/", 1)[1])
    # A key of AWS's own lets the account's policies say who may look at it.
    return key.policy if key is not None else json.dumps({"Statement": [_ROOT]})


_ROOT = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
    "Resource": "*",
}


def _of_role(arn: str) -> str:
    role = next((r for r in iam_backends[ACCOUNT]["aws"].roles.values() if r.arn == arn), None)
    return str(role.assume_role_policy_document) if role is not None else ""


def _of_secret(arn: str) -> str:
    secret = _secret(arn)
    return str(getattr(secret, "policy", None) or "")


_POLICIES: Mapping[str, Callable[[str], Any]] = {
    "sqs": _of_queue,
    "sns": _of_topic,
    "lambda": _of_function,
    "s3": _of_bucket,
    "kms": _of_key,
    "iam": _of_role,
    "secretsmanager": _of_secret,
}


# --- keys ------------------------------------------------------------------------------------------


def key_of(arn: str) -> str:
    """The ARN of the customer's key that encrypts a resource; empty for AWS's own keys, or for none."""
    service, region = arn.split(":")[2], arn.split(":")[3]
    if service not in _KEYS:
        return ""
    named = _KEYS[service](arn) or ""
    if not named or ("alias/aws/" in named):
        return ""
    keys = kms_backends[ACCOUNT][region]
    try:
        return str(keys.describe_key(named).arn)
    except Exception:  # noqa: BLE001 - a key of another region, or none of moto's
        return named if named.startswith("arn:aws:kms:") else ""


def _key_of_table(arn: str) -> str:
    table = dynamodb_backends[ACCOUNT][arn.split(":")[3]].tables.get(arn.split("/")[1])
    wanted = (table.sse_specification or {}) if table is not None else {}
    return str(wanted.get("KMSMasterKeyId") or "") if wanted.get("SSEType") == "KMS" else ""


def _key_of_database(arn: str) -> str:
    region, kind, name = arn.split(":")[3], arn.split(":")[5], arn.split(":")[6]
    backend = rds_backends[ACCOUNT][region]
    kinds: dict[str, Any] = {
        "db": backend.databases,
        "snapshot": backend.database_snapshots,
        "cluster": backend.clusters,
    }
    found: Any = kinds.get(kind, {}).get(name)
    found = getattr(found, "database", found)
    key = str(getattr(found, "kms_key_id", "") or "")
    return key if getattr(found, "storage_encrypted", False) and "default" not in key else ""


_KEYS: Mapping[str, Callable[[str], str]] = {
    "sqs": lambda arn: str(getattr(_queue(arn), "kms_master_key_id", "") or ""),
    "sns": lambda arn: getattr(
        sns_backends[ACCOUNT][arn.split(":")[3]].topics.get(arn), "kms_master_key_id", ""
    ),
    "secretsmanager": lambda arn: str(getattr(_secret(arn), "kms_key_id", "") or ""),
    "dynamodb": _key_of_table,
    "rds": _key_of_database,
}


def _queue(arn: str) -> Any:
    return sqs_backends[ACCOUNT][arn.split(":")[3]].queues.get(arn.split(":")[5])


def _secret(arn: str) -> Any:
    """A secret by its ARN, or by an ARN whose suffix was made up (`-AbCdEf`) from its name."""
    secrets = secretsmanager_backends[ACCOUNT][arn.split(":")[3]].secrets
    name = arn.split(":secret:", 1)[1].removesuffix("-AbCdEf")
    for key in (arn, name):
        if key in secrets:
            return secrets[key]
    return None
