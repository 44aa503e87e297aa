"""Images and what was attested about them, from an OCI registry (GHCR, ECR behind a proxy, any other).

Attestations are looked up as OCI referrers, by the API or, where a registry has none (GHCR), by the
fallback tag of the specification. Their payloads are in-toto statements inside Sigstore bundles or plain
DSSE envelopes. Signatures are not verified here: docs/security.md, "Gates".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3

from candlefish.errors import InvalidInput, Misconfigured, Unavailable
from candlefish.release.model import Image, Scan, Vulnerability

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
PROVENANCE = "https://slsa.dev/provenance/v1"
SCAN = "https://cosign.sigstore.dev/attestation/vuln/v1"
LARGEST = 8 * 1024 * 1024
MOST_ATTESTATIONS = 50
LONGEST_CHALLENGE = 2000
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')

# Gives "user:password" for a private registry, or "".
Credentials = Callable[[], str]


class OciRegistry:
    """`release.ports.Registry`. `endpoint` stands in for https://<host of the image> when it is given."""

    def __init__(self, credentials: Credentials = lambda: "", endpoint: str = "") -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(
                2, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504), raise_on_status=False
            ),
            timeout=urllib3.Timeout(connect=2, read=8),
        )
        self._tokens: dict[str, str] = {}

    def describe(self, image: str) -> Image:
        repository, digest = image.split("@")
        host, _, name = repository.partition("/")
        base = f"{self._endpoint or f'https://{host}'}/v2/{name}"
        index = self._json(f"{base}/manifests/{digest}", name, (*INDEXES, *MANIFESTS))
        if index is None:
            raise InvalidInput(
                f"{host} has no image {image}; push it first, and name the digest that the push printed"
            )
        statements = list(self._statements(base, name, digest))
        return Image(
            platforms=tuple(_platforms(index)),
            sources=tuple(dict.fromkeys(filter(None, map(_source, statements)))),
            scans=tuple(scan for scan in map(_scan, statements) if scan is not None),
        )

    def _statements(self, base: str, name: str, digest: str) -> Iterator[dict[str, Any]]:
        """In-toto statements about exactly this digest."""
        index = self._json(f"{base}/referrers/{digest}", name, INDEXES) or self._json(
            f"{base}/manifests/{digest.replace(':', '-')}", name, INDEXES
        )
        for descriptor in (index or {}).get("manifests", [])[-MOST_ATTESTATIONS:]:
            manifest = self._json(f"{base}/manifests/{descriptor['digest']}", name, MANIFESTS) or {}
            for layer in manifest.get("layers", []):
                bundle = self._json(f"{base}/blobs/{layer['digest']}", name, ("*/*",))
                statement = _statement(bundle)
                subjects = (statement or {}).get("subject", [])
                if statement and any(
                    f"sha256:{s.get('digest', {}).get('sha256')}" == digest for s in subjects
                ):
                    yield statement

    def _json(self, url: str, name: str, accept: tuple[str, ...]) -> dict[str, Any] | None:
        """A JSON document; None when there is none."""
        status, challenge, body = self._get(url, accept, self._tokens.get(name, ""))
        if status == 401:
            self._tokens[name] = self._token(challenge, name)
            status, _, body = self._get(url, accept, self._tokens[name])
        if status == 404:
            return None
        if status in (401, 403):
            raise Misconfigured(
                f"the registry refuses to show {name} ({status}); name a secret with credentials that may pull it "
                "in the stack's parameter RegistrySecretArn"
            )
        if status != 200:
            raise Unavailable(f"the registry answered {status} for {url}")
        try:
            found: Any = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return None
        return found if isinstance(found, dict) else None

    def _get(self, url: str, accept: tuple[str, ...], token: str) -> tuple[int, str, bytes]:
        """Status, challenge and body."""
        headers = {"accept": ", ".join(accept)} | ({"authorization": f"Bearer {token}"} if token else {})
        try:
            answer = self._pool.request("GET", url, headers=headers, preload_content=False)
            body = answer.read(LARGEST + 1)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the registry did not answer for {url}: {error}") from error
        if len(body) > LARGEST:
            raise Unavailable(
                f"{url} is larger than {LARGEST} bytes, which no manifest or attestation of ours is"
            )
        answer.release_conn()
        return answer.status, answer.headers.get("www-authenticate", ""), body

    def _token(self, challenge: str, name: str) -> str:
        """A pull token, as the registry's challenge says where to get one."""
        parts = dict(_CHALLENGE.findall(challenge[:LONGEST_CHALLENGE]))
        realm = parts.pop("realm", "")
        if urlsplit(realm).scheme != "https" and not self._endpoint:
            raise Misconfigured(
                f"the registry of {name} names no https address to get a token from ({challenge!r})"
            )
        query = urlencode({"scope": f"repository:{name}:pull", **parts}, quote_via=quote)
        given = self._credentials()
        headers = {"authorization": f"Basic {base64.b64encode(given.encode()).decode()}"} if given else {}
        try:
            answer = self._pool.request("GET", f"{realm}?{query}", headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"{realm} did not answer: {error}") from error
        if answer.status != 200:
            raise Misconfigured(
                f"{realm} gives no token to pull {name} ({answer.status}); check RegistrySecretArn's secret"
            )
        body = msgspec.json.decode(answer.data)
        return str(body.get("token") or body.get("access_token") or "")


def _platforms(index: dict[str, Any]) -> Iterator[str]:
    for manifest in index.get("manifests", []):
        platform = manifest.get("platform", {})
        # Attestation manifests of buildx are for unknown/unknown.
        if platform.get("os", "unknown") != "unknown":
            yield f"{platform['os']}/{platform.get('architecture', '')}"


def _statement(bundle: dict[str, Any] | None) -> dict[str, Any] | None:
    envelope = (bundle or {}).get("dsseEnvelope", bundle) or {}
    try:
        found = msgspec.json.decode(base64.b64decode(envelope["payload"]))
    except (KeyError, TypeError, ValueError, msgspec.DecodeError):
        return None
    return found if isinstance(found, dict) else None


def _source(statement: dict[str, Any]) -> str:
    if statement.get("predicateType") != PROVENANCE:
        return ""
    parameters = statement.get("predicate", {}).get("buildDefinition", {}).get("externalParameters", {})
    return str(parameters.get("workflow", {}).get("repository", ""))


def _scan(statement: dict[str, Any]) -> Scan | None:
    """Trivy's `--format cosign-vuln`."""
    if statement.get("predicateType") != SCAN:
        return None
    predicate = statement.get("predicate", {})
    results = predicate.get("scanner", {}).get("result", {})
    try:
        at = datetime.fromisoformat(predicate["metadata"]["scanFinishedOn"]).timestamp()
        # Trivy leaves Results out only for what it could not read.
        found = [v for result in results["Results"] for v in result.get("Vulnerabilities") or ()]
        return Scan(
            at,
            tuple(
                Vulnerability(
                    v["VulnerabilityID"], v["Severity"], v.get("PkgName", ""), v.get("FixedVersion", "")
                )
                for v in found
            ),
        )
    except (KeyError, TypeError, ValueError):
        return None
