"""Events and answers of format 2.0, in which function URLs and HTTP APIs call a function.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

import msgspec

MOST_BODY = 6 * 1024 * 1024


class Request(msgspec.Struct, frozen=True):
    """What came in; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def came_in(connection: BaseHTTPRequestHandler) -> Request | None:
    """The request of a connection; None when its body is too long."""
    size = int(connection.headers.get("Content-Length") or 0)
    if size > MOST_BODY:
        return None
    body = connection.rfile.read(size) if size else b""
    headers = {name.lower(): value for name, value in connection.headers.items()}
    path, _, query = connection.path.partition("?")
    return Request(connection.command, path, query, headers, body)


def context(request: Request, api: str, account: str, *, route: str = "$default") -> dict[str, Any]:
    """The event's `requestContext`, without who calls."""
    now = time.time()
    host = request.headers.get("host", "")
    return {
        "accountId": account,
        "apiId": api,
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route,
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }


def event(
    request: Request,
    about: dict[str, Any],
    *,
    route: str = "$default",
    named: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An event; `about` is its context, `named` what the route's path names."""
    try:
        text, encoded = request.body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(request.body).decode(), True
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(request.query, True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": request.headers | {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
        "requestContext": about,
        "isBase64Encoded": encoded,
    }
    if parameters:
        made["queryStringParameters"] = parameters
    if named:
        made["pathParameters"] = dict(named)
    if request.body:
        made["body"] = text
    return made


def translate(request: BaseHTTPRequestHandler, payload: bytes) -> None:
    """Answer with what the function answered."""
    value = json.loads(payload)
    if not isinstance(value, dict) or "statusCode" not in value:
        _respond(request, 200, payload, {"content-type": "application/json"})
        return
    body = value.get("body") or ""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    if value.get("isBase64Encoded"):
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            answer(request, 502, {"Message": "Internal Server Error"})
            return
    headers = {str(name).lower(): str(text) for name, text in (value.get("headers") or {}).items()}
    _respond(request, int(value["statusCode"]), data, {"content-type": "application/json"} | headers)


def answer(
    request: BaseHTTPRequestHandler,
    status: int,
    value: Any,
    *,
    close: bool = False,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer with JSON of AWS's own."""
    if close:
        request.close_connection = True
    _respond(
        request, status, json.dumps(value).encode(), {"content-type": "application/json", **(headers or {})}
    )


def _respond(request: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        if name != "content-length":
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)
