"""Lambda function URLs, each on a port of its own on 127.0.0.1.

Requests become events of format 2.0. `AuthType: AWS_IAM` checks the signature against the secrets
that IAM and STS in the lab gave out, and passes on who signed. Permissions are not evaluated: who
has a valid key may call.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from moto.awslambda.models import FunctionUrlConfig
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from lab.aws import signature
from lab.moto import replace
from lab.moto.lambdas import Lambdas

_MOST_BODY = 6 * 1024 * 1024


class Identity(msgspec.Struct, frozen=True):
    """Who signed a request."""

    arn: str
    user_id: str
    key: str
    secret: str


class FunctionUrls:
    """Serves every function URL in the account."""

    def __init__(self, lambdas: Lambdas, account: str) -> None:
        self._lambdas = lambdas
        self._account = account
        self._servers: list[ThreadingHTTPServer] = []

    def install(self) -> None:
        """Make moto's function URLs real."""
        urls = self

        def init(config: Any, function: Any, wanted: dict[str, Any]) -> None:
            original(config, function, wanted)
            config.url = urls._serve(config)

        original = replace(
            FunctionUrlConfig, "__init__", lambda self, function, config: init(self, function, config)
        )

    def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _serve(self, config: Any) -> str:
        urls = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                urls._handle(self, config)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """The function's own log says what happened."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name="function-url", daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    def _handle(self, request: BaseHTTPRequestHandler, config: Any) -> None:
        size = int(request.headers.get("Content-Length") or 0)
        if size > _MOST_BODY:
            _answer(request, 413, {"Message": "Request Too Long"}, close=True)
            return
        body = request.rfile.read(size) if size else b""
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = request.path.partition("?")
        identity = None
        if config.config.get("AuthType") == "AWS_IAM":
            identity = self.who(request.command, path, query, headers, body)
            if identity is None:
                _answer(request, 403, {"Message": "Forbidden"})
                return
        event = self._event(request.command, path, query, headers, body, identity, config)
        outcome = self._lambdas.call(config.function, json.dumps(event).encode())
        if outcome.error == "Throttled":
            _answer(request, 429, {"Message": "Rate Exceeded."})
        elif outcome.error:
            _answer(request, 502, {"Message": "Internal Server Error"})
        else:
            _translate(request, outcome.payload)

    def who(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> Identity | None:
        """Who signed the request, or None when nobody known did."""
        signed = signature.read(headers.get("authorization", ""))
        if signed is None:
            return None
        identity = self.identity(signed.key)
        if identity is None or not signature.valid(
            signed, identity.secret, method=method, path=path, query=query, headers=headers, body=body
        ):
            return None
        return identity

    def identity(self, access_key: str) -> Identity | None:
        """The IAM user or assumed role that an access key was given to."""
        for user in iam_backends[self._account]["aws"].users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key:
                    return Identity(user.arn, user.id, access_key, key.secret_access_key)
        for role in sts_backends[self._account]["aws"].assumed_roles:
            if role.access_key_id == access_key:
                return Identity(role.arn, role.user_id, access_key, role.secret_access_key)
        return None

    def _event(
        self,
        method: str,
        path: str,
        query: str,
        headers: dict[str, str],
        body: bytes,
        identity: Identity | None,
        config: Any,
    ) -> dict[str, Any]:
        now = time.time()
        host = headers.get("host", "")
        context: dict[str, Any] = {
            "accountId": self._account if identity else "anonymous",
            "apiId": config.function.function_name,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        }
        if identity is not None:
            context["authorizer"] = {
                "iam": {
                    "accessKey": identity.key,
                    "accountId": self._account,
                    "callerId": identity.user_id,
                    "cognitoIdentity": None,
                    "principalOrgId": None,
                    "userArn": identity.arn,
                    "userId": identity.user_id,
                }
            }
        try:
            text, encoded = body.decode(), False
        except UnicodeDecodeError:
            text, encoded = base64.b64encode(body).decode(), True
        parameters: dict[str, str] = {}
        for name, value in parse_qsl(query, True):
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers | {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
            "requestContext": context,
            "isBase64Encoded": encoded,
        }
        if parameters:
            event["queryStringParameters"] = parameters
        if body:
            event["body"] = text
        return event


def _translate(request: BaseHTTPRequestHandler, payload: bytes) -> None:
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
            _answer(request, 502, {"Message": "Internal Server Error"})
            return
    headers = {str(name).lower(): str(text) for name, text in (value.get("headers") or {}).items()}
    _respond(request, int(value["statusCode"]), data, {"content-type": "application/json"} | headers)


def _answer(request: BaseHTTPRequestHandler, status: int, value: Any, *, close: bool = False) -> None:
    if close:
        request.close_connection = True
    _respond(request, status, json.dumps(value).encode(), {"content-type": "application/json"})


def _respond(request: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        if name != "content-length":
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)
