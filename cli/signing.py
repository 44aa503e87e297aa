"""Signature Version 4 without an SDK: the headers of a request, and a request that is signed to be handed on.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit


class Credentials(NamedTuple):
    key: str
    secret: str
    token: str


def signed(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, scope: tuple[str, str],
    credentials: Credentials, now: float,
) -> dict[str, str]:  # fmt: skip
    """The headers of a request, with its signature. `scope` is region and service."""
    at = _stamp(now)
    said = {**headers, "host": urlsplit(url).netloc, "x-amz-date": at}
    if credentials.token:
        said["x-amz-security-token"] = credentials.token
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    request = _canonical(method, url, query, said, hashlib.sha256(body).hexdigest())
    signature, credential = _signature(request, at, scope, credentials)
    said["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(sorted(said))}, Signature={signature}"
    )
    return said


def presigned(
    url: str, headers: Mapping[str, str], *, scope: tuple[str, str], credentials: Credentials, now: float,
    expires: int,
) -> str:  # fmt: skip
    """The URL of a GET that whoever has it may send within so many seconds, with these headers."""
    at = _stamp(now)
    said = {**headers, "host": urlsplit(url).netloc}
    credential = "/".join((credentials.key, at[:8], *scope, "aws4_request"))
    query = [
        *parse_qsl(urlsplit(url).query, keep_blank_values=True),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", credential),
        ("X-Amz-Date", at),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", ";".join(sorted(said))),
        *((("X-Amz-Security-Token", credentials.token),) if credentials.token else ()),
    ]
    request = _canonical("GET", url, query, said, hashlib.sha256(b"").hexdigest())
    signature, _ = _signature(request, at, scope, credentials)
    return f"{url.partition('?')[0]}?{_written([*query, ('X-Amz-Signature', signature)])}"


def _stamp(now: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _written(query: list[tuple[str, str]]) -> str:
    """A query in the order of its names and values as they are written, which is not that of what they say."""
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _canonical(
    method: str, url: str, query: list[tuple[str, str]], headers: Mapping[str, str], body: str
) -> str:
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    path = quote(urlsplit(url).path or "/", safe="/~")
    return f"{method}\n{path}\n{_written(query)}\n{lines}\n{';'.join(names)}\n{body}"


def _signature(request: str, at: str, scope: tuple[str, str], credentials: Credentials) -> tuple[str, str]:
    """The signature, and the credential as both ways of signing name it."""
    credential = "/".join((at[:8], *scope, "aws4_request"))
    text = f"AWS4-HMAC-SHA256\n{at}\n{credential}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in credential.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex(), f"{credentials.key}/{credential}"
