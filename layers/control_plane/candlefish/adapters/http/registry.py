"""Images and what was attested about them, from an OCI registry (GHCR, ECR behind a proxy, any other).

Attestations are looked up as OCI referrers, by the API or, where a registry has none (GHCR), by the
fallback tag of the specification. They are Sigstore bundles around in-toto statements, and count when they are
verified (docs/security.md, "Gates").
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3

from candlefish.adapters.http.attestations import Attested
from candlefish.bounds import decoded
from candlefish.errors import InvalidInput, Misconfigured, Unavailable
from candlefish.release.model import Image, Scan, SigningWorkflow, Vulnerability

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
NAMED_AT_MOST = 3
T = TypeVar("T")
LONGEST_CHALLENGE = 2000
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Platform(msgspec.Struct, frozen=True):
    os: str = "unknown"
    architecture: str = ""


class Descriptor(msgspec.Struct, frozen=True):
    digest: str = ""
    platform: Platform | None = None


class ManifestDocument(msgspec.Struct, frozen=True):
    """An index, which has manifests, or a manifest, which has layers."""

    manifests: list[Descriptor] | None = None
    layers: list[Descriptor] | None = None


class Digests(msgspec.Struct, frozen=True):
    sha256: str = ""


class StatementSubject(msgspec.Struct, frozen=True):
    digest: Digests = Digests()


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """An in-toto statement. What its predicate is, its type says."""

    predicate_type: str = ""
    subject: list[StatementSubject] = []
    predicate: Any = None


class Workflow(msgspec.Struct, frozen=True):
    repository: str = ""
    path: str = ""
    ref: str = ""


class ExternalParameters(msgspec.Struct, frozen=True):
    workflow: Workflow = Workflow()


class BuildDefinition(msgspec.Struct, frozen=True, rename="camel"):
    external_parameters: ExternalParameters = ExternalParameters()


class ProvenancePredicate(msgspec.Struct, frozen=True, rename="camel"):
    build_definition: BuildDefinition = BuildDefinition()


class FoundVulnerability(msgspec.Struct, frozen=True, rename="pascal"):
    vulnerability_id: str = msgspec.field(name="VulnerabilityID")
    severity: str
    pkg_name: str = ""
    fixed_version: str = ""


class ScanResult(msgspec.Struct, frozen=True, rename="pascal"):
    vulnerabilities: list[FoundVulnerability] | None = None


class ScanReport(msgspec.Struct, frozen=True, rename="pascal"):
    # Trivy leaves it out only for what it could not read.
    results: list[ScanResult]


class Scanner(msgspec.Struct, frozen=True):
    result: ScanReport


class ScanMetadata(msgspec.Struct, frozen=True, rename="camel"):
    scan_finished_on: datetime


class ScanPredicate(msgspec.Struct, frozen=True):
    """Trivy's `--format cosign-vuln`."""

    metadata: ScanMetadata
    scanner: Scanner


class Signed(msgspec.Struct, frozen=True):
    """A statement and who signed it."""

    statement: Statement
    by: SigningWorkflow


# Gives "user:password" for a private registry, or "".
Credentials = Callable[[], str]
# Gives what a bundle attests; raises InvalidInput with why when it proves nothing.
Verified = Callable[[bytes], Attested]


class OciRegistry:
    """`release.ports.Registry`. `endpoint` stands in for https://<host of the image> when it is given."""

    def __init__(self, verified: Verified, credentials: Credentials = lambda: "", endpoint: str = "") -> None:
        self._verified = verified
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
        found = _read(index, ManifestDocument)
        if found is None:
            raise InvalidInput(
                f"what {host} keeps as {image} is no manifest of an image; push it again, and name the digest "
                "that the push printed"
            )
        signed: list[Signed] = []
        invalid: list[str] = []
        for bundle in self._bundles(base, name, digest):
            try:
                signed.append(_signed(self._verified(msgspec.json.encode(bundle)), digest))
            except InvalidInput as error:
                invalid.append(str(error))
        return Image(
            platforms=tuple(_platforms(found)),
            provenance=tuple(
                dict.fromkeys(each.by for each in signed if each.statement.predicate_type == PROVENANCE)
            ),
            scans=tuple(scan for scan in map(_scan, signed) if scan is not None),
            invalid=tuple(dict.fromkeys(invalid)),
        )

    def _bundles(self, base: str, name: str, digest: str) -> Iterator[dict[str, Any]]:
        """Every document that the registry lists beside the digest."""
        listed = self._json(f"{base}/referrers/{digest}", name, INDEXES) or self._json(
            f"{base}/manifests/{digest.replace(':', '-')}", name, INDEXES
        )
        index = _read(listed, ManifestDocument) or ManifestDocument()
        for descriptor in (index.manifests or [])[-MOST_ATTESTATIONS:]:
            found = self._json(f"{base}/manifests/{descriptor.digest}", name, MANIFESTS)
            manifest = _read(found, ManifestDocument) or ManifestDocument()
            for layer in (manifest.layers or [])[:MOST_ATTESTATIONS]:
                document = self._json(f"{base}/blobs/{layer.digest}", name, ("*/*",))
                # Others keep an SBOM there, or a signature of another kind.
                if document is not None and "dsseEnvelope" in document:
                    yield document

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
            return _read(decoded(body, url), dict[str, Any])
        except InvalidInput:
            return None

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
        body = decoded(answer.data, realm)
        given_token = _read(body, dict[str, Any]) or {}
        return str(given_token.get("token") or given_token.get("access_token") or "")


def _read(found: Any, kind: type[T]) -> T | None:
    """What is of that shape; None for what is not."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        return None


def _platforms(index: ManifestDocument) -> Iterator[str]:
    for manifest in index.manifests or []:
        # Attestation manifests of buildx are for unknown/unknown.
        if manifest.platform and manifest.platform.os != "unknown":
            yield f"{manifest.platform.os}/{manifest.platform.architecture}"


def _signed(attested: Attested, digest: str) -> Signed:
    """A verified statement about exactly this digest, of a signer who did not write something else into it.

    Raises
    ------
    InvalidInput
        It is about something else, or its certificate says otherwise.
    """
    statement = _read(decoded(attested.statement, "an attestation"), Statement)
    if statement is None:
        raise InvalidInput("what was signed is no in-toto statement")
    about = [f"sha256:{subject.digest.sha256}" for subject in statement.subject]
    if digest not in about:
        raise InvalidInput(f"it is about {', '.join(about[:NAMED_AT_MOST]) or 'nothing'}")
    if statement.predicate_type == PROVENANCE:
        predicate = _read(statement.predicate, ProvenancePredicate) or ProvenancePredicate()
        said = predicate.build_definition.external_parameters.workflow
        built = f"{said.repository}/{said.path}@{said.ref}"
        if built != attested.started:
            raise InvalidInput(f"it says that {built} built it, but {attested.started} signed it")
    workflow = attested.signer.partition("@")[0].removeprefix(f"{attested.repository}/")
    return Signed(statement, SigningWorkflow(attested.repository, workflow, attested.ref))


def _scan(signed: Signed) -> Scan | None:
    if signed.statement.predicate_type != SCAN:
        return None
    predicate = _read(signed.statement.predicate, ScanPredicate)
    if predicate is None:
        return None
    try:
        at = predicate.metadata.scan_finished_on.timestamp()
    except (ValueError, OverflowError):
        return None
    found = [v for result in predicate.scanner.result.results for v in result.vulnerabilities or ()]
    findings = (Vulnerability(v.vulnerability_id, v.severity, v.pkg_name, v.fixed_version) for v in found)
    return Scan(at, tuple(findings), signed.by)
