"""The registry that the versions' images are in: manifest lists, provenance and scan results, on loopback.

Every registered version has both architectures, was built by a workflow that the catalog allows, and was
scanned a minute ago without findings; both attestations are signed. `flaws` takes these away from single digests.
It speaks the dialect that it is given (`lab/traffic/dialects.py`); GHCR's, where the catalog's images are.
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
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from lab.sigstore import Sigstore, Workflow
from lab.traffic.dialects import GHCR, Dialect
from lab.web import HttpServer

_INDEX = "application/vnd.oci.image.index.v1+json"
# Predicates of in-toto statements: SLSA 1.0, and what `cosign attest --type vuln` writes.
PROVENANCE = "https://slsa.dev/provenance/v1"
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers)/(?P<reference>[^/]+)")


BUILDER = Workflow(
    "https://github.com/example-org/shop",
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
    # Scans without findings, each a day older than the next; they are listed before the newest one.
    older_scans: int = 0


class Reply(NamedTuple):
    """An answer over HTTP."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Seen(NamedTuple):
    """A request: which host was asked for what, and the scheme and value of `authorization`."""

    host: str
    path: str
    kind: str
    shown: str


class Registry:
    """Serves the images of `digests()`."""

    def __init__(
        self,
        digests: Callable[[], Collection[str]],
        sigstore: Sigstore,
        dialect: Dialect = GHCR,
        *,
        builder: Workflow = BUILDER,
    ) -> None:
        self._digests = digests
        # What is built and scanned as it has to be.
        self._sound = Facts(builder=builder, scanner=builder)
        self.sigstore = sigstore
        self.dialect = dialect
        self.flaws: dict[str, Facts] = {}
        # "user:password" that may pull; empty lets everybody.
        self.login = ""
        # Every request, and answers to the next ones in place of the right ones, by a part of the path.
        self.seen: list[Seen] = []
        self.instead: dict[str, list[Reply]] = {}
        self._key = secrets.token_hex()
        self._blobs: dict[str, bytes] = {}
        self._listed: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host = self.headers.get("host", "").partition(":")[0]
                reply = outer.respond(host, self.path, self.headers.get("authorization", ""))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HttpServer(("127.0.0.1", 0), Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def elsewhere(self) -> str:
        """Another host: of realms and of storage."""
        return f"http://localhost:{self._server.server_port}"

    def start(self) -> None:
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        threading.Thread(target=serve, name="registry", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, host: str, path: str, authorization: str) -> Reply:
        """The answer to a request, in the registry's dialect."""
        kind, _, shown = authorization.partition(" ")
        self.seen.append(Seen(host, path, kind, shown))
        for part, replies in self.instead.items():
            if part in path and replies:
                return replies.pop(0)
        parts = urlsplit(path)
        if parts.path == "/page":
            return Reply(200, b"<!doctype html><title>Welcome</title>", {"content-type": "text/html"})
        if parts.path.startswith("/storage/"):
            # As S3 does with two ways to prove oneself.
            body = self._blobs.get(parts.path.removeprefix("/storage/"))
            return Reply(400) if authorization or body is None else Reply(200, body)
        match = _PATH.fullmatch(parts.path)
        if match is None:
            return self._realm(kind, shown, parse_qs(parts.query))
        if not self._may_see(kind, shown, match["name"]):
            challenge = self.dialect.challenge.format(registry=self.endpoint, elsewhere=self.elsewhere)
            refusal = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
            return Reply(self.dialect.refusal, refusal.encode(), {"www-authenticate": challenge})
        return self._document(match["kind"], match["reference"], parts.path, parse_qs(parts.query))

    def _realm(self, kind: str, shown: str, asked: dict[str, list[str]]) -> Reply:
        """A token for one repository, for the login, or for everybody where images are public."""
        known = kind == "Basic" and base64.b64decode(shown).decode() == self.login
        if self.login and not known:
            return Reply(401, b'{"errors": null}')
        _, _, name = asked.get("scope", [""])[0].partition(":")
        return Reply(200, json.dumps({self.dialect.token: f"{self._key}.{name.rpartition(':')[0]}"}).encode())

    def _may_see(self, kind: str, shown: str, name: str) -> bool:
        if not self.login and not self.dialect.always_asks:
            return True
        if self.dialect.shows_for == "Bearer":
            return (kind, shown) == ("Bearer", f"{self._key}.{name}")
        return kind == "Basic" and (not self.login or base64.b64decode(shown).decode() == self.login)

    def _document(self, kind: str, reference: str, path: str, asked: dict[str, list[str]]) -> Reply:
        dialect, tag = self.dialect, reference.replace("sha256-", "sha256:")
        if kind == "referrers" and dialect.referrers != 200:
            headers = {"location": f"{self.endpoint}/page"} if dialect.referrers == 302 else {}
            return Reply(dialect.referrers, b'{"errors": [{"code": "UNSUPPORTED"}]}', headers)
        if kind == "referrers" and dialect.tags_only:
            return Reply(200, b'{"manifests": []}')
        if kind == "referrers" and dialect.page:
            return self._page(reference, path, int(asked.get("page", ["1"])[0]))
        if kind == "manifests" and tag != reference:
            # Attestations are behind the fallback tag where the API does not take them.
            tagged = dialect.tags_only or dialect.referrers != 200
            found = self.answer(path.replace("/manifests/", "/referrers/").replace(reference, tag))
            return Reply(200, found) if found and tagged else Reply(404)
        if kind == "blobs" and dialect.storage and reference in self._blobs:
            return Reply(307, headers={"location": f"{self.elsewhere}/storage/{reference}"})
        found = self.answer(path)
        if found is None:
            return Reply(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
        return Reply(200, found, {"content-type": _INDEX})

    def _page(self, reference: str, path: str, page: int) -> Reply:
        if page == 1:
            self._listed = json.loads(self.answer(path) or b'{"manifests": []}')["manifests"] or []
        end = page * self.dialect.page
        headers = {"link": f'<{path}?page={page + 1}>; rel="next"'} if end < len(self._listed) else {}
        body = json.dumps({"manifests": self._listed[end - self.dialect.page : end]})
        return Reply(200, body.encode(), headers)

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
        facts = self.flaws.get(reference, self._sound)
        if match["kind"] == "referrers":
            sigstore = Sigstore(self.sigstore.issuer) if facts.forged else self.sigstore
            listed = [self._attestation(s, by, sigstore) for s, by in _statements(reference, facts)]
            return json.dumps({"manifests": listed or (None if self.dialect.nulls else [])}).encode()
        platforms = [dict(zip(("os", "architecture"), p.split("/"), strict=True)) for p in facts.platforms]
        return json.dumps(
            {"mediaType": _INDEX, "manifests": [{"platform": platform} for platform in platforms]}
        ).encode()

    def _attestation(self, statement: dict[str, Any], signer: Workflow, sigstore: Sigstore) -> dict[str, Any]:
        blob = self._store(sigstore.sign(statement, signer, time.time()))
        nothing: dict[str, Any] = {"annotations": None, "platform": None} if self.dialect.nulls else {}
        manifest = {"layers": [{"digest": blob, **nothing}], **({"manifests": None} if nothing else {})}
        return {"digest": self._store(manifest), **nothing}

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
        for days in range(facts.older_scans, -1, -1):
            scan = _scan(() if days else facts.findings, facts.age + 86400 * days)
            found.append((_statement(SCAN, subject, scan), facts.scanner))
    return found


def _scan(findings: tuple[tuple[str, str], ...], age: float) -> dict[str, Any]:
    vulnerabilities = [{"VulnerabilityID": i, "Severity": s, "PkgName": "lab"} for i, s in findings]
    return {
        "scanner": {"result": {"Results": [{"Vulnerabilities": vulnerabilities or None}]}},
        "metadata": {"scanFinishedOn": datetime.fromtimestamp(time.time() - age, UTC).isoformat()},
    }


def _statement(kind: str, subject: Any, predicate: Any) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": kind,
        "subject": subject,
        "predicate": predicate,
    }
