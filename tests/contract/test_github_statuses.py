"""What the follower says to GitHub: as GitHub documents it, once, with patience, and never its token."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from candlefish.adapters.http.github import ATTEMPTS, GitHubStatuses
from candlefish.errors import Misconfigured, Throttled, Unavailable
from candlefish.release.model import Progress
from lab.github import FINE_GRAINED, GitHub
from lab.memory.release import MemoryCodeHost

NOW = 1_795_000_000.0
SHA = "b" * 40
HELD = Progress(
    "acme/shop", SHA, "77", "prod", "shop", "shop-gh-77-1", "in_progress", "pending", "held: an alert"
)
DONE = Progress(
    "acme/shop", SHA, "77", "prod", "shop", "shop-gh-77-1", "success", "success", "promoted: all is well"
)


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = GitHub()
    made.start()
    yield made
    made.stop()


class Follower:
    def __init__(self, github: GitHub, secret: str = FINE_GRAINED) -> None:
        self.waited: list[float] = []
        self.secret, self.now = secret, NOW
        self.host = GitHubStatuses(
            github.issuer, lambda: self.secret, lambda: self.now, sleep=self.waited.append
        )


def test_a_release_is_one_deployment_and_one_status_of_its_commit(github: GitHub) -> None:
    Follower(github).host.tell(HELD)
    # Another copy of the function, which remembers nothing.
    Follower(github).host.tell(DONE)
    (deployment,) = github.deployments
    assert deployment["environment"] == "prod"
    assert (deployment["auto_merge"], deployment["required_contexts"]) == (False, [])
    assert [status["state"] for status in deployment["statuses"]] == ["in_progress", "success"]
    assert not any(status["auto_inactive"] for status in deployment["statuses"])
    assert github.commits["acme/shop", SHA, "candlefish/prod/shop"]["state"] == "success"
    assert deployment["statuses"][0]["log_url"].endswith("/acme/shop/actions/runs/77")


Shown = tuple[dict[str, list[str]], dict[tuple[str, ...], str]]


@pytest.fixture(params=[MemoryCodeHost, GitHubStatuses], ids=["memory", "GitHub"])
def both(request: pytest.FixtureRequest, github: GitHub) -> tuple[Any, Callable[[], Shown]]:
    """A code host, and what people see there: of releases, and of commits."""
    if request.param is MemoryCodeHost:
        double = MemoryCodeHost()
        return double, lambda: (double.deployments, dict(double.commits))
    return Follower(github).host, lambda: (
        {
            each["payload"]["release"]: [status["state"] for status in each["statuses"]]
            for each in github.deployments
        },
        {
            (repository, sha, *name.split("/")[1:]): said["state"]
            for (repository, sha, name), said in github.commits.items()
        },
    )


def test_people_see_each_state_of_a_release_and_the_last_of_a_commit(
    both: tuple[Any, Callable[[], Shown]],
) -> None:
    host, shown = both
    for progress in (HELD, DONE, msgspec.structs.replace(HELD, release="cart-gh-77-1", service="cart")):
        host.tell(progress)
    releases, commits = shown()
    assert releases == {"shop-gh-77-1": ["in_progress", "success"], "cart-gh-77-1": ["in_progress"]}
    assert commits == {
        ("acme/shop", SHA, "prod", "shop"): "success",
        ("acme/shop", SHA, "prod", "cart"): "pending",
    }


def test_a_copy_that_remembers_makes_two_calls(github: GitHub) -> None:
    follower = Follower(github)
    follower.host.tell(HELD)
    github.calls.clear()
    follower.host.tell(DONE)
    assert github.calls == [
        "POST /repos/acme/shop/deployments/1/statuses",
        f"POST /repos/acme/shop/statuses/{SHA}",
    ]


def test_an_app_speaks_by_its_installation_for_an_hour(github: GitHub) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    github.apps["123"] = key.public_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    secret = json.dumps({"app_id": 123, "installation_id": 9, "private_key": pem})
    follower = Follower(github, secret)
    follower.now = time.time()
    follower.host.tell(HELD)
    follower.host.tell(DONE)
    assert github.calls.count("POST /app/installations/9/access_tokens") == 1
    follower.now += 3600
    # The proof is of another hour now, which the lab's GitHub refuses as GitHub would.
    with pytest.raises(Misconfigured):
        follower.host.tell(DONE)
    assert github.calls.count("POST /app/installations/9/access_tokens") == 2


@pytest.mark.parametrize(
    "headers", [{"retry-after": "3"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 3)}]
)
def test_what_githubs_limits_say_is_waited_for(github: GitHub, headers: dict[str, str]) -> None:
    follower = Follower(github)
    github.refusals = [(403, headers)]
    follower.host.tell(HELD)
    assert 3.0 in follower.waited
    assert len(github.deployments) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {}),
        (429, {"retry-after": "600"}),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 900)}),
    ],
)
def test_a_long_wait_is_somebody_elses(github: GitHub, status: int, headers: dict[str, str]) -> None:
    github.refusals = [(status, headers)]
    with pytest.raises(Throttled, match="tried again"):
        Follower(github).host.tell(HELD)
    assert len(github.calls) == 1


def test_what_passes_is_tried_again_and_what_does_not_is_said(github: GitHub) -> None:
    github.refusals = [(502, {}), (503, {})]
    Follower(github).host.tell(HELD)
    github.refusals = [(500, {})] * ATTEMPTS
    with pytest.raises(Unavailable):
        Follower(github).host.tell(DONE)
    with pytest.raises(Misconfigured, match="store a new one") as refused:
        Follower(github, "wrong").host.tell(DONE)
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    "secret", ['{"app_id": "1"}', '{"app_id": "1", "installation_id": "2", "private_key": "x"}']
)
def test_a_secret_that_is_none_is_not_quoted(github: GitHub, secret: str) -> None:
    with pytest.raises(Misconfigured, match="GitHubStatusSecretArn") as refused:
        Follower(github, secret).host.tell(HELD)
    assert secret not in str(refused.value)
    assert github.calls == []


def test_nobody_answers() -> None:
    host = GitHubStatuses("http://127.0.0.1:9", lambda: "x", lambda: NOW, sleep=lambda seconds: None)
    with pytest.raises(Unavailable, match="no answer"):
        host.tell(HELD)
