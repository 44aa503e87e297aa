"""The registry that the versions' images are in: manifest lists, provenance and scan results, on loopback.

Every registered version has both architectures, was built by a workflow that the catalog allows, and was
scanned a minute ago without findings; both attestations are signed. `flaws` takes these away from single digests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from lab.sigstore import Sigstore, Workflow

_INDEX = "application/vnd.oci.image.index.v1+json"
# Predicates of in-toto statements: SLSA 1.0, and what `cosign attest --type vuln` writes.
PROVENANCE = "https://slsa.dev/provenance/v1"
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers)/(?P<reference>[^/]+)")


BUILDER = Workflow(
    "https://github.com/candlefish-ai/candlefish",
    ".github/workflows/unified-deployment.yml",
    "refs/heads/main",
)


class Facts(msgspec.Struct, frozen=True):
    """What the registry has of an image; None leaves the attestation out."""

    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    builder: Workflow | None = BUILDER
    scanner: Workflow = BUILDER
    # Signed with keys that nobody trusts.
    forged: bool = False
    # (id, severity) of what the scanner found.
    findings: tuple[tuple[str, str], ...] | None = ()
    # Seconds since the scan.
    age: float = 60


class Registry:
    """Serves the images of `digests()`."""

    def __init__(self, digests: Callable[[], Collection[str]], sigstore: Sigstore) -> None:
        self._digests = digests
        self.sigstore = sigstore
        self.flaws: dict[str, Facts] = {}
        # "user:password" that may pull; empty lets everybody.
        self.login = ""
        self._token = secrets.token_hex()
        self._blobs: dict[str, bytes] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.respond(self.path, self.headers.get("authorization", ""))
                self.send_response(status)
                if status == 401:
                    self.send_header(
                        "www-authenticate", f'Bearer realm="{outer.endpoint}/token",service="lab"'
                    )
                self.send_header("content-type", _INDEX)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="registry", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, path: str, authorization: str) -> tuple[int, bytes]:
        """The status and the body for a request: a token for the login, documents for the token."""
        kind, _, given = authorization.partition(" ")
        if path.startswith("/token"):
            known = kind == "Basic" and base64.b64decode(given).decode() == self.login
            return (200, json.dumps({"token": self._token}).encode()) if known else (401, b"{}")
        if self.login and (kind, given) != ("Bearer", self._token):
            return 401, b'{"errors": [{"code": "UNAUTHORIZED"}]}'
        found = self.answer(path)
        return (200, found) if found else (404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

    def answer(self, path: str) -> bytes | None:
        """The document at a path; None when there is none."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        reference = match["reference"]
        if reference in self._blobs:
            return self._blobs[reference]
        known = reference in self._digests()
        if not known:
            return None
        facts = self.flaws.get(reference, Facts())
        if match["kind"] == "referrers":
            sigstore = Sigstore(self.sigstore.issuer) if facts.forged else self.sigstore
            return json.dumps(
                {"manifests": [self._attestation(s, by, sigstore) for s, by in _statements(reference, facts)]}
            ).encode()
        platforms = [dict(zip(("os", "architecture"), p.split("/"), strict=True)) for p in facts.platforms]
        return json.dumps(
            {"mediaType": _INDEX, "manifests": [{"platform": platform} for platform in platforms]}
        ).encode()

    def _attestation(self, statement: dict[str, Any], signer: Workflow, sigstore: Sigstore) -> dict[str, Any]:
        blob = self._store(sigstore.sign(statement, signer, time.time()))
        return {"digest": self._store({"layers": [{"digest": blob}]})}

    def _store(self, document: Any) -> str:
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._blobs[digest] = body
        return digest


def _statements(digest: str, facts: Facts) -> list[tuple[dict[str, Any], Workflow]]:
    """Each with who signs it."""
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    found: list[tuple[dict[str, Any], Workflow]] = []
    if facts.builder is not None:
        builder = facts.builder
        named = {"repository": builder.repository, "path": builder.path, "ref": builder.ref}
        workflow = {"workflow": named}
        predicate = {"buildDefinition": {"externalParameters": workflow}}
        found.append((_statement(PROVENANCE, subject, predicate), builder))
    if facts.findings is not None:
        vulnerabilities = [{"VulnerabilityID": i, "Severity": s, "PkgName": "lab"} for i, s in facts.findings]
        finished = datetime.fromtimestamp(time.time() - facts.age, UTC).isoformat()
        scan = {
            "scanner": {"result": {"Results": [{"Vulnerabilities": vulnerabilities}]}},
            "metadata": {"scanFinishedOn": finished},
        }
        found.append((_statement(SCAN, subject, scan), facts.scanner))
    return found


def _statement(kind: str, subject: Any, predicate: Any) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": kind,
        "subject": subject,
        "predicate": predicate,
    }
