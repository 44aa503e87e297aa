"""EKS tokens, checked by the rules of the cluster's authenticator."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials

from candlefish.adapters.aws.eks_token import REUSED_FOR, EksTokens, eks_token
from lab.kube import Identity, User, eks_authenticator

ME = User("me", ("candlefish-release",))
KNOWN = {"AKIA1": Identity(ME, "secret")}


def url_of(token: str) -> str:
    raw = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()


class Rotating:
    """Credentials that are others at every look."""

    def __init__(self) -> None:
        self.looks = 0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        self.looks += 1
        return ReadOnlyCredentials(f"AKIA{self.looks}", "secret", "session")


def test_the_cluster_it_was_made_for_accepts_a_token_and_no_other_does() -> None:
    token = eks_token(Credentials("AKIA1", "secret"), cluster="prod", region="us-west-2")
    assert eks_authenticator("prod", KNOWN)(token) == ME
    assert eks_authenticator("staging", KNOWN)(token) is None


@pytest.mark.parametrize(("key", "secret"), [("AKIA1", "wrong"), ("AKIA2", "secret")])
def test_a_stranger_is_refused(key: str, secret: str) -> None:
    token = eks_token(Credentials(key, secret), cluster="prod", region="us-west-2")
    assert eks_authenticator("prod", KNOWN)(token) is None


def test_a_token_ages() -> None:
    token = eks_token(Credentials("AKIA1", "secret"), cluster="prod", region="us-west-2")
    later = datetime.now(UTC) + timedelta(minutes=16)
    assert eks_authenticator("prod", KNOWN, now=lambda: later)(token) is None


@pytest.mark.parametrize(
    "token", ["", "k8s-aws-v1.", "k8s-aws-v1.!!!", "Bearer x", "k8s-aws-v1." + "A" * 9000]
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert eks_authenticator("prod", KNOWN)(token) is None


def test_temporary_credentials_carry_their_session_token() -> None:
    token = eks_token(Credentials("AKIA1", "secret", "session"), cluster="prod", region="us-west-2")
    assert parse_qs(urlsplit(url_of(token)).query)["X-Amz-Security-Token"] == ["session"]
    assert eks_authenticator("prod", KNOWN)(token) == ME


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "sts.eu-central-1.amazonaws.com"), ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn")],
)
def test_the_regions_own_sts_is_named(region: str, host: str) -> None:
    token = eks_token(Credentials("AKIA1", "secret"), cluster="prod", region=region)
    assert urlsplit(url_of(token)).netloc == host


def test_a_token_is_kept_until_it_is_old_or_refused() -> None:
    clock = [1000.0]
    signer = Rotating()
    tokens = EksTokens(signer, cluster="prod", region="us-west-2", now=lambda: clock[0])
    first = tokens()
    clock[0] += REUSED_FOR - 1
    assert (tokens(), signer.looks) == (first, 1)
    clock[0] += 1
    second = tokens()
    assert (second != first, signer.looks) == (True, 2)
    assert (tokens(fresh=True) != second, signer.looks) == (True, 3)
