"""The registry: the same cases in memory and over HTTP on loopback; the adapter against what GHCR and others do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

import pytest

from candlefish.adapters.http.registry import OciRegistry
from candlefish.errors import InvalidInput, Misconfigured, Unavailable
from candlefish.release.model import Image, Scan, Vulnerability
from candlefish.release.ports import Registry as ImageRegistry
from lab.memory.release import MemoryRegistry
from lab.traffic.registry import Facts, Registry

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


@pytest.fixture
def inner() -> Registry:
    return Registry(lambda: {DIGEST})


@pytest.fixture
def strict(inner: Registry) -> Iterator[Strict]:
    made = Strict(inner)
    yield made
    made.server.shutdown()
    made.server.server_close()
    inner._server.server_close()


@pytest.mark.parametrize("referrers", [True, False], ids=["referrers API", "fallback tag"])
def test_platforms_provenance_and_scan_are_read(strict: Strict, inner: Registry, referrers: bool) -> None:
    strict.referrers = referrers
    inner.flaws[DIGEST] = Facts(findings=(("CVE-2026-1", "CRITICAL"),))
    found = OciRegistry(endpoint=strict.endpoint).describe(IMAGE)
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert found.sources == ("https://github.com/candlefish-ai/candlefish",)
    assert [(v.id, v.severity) for v in found.scans[0].findings] == [("CVE-2026-1", "CRITICAL")]


def test_a_private_registry_gives_a_token_for_credentials(strict: Strict) -> None:
    strict.private = True
    assert OciRegistry(lambda: "robot:secret", strict.endpoint).describe(IMAGE).platforms
    with pytest.raises(Misconfigured, match="RegistrySecretArn"):
        OciRegistry(lambda: "robot:wrong", strict.endpoint).describe(IMAGE)


@pytest.fixture(params=["memory", "http"])
def pushed(request: pytest.FixtureRequest) -> ImageRegistry:
    """A registry with one image that is built for two platforms, from one repository, and scanned."""
    if request.param == "http":
        strict, inner = request.getfixturevalue("strict"), request.getfixturevalue("inner")
        inner.flaws[DIGEST] = Facts(findings=(("CVE-2026-1", "CRITICAL"),))
        return OciRegistry(endpoint=strict.endpoint)
    registry = MemoryRegistry()
    registry.push(
        IMAGE,
        Image(
            platforms=("linux/amd64", "linux/arm64"),
            sources=("https://github.com/candlefish-ai/candlefish",),
            scans=(Scan(1_800_000_000.0, (Vulnerability("CVE-2026-1", "CRITICAL"),)),),
        ),
    )
    return registry


def test_what_is_known_of_an_image_is_described(pushed: ImageRegistry) -> None:
    found = pushed.describe(IMAGE)
    assert found.platforms == ("linux/amd64", "linux/arm64")
    assert found.sources == ("https://github.com/candlefish-ai/candlefish",)
    assert [(v.id, v.severity) for v in found.scans[0].findings] == [("CVE-2026-1", "CRITICAL")]


def test_an_image_that_is_not_there_is_named(pushed: ImageRegistry) -> None:
    missing = IMAGE.replace("a" * 64, "b" * 64)
    with pytest.raises(InvalidInput, match=f"no image {missing}"):
        pushed.describe(missing)


def test_a_registry_that_is_down_is_no_empty_registry(strict: Strict) -> None:
    strict.status = 503
    with pytest.raises(Unavailable):
        OciRegistry(endpoint=strict.endpoint).describe(IMAGE)


def test_what_is_attested_of_another_digest_does_not_count(strict: Strict, inner: Registry) -> None:
    statement = {
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"digest": {"sha256": "c" * 64}}],
        "predicate": {
            "buildDefinition": {"externalParameters": {"workflow": {"repository": "https://github.com/x/y"}}}
        },
    }
    original = inner.answer

    def answer(path: str) -> bytes | None:
        if "/referrers/" in path:
            return json.dumps({"manifests": [inner._attestation(statement)]}).encode()
        return original(path)

    inner.answer = answer  # type: ignore[method-assign]
    assert OciRegistry(endpoint=strict.endpoint).describe(IMAGE).sources == ()


def test_an_attestation_that_nobody_can_read_is_none(strict: Strict, inner: Registry) -> None:
    blob = inner._store({"dsseEnvelope": {"payload": "%%%"}})
    manifest = inner._store({"layers": [{"digest": blob}]})
    original = inner.answer

    def answer(path: str) -> bytes | None:
        if "/referrers/" in path:
            return json.dumps({"manifests": [{"digest": manifest}]}).encode()
        return original(path)

    inner.answer = answer  # type: ignore[method-assign]
    found = OciRegistry(endpoint=strict.endpoint).describe(IMAGE)
    assert (found.sources, found.scans) == ((), ())
