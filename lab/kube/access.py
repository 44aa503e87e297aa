"""Who asks (bearer tokens, EKS's among them) and what they may do (RBAC)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from lab.kube.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from lab.kube.store import Store

MASTERS = "system:masters"
PREFIX = "k8s-aws-v1."
_HOST = re.compile(r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
_KNOWN = {
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-user-agent",
}


class User(msgspec.Struct, frozen=True):
    """Who sent a request."""

    name: str
    groups: tuple[str, ...] = ()


class Identity(msgspec.Struct, frozen=True):
    """An AWS identity that the cluster has an access entry for. An empty secret accepts any signature."""

    user: User
    secret: str = ""


# From a bearer token to a user; None refuses it.
Authenticator = Callable[[str], User | None]


def eks_authenticator(
    cluster: str,
    identities: Mapping[str, Identity],
    *,
    sts: str = "",
    now: Callable[[], datetime] | None = None,
) -> Authenticator:
    """Accept tokens as EKS does, for the identities by access key id (`*` stands for any).

    The same checks as aws-iam-authenticator: host, path, parameters, the signed cluster name, age.
    Instead of asking STS it verifies the signature with the identity's secret. `sts` is where STS is beside
    AWS's own hosts: `aws eks get-token` signs for the endpoint that it is told.
    """

    def authenticate(token: str) -> User | None:
        clock = now or (lambda: datetime.now(UTC))
        try:
            return _verify(token, cluster, identities, clock(), sts)
        except (ValueError, KeyError):
            return None

    return authenticate


def _verify(
    token: str, cluster: str, identities: Mapping[str, Identity], now: datetime, sts: str
) -> User | None:
    if not token.startswith(PREFIX) or len(token) > 8192:
        return None
    raw = token.removeprefix(PREFIX)
    url = urlsplit(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode())
    query = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True)
    lower = {key.lower(): value for key, value in query}
    signed = lower["x-amz-signedheaders"].split(";")
    at = datetime.strptime(lower["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    acceptable = (
        ((url.scheme == "https" and _HOST.fullmatch(url.netloc)) or f"{url.scheme}://{url.netloc}" == sts)
        and url.path == "/"
        and len(lower) == len(query)
        and lower.keys() <= _KNOWN
        and lower["action"] == "GetCallerIdentity"
        and "x-k8s-aws-id" in signed
        and 0 <= int(lower["x-amz-expires"]) <= 900
        and at - timedelta(minutes=5) <= now <= at + timedelta(minutes=15)
    )
    key_id, scope = lower["x-amz-credential"].split("/", 1)
    identity = identities.get(key_id) or identities.get("*")
    if not acceptable or identity is None:
        return None
    if identity.secret:
        headers = {"host": url.netloc, "x-k8s-aws-id": cluster}
        good = _signature(identity.secret, query, signed, headers, lower["x-amz-date"], scope)
        if not hmac.compare_digest(good, lower["x-amz-signature"]):
            return None
    return identity.user


def _signature(
    secret: str,
    query: list[tuple[str, str]],
    signed: list[str],
    headers: Mapping[str, str],
    date: str,
    scope: str,
) -> str:
    """The SigV4 query signature that the request should carry."""
    safe = "-_.~"
    pairs = sorted((k, v) for k, v in query if k.lower() != "x-amz-signature")
    canonical = "\n".join(
        [
            "GET",
            "/",
            "&".join(f"{quote(k, safe=safe)}={quote(v, safe=safe)}" for k, v in pairs),
            "".join(f"{name}:{headers.get(name, '')}\n" for name in signed),
            ";".join(signed),
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Ask(msgspec.Struct, frozen=True):
    """What somebody wants to do. `resource` has its subresource: `deployments/scale`."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""


def allowed(store: Store, user: User, ask: Ask) -> bool:
    """Whether the roles bound to a user allow a request."""
    if MASTERS in user.groups:
        return True
    for binding in store.list(CLUSTER_ROLE_BINDING):
        if _is_bound(binding, user) and _grants(_rules(store, binding["roleRef"], ""), ask):
            return True
    if not ask.namespace:
        return False
    return any(
        _is_bound(binding, user) and _grants(_rules(store, binding["roleRef"], ask.namespace), ask)
        for binding in store.list(ROLE_BINDING, ask.namespace)
    )


def _is_bound(binding: dict[str, Any], user: User) -> bool:
    return any(
        (subject["kind"] == "User" and subject["name"] == user.name)
        or (subject["kind"] == "Group" and subject["name"] in user.groups)
        for subject in binding.get("subjects") or []
    )


def _rules(store: Store, reference: dict[str, str], namespace: str) -> Iterable[dict[str, Any]]:
    kind = ROLE if reference["kind"] == "Role" else CLUSTER_ROLE
    role = store.get(kind, namespace, reference["name"])
    return (role or {}).get("rules") or []


def _grants(rules: Iterable[dict[str, Any]], ask: Ask) -> bool:
    return any(
        _has(rule.get("verbs"), ask.verb)
        and _has(rule.get("apiGroups"), ask.group)
        and _has(rule.get("resources"), ask.resource)
        and (not rule.get("resourceNames") or ask.name in rule["resourceNames"])
        for rule in rules
    )


def _has(allowed_values: list[str] | None, wanted: str) -> bool:
    values = allowed_values or []
    return "*" in values or wanted in values
