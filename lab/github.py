"""GitHub, as far as a workflow's job, whoever trusts its tokens and whoever tells of a release see it, on loopback.

The keys, tokens for a job, an App's installation, deployments with their statuses, and the statuses of commits.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from lab.web import HttpServer

# What a job shows to get its tokens.
BEARER = "job"
LIFE = 300.0
# Whose token may write deployments and statuses; an App's installation is given another each time.
FINE_GRAINED = "github_pat_lab"
# https://docs.github.com/en/rest/deployments/statuses: longer is refused.
LONGEST = 140


class GitHub:
    """Signs tokens with a key of its own. `job` are the claims of the job that asks for one."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.job: dict[str, Any] = {}
        # How often somebody fetched the keys.
        self.fetched = 0
        # What people see: deployments of (repository), and the newest status of each context of a commit.
        self.deployments: list[dict[str, Any]] = []
        self.commits: dict[tuple[str, str, str], dict[str, Any]] = {}
        # Public keys of Apps by their id, and tokens that their installations were given.
        self.apps: dict[str, Any] = {}
        self.installed: set[str] = set()
        # What the next calls are answered with instead, first come first served: status and headers.
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.calls: list[str] = []
        self._writing = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(outer.answer(self.path, self.headers.get("authorization", "")))

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"null")
                self._reply(outer.answer(self.path, self.headers.get("authorization", ""), said or {}))

            def _reply(self, answer: tuple[int, Any, dict[str, str]]) -> None:
                status, body, headers = answer
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(data))}.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HttpServer(("127.0.0.1", 0), Handler)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="github", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(
        self, path: str, authorization: str, said: dict[str, Any] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers at a path; `said` is what was posted, None for a look."""
        split = urlsplit(path)
        self.calls.append(("GET " if said is None else "POST ") + split.path)
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return status, {"message": "no"}, headers
        if split.path == "/.well-known/jwks":
            self.fetched += 1
            return 200, {"keys": [self.public()]}, {}
        if split.path == "/token" and authorization == f"bearer {BEARER}":
            (audience,) = parse_qs(split.query)["audience"]
            return 200, {"value": self.token(audience)}, {}
        bearer = authorization.removeprefix("Bearer ")
        if split.path.startswith("/app/installations/") and said is not None:
            return self._install(bearer)
        if bearer != FINE_GRAINED and bearer not in self.installed:
            return 401, {"message": "Bad credentials"}, {}
        with self._writing:
            status, body = self._repository(split.path.split("/")[2:], parse_qs(split.query), said)
        return status, body, {}

    def _install(self, proof: str) -> tuple[int, Any, dict[str, str]]:
        app = str(jwt.decode(proof, options={"verify_signature": False}).get("iss"))
        try:
            jwt.decode(proof, self.apps[app], algorithms=["RS256"])
        except (KeyError, jwt.PyJWTError) as error:
            return 401, {"message": f"A JSON web token could not be decoded ({type(error).__name__})"}, {}
        token = f"ghs_{uuid.uuid4().hex}"
        self.installed.add(token)
        return 201, {"token": token}, {}

    def _repository(
        self, parts: list[str], asked: dict[str, list[str]], said: dict[str, Any] | None
    ) -> tuple[int, Any]:
        repository, rest = "/".join(parts[:2]), parts[2:]
        if said is not None and len(str(said.get("description", ""))) > LONGEST:
            return 422, {"message": "description is too long"}
        if rest == ["deployments"] and said is None:
            wanted = {
                name: values[0] for name, values in asked.items() if name in ("sha", "task", "environment")
            }
            found = [each for each in self.deployments if each["repository"] == repository]
            return 200, [each for each in reversed(found) if wanted.items() <= each.items()]
        if rest == ["deployments"] and said is not None:
            made = {**said, "id": len(self.deployments) + 1, "sha": said["ref"], "repository": repository}
            self.deployments.append({**made, "statuses": []})
            return 201, made
        if len(rest) == 3 and rest[0] == "deployments" and said is not None:
            self.deployments[int(rest[1]) - 1]["statuses"].append(said)
            return 201, said
        if len(rest) == 2 and rest[0] == "statuses" and said is not None:
            self.commits[repository, rest[1], said["context"]] = said
            return 201, said
        return 404, {"message": "Not Found"}

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
