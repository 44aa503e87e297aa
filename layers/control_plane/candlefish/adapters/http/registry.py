"""Images and what was attested about them, from an OCI registry: private ECR, GHCR, Docker Hub, any other.

Attestations are looked up as OCI referrers, by the API on all its pages and by the fallback tag of the specification:
a registry may have either, or both, or take one and list the other. They are Sigstore bundles around in-toto
statements, and count when they are verified (docs/security.md, "Gates").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from candlefish.adapters.http.attestations import Attested
from candlefish.adapters.http.oci import NO_SUCH_API, Answer, Credentials, OciClient
from candlefish.adapters.http.references import Reference, read_reference
from candlefish.bounds import decoded
from candlefish.errors import InvalidInput, Unavailable
from candlefish.release.model import Image, Scan, SigningWorkflow, Vulnerability
from candlefish.threads import learn

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
# All of them are read: they come in no order, and the newest scan may be the last. So many at a time.
MOST_ATTESTATIONS = 400
MOST_LAYERS = 10
MOST_PAGES = 40
AT_ONCE = 8
NAMED_AT_MOST = 3
T = TypeVar("T")


class Platform(msgspec.Struct, frozen=True):
    os: str | None = "unknown"
    architecture: str | None = ""


class Descriptor(msgspec.Struct, frozen=True):
    digest: str | None = ""
    platform: Platform | None = None


class ManifestDocument(msgspec.Struct, frozen=True):
    """An index, which has manifests, or a manifest, which has layers."""

    # Some registries write null where a list belongs, or into one.
    manifests: list[Descriptor | None] | None = None
    layers: list[Descriptor | None] | None = None

    def digests(self) -> Iterator[str]:
        """Of what it lists."""
        return (
            each.digest for each in (*(self.manifests or ()), *(self.layers or ())) if each and each.digest
        )


learn(ManifestDocument)


class Digests(msgspec.Struct, frozen=True):
    sha256: str = ""


class StatementSubject(msgspec.Struct, frozen=True):
    digest: Digests = Digests()


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """An in-toto statement. What its predicate is, its type says."""

    predicate_type: str = ""
    subject: list[StatementSubject] | None = []
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
    severity: str | None = None
    pkg_name: str | None = ""
    fixed_version: str | None = ""


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


# Gives what a bundle attests; raises InvalidInput with why when it proves nothing.
Verified = Callable[[bytes], Attested]


def _nobody(host: str) -> str:
    """No login anywhere: public images."""
    return ""


class OciRegistry:
    """`release.ports.Registry`. `endpoint` stands in for every registry's address when it is given."""

    def __init__(
        self, verified: Verified, credentials: Credentials = _nobody, endpoint: str = "", **patience: Any
    ) -> None:
        self._verified = verified
        self._client = OciClient(credentials, endpoint, **patience)

    def describe(self, image: str) -> Image:
        at = read_reference(image)
        index = self._json(at, f"manifests/{at.digest}", (*INDEXES, *MANIFESTS))
        if index is None:
            raise InvalidInput(
                f"{at.host} has no image {image}; push it first, and name the digest that the push printed"
            )
        found = _read(index, ManifestDocument)
        if found is None:
            raise InvalidInput(
                f"what {at.host} keeps as {image} is no manifest of an image; push it again, and name the digest "
                "that the push printed"
            )
        signed: list[Signed] = []
        invalid: list[str] = []
        for bundle in self._bundles(at):
            try:
                signed.append(_signed(self._verified(msgspec.json.encode(bundle)), at.digest))
            except InvalidInput as error:
                invalid.append(str(error))
        scans: list[Scan] = []
        for each in signed:
            if each.statement.predicate_type != SCAN:
                continue
            if (scan := _scan(each)) is not None:
                scans.append(scan)
            else:
                invalid.append("its scan is not what `trivy --format cosign-vuln` writes")
        return Image(
            platforms=tuple(_platforms(found)),
            provenance=tuple(
                dict.fromkeys(each.by for each in signed if each.statement.predicate_type == PROVENANCE)
            ),
            scans=tuple(scans),
            invalid=tuple(dict.fromkeys(invalid)),
        )

    def _bundles(self, at: Reference) -> Iterator[dict[str, Any]]:
        """Every document that the registry lists beside the digest."""
        digests = tuple(dict.fromkeys((*self._referrers(at), *self._tagged(at))))
        if len(digests) > MOST_ATTESTATIONS:
            raise InvalidInput(
                f"{at.host} lists {len(digests)} attestations beside {at.name}@{at.digest}, and at most "
                f"{MOST_ATTESTATIONS} are read: which scan is the newest cannot be told; delete old ones, or build anew"
            )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for documents in pool.map(partial(self._attestation, at), digests):
                yield from documents

    def _referrers(self, at: Reference) -> Iterator[str]:
        """What the API lists, page by page; nothing where there is no such API."""
        url, pages = self._client.address(at, f"referrers/{at.digest}"), 0
        while url:
            answer = self._client.get(at, url, INDEXES)
            index = _index(answer)
            if index is None and pages == 0:
                # Without the API registries answer so, or with a page for people.
                return
            if index is None:
                raise Unavailable(f"{at.host} answered {answer.status} for page {pages + 1} of {url}")
            yield from index.digests()
            url, pages = self._client.next_page(answer), pages + 1
            if url and pages >= MOST_PAGES:
                raise InvalidInput(
                    f"{at.host} lists what is beside {at.name}@{at.digest} on more than {MOST_PAGES} pages; delete old "
                    "attestations, or build anew"
                )

    def _tagged(self, at: Reference) -> Iterator[str]:
        """What is behind the fallback tag: clients write it where the API takes nothing."""
        url = self._client.address(at, f"manifests/{at.digest.replace(':', '-')}")
        index = _index(self._client.get(at, url, INDEXES))
        return index.digests() if index else iter(())

    def _attestation(self, at: Reference, digest: str) -> list[dict[str, Any]]:
        found = (
            _read(self._json(at, f"manifests/{digest}", MANIFESTS), ManifestDocument) or ManifestDocument()
        )
        layers = tuple(found.digests())[:MOST_LAYERS]
        documents = (self._json(at, f"blobs/{layer}", ("*/*",)) for layer in layers)
        # Others keep an SBOM there, or a signature of another kind.
        return [each for each in documents if each is not None and "dsseEnvelope" in each]

    def _json(self, at: Reference, what: str, accept: tuple[str, ...]) -> dict[str, Any] | None:
        """A JSON document; None when there is none."""
        url = self._client.address(at, what)
        answer = self._client.get(at, url, accept)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unavailable(f"the registry answered {answer.status} for {url}")
        return _document(answer)


