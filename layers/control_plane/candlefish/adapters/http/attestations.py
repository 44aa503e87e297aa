"""Attestations in Sigstore bundles: whether the signature is right, and who signed, by the certificate.

Nothing is asked over the network: the bundle has the certificate and the log's proof, and who is trusted is a
file that is deployed with the function (docs/security.md, "Gates").
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from candlefish.errors import InvalidInput, Misconfigured

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.verify import Verifier

LONGEST_REASON = 200
IN_TOTO = "application/vnd.in-toto+json"
# What Fulcio writes into a certificate of what the token said that it was given for.
SAYS = "1.3.6.1.4.1.57264.1."
BUILD_SIGNER, REPOSITORY, REF, BUILD_CONFIG = (f"{SAYS}{last}" for last in (9, 12, 14, 18))


class Attested(msgspec.Struct, frozen=True):
    """A statement that was signed, and what the signer's certificate says.

    `signer` is the workflow that signed, `started` the one that an event started (the same, unless that one
    calls another): `https://github.com/org/repo/.github/workflows/build.yml@refs/heads/main`. `repository` and
    `ref` are what was checked out.
    """

    statement: bytes
    repository: str
    ref: str
    signer: str
    started: str


class SigstoreAttestations:
    """Verifies bundles. `trust_root` is a file with a Sigstore TrustedRoot; certificates are for tokens of `issuer`."""

    def __init__(self, trust_root: str, issuer: str) -> None:
        self._trust_root = trust_root
        self._issuer = issuer

    def verified(self, bundle: bytes) -> Attested:
        """What a bundle attests.

        Raises
        ------
        InvalidInput
            It is no bundle, or does not prove what it says; the message says why.
        Misconfigured
            The trust root cannot be read.
        """
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.x509 import ExtensionNotFound
        from sigstore.errors import Error
        from sigstore.models import Bundle
        from sigstore.verify.policy import OIDCIssuerV2

        verifier = self._verifier
        try:
            read = Bundle.from_json(bundle)
            kind, statement = verifier.verify_dsse(read, OIDCIssuerV2(self._issuer))
            certificate = read.signing_certificate
            signed = Attested(
                statement,
                repository=_said(certificate, REPOSITORY),
                ref=_said(certificate, REF),
                signer=_said(certificate, BUILD_SIGNER),
                started=_said(certificate, BUILD_CONFIG),
            )
        except (
            Error,
            ExtensionNotFound,
            InvalidSignature,
            UnsupportedAlgorithm,
            # What the library does not expect of a bundle that somebody made up.
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise InvalidInput(_why(error)) from error
        if kind != IN_TOTO:
            raise InvalidInput(f"it holds {kind[:100]!r}, not an in-toto statement")
        return signed

    @cached_property
    def _verifier(self) -> Verifier:
        from sigstore.errors import Error
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        try:
            return Verifier(trusted_root=TrustedRoot.from_file(self._trust_root))
        except (OSError, Error, ValueError) as error:
            raise Misconfigured(
                f"the trust root {self._trust_root} cannot be read ({error}); look at the stack's parameter TrustRootPath"
            ) from error


def _said(certificate: Certificate, oid: str) -> str:
    from cryptography.hazmat.asn1 import decode_der
    from cryptography.x509 import ObjectIdentifier, UnrecognizedExtension

    found = certificate.extensions.get_extension_for_oid(ObjectIdentifier(oid)).value
    if not isinstance(found, UnrecognizedExtension):
        raise InvalidInput(f"its certificate has no text as {oid}")
    return decode_der(str, found.value)


def _why(error: Exception) -> str:
    """What the library says, as one line."""
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
