"""Sigstore as a verifier sees it: a certificate authority and two logs with keys of their own, and bundles that they sign."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
# What Fulcio writes into a certificate of a token: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
ISSUER, BUILD_SIGNER, REPOSITORY, REF, BUILD_CONFIG = (
    x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{last}") for last in (8, 9, 12, 14, 18)
)
SCT = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
LIFE = timedelta(minutes=10)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Workflow(NamedTuple):
    """Like `https://github.com/org/repo`, `.github/workflows/build.yml` and `refs/heads/main`."""

    repository: str
    path: str
    ref: str


class Sigstore:
    """Signs statements for workflows whose tokens `issuer` gives. Times are epoch seconds."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._authority, self._certificates, self._signatures = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self._root = self._rooted()

    def trusted_root(self) -> dict[str, Any]:
        """What a verifier is given, in the form that sigstore's libraries read."""
        chain = {"certificates": [{"rawBytes": _text(self._root.public_bytes(Encoding.DER))}]}
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log(self._signatures)],
            "ctlogs": [_log(self._certificates)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "lab", "commonName": "lab"},
                    "uri": "https://fulcio.lab",
                    "certChain": chain,
                    "validFor": _SINCE,
                }
            ],
        }

    def sign(
        self, statement: Any, by: Workflow, at: float, *, logged: float | None = None, lent: str = ""
    ) -> dict[str, Any]:
        """A bundle of a statement, signed at a time and logged then or later.

        `lent` is the workflow that signs, with its ref, where it is not the one that was started.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certified(key, by, datetime.fromtimestamp(at, UTC), lent)
        payload = json.dumps(statement).encode()
        signature = _sign(key, f"DSSEv1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} ".encode() + payload)
        envelope = {
            "payload": _text(payload),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": _text(signature)}],
        }
        entry = self._logged(envelope, certificate, int(at if logged is None else logged))
        material = {
            "certificate": {"rawBytes": _text(certificate.public_bytes(Encoding.DER))},
            "tlogEntries": [entry],
        }
        return {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}

    def _rooted(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
        public = self._authority.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGAN)
            .not_valid_after(BEGAN + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._authority, hashes.SHA256())
        )

    def _certified(
        self, key: ec.EllipticCurvePrivateKey, by: Workflow, at: datetime, lent: str
    ) -> x509.Certificate:
        """A certificate of ten minutes with the log's receipt inside."""
        workflow = f"{by.repository}/{by.path}@{by.ref}"
        says = {
            ISSUER: self.issuer,
            BUILD_SIGNER: lent or workflow,
            REPOSITORY: by.repository,
            REF: by.ref,
            BUILD_CONFIG: workflow,
        }
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at)
            .not_valid_after(at + LIFE)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(lent or workflow)]), critical=True
            )
        )
        for oid, value in says.items():
            builder = builder.add_extension(
                x509.UnrecognizedExtension(oid, _der(0x0C, value.encode())), critical=False
            )
        body = builder.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes
        receipt = x509.UnrecognizedExtension(SCT, self._receipt(body, at))
        return builder.add_extension(receipt, critical=False).sign(self._authority, hashes.SHA256())

    def _receipt(self, body: bytes, at: datetime) -> bytes:
        """A signed certificate timestamp of a certificate's body (RFC 6962, 3.2 and 3.3)."""
        when = int(at.timestamp() * 1000)
        entry = _key_id(self._authority) + struct.pack("!I", len(body))[1:] + body
        signed = struct.pack("!BBQH", 0, 0, when, 1) + entry + struct.pack("!H", 0)
        signature = _sign(self._certificates, signed)
        stamp = struct.pack("!B32sQH", 0, _key_id(self._certificates), when, 0)
        stamp += struct.pack("!BBH", 4, 3, len(signature)) + signature
        listed = struct.pack("!H", len(stamp)) + stamp
        return _der(0x04, struct.pack("!H", len(listed)) + listed)

    def _logged(self, envelope: dict[str, Any], certificate: x509.Certificate, at: int) -> dict[str, Any]:
        """The entry of a log that has this one alone: promised, included, and the log's head signed."""
        payload = base64.b64decode(envelope["payload"])
        verifier = _text(certificate.public_bytes(Encoding.PEM))
        spec = {
            "envelopeHash": _digest(_canonical(envelope)),
            "payloadHash": _digest(payload),
            "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": verifier}],
        }
        body = _canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        name = _key_id(self._signatures)
        said = {"body": _text(body), "integratedTime": at, "logID": name.hex(), "logIndex": 0}
        head = hashlib.sha256(b"\0" + body).digest()
        note = f"rekor.lab\n1\n{_text(head)}\n"
        mark = _text(name[:4] + _sign(self._signatures, note.encode()))
        return {
            "logIndex": "0",
            "logId": {"keyId": _text(name)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(at),
            "inclusionPromise": {"signedEntryTimestamp": _text(_sign(self._signatures, _canonical(said)))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _text(head),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\N{EM DASH} rekor.lab {mark}\n"},
            },
            "canonicalizedBody": _text(body),
        }


_SINCE = {"start": BEGAN.isoformat().replace("+00:00", "Z")}


def _log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    public = {
        "rawBytes": _text(_public(key)),
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "validFor": _SINCE,
    }
    return {
        "baseUrl": "https://log.lab",
        "hashAlgorithm": "SHA2_256",
        "publicKey": public,
        "logId": {"keyId": _text(_key_id(key))},
    }


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Of a leaf that signs, or of an authority."""
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=signs, key_cert_sign=not signs, crl_sign=not signs, **never)


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_public(key)).digest()


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


def _der(tag: int, value: bytes) -> bytes:
    length = len(value)
    size = bytes([length]) if length < 128 else b"\x82" + struct.pack("!H", length)
    return bytes([tag]) + size + value


def _digest(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}


def _canonical(value: Any) -> bytes:
    """RFC 8785, for text that is ASCII and numbers that are whole."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
