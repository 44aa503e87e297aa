"""Errors as each service of AWS writes them: in XML, JSON or CBOR, with its own word for what is not allowed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import msgspec
from botocore.exceptions import UnknownServiceError

StartResponse = Callable[..., Any]
# What services call a refusal of IAM's, where it is not their protocol's word.
_OWN_WORDS = {"sns": "AuthorizationError", "sqs": "AccessDenied", "cloudwatch": "AccessDenied"}
# Protocol -> its word for a refusal of IAM's, and the status it comes with.
_DENIED = {
    "query": ("AccessDenied", 403),
    "ec2": ("UnauthorizedOperation", 403),
    "rest-xml": ("AccessDenied", 403),
    "rest-json": ("AccessDeniedException", 403),
    "json": ("AccessDeniedException", 400),
    "smithy-rpc-v2-cbor": ("AccessDeniedException", 400),
}


def denied(service: str, content_type: str, message: str, respond: StartResponse) -> Iterable[bytes]:
    """Answer as a service does that IAM lets nobody call like this."""
    code, status = _DENIED.get(_protocol(service), ("AccessDeniedException", 400))
    return answer(service, content_type, status, _OWN_WORDS.get(service, code), message, respond)


def answer(
    service: str, content_type: str, status: int, code: str, message: str, respond: StartResponse
) -> Iterable[bytes]:
    """Answer with an error."""
    protocol = _protocol(service)
    headers = [
        ("x-amzn-requestid", str(uuid.uuid4())),
        ("x-amzn-errortype", code),
        ("x-amzn-query-error", f"{code};Sender"),
    ]
    if "cbor" in content_type:
        kind, body = "application/cbor", _cbor({"__type": code, "message": message})
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    elif protocol in ("query", "ec2", "rest-xml"):
        kind, body = "text/xml", _xml(service, protocol, code, message)
    else:
        kind, body = "application/json", msgspec.json.encode({"__type": code, "message": message})
    respond(f"{status} Refused", [("Content-Type", kind), ("Content-Length", str(len(body))), *headers])
    return [body]


@cache
def _protocol(service: str) -> str:
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return "json"
    return str(model.metadata.get("protocol", "json"))


def _xml(service: str, protocol: str, code: str, message: str) -> bytes:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if service == "s3":
        return error.encode()
    if protocol == "ec2":
        return f"<Response><Errors>{error}</Errors><RequestID>lab</RequestID></Response>".encode()
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()


def _cbor(pairs: dict[str, str]) -> bytes:
    """A map of texts (RFC 8949)."""

    def text(value: str) -> bytes:
        data = value.encode()
        return b"\x79" + len(data).to_bytes(2, "big") + data

    return bytes([0xA0 | len(pairs)]) + b"".join(text(k) + text(v) for k, v in pairs.items())