def _document(answer: Answer) -> dict[str, Any] | None:
    try:
        return _read(decoded(answer.body, answer.url), dict[str, Any])
    except InvalidInput:
        return None


def _index(answer: Answer) -> ManifestDocument | None:
    """The list in an answer; None where there is none.

    Raises
    ------
    Unavailable
        It is an answer, but neither a list nor a way to say that there is none.
    """
    if answer.status in NO_SUCH_API:
        return None
    if answer.status != 200:
        raise Unavailable(f"the registry answered {answer.status} for {answer.url}")
    if (document := _document(answer)) is None:
        return None
    if (index := _read(document, ManifestDocument)) is None:
        raise Unavailable(f"the registry answered for {answer.url} with a list that cannot be read")
    return index


def _read(found: Any, kind: type[T]) -> T | None:
    """What is of that shape; None for what is not."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        return None


def _platforms(index: ManifestDocument) -> Iterator[str]:
    for manifest in index.manifests or []:
        # Attestation manifests of buildx are for unknown/unknown.
        if manifest and manifest.platform and (manifest.platform.os or "unknown") != "unknown":
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
    about = [f"sha256:{subject.digest.sha256}" for subject in statement.subject or ()]
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
    predicate = _read(signed.statement.predicate, ScanPredicate)
    if predicate is None:
        return None
    try:
        at = predicate.metadata.scan_finished_on.timestamp()
    except (ValueError, OverflowError):
        return None
    found = [v for result in predicate.scanner.result.results for v in result.vulnerabilities or ()]
    findings = (
        Vulnerability(v.vulnerability_id, v.severity or "UNKNOWN", v.pkg_name or "", v.fixed_version or "")
        for v in found
    )
    return Scan(at, tuple(findings), signed.by)
