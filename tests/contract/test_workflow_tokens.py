"""GitHub's tokens: only what GitHub's own key signed is read, by the double and by the adapter over real HTTP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from candlefish.adapters.http.workflow_tokens import KEPT, NOT_AGAIN, GitHubTokens
from candlefish.errors import Misconfigured, NotAllowed, Unavailable
from candlefish.release.model import WorkflowClaims
from candlefish.release.ports import WorkflowTokens
from lab.github import GitHub
from lab.memory.release import MemoryWorkflowTokens
from tests.support.clock import Clock

JOB = {"repository": "example-org/shop", "actor": "dev", "environment": "production", "run_id": "7"}


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = GitHub()
    made.job = dict(JOB)
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["double", "github"])
def tokens(request: pytest.FixtureRequest, github: GitHub) -> WorkflowTokens:
    if request.param == "github":
        return GitHubTokens(github.issuer, time.time)
    return MemoryWorkflowTokens()


def signed(tokens: WorkflowTokens, github: GitHub) -> tuple[str, WorkflowClaims]:
    """A token that GitHub signed, and what it says."""
    token = github.token("me")
    claims = msgspec.convert(jwt.decode(token, options={"verify_signature": False}), WorkflowClaims)
    if isinstance(tokens, MemoryWorkflowTokens):
        tokens.signed[token] = claims
    return token, claims


def test_what_github_signed_is_read(tokens: WorkflowTokens, github: GitHub) -> None:
    token, claims = signed(tokens, github)
    assert tokens.read(token) == claims
    assert (claims.aud, claims.actor, claims.environment) == ("me", "dev", "production")


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def tampered(github: GitHub) -> str:
    header, body, signature = github.token("me").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join((header, segment({**claims, "actor": "lead"}), signature))


def unsigned(github: GitHub) -> str:
    _, body, _ = github.token("me").split(".")
    return ".".join((segment({"alg": "none", "kid": "lab-1"}), body, ""))


def by_another_key(github: GitHub, kid: str = "lab-1") -> str:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(github.token("me"), options={"verify_signature": False})
    return jwt.encode(claims, other, algorithm="RS256", headers={"kid": kid})


def with_the_public_key_as_secret(github: GitHub) -> str:
    """The old confusion: HMAC with the published key, which everybody has."""
    import hashlib
    import hmac

    pem = github.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _, body, _ = github.token("me").split(".")
    head = segment({"alg": "HS256", "kid": "lab-1"})
    mac = hmac.new(pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return ".".join((head, body, base64.urlsafe_b64encode(mac).rstrip(b"=").decode()))


def with_half_the_claims(github: GitHub) -> str:
    return github.token("me", repository=None)


@pytest.mark.parametrize(
    "forged",
    [
        tampered,
        unsigned,
        by_another_key,
        with_the_public_key_as_secret,
        with_half_the_claims,
        lambda github: by_another_key(github, kid="theirs"),
        lambda github: "",
        lambda github: "a.b.c",
        lambda github: "x" * 20_000,
        lambda github: github.token("me")[:-8],
        lambda github: github.token("me") + "\ud800",
    ],
    ids=[
        "tampered",
        "unsigned",
        "by another key",
        "the public key as a secret",
        "half the claims",
        "by a key of their own",
        "nothing",
        "no token",
        "too long",
        "cut off",
        "a lone surrogate",
    ],
)
def test_what_github_did_not_sign_is_not_read(tokens: WorkflowTokens, github: GitHub, forged) -> None:  # type: ignore[no-untyped-def]
    token = forged(github)
    with pytest.raises(NotAllowed) as refused:
        tokens.read(token)
    assert not token or token not in str(refused.value), "a token is in no message"


# --- the keys


def test_keys_are_fetched_once_and_again_when_they_are_old(github: GitHub) -> None:
    clock = Clock()
    tokens = GitHubTokens(github.issuer, clock)
    for _ in range(3):
        tokens.read(github.token("me"))
    assert github.fetched == 1
    clock.forward(KEPT + 1)
    tokens.read(github.token("me"))
    assert github.fetched == 2


def test_a_key_that_is_not_known_is_looked_for_but_not_at_every_token(github: GitHub) -> None:
    clock = Clock()
    tokens = GitHubTokens(github.issuer, clock)
    for _ in range(3):
        with pytest.raises(NotAllowed, match="a key that GitHub does not publish"):
            tokens.read(by_another_key(github, kid="new"))
    assert github.fetched == 1
    clock.forward(NOT_AGAIN + 1)
    with pytest.raises(NotAllowed):
        tokens.read(by_another_key(github, kid="new"))
    assert github.fetched == 2


def test_without_keys_it_is_to_be_tried_again(github: GitHub) -> None:
    token = github.token("me")
    with pytest.raises(Unavailable, match="jwks"):
        GitHubTokens(f"{github.issuer}/elsewhere", time.time).read(token)


def test_keys_come_by_https_alone() -> None:
    with pytest.raises(Misconfigured, match="no https address"):
        GitHubTokens("http://token.actions.githubusercontent.com", time.time)
