"""The front door of the lab's AWS: asks IAM, injects faults, records every call, answers the lab's own paths.

A WSGI application around moto's. `/_lab/...` is the lab's control endpoint (docs/lab.md lists it);
everything else is an AWS request.
"""

from __future__ import annotations

import base64
import io
import os
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qs

import botocore.session
import msgspec
from botocore.exceptions import UnknownServiceError

from lab.aws import errors
from lab.aws.asks import Request, asked
from lab.faults import Fault, Faults
from lab.moto.iam import Authority
from lab.pace import Pace
from lab.quotas import Buckets

# Names in a signature's scope -> botocore's names.
_SERVICES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
}
_OF_IAM = {ours: theirs for theirs, ours in _SERVICES.items()}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_REMEMBERED_CALLS = 50_000
# Access keys of roles, which functions sign with; people's begin otherwise.
_OF_A_ROLE = "ASIA"

StartResponse = Callable[..., Any]
# A control route: (method, rest of the path, body) -> (status, JSON-able answer).
Control = Callable[[str, str, bytes], tuple[int, Any]]


class Call(msgspec.Struct, frozen=True):
    """One AWS request: who asked for what, when (epoch seconds), and the HTTP status (0: no answer)."""

    at: float
    caller: str
    service: str
    operation: str
    region: str
    status: int
    seconds: float


class Gateway:
    """WSGI: faults and bookkeeping in front of `application`."""

    def __init__(
        self,
        application: Callable[[dict[str, Any], StartResponse], Iterable[bytes]],
        faults: Faults,
        caller_of: Callable[[str], str],
        kill: Callable[[str], Any],
        pace: Pace,
        authority: Authority,
        time_scale: float,
    ) -> None:
        self._time_scale = time_scale
        self._buckets: dict[str, Buckets] = {}
        self._pace = pace
        self._authority = authority
        self._application = application
        self._faults = faults
        self._caller_of = caller_of
        self._kill = kill
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=_REMEMBERED_CALLS)
        self.controls: dict[str, Control] = {}
        # Answers presigned requests to STS.
        self.who_signed: Callable[[dict[str, Any], StartResponse], Iterable[bytes]] = self._application
        # Whether who has this key does not reach a service from where it runs.
        self.shut_in: Callable[[str, str], bool] = lambda key, service: False

    @property
    def calls(self) -> list[Call]:
        """What was called of late, as it stands now, the newest last: calls go on."""
        with self._lock:
            return list(self._calls)

    def forget_calls(self) -> None:
        """Forget what was called so far."""
        with self._lock:
            self._calls.clear()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path.startswith("/_lab/"):
            return self._control(path.removeprefix("/_lab/"), environ, start_response)
        began = time.time()
        key, region, service = _scope(environ)
        operation = _operation(service, environ)
        caller = self._caller_of(key) if key else ""
        # A function works for somebody who has stirred already, or for a schedule.
        if not key.startswith(_OF_A_ROLE):
            self._pace.stir()
        status = 0

        def respond(line: str, *args: Any) -> Any:
            nonlocal status
            status = int(line.split()[0])
            return start_response(line, *args)

        try:
            if key.startswith(_OF_A_ROLE) and self.shut_in(key, service):
                return _drop(environ)
            if refused := self._refused(key, service, operation, region, environ):
                return errors.denied(service or "sts", environ.get("CONTENT_TYPE", ""), refused, respond)
            if service == "sts" and "X-Amz-Signature=" in environ.get("QUERY_STRING", ""):
                return self.who_signed(environ, respond)
            if not self._within_quota(service, operation, region):
                kind = environ.get("CONTENT_TYPE", "")
                return errors.answer(service, kind, 400, "ThrottlingException", "Rate exceeded", respond)
            if (fault := self._faults.take("aws", service, operation, caller)) is None:
                return self._application(environ, respond)
            return self._strike(fault, key, service, environ, respond)
        finally:
            seconds = time.time() - began
            with self._lock:
                self._calls.append(Call(began, caller, service, operation, region, status, seconds))

    def _within_quota(self, service: str, operation: str, region: str) -> bool:
        """Whether the account's buckets of a region let a request through; they fill in the lab's time."""
        with self._lock:
            if region not in self._buckets:
                self._buckets[region] = Buckets(lambda: time.monotonic() * self._time_scale)
        return self._buckets[region].take(_OF_IAM.get(service, service), operation)

    def _refused(self, key: str, service: str, operation: str, region: str, environ: dict[str, Any]) -> str:
        """Why IAM refuses a request; empty when it is allowed, or is the lab's own."""
        if not service and b"Action=AssumeRoleWithWebIdentity" in _form(environ):
            return self._refused_token(environ)
        if not service or (caller := self._authority.caller(key)) is None:
            return ""
        request = Request(
            service,
            operation,
            region,
            environ.get("PATH_INFO", ""),
            environ.get("QUERY_STRING", ""),
            partial(_body, environ),
            environ.get("CONTENT_TYPE", ""),
        )
        return self._authority.refuse(caller, list(asked(request)))

    def _refused_token(self, environ: dict[str, Any]) -> str:
        """Why a token does not take the role that it asks for: nobody signs that request."""
        said = parse_qs(_body(environ).decode())
        try:
            _, body, _ = said["WebIdentityToken"][0].split(".")
            claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (KeyError, ValueError, msgspec.DecodeError):
            claims = {}
        return self._authority.refuse_federated(said["RoleArn"][0], claims)

    def _strike(
        self, fault: Fault, key: str, service: str, environ: dict[str, Any], respond: StartResponse
    ) -> Iterable[bytes]:
        kind = environ.get("CONTENT_TYPE", "")
        if fault.kind == "throttle":
            return errors.answer(service, kind, 400, "ThrottlingException", "Rate exceeded", respond)
        if fault.kind == "error":
            return errors.answer(service, kind, fault.status, "InternalFailure", "injected fault", respond)
        if fault.kind in ("latency", "timeout"):
            time.sleep(fault.seconds)
        if fault.kind == "kill_caller":
            self._kill(key)
        if fault.kind in ("reset", "timeout", "kill_caller"):
            return _drop(environ)
        body = list(self._application(environ, respond))
        if fault.kind == "kill_caller_after":
            self._kill(key)
        if fault.kind in ("lost_answer", "kill_caller_after"):
            return _drop(environ)
        return body

    def _control(self, path: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        name, _, rest = path.partition("/")
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size) if size else b""
        if name not in self.controls:
            status, answer = 404, {"error": f"there is no /_lab/{name}; there are {sorted(self.controls)}"}
        else:
            if environ["REQUEST_METHOD"] != "GET":
                self._pace.stir()
            try:
                status, answer = self.controls[name](environ["REQUEST_METHOD"], rest, body)
            except (msgspec.ValidationError, msgspec.DecodeError, ValueError, LookupError) as error:
                status, answer = 400, {"error": str(error)}
        data = msgspec.json.encode(answer)
        start_response(
            f"{status} {'OK' if status < 400 else 'Error'}",
            [("Content-Type", "application/json"), ("Content-Length", str(len(data)))],
        )
        return [data]


