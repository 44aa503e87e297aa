"""Logins at private ECR registries: a password of twelve hours, for the function's own role.

The role needs `ecr:GetAuthorizationToken`, and on the repository `ecr:BatchGetImage` (manifests, referrers) and
`ecr:GetDownloadUrlForLayer` (attestations). One login is good for every registry of a region that the role may
pull from, also another account's, whose repository policy must allow it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.errors import Unavailable

# A login is not used in the last of its seconds.
SPARE = 600.0


class EcrLogins:
    """Gives "AWS:<password>" for a region. `clients` makes an `ecr` client of a region; `now` is epoch seconds."""

    def __init__(self, clients: Callable[[str], Any], now: Callable[[], float]) -> None:
        self._clients = clients
        self._now = now
        # Region -> login, until when.
        self._kept: dict[str, tuple[str, float]] = {}

    def login(self, region: str) -> str:
        """A login at the registries of a region."""
        login, until = self._kept.get(region, ("", 0.0))
        if self._now() < until - SPARE:
            return login
        with aws_call(f"getting a login at ECR in {region}"):
            given = self._clients(region).get_authorization_token()["authorizationData"][0]
        try:
            login = base64.b64decode(given["authorizationToken"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Unavailable(
                f"ECR in {region} gave a login that cannot be read; it is asked again"
            ) from error
        self._kept[region] = (login, given["expiresAt"].timestamp())
        return login
