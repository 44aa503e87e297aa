"""An OIDC issuer's authorization endpoint on another origin, as a browser meets it: it sends everybody back with a code."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit


class SmallIssuer:
    """Answers `/authorize`; `asked` is what the newest one asked for. `answer` is what it sends back beside the state."""

    def __init__(self) -> None:
        self.asked: dict[str, str] = {}
        self.answer: dict[str, str] = {"code": "the-code"}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self.send_response(302 if parts.path == "/authorize" else 404)
                if parts.path == "/authorize":
                    issuer.asked = dict(parse_qsl(parts.query))
                    back = urlencode({**issuer.answer, "state": issuer.asked["state"]})
                    self.send_header("location", f"{issuer.asked['redirect_uri']}?{back}")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """`asked` has it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="small-issuer", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
