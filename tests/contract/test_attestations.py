"""Signatures on attestations: real ones, of a Sigstore of the lab's own, and everything that is wrong with them."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sigstore

from candlefish.adapters.http.attestations import SigstoreAttestations
from candlefish.errors import InvalidInput, Misconfigured
from lab.sigstore import LIFE, Sigstore, Workflow

ISSUER = "https://token.actions.githubusercontent.com"
NOW = 1_795_500_000.0
BUILD = Workflow("https://github.com/org/shop", ".github/workflows/build.yml", "refs/heads/main")
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "subject": []}
PUBLIC = Path(sigstore.__file__).parent / "_store/https%3A%2F%2Ftuf-repo-cdn.sigstore.dev/trusted_root.json"


@pytest.fixture(scope="module")
def ours() -> Sigstore:
    return Sigstore(ISSUER)


@pytest.fixture(scope="module")
def attestations(ours: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> SigstoreAttestations:
    root = tmp_path_factory.mktemp("trust") / "root.json"
    root.write_text(json.dumps(ours.trusted_root()))
    return SigstoreAttestations(str(root), ISSUER)


def read(attestations: SigstoreAttestations, bundle: Any) -> Any:
    return attestations.verified(json.dumps(bundle).encode())


def test_what_was_signed_and_by_whom_is_what_the_certificate_says(
    ours: Sigstore, attestations: SigstoreAttestations
) -> None:
    found = read(attestations, ours.sign(STATEMENT, BUILD, NOW))
    workflow = "https://github.com/org/shop/.github/workflows/build.yml@refs/heads/main"
    assert json.loads(found.statement) == STATEMENT
    assert (found.repository, found.ref) == ("https://github.com/org/shop", "refs/heads/main")
    assert (found.signer, found.started) == (workflow, workflow)


def test_a_certificate_that_is_over_counts_by_the_time_of_the_log(
    ours: Sigstore, attestations: SigstoreAttestations
) -> None:
    # These certificates live ten minutes, and images years.
    assert read(attestations, ours.sign(STATEMENT, BUILD, NOW - 200 * 86400)).ref == BUILD.ref


def with_payload(bundle: Any) -> None:
    forged = {**STATEMENT, "predicateType": "y"}
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(forged).encode()).decode()


def other_signature(bundle: Any) -> None:
    entry = Sigstore(ISSUER).sign(STATEMENT, BUILD, NOW)
    bundle["dsseEnvelope"]["signatures"] = entry["dsseEnvelope"]["signatures"]


def other_key(bundle: Any) -> None:
    """Signed by somebody else altogether, under our certificate."""
    made = Sigstore(ISSUER).sign(STATEMENT, BUILD, NOW)
    made["verificationMaterial"]["certificate"] = bundle["verificationMaterial"]["certificate"]
    bundle.update(made)


def entry_of(bundle: Any) -> Any:
    return bundle["verificationMaterial"]["tlogEntries"][0]


def without_time(bundle: Any) -> None:
    del entry_of(bundle)["inclusionPromise"]


def other_time(bundle: Any) -> None:
    entry_of(bundle)["integratedTime"] = str(int(NOW) + 30)


def other_head(bundle: Any) -> None:
    entry_of(bundle)["inclusionProof"]["rootHash"] = base64.b64encode(bytes(32)).decode()


def other_checkpoint(bundle: Any) -> None:
    proof = entry_of(bundle)["inclusionProof"]
    proof["checkpoint"]["envelope"] = proof["checkpoint"]["envelope"].replace("rekor.lab\n1", "rekor.lab\n2")


def not_logged(bundle: Any) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def plain(bundle: Any) -> None:
    del bundle["verificationMaterial"]


def no_statement(bundle: Any) -> None:
    bundle["dsseEnvelope"]["payloadType"] = "text/plain"


FORGED: list[tuple[Callable[[Any], None], str]] = [
    (with_payload, "invalid signature"),
    (other_signature, "invalid signature"),
    (other_key, "SET|checkpoint|signature"),
    (without_time, "must contain an inclusion promise or signed timestamp"),
    (other_time, "SET: invalid inclusion promise"),
    (other_head, "invalid root hash"),
    (other_checkpoint, "checkpoint: invalid signature"),
    (not_logged, "exactly one log entry"),
    (plain, "verificationMaterial Field required"),
    (no_statement, "invalid signature"),
]


@pytest.mark.parametrize(("forge", "words"), FORGED, ids=[forge.__name__ for forge, _ in FORGED])
def test_what_was_changed_after_it_was_signed_proves_nothing(
    ours: Sigstore, attestations: SigstoreAttestations, forge: Callable[[Any], None], words: str
) -> None:
    bundle = copy.deepcopy(ours.sign(STATEMENT, BUILD, NOW))
    forge(bundle)
    with pytest.raises(InvalidInput, match=words):
        read(attestations, bundle)


def test_who_is_not_trusted_proves_nothing(attestations: SigstoreAttestations) -> None:
    with pytest.raises(InvalidInput, match="certificate chain"):
        read(attestations, Sigstore(ISSUER).sign(STATEMENT, BUILD, NOW))


def test_a_certificate_for_the_token_of_another_issuer_proves_nothing(
    ours: Sigstore, attestations: SigstoreAttestations
) -> None:
    ours.issuer = "https://accounts.example.com"
    try:
        with pytest.raises(InvalidInput, match=r"OIDCIssuerV2 does not match.*accounts\.example\.com"):
            read(attestations, ours.sign(STATEMENT, BUILD, NOW))
    finally:
        ours.issuer = ISSUER


@pytest.mark.parametrize("late", [LIFE.total_seconds() + 1, -1.0], ids=["after it", "before it"])
def test_what_was_logged_outside_of_the_certificates_life_proves_nothing(
    ours: Sigstore, attestations: SigstoreAttestations, late: float
) -> None:
    with pytest.raises(InvalidInput, match="not valid at"):
        read(attestations, ours.sign(STATEMENT, BUILD, NOW, logged=NOW + late))


def test_the_trust_root_that_is_pinned_is_the_public_one_and_does_not_know_ours(ours: Sigstore) -> None:
    public = SigstoreAttestations(str(PUBLIC), ISSUER)
    with pytest.raises(InvalidInput, match="certificate chain"):
        read(public, ours.sign(STATEMENT, BUILD, NOW))


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_a_trust_root_that_cannot_be_read_is_no_trust_in_everybody(
    ours: Sigstore, tmp_path: Path, content: str | None
) -> None:
    root = tmp_path / "root.json"
    if content is not None:
        root.write_text(content)
    with pytest.raises(Misconfigured, match="TrustRootPath"):
        read(SigstoreAttestations(str(root), ISSUER), ours.sign(STATEMENT, BUILD, NOW))
