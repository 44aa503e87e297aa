"""How registries differ: each row is one that people use, as its answers were described or seen."""

from __future__ import annotations

from typing import Literal

import msgspec


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of registry says and wants.

    `challenge` is its header, with `{registry}` for its own address and `{elsewhere}` for another host of its owner.
    """

    challenge: str
    # Documents are shown for a token, or for the login itself.
    shows_for: Literal["Bearer", "Basic"] = "Bearer"
    # What a realm calls the token.
    token: str = "token"
    # Also public images are shown for a token alone, which anybody gets.
    always_asks: bool = True
    # How the referrers API answers: 200 has one, 302 leads to a web page, others say that there is none.
    referrers: int = 200
    # It takes attestations under the fallback tag alone, and lists none by the API.
    tags_only: bool = False
    # Descriptors on a page of referrers; 0 for all on one.
    page: int = 0
    # Blobs are behind a redirect to storage, which refuses whoever shows it a key of somebody else's.
    storage: bool = False
    # It writes null where a list or a text is empty.
    nulls: bool = False
    # What is said to a request without the right key.
    refusal: int = 401


GHCR = Dialect(
    challenge='Bearer realm="{registry}/token",service="ghcr.io",scope="repository:user/image:pull"',
    referrers=404,
    storage=True,
)
DIALECTS = {
    "ghcr": GHCR,
    # AWS's own login, no realm to get a token from; what has a subject is pushed under the tag.
    "ecr": Dialect(
        challenge='Basic realm="{registry}/",service="ecr.amazonaws.com"',
        shows_for="Basic",
        tags_only=True,
        page=50,
        storage=True,
    ),
    "docker hub": Dialect(
        challenge='Bearer realm="{elsewhere}/token",service="registry.docker.io",scope="repository:library/x:pull"',
        referrers=404,
        storage=True,
    ),
    "quay": Dialect(
        challenge='Bearer realm="{registry}/v2/auth",service="quay.io",scope="repository:x/y:pull"',
        always_asks=False,
        page=2,
        storage=True,
    ),
    "artifactory": Dialect(
        challenge='Basic realm="Artifactory Realm", Bearer realm="{registry}/v2/token",service="registry.example.com"',
        token="access_token",
        referrers=405,
    ),
    # It may ask for the login itself once a token was not enough.
    "harbor": Dialect(
        challenge='Bearer realm="{registry}/service/token",service="harbor-registry",scope="repository:x/y:pull,push"',
        always_asks=False,
        nulls=True,
    ),
    "gitlab": Dialect(
        challenge='Bearer realm="{elsewhere}/jwt/auth",service="container_registry",scope="repository:x/y:pull",'
        'error="invalid_token"',
        always_asks=False,
        referrers=404,
    ),
    "acr": Dialect(
        challenge='Bearer realm="{registry}/oauth2/token",service="registry.azurecr.io",scope="repository:x:pull",'
        'error="invalid_token"',
        token="access_token",
        page=3,
        storage=True,
    ),
    # No service, no scope.
    "google": Dialect(challenge='Bearer realm="{registry}/v2/token"', referrers=501),
    "nexus": Dialect(
        challenge='Negotiate, BASIC realm="Sonatype Nexus, Repository Manager"',
        shows_for="Basic",
        always_asks=False,
        referrers=400,
    ),
    "gitea": Dialect(
        challenge='Bearer realm="{registry}/v2/token",service="container_registry",scope="*"',
        always_asks=False,
        referrers=406,
        nulls=True,
    ),
    "a web site in front": Dialect(
        challenge='Basic realm="registry"', shows_for="Basic", always_asks=False, referrers=302
    ),
}
