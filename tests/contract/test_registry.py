"""The registry: the same cases in memory and over HTTP on loopback; the adapter against what GHCR and others do."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest

from candlefish.adapters.http.attestations import SigstoreAttestations
from candlefish.adapters.http.registry import OciRegistry, Verified
from candlefish.errors import InvalidInput, Misconfigured, Unavailable
from candlefish.release.model import Image, Scan, SigningWorkflow, Vulnerability
from candlefish.release.ports import Registry as ImageRegistry
from lab.memory.release import MemoryRegistry
from lab.sigstore import Sigstore, Workflow
from lab.traffic.registry import BUILDER, Facts, Registry

ISSUER = "https://token.actions.githubusercontent.com"
OTHER = "sha256:" + "c" * 64
OURS = SigningWorkflow(*BUILDER)
FORK = BUILDER._replace(repository="https://github.com/evil/fork")
pytestmark = pytest.mark.enable_socket
DIGEST = "sha256:" + "a" * 64
IMAGE = f"ghcr.io/candlefish-ai/website@{DIGEST}"


class Strict:
    """The lab's registry behind what others do: tokens, no referrers API, outages."""

    def __init__(self, inner: Registry) -> None:
        self.private, self.referrers, self.status = False, True, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, headers = outer.answer(self.path, self.headers.get("authorization", ""), inner)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, path: str, authorization: str, inner: Registry) -> tuple[int, bytes, dict[str, str]]:
        if self.status:
            return self.status, b"", {}
        if path.startswith("/token"):
            right = authorization == "Basic " + base64.b64encode(b"robot:secret").decode()
            return (
                (200, b'{"token": "pull"}', {})
                if right and "candlefish-ai/website" in unquote(path)
                else (403, b"", {})
            )
        if self.private and authorization != "Bearer pull":
            challenge = f'Bearer realm="{self.endpoint}/token",service="ghcr.io",scope="repository:x:pull"'
            challenge = challenge.replace("repository:x", "repository:candlefish-ai/website")
            return 401, b"", {"www-authenticate": challenge}
        if not self.referrers:
            if "/referrers/" in path:
                return 404, b"", {}
            # The fallback tag of the specification: the digest with a dash.
            if path.endswith(DIGEST.replace(":", "-")):
                path = path.replace("/manifests/", "/referrers/").replace(DIGEST.replace(":", "-"), DIGEST)
        found = inner.answer(path)
        return (200, found, {}) if found else (404, b"", {})


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore(ISSUER)


