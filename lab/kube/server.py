"""The API over HTTPS: who asks; what is done about it is in `requests.py`."""

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

import msgspec

from lab.kube.access import Authenticator, User
from lab.kube.problems import ApiError
from lab.kube.reads import watched
from lab.kube.requests import (
    BIGGEST_BODY,
    Request,
    about_no_object,
    admit,
    perform,
    routed,
    split_target,
    tabled,
)
from lab.kube.routes import Route
from lab.kube.writes import Writes

LOG = logging.getLogger(__name__)


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
        path, query = split_target(self.path)
        if path in ("/healthz", "/readyz", "/livez"):
            return self._send(200, "ok")
        writes = self.server.writes
        request = Request(
            method=self.command,
            path=path,
            query=query,
            user=self._user(),
            body=body,
            content_type=self.headers.get("Content-Type", "application/json").partition(";")[0].strip(),
            agent=self.headers.get("User-Agent", "unknown").partition("/")[0],
            as_table="as=Table" in self.headers.get("Accept", "").partition(",")[0],
            warn=self.warnings.append,
        )
        if (found := about_no_object(writes, request)) is not None:
            return self._send(*found)
        about = routed(request)
        after = self._strike(about, request.user)
        admit(writes, about, request)
        if about.verb == "watch":
            return self._watch(about, request)
        code, answer = perform(writes, about, request)
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

    def _watch(self, about: Route, request: Request) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        until = time.monotonic() + float(request.query.get("timeoutSeconds") or 3600)
        try:
            for kind, value in watched(self.server.writes.store, about, request.query, self.server.stopping):
                if kind:
                    plain = kind == "BOOKMARK" or not request.as_table
                    shown = value if plain else tabled(self.server.writes, about.kind, [value], {}, request)
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
