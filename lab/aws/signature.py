"""Checks AWS Signature Version 4 on requests to function URLs, and on presigned ones to STS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

import msgspec

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW_SECONDS = 300


class Signed(msgspec.Struct, frozen=True):
    """The parts of an Authorization header."""

    key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def read(authorization: str) -> Signed | None:
    """The parts of an Authorization header, or None when it is not a SigV4 one."""
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        return None
    parts = match.groupdict()
    return Signed(
        parts["key"],
        parts["date"],
        parts["region"],
        parts["service"],
        tuple(parts["headers"].split(";")),
        parts["signature"],
    )


def valid(
    signed: Signed,
    secret: str,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime | None = None,
) -> bool:
    """Whether the request was signed with this secret for Lambda, not long ago. Header names: lower case."""
    stamp = headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    age = abs(((now or datetime.now(UTC)) - at).total_seconds())
    if age > _SKEW_SECONDS or signed.service != "lambda" or "host" not in signed.headers:
        return False
    payload = headers.get("x-amz-content-sha256") or hashlib.sha256(body).hexdigest()
    if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return False
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(query, True)
    )
    scope = f"{signed.date}/{signed.region}/{signed.service}/aws4_request"
    names = signed.headers
    text = _string_to_sign(
        stamp, scope, method, quote(path or "/", safe="/-_.~%"), pairs, names, headers, payload
    )
    return hmac.compare_digest(_sign(secret, scope, text), signed.signature)


def presigned(
    query: str,
    secret: str,
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    now: datetime | None = None,
) -> bool:
    """Whether a query string was signed with this secret for STS and is still valid. Header names: lower case."""
    pairs = parse_qsl(query, keep_blank_values=True)
    said = dict(pairs)
    date, region, service, _ = said["X-Amz-Credential"].split("/")[1:]
    names = said["X-Amz-SignedHeaders"].split(";")
    at = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    age = ((now or datetime.now(UTC)) - at).total_seconds()
    if service != "sts" or "host" not in names or not -_SKEW_SECONDS < age <= int(said["X-Amz-Expires"]):
        return False
    signed = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in pairs
        if name != "X-Amz-Signature"
    )
    scope = f"{date}/{region}/{service}/aws4_request"
    nothing = hashlib.sha256(b"").hexdigest()
    text = _string_to_sign(said["X-Amz-Date"], scope, method, path or "/", signed, names, headers, nothing)
    return hmac.compare_digest(_sign(secret, scope, text), said["X-Amz-Signature"])


def _string_to_sign(
    stamp: str,
    scope: str,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    names: Sequence[str],
    headers: Mapping[str, str],
    payload: str,
) -> str:
    """What the signature is of: the time, the scope, and the digest of the canonical request."""
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            payload,
        ]
    )
    return "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])


def _sign(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
