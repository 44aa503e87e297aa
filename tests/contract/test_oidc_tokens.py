"""Tokens of the console's issuer: only what it signed, for us, and what holds now, over real HTTP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from candlefish.adapters.http.oidc_tokens import KEPT, NOT_AGAIN, SKEW, OidcTokens
from candlefish.adapters.http.oidc_tokens import OidcIssuer as Issuer
from candlefish.errors import Misconfigured, NotSignedIn, Unavailable
from lab.oidc import CLIENT, OidcIssuer
from tests.support.clock import Clock
from tools.preflight.look import signing


@cache
def keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """The issuer's, its next one, and somebody else's: they take long to make."""
    one, two, three = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))
    return one, two, three


@pytest.fixture
def lab() -> Iterator[OidcIssuer]:
    made = OidcIssuer({"dev": {"groups": ["operators"]}}, keys()[0])
    made.start()
    yield made
    made.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def tokens(lab: OidcIssuer, clock: Clock) -> OidcTokens:
    return OidcTokens(Issuer(lab.issuer, clock), CLIENT, clock)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def tampered(lab: OidcIssuer) -> str:
    header, body, signature = lab.token("dev").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join((header, segment({**claims, "groups": ["approvers"]}), signature))


def unsigned(lab: OidcIssuer) -> str:
    _, body, _ = lab.token("dev").split(".")
    return ".".join((segment({"alg": "none", "kid": lab.kid}), body, ""))


def claims_of(lab: OidcIssuer) -> dict[str, Any]:
    said: dict[str, Any] = jwt.decode(lab.token("dev"), options={"verify_signature": False})
    return said


def with_the_public_key_as_secret(lab: OidcIssuer) -> str:
    """HMAC with the published key, which everybody has. PyJWT itself refuses to sign so."""
    import hashlib
    import hmac

    secret = lab.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{segment({'alg': 'HS256', 'kid': lab.kid, 'typ': 'JWT'})}.{segment(claims_of(lab))}"
    mark = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).rstrip(b"=")
    return f"{signed}.{mark.decode()}"


def by_another_key(lab: OidcIssuer) -> str:
    other = keys()[2]
    return jwt.encode(claims_of(lab), other, algorithm="RS256", headers={"kid": lab.kid})


def by_a_key_of_another_kind(lab: OidcIssuer) -> str:
    """ES256, with the id of a key that is RSA."""
    other = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims_of(lab), other, algorithm="ES256", headers={"kid": lab.kid})


def by_an_unknown_key(lab: OidcIssuer) -> str:
    other = keys()[2]
    return jwt.encode(claims_of(lab), other, algorithm="RS256", headers={"kid": "theirs"})


def with_a_key_of_its_own(lab: OidcIssuer) -> str:
    """The header brings the key, or says where it is."""
    other = keys()[2]
    from jwt.algorithms import RSAAlgorithm

    brought = RSAAlgorithm.to_jwk(other.public_key(), as_dict=True)
    headers = {"kid": lab.kid, "jwk": brought, "jku": f"{lab.issuer}/jwks"}
    return jwt.encode(claims_of(lab), other, algorithm="RS256", headers=headers)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (tampered, "not one that"),
        (unsigned, "not signed with one of"),
        (with_the_public_key_as_secret, "not signed with one of"),
        (by_another_key, "not one that"),
        (by_a_key_of_another_kind, "of another kind"),
        (by_an_unknown_key, "does not publish"),
        (with_a_key_of_its_own, "not one that"),
        (lambda lab: lab.token("dev", aud="somebody-else"), "for somebody else"),
        (lambda lab: lab.token("dev", aud=["a", "b"]), "for somebody else"),
        (lambda lab: lab.token("dev", aud=None), "for somebody else"),
        (lambda lab: lab.token("dev", aud=None, client_id="a"), "for somebody else"),
        # AWS asks client_id only where there is no aud, and so do we.
        (lambda lab: lab.token("dev", aud="a", client_id=CLIENT), "for somebody else"),
        (lambda lab: lab.token("dev", iss="https://elsewhere.example.org"), "not one that"),
        (lambda lab: lab.token("dev", iss=None), "not one that"),
        (lambda lab: lab.token("dev", exp=None), "not one that"),
        (lambda lab: lab.token("dev", exp="tomorrow"), "no time"),
        (lambda lab: lab.token("dev", exp=True), "no time"),
        (lambda lab: lab.token("dev", exp=time.time() - SKEW - 5), "has expired"),
        (lambda lab: lab.token("dev", nbf=time.time() + SKEW + 60), "does not hold yet"),
        (lambda lab: lab.token("dev", iat=time.time() + SKEW + 60), "does not hold yet"),
        (lambda lab: "", "no token that can be one"),
        (lambda lab: "a.b.c", "not one that"),
        (lambda lab: "x" * 20_000, "no token that can be one"),
        (lambda lab: "é.ü.ö", "not one that"),
    ],
)
def test_what_is_not_from_the_issuer_for_us_and_now_is_refused(
    tokens: OidcTokens, lab: OidcIssuer, make: Callable[[OidcIssuer], str], why: str
) -> None:
    token = make(lab)
    with pytest.raises(NotSignedIn, match=why) as refused:
        tokens.read(token)
    assert len(token) < 10 or token not in str(refused.value)


def test_what_the_issuer_signed_for_us_is_read(tokens: OidcTokens, lab: OidcIssuer) -> None:
    assert tokens.read(lab.token("dev"))["groups"] == ["operators"]
    assert tokens.read(lab.token("dev", aud=["other", CLIENT]))["sub"] == "dev"
    assert tokens.read(lab.token("dev", aud=None, client_id=CLIENT))["sub"] == "dev"


def test_clocks_may_differ_by_a_minute_and_no_more(tokens: OidcTokens, lab: OidcIssuer, clock: Clock) -> None:
    expires = clock() + 100
    token = lab.token("dev", exp=expires)
    clock.at = expires + SKEW - 1
    assert tokens.read(token)["sub"] == "dev"
    clock.at = expires + SKEW
    with pytest.raises(NotSignedIn, match="expired"):
        tokens.read(token)


def test_keys_of_elliptic_curves_count(
    lab: OidcIssuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    from jwt.algorithms import ECAlgorithm

    issuer = Issuer(lab.issuer, clock)
    published = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "curve"}
    monkeypatch.setattr(issuer, "key", lambda name: {"curve": published}[name])
    token = jwt.encode(claims_of(lab), key, algorithm="ES256", headers={"kid": "curve"})
    assert OidcTokens(issuer, CLIENT, clock).read(token)["sub"] == "dev"


def test_a_rotated_key_is_met_and_tokens_of_nobody_do_not_ask_the_issuer_each(
    tokens: OidcTokens, lab: OidcIssuer, clock: Clock
) -> None:
    tokens.read(lab.token("dev"))
    tokens.read(lab.token("dev"))
    assert lab.fetched == 1
    lab.rotate(keys()[1])
    for _ in range(3):
        with pytest.raises(NotSignedIn, match="does not publish"):
            tokens.read(lab.token("dev"))
    assert lab.fetched == 1
    clock.at += NOT_AGAIN + 1
    tokens.read(lab.token("dev"))
    assert lab.fetched == 2
    for _ in range(3):
        with pytest.raises(NotSignedIn, match="does not publish"):
            tokens.read(by_an_unknown_key(lab))
    assert lab.fetched == 2


def test_a_key_that_the_issuer_withdrew_counts_no_longer_than_it_is_kept(
    tokens: OidcTokens, lab: OidcIssuer, clock: Clock
) -> None:
    token = lab.token("dev", exp=clock() + 10 * KEPT)
    tokens.read(token)
    lab.rotate(keys()[1], forget=True)
    clock.at += KEPT + 1
    with pytest.raises(NotSignedIn, match="does not publish"):
        tokens.read(token)


def test_an_issuer_that_does_not_answer_is_no_refusal(lab: OidcIssuer, clock: Clock) -> None:
    token = lab.token("dev")
    lab.stop()
    tokens = OidcTokens(Issuer(lab.issuer, clock), CLIENT, clock)
    # Nor is it one for those who come while it is not asked again.
    for _ in range(2):
        with pytest.raises(Unavailable, match="nobody can sign in"):
            tokens.read(token)


def test_an_issuer_that_the_catalog_names_wrongly_is_no_refusal(lab: OidcIssuer, clock: Clock) -> None:
    tokens = OidcTokens(Issuer(f"{lab.issuer}/", clock), CLIENT, clock)
    for _ in range(2):
        with pytest.raises(Misconfigured, match="says that it is"):
            tokens.read(lab.token("dev"))


def test_an_issuer_speaks_of_itself_and_over_https(lab: OidcIssuer, clock: Clock) -> None:
    with pytest.raises(Misconfigured, match="no https address"):
        Issuer("http://login.example.org", clock)
    with pytest.raises(Misconfigured, match="says that it is"):
        Issuer(f"{lab.issuer}/", clock).discovery()


def test_before_a_deployment_the_issuer_is_asked_as_the_functions_ask_it(lab: OidcIssuer) -> None:
    assert signing(lab.issuer).algorithms == ("RS256",)
    assert "says that it is" in signing(f"{lab.issuer}/").unknown
    assert "no https address" in signing("http://login.example.org").unknown