def _scope(environ: dict[str, Any]) -> tuple[str, str, str]:
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is None:
        query = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
        parts = query.split("/")
        if len(parts) != 5:
            return "", "", ""
        return parts[0], parts[2], _SERVICES.get(parts[3], parts[3])
    key, region, service = match.groups()
    return key, region, _SERVICES.get(service, service)


def _body(environ: dict[str, Any]) -> bytes:
    """The request's body, which can still be read after that."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _form(environ: dict[str, Any]) -> bytes:
    """A form's fields; nothing of another body, which may be long."""
    kind = environ.get("CONTENT_TYPE", "")
    return _body(environ) if kind.startswith("application/x-www-form-urlencoded") else b""


def _operation(service: str, environ: dict[str, Any]) -> str:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rsplit(".", 1)[-1]
    path = environ.get("PATH_INFO", "")
    if "/operation/" in path:
        return str(path).rsplit("/operation/", 1)[1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        match = re.search(rb"(?:^|&)Action=([A-Za-z0-9]+)", _body(environ))
        if match:
            return match.group(1).decode()
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if service == "sts" and "Action" in query:
        # Presigned.
        return str(query["Action"][0])
    given = {*query, *(key[5:].replace("_", "-").lower() for key in environ if key.startswith("HTTP_"))}
    for method, pattern, parts, name in _rest_operations(service):
        if method == environ["REQUEST_METHOD"] and pattern.fullmatch(path) and parts <= given:
            return name
    return f"{environ['REQUEST_METHOD']} {path}"


@cache
def _rest_operations(service: str) -> list[tuple[str, re.Pattern[str], set[str], str]]:
    """Method, path, what must be in the query (`versioning`) or the headers, and the operation's name."""
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return []
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http.get("requestUri", "/").partition("?")
        pattern = re.sub(r"\\\{[^}]*\\\+\\\}", ".+", re.escape(path))
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", pattern)
        parts = {*parse_qs(query, keep_blank_values=True), *_required(operation.input_shape)}
        found.append((operation.http.get("method", "POST"), re.compile(pattern + "/?"), parts, name))
    # The most specific first.
    return sorted(found, key=lambda row: (row[1].pattern.count("[^/]+"), -len(row[2])))


def _required(shape: Any) -> Iterable[str]:
    """The parts of the query and the headers that a request cannot do without."""
    for name in shape.required_members if shape else ():
        told = shape.members[name].serialization
        if told.get("location") in ("querystring", "header"):
            yield told["name"].lower() if told["location"] == "header" else told["name"]


def _drop(environ: dict[str, Any]) -> Iterable[bytes]:
    connection: socket.socket = environ["werkzeug.socket"]
    # With a linger time of nothing, closing sends a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The server's own file objects would keep a merely closed socket open.
    os.close(connection.detach())
    raise ConnectionResetError("the lab dropped this connection on purpose")
