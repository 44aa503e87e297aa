"""GitHub, as far as a workflow's job and whoever trusts its tokens see it: the keys, and tokens for a job, on loopback."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

# What a job shows to get its tokens.
BEARER = "job"
LIFE = 300.0


class GitHub:
    """Signs tokens with a key of its own. `job` are the claims of the job that asks for one."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.job: dict[str, Any] = {}
        # How often somebody fetched the keys.
        self.fetched = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.answer(self.path, self.headers.get("authorization", ""))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="github", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and document at a path: the keys, or a token for the job that shows its bearer token."""
        split = urlsplit(path)
        if split.path == "/.well-known/jwks":
            self.fetched += 1
            return 200, {"keys": [self.public()]}
        if split.path == "/token" and authorization == f"bearer {BEARER}":
            (audience,) = parse_qs(split.query)["audience"]
            return 200, {"value": self.token(audience)}
        return 401, {}

    def public(self, name: str = "lab-1") -> dict[str, Any]:
        """The key that it publishes, under a name."""
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**public, "kid": name, "use": "sig", "alg": "RS256"}

    def token(self, audience: str, **claims: Any) -> str:
        """A token for an audience, with the claims of the job and these; a claim that is None is left out."""
        now = time.time()
        said = {
            "iss": self.issuer,
            "aud": audience,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now - LIFE,
            "exp": now + LIFE,
            **self.job,
            **claims,
        }
        body = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(body, self.key, algorithm="RS256", headers={"kid": "lab-1"})
