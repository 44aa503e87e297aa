"""The API over HTTPS: who asks, may they, what for, and the answer."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from lab.kube.access import Ask, Authenticator, User, allowed
from lab.kube.discovery import document
from lab.kube.kinds import Kind
from lab.kube.problems import ApiError
from lab.kube.reads import listed, watched
from lab.kube.routes import Route, route
from lab.kube.runtime import Object
from lab.kube.tables import table
from lab.kube.verbs import decode, write
from lab.kube.writes import APPLY, Options, Writes, scale_of

LOG = logging.getLogger(__name__)
BIGGEST_BODY = 3 * 1024 * 1024


class Fault(Protocol):
    """What shall go wrong with a request; `lab.faults.Fault` is one."""

    @property
    def kind(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    @property
    def status(self) -> int: ...


# Asked once per request with (resource, verb, user): what shall go wrong, or None.
FaultHook = Callable[[str, str, str], Fault | None]


class Server(ThreadingHTTPServer):
    """Serves one cluster until it is stopped."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        writes: Writes,
        authenticate: Authenticator,
        faults: FaultHook | None,
    ) -> None:
        super().__init__(address, Handler)
        self.context, self.writes, self.authenticate, self.faults = context, writes, authenticate, faults
        self.stopping = threading.Event()
        self.open: set[socket.socket] = set()

    def close_all(self) -> None:
        """Cut every connection: a server that stopped answers nobody."""
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.debug("connection from %s ended early", client_address, exc_info=True)


