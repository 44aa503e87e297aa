"""EKS access entries: which IAM principals a cluster knows, and as whom.

moto has none. Entries are kept with moto's cluster; the API is the part of EKS's that people and CloudFormation
need: create, describe, list, delete, and access policies.
https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html
"""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from moto.eks import urls
from moto.eks.models import Cluster, eks_backends

from lab.moto import ACCOUNT

# What `aws eks associate-access-policy` calls a cluster's administrator.
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
MODES = ("API", "API_AND_CONFIG_MAP")
_PATH = re.compile(r"/clusters/([^/]+)/access-entries(?:/([^/]+)(/access-policies)?)?(?:/[^/]+)?/?")
_REGION = re.compile(r"Credential=[^/]+/\d+/([^/]+)/eks/")
# Groups of these names are Kubernetes' and the clouds' own.
_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")


class AccessEntry(msgspec.Struct):
    """A principal that a cluster knows, by the ARN of its role or user."""

    principal: str
    arn: str
    groups: tuple[str, ...]
    username: str
    made: float
    policies: dict[str, dict[str, Any]] = {}


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def install() -> None:
    """Add the API to moto's EKS; clusters made from now on can have entries."""
    for path in ("access-entries$", "access-entries/(?P<rest>.+)$"):
        urls.url_paths["{0}/clusters/(?P<name>[^/]+)/" + path] = _answer


def entries(cluster: Cluster) -> dict[str, AccessEntry]:
    """A cluster's entries by principal."""
    found: dict[str, AccessEntry] = vars(cluster).setdefault("access_entries", {})
    return found


def entry_of(cluster: str, region: str, identity: str) -> AccessEntry | None:
    """The entry of a user or of a role's session, by the ARN that STS gives it."""
    known = eks_backends[ACCOUNT][region].clusters.get(cluster)
    return None if known is None else entries(known).get(principal_of(identity))


def principal_of(identity: str) -> str:
    """The role behind a session's ARN; a user's own."""
    match = re.fullmatch(r"arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/.*", identity)
    return "arn:{}:iam::{}:role/{}".format(*match.groups()) if match else identity


def _answer(request: Any, url: str, headers: Any) -> tuple[int, dict[str, str], str]:
    match = _PATH.fullmatch(urlsplit(url).path)
    region = _REGION.search(headers.get("Authorization", ""))
    kind = {"Content-Type": "application/json"}
    try:
        if match is None or region is None:
            raise _Refused(404, "ResourceNotFoundException", "there is nothing at this path")
        name, principal, policies = match.groups()
        cluster = eks_backends[ACCOUNT][region[1]].clusters.get(name)
        if cluster is None:
            raise _Refused(404, "ResourceNotFoundException", f"No cluster found for name: {name}.")
        if vars(cluster).get("access_config", {}).get("authenticationMode") not in MODES:
            raise _Refused(
                400,
                "InvalidRequestException",
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] "
                "to perform this operation.",
            )
        body = json.loads(request.get_data() or b"{}")
        if principal is None:
            return 200, kind, json.dumps(_all(cluster, region[1], request.method, body))
        entry = entries(cluster).get(unquote(principal))
        if entry is None:
            raise _Refused(
                404,
                "ResourceNotFoundException",
                f"The specified principalArn could not be found: {unquote(principal)}",
            )
        return 200, kind, json.dumps(_one(cluster, entry, request.method, body, bool(policies)))
    except _Refused as refused:
        error = json.dumps({"message": str(refused)})
        return refused.status, {**kind, "x-amzn-errortype": refused.code}, error


def _all(cluster: Cluster, region: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
    if method == "GET":
        return {"accessEntries": sorted(entries(cluster))}
    principal, groups = body["principalArn"], tuple(body.get("kubernetesGroups") or ())
    if principal in entries(cluster):
        raise _Refused(
            409,
            "ResourceInUseException",
            "The specified access entry resource is already in use on this cluster.",
        )
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/.+", principal):
        raise _Refused(
            400, "InvalidParameterException", "The specified principalArn is invalid: invalid principal."
        )
    if reserved := [group for group in groups if group.startswith(_RESERVED)]:
        raise _Refused(
            400,
            "InvalidParameterException",
            f"The kubernetes group name {reserved[0]} is invalid, it cannot start with {_RESERVED}",
        )
    kind, _, called = principal.rsplit(":", 1)[1].partition("/")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{called.rsplit('/', 1)[-1]}/{{{{SessionName}}}}"
    made = AccessEntry(
        principal,
        f"arn:aws:eks:{region}:{ACCOUNT}:access-entry/{cluster.name}/{kind}/{ACCOUNT}/{called}/{time.time_ns():x}",
        groups,
        body.get("username") or (session if kind == "role" else principal),
        time.time(),
    )
    entries(cluster)[principal] = made
    return {"accessEntry": _row(cluster, made)}


def _one(
    cluster: Cluster, entry: AccessEntry, method: str, body: dict[str, Any], policies: bool
) -> dict[str, Any]:
    about = {"clusterName": cluster.name, "principalArn": entry.principal}
    if policies and method == "POST":
        policy = {"policyArn": body["policyArn"], "accessScope": body["accessScope"]}
        entry.policies[body["policyArn"]] = policy
        return {**about, "associatedAccessPolicy": policy}
    if policies:
        return {**about, "associatedAccessPolicies": list(entry.policies.values())}
    if method == "DELETE":
        del entries(cluster)[entry.principal]
        return {}
    return {"accessEntry": _row(cluster, entry)}


def _row(cluster: Cluster, entry: AccessEntry) -> dict[str, Any]:
    return {
        "clusterName": cluster.name,
        "principalArn": entry.principal,
        "kubernetesGroups": list(entry.groups),
        "accessEntryArn": entry.arn,
        "createdAt": entry.made,
        "modifiedAt": entry.made,
        "tags": {},
        "username": entry.username,
        "type": "STANDARD",
    }
