"""The page behind one address, as API Gateway has it: its own function for files, samples for what it reads.

What is posted is kept and answered. Headers are the function's own, so a browser holds the page to its policy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from candlefish.bootstrap.console import console_files
from candlefish.views.serve_console import serve_console
from candlefish.web import Http, HttpRequest, RequestContext

ROOT = Path(__file__).parents[2]
FUNCTION = ROOT / "functions/serve_console/app.py"
FIXTURES = ROOT / "tests/fixtures/views"


def sample(name: str) -> dict[str, Any]:
    """A sample of tests/fixtures/views."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return found


class Asked(msgspec.Struct, frozen=True):
    """A request that came in."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""


class Fixture:
    """Serves the page on 127.0.0.1. `views` maps a path below /v1 to what is there; change it while a browser looks."""

    def __init__(self, views: Mapping[str, Any]) -> None:
        self.views: dict[str, Any] = dict(views)
        # Answers to posts by the last part of their path.
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        # Status and body that every read gets instead of its answer.
        self.refuse: tuple[int, dict[str, Any]] | None = None
        # How often a file is refused before it comes, by its name.
        self.lost: dict[str, int] = {}
        self.asked: list[Asked] = []
        self._site = console_files(str(FUNCTION))
        fixture = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fixture._answer(self, "")

            def do_POST(self) -> None:
                fixture._answer(self, self.rfile.read(int(self.headers["Content-Length"] or 0)).decode())

            def log_message(self, format: str, *args: Any) -> None:
                """`asked` has them."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="console-fixture", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def posts(self) -> list[tuple[str, dict[str, Any]]]:
        """What was posted, and where."""
        return [(each.path, json.loads(each.body)) for each in self.asked if each.method == "POST"]

    def reads(self, path: str = "/v1/") -> list[Asked]:
        return [each for each in self.asked if each.method == "GET" and each.path.startswith(path)]

    def _answer(self, connection: BaseHTTPRequestHandler, body: str) -> None:
        headers = {key.lower(): value for key, value in connection.headers.items()}
        self.asked.append(Asked(time.time(), connection.command, connection.path, headers, body))
        path = connection.path.partition("?")[0]
        if not path.startswith("/v1/"):
            self._file(connection, path, headers)
        elif connection.command == "POST":
            status, said = self.answers.get(
                path.rpartition("/")[2], (404, {"detail": f"nobody posts to {path} here"})
            )
            _send(connection, status, {"content-type": "application/json"}, json.dumps(said).encode())
        elif self.refuse:
            status, said = self.refuse
            _send(connection, status, {"content-type": "application/problem+json"}, json.dumps(said).encode())
        else:
            self._view(connection, path.removeprefix("/v1"), headers)

    def _view(self, connection: BaseHTTPRequestHandler, path: str, headers: Mapping[str, str]) -> None:
        found = self.views.get(path)
        value = found() if callable(found) else found
        if value is None:
            _send(
                connection,
                404,
                {"content-type": "application/problem+json"},
                json.dumps({"detail": f"there is no {path} here"}).encode(),
            )
            return
        content = msgspec.json.encode(value)
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if headers.get("if-none-match") == tag:
            _send(connection, 304, {"etag": tag}, b"")
        else:
            _send(
                connection,
                200,
                {"content-type": "application/json", "etag": tag, "cache-control": "private, no-cache"},
                content,
            )

    def _file(self, connection: BaseHTTPRequestHandler, path: str, headers: dict[str, str]) -> None:
        name = path.rpartition("/")[2]
        if self.lost.get(name):
            self.lost[name] -= 1
            _send(
                connection, 500, {"content-type": "application/json"}, b'{"message":"Internal Server Error"}'
            )
            return
        request = HttpRequest(
            headers=headers, raw_path=path, request_context=RequestContext(http=Http(connection.command))
        )
        answer = serve_console(request, site=self._site)
        content = base64.b64decode(answer.body) if answer.is_base64_encoded else answer.body.encode()
        _send(connection, answer.status_code, answer.headers, content)


def _send(
    connection: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], content: bytes
) -> None:
    connection.send_response(status)
    for name, value in headers.items():
        connection.send_header(name, value)
    connection.send_header("content-length", str(len(content)))
    connection.end_headers()
    connection.wfile.write(content)


def samples() -> dict[str, Any]:
    """Every view by its path, and every release sample as a release of that name."""
    views = {
        f"/{name}": sample(name)
        for name in ("fleet", "signals", "recovery", "calendar", "cost", "audit", "me")
    }
    views["/services/backend-api"] = sample("service")
    for path in sorted(FIXTURES.glob("release-*.json")):
        views[f"/releases/{path.stem}"] = json.loads(path.read_text())
    return views