class Lost(Exception):
    """The connection shall be reset without an answer."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Server

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Here, and so in the connection's own thread: a slow handshake holds nobody up.
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.server.open.add(self.request)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.open.discard(self.request)
            self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        LOG.debug(format, *args)

    def handle_any(self) -> None:
        """Answer one request."""
        self.warnings: list[str] = []
        # Always read, so that the connection can be used again after a refusal.
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, BIGGEST_BODY + 1))
        try:
            self._answer(body)
        except ApiError as error:
            self._send(error.code, error.status())
        except Lost:
            self._reset()
        except (ConnectionError, ssl.SSLError, BrokenPipeError):
            self.close_connection = True
        except Exception:
            LOG.exception("%s %s", self.command, self.path)
            self._send(
                500, ApiError(500, "InternalError", "the fake API server failed; see its log").status()
            )

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path in ("/healthz", "/readyz", "/livez"):
            return self._send(200, "ok")
        user = self._user()
        if (found := document(url.path)) is not None and self.command == "GET":
            return self._send(200, found)
        if url.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            return self._send(201, self._review(user, decode(body, self._content_type())))
        about = route(self.command, url.path, query)
        if about is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        after = self._strike(about, user)
        self._authorize(about, user)
        if len(body) > BIGGEST_BODY:
            raise ApiError(413, "RequestEntityTooLarge", f"limit is {BIGGEST_BODY} bytes")
        if about.verb == "watch":
            return self._watch(about, query)
        code, answer = self._do(about, query, body)
        if after:
            raise Lost
        return self._send(code, answer)

    def _user(self) -> User:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        user = self.server.authenticate(token) if scheme == "Bearer" else None
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    def _strike(self, about: Route, user: User) -> bool:
        """Do what a fault says before the request; whether its answer shall be lost."""
        hook = self.server.faults
        fault = hook(about.resource, about.verb, user.name) if hook else None
        if fault is None:
            return False
        if fault.kind in ("latency", "timeout"):
            time.sleep(fault.seconds)
        if fault.kind in ("timeout", "reset"):
            raise Lost
        if fault.kind == "throttle":
            raise ApiError(429, "TooManyRequests", "too many requests, please try again later")
        if fault.kind == "error":
            raise ApiError(fault.status, "InternalError", "a fault was injected")
        return fault.kind == "lost_answer"

    def _authorize(self, about: Route, user: User) -> None:
        ask = Ask(about.verb, about.kind.group, about.resource, about.namespace, about.name)
        if not allowed(self.server.writes.store, user, ask):
            where = f' in the namespace "{about.namespace}"' if about.namespace else " at the cluster scope"
            named = f' "{about.name}"' if about.name else ""
            message = (
                f'{about.kind.resource}{named} is forbidden: User "{user.name}" cannot {about.verb} '
                f'resource "{about.resource}" in API group "{about.kind.group}"{where}'
            )
            raise ApiError(403, "Forbidden", message, details={"name": about.name, "kind": about.kind.plural})

    def _review(self, user: User, review: Any) -> Object:
        wanted = review.get("spec", {}).get("resourceAttributes") or {}
        resource = wanted.get("resource", "")
        if sub := wanted.get("subresource"):
            resource += f"/{sub}"
        ask = Ask(
            wanted.get("verb", ""),
            wanted.get("group", ""),
            resource,
            wanted.get("namespace", ""),
            wanted.get("name", ""),
        )
        return {**review, "status": {"allowed": allowed(self.server.writes.store, user, ask)}}

    def _do(self, about: Route, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        writes = self.server.writes
        if about.verb == "list":
            objects, metadata = listed(writes.store, about, query)
            return 200, self._many(about.kind, objects, metadata, query)
        with writes.store.lock:
            if about.verb == "get":
                found = writes.existing(about.kind, about.namespace, about.name)
                return 200, self._one(about, found, query)
            content_type = self._content_type()
            value = decode(body, content_type) if body else {}
            return write(writes, about, value, content_type, self._options(query))

    def _options(self, query: dict[str, str]) -> Options:
        agent = self.headers.get("User-Agent", "unknown").partition("/")[0]
        return Options(
            manager=query.get("fieldManager") or ("unknown" if self._content_type() in APPLY else agent),
            dry_run=query.get("dryRun") == "All",
            force=query.get("force") == "true",
            validation=query.get("fieldValidation") or "Warn",
            warn=self.warnings.append,
        )

    def _one(self, about: Route, value: Object, query: dict[str, str]) -> Any:
        if about.subresource == "scale":
            return scale_of(about.kind, value)
        if self._wants_table():
            metadata = {"resourceVersion": value["metadata"]["resourceVersion"]}
            return self._table(about.kind, [value], metadata, query)
        return value

    def _many(
        self, kind: Kind, objects: list[Object], metadata: dict[str, Any], query: dict[str, str]
    ) -> Any:
        if self._wants_table():
            return self._table(kind, objects, metadata, query)
        return {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": objects,
        }

    def _table(
        self, kind: Kind, objects: list[Object], metadata: dict[str, Any], query: dict[str, str]
    ) -> dict[str, Any]:
        made = table(kind, objects, metadata, self.server.writes.now())
        if query.get("includeObject") == "Object":
            for row, value in zip(made["rows"], objects, strict=True):
                row["object"] = value
        return made

    def _wants_table(self) -> bool:
        return "as=Table" in self.headers.get("Accept", "").partition(",")[0]

    def _content_type(self) -> str:
        return self.headers.get("Content-Type", "application/json").partition(";")[0].strip()

    def _watch(self, about: Route, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        until = time.monotonic() + float(query.get("timeoutSeconds") or 3600)
        try:
            for kind, value in watched(self.server.writes.store, about, query, self.server.stopping):
                if kind:
                    tabled = self._wants_table() and kind != "BOOKMARK"
                    shown = self._table(about.kind, [value], {}, query) if tabled else value
                    self._chunk({"type": kind, "object": shown})
                if time.monotonic() > until:
                    break
        except ApiError as error:
            self._chunk({"type": "ERROR", "object": error.status()})
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _chunk(self, event: dict[str, Any]) -> None:
        line = msgspec.json.encode(event) + b"\n"
        self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.flush()

    def _send(self, code: int, answer: Any) -> None:
        body = answer.encode() if isinstance(answer, str) else msgspec.json.encode(answer)
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        for text in self.warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            self.send_header("Warning", f'299 - "{quoted}"')
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _reset(self) -> None:
        """Close the connection so that the other side sees a reset, not an end."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.request.close()
