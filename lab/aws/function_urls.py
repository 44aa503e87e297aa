"""Lambda function URLs, each on a port of its own on 127.0.0.1.

Requests become events of format 2.0. `AuthType: AWS_IAM` checks the signature against the secrets
that IAM and STS in the lab gave out, and passes on who signed. IAM says who may call: it takes two permissions,
by the caller's policies or the function's.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from moto.awslambda.models import FunctionUrlConfig
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from lab.aws import signature
from lab.iam.policies import Ask
from lab.moto import wrap
from lab.moto.iam import ANYBODY, Authority
from lab.moto.lambdas import Lambdas
from lab.pace import Pace

_MOST_BODY = 6 * 1024 * 1024


class Identity(msgspec.Struct, frozen=True):
    """Who signed a request."""

    arn: str
    user_id: str
    key: str
    secret: str


class Request(msgspec.Struct, frozen=True):
    """What came in; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class FunctionUrls:
    """Serves every function URL in the account."""

    def __init__(self, lambdas: Lambdas, account: str, pace: Pace, authority: Authority) -> None:
        self._lambdas = lambdas
        self._authority = authority
        self._pace = pace
        self._account = account
        self._servers: list[ThreadingHTTPServer] = []
        self._functions: dict[str, str] = {}

    def install(self) -> None:
        """Make moto's function URLs real."""

        def init(original: Callable[..., Any]) -> Callable[..., Any]:
            def make(config: Any, function: Any, wanted: dict[str, Any]) -> None:
                original(config, function, wanted)
                config.url = self.serve(config)

            # moto names the second one so.
            return lambda self, function, config: make(self, function, config)

        wrap(FunctionUrlConfig, "__init__", init)

    def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def serve(self, config: Any) -> str:
        """Serve one of moto's function URLs on a port of its own; where it is."""
        urls = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                urls.handle(self, config)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """The function's own log says what happened."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name="function-url", daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        self._functions[url] = config.function.function_name
        return url

    def function_at(self, url: str) -> str:
        """The name of the function that a URL calls."""
        return self._functions[url]

    def handle(self, connection: BaseHTTPRequestHandler, config: Any) -> None:
        """Answer a request with what the function answers."""
        self._pace.stir()
        size = int(connection.headers.get("Content-Length") or 0)
        if size > _MOST_BODY:
            _answer(connection, 413, {"Message": "Request Too Long"}, close=True)
            return
        body = connection.rfile.read(size) if size else b""
        headers = {name.lower(): value for name, value in connection.headers.items()}
        path, _, query = connection.path.partition("?")
        request = Request(connection.command, path, query, headers, body)
        identity = None
        if config.config.get("AuthType") == "AWS_IAM":
            identity = self.who(request)
            if identity is None:
                _answer(connection, 403, {"Message": "Forbidden"})
                return
        if self._refused(config, identity):
            _answer(connection, 403, {"Message": "Forbidden"})
            return
        event = _event(request, _context(request, identity, config.function.function_name, self._account))
        outcome = self._lambdas.call(self._function(config), json.dumps(event).encode())
        if outcome.error == "Throttled":
            _answer(connection, 429, {"Message": "Rate Exceeded."})
        elif outcome.error:
            _answer(connection, 502, {"Message": "Internal Server Error"})
        else:
            _translate(connection, outcome.payload)

    def _refused(self, config: Any, identity: Identity | None) -> str:
        """Why IAM lets nobody, or not who signed, call a URL; empty when it does."""
        auth = config.config.get("AuthType")
        arn = config.function.function_arn.split(":$")[0]
        if qualifier := getattr(config, "qualifier", ""):
            arn = f"{arn}:{qualifier}"
        asks = [
            Ask("lambda:InvokeFunctionUrl", arn, (("lambda:FunctionUrlAuthType", (auth,)),)),
            Ask("lambda:InvokeFunction", arn, (("lambda:InvokedViaFunctionUrl", ("true",)),)),
        ]
        if identity is None:
            return self._authority.refuse(ANYBODY, asks)
        caller = self._authority.caller(identity.key)
        return self._authority.refuse(caller, asks) if caller else "nobody's key"

    def _function(self, config: Any) -> Any:
        """What a URL calls now: its function, or the version that its alias points at."""
        fn = config.function
        if qualifier := getattr(config, "qualifier", ""):
            return self._lambdas.find(f"{fn.function_arn}:{qualifier}", fn.account_id, fn.region)
        return fn

    def who(self, request: Request) -> Identity | None:
        """Who signed the request, or None when nobody known did."""
        signed = signature.read(request.headers.get("authorization", ""))
        if signed is None:
            return None
        identity = self.identity(signed.key)
        if identity is None or not signature.valid(
            signed, identity.secret, **msgspec.structs.asdict(request)
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


def _context(request: Request, identity: Identity | None, function: str, account: str) -> dict[str, Any]:
    """The event's `requestContext`."""
    now = time.time()
    host = request.headers.get("host", "")
    context: dict[str, Any] = {
        "accountId": account if identity else "anonymous",
        "apiId": function,
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
        "routeKey": "$default",
        "stage": "$default",
        "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now * 1000),
    }
    if identity is not None:
        signer = {
            "accessKey": identity.key,
            "accountId": account,
            "callerId": identity.user_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": identity.arn,
            "userId": identity.user_id,
        }
        context["authorizer"] = {"iam": signer}
    return context


def _event(request: Request, context: dict[str, Any]) -> dict[str, Any]:
    """An event of format 2.0."""
    try:
        text, encoded = request.body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(request.body).decode(), True
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(request.query, True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": request.headers | {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"},
        "requestContext": context,
        "isBase64Encoded": encoded,
    }
    if parameters:
        event["queryStringParameters"] = parameters
    if request.body:
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