@pytest.fixture(scope="module")
def verified(sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    root = tmp_path_factory.mktemp("trust") / "root.json"
    root.write_text(json.dumps(sigstore.trusted_root()))
    return SigstoreAttestations(str(root), ISSUER).verified


@pytest.fixture
def inner(sigstore: Sigstore) -> Registry:
    return Registry(lambda: {DIGEST}, sigstore)


@pytest.fixture
def strict(inner: Registry) -> Iterator[Strict]:
    made = Strict(inner)
    yield made
    made.server.shutdown()
    made.server.server_close()
    inner._server.server_close()


@pytest.mark.parametrize("referrers", [True, False], ids=["referrers API", "fallback tag"])
def test_platforms_provenance_and_scan_are_read(
    strict: Strict, inner: Registry, verified: Verified, referrers: bool
) -> None:
    strict.referrers = referrers
    inner.flaws[DIGEST] = Facts(findings=(("CVE-2026-1", "CRITICAL"),))
    found = OciRegistry(verified, endpoint=strict.endpoint).describe(IMAGE)
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert (found.provenance, found.scans[0].signer, found.invalid) == ((OURS,), OURS, ())
    assert [(v.id, v.severity) for v in found.scans[0].findings] == [("CVE-2026-1", "CRITICAL")]


def test_a_private_registry_gives_a_token_for_credentials(strict: Strict, verified: Verified) -> None:
    strict.private = True
    assert OciRegistry(verified, lambda: "robot:secret", strict.endpoint).describe(IMAGE).platforms
    with pytest.raises(Misconfigured, match="RegistrySecretArn"):
        OciRegistry(verified, lambda: "robot:wrong", strict.endpoint).describe(IMAGE)


@pytest.fixture(params=["memory", "http"])
def pushed(request: pytest.FixtureRequest) -> ImageRegistry:
    """A registry with one image that is built for two platforms, from one repository, and scanned."""
    if request.param == "http":
        strict, inner = request.getfixturevalue("strict"), request.getfixturevalue("inner")
        inner.flaws[DIGEST] = Facts(findings=(("CVE-2026-1", "CRITICAL"),))
        return OciRegistry(request.getfixturevalue("verified"), endpoint=strict.endpoint)
    registry = MemoryRegistry()
    registry.push(
        IMAGE,
        Image(
            platforms=("linux/amd64", "linux/arm64"),
            provenance=(OURS,),
            scans=(Scan(1_800_000_000.0, (Vulnerability("CVE-2026-1", "CRITICAL"),), OURS),),
        ),
    )
    return registry


def test_what_is_known_of_an_image_is_described(pushed: ImageRegistry) -> None:
    found = pushed.describe(IMAGE)
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert (found.provenance, found.scans[0].signer) == ((OURS,), OURS)
    assert [(v.id, v.severity) for v in found.scans[0].findings] == [("CVE-2026-1", "CRITICAL")]


def test_an_image_that_is_not_there_is_named(pushed: ImageRegistry) -> None:
    missing = IMAGE.replace("a" * 64, "b" * 64)
    with pytest.raises(InvalidInput, match=f"no image {missing}"):
        pushed.describe(missing)


def test_a_registry_that_is_down_is_no_empty_registry(strict: Strict, verified: Verified) -> None:
    strict.status = 503
    with pytest.raises(Unavailable):
        OciRegistry(verified, endpoint=strict.endpoint).describe(IMAGE)


def beside(inner: Registry, *documents: Any) -> None:
    """Let the registry list these documents beside the image, and nothing else."""
    listed = [{"digest": inner._store({"layers": [{"digest": inner._store(each)}]})} for each in documents]
    original = inner.answer

    def answer(path: str) -> bytes | None:
        return json.dumps({"manifests": listed}).encode() if "/referrers/" in path else original(path)

    inner.answer = answer  # type: ignore[method-assign]


def attested(digest: str = DIGEST, *, says: Workflow = BUILDER) -> dict[str, Any]:
    """A statement of who built a digest."""
    workflow = {"repository": says.repository, "path": says.path, "ref": says.ref}
    return {
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": {"buildDefinition": {"externalParameters": {"workflow": workflow}}},
    }


def described(strict: Strict, verified: Verified) -> Image:
    return OciRegistry(verified, endpoint=strict.endpoint).describe(IMAGE)


def test_what_is_attested_of_another_digest_does_not_count(
    strict: Strict, inner: Registry, verified: Verified
) -> None:
    beside(inner, inner.sigstore.sign(attested(OTHER), BUILDER, time.time()))
    found = described(strict, verified)
    assert (found.provenance, found.invalid) == ((), (f"it is about {OTHER}",))


def test_who_built_is_what_the_certificate_says_and_a_predicate_that_says_otherwise_does_not_count(
    strict: Strict, inner: Registry, verified: Verified
) -> None:
    sign = partial(inner.sigstore.sign, at=time.time())
    beside(inner, sign(attested(says=BUILDER), FORK), sign(attested(says=FORK), FORK))
    found = described(strict, verified)
    assert found.provenance == (SigningWorkflow(*FORK),)
    (why,) = found.invalid
    assert re.search(
        r"says that https://github.com/candlefish-ai/.* built it, but .*/evil/fork/.* signed", why
    )


def test_a_workflow_that_another_repository_lends_is_named_in_full(
    strict: Strict, inner: Registry, verified: Verified
) -> None:
    """The caller is the source; the called workflow is who signs."""
    lent = "https://github.com/org/shared/.github/workflows/build.yml"
    signed = inner.sigstore.sign(
        attested(),
        BUILDER,
        time.time(),
        lent=f"{lent}@refs/tags/v2",
    )
    beside(inner, signed)
    assert described(strict, verified).provenance == (SigningWorkflow(BUILDER.repository, lent, BUILDER.ref),)


def test_an_attestation_that_nobody_signed_or_that_cannot_be_read_is_none(
    strict: Strict, inner: Registry, verified: Verified
) -> None:
    payload = base64.b64encode(json.dumps(attested()).encode()).decode()
    beside(
        inner,
        {"payload": payload},
        {"dsseEnvelope": {"payload": payload}},
        {"dsseEnvelope": {"payload": "%%%"}},
        {"spdxVersion": "SPDX-2.3"},
    )
    found = described(strict, verified)
    assert (found.provenance, found.scans) == ((), ())
    assert found.invalid


def test_what_was_signed_and_is_no_statement_does_not_count(
    strict: Strict, inner: Registry, verified: Verified
) -> None:
    sign = partial(inner.sigstore.sign, by=BUILDER, at=time.time())
    beside(inner, sign(["no", "statement"]), sign({"subject": 3}))
    found = described(strict, verified)
    assert (found.provenance, found.invalid) == ((), ("what was signed is no in-toto statement",))
