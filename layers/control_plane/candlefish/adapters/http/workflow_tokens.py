"""Tokens of GitHub's OIDC provider: whether GitHub signed them. What they say is judged in `release.workflow`.

https://docs.github.com/en/actions/reference/openid-connect-reference. Only RS256 is taken, whatever a token's header says,
and only keys that the issuer publishes. A token is never logged and in no error's text.
"""

from __future__ import annotations

from typing import Any

import msgspec
import urllib3

from candlefish.errors import Misconfigured, NotAllowed, Unavailable
from candlefish.ports import Now
from candlefish.release.model import WorkflowClaims

ALGORITHM = "RS256"
# Keys are fetched again after this long; sooner for a key that is not known, but not at every token. Seconds.
KEPT, NOT_AGAIN = 3600.0, 30.0
LARGEST_KEYS, LONGEST_TOKEN = 256 * 1024, 16 * 1024


class Keys(msgspec.Struct):
    """What an issuer publishes at `/.well-known/jwks`."""

    keys: list[dict[str, Any]]


class GitHubTokens:
    """`release.ports.WorkflowTokens`."""

    def __init__(self, issuer: str, now: Now) -> None:
        if not issuer.startswith(("https://", "http://127.0.0.1:")):
            raise Misconfigured(f"the issuer of GitHub's tokens is {issuer!r}, which is no https address")
        self._url = f"{issuer}/.well-known/jwks"
        self._now = now
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(2, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504)),
            timeout=urllib3.Timeout(connect=2, read=4),
        )
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched: float | None = None

    def read(self, token: str) -> WorkflowClaims:
        # Imported where a token comes: most releases have none (decision 18).
        import jwt

        if len(token) > LONGEST_TOKEN:
            raise NotAllowed(f"the token has {len(token)} characters, which none of GitHub's has")
        try:
            header = jwt.get_unverified_header(token)
            key = jwt.PyJWK(self._key(str(header.get("kid", ""))), algorithm=ALGORITHM)
            payload = jwt.api_jws.decode(token, key, algorithms=[ALGORITHM])
            return msgspec.json.decode(payload, type=WorkflowClaims)
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError) as error:
            raise NotAllowed(
                f"the token is not one that GitHub signed ({type(error).__name__}); use the one that GitHub gives the job"
            ) from None

    def _key(self, name: str) -> dict[str, Any]:
        now = self._now()
        age = float("inf") if self._fetched is None else now - self._fetched
        if age > KEPT or (name not in self._keys and age > NOT_AGAIN):
            self._keys, self._fetched = self._fetch(), now
        try:
            return self._keys[name]
        except KeyError:
            raise NotAllowed(
                "the token is signed with a key that GitHub does not publish; use the one that GitHub gives the job"
            ) from None

    def _fetch(self) -> dict[str, dict[str, Any]]:
        try:
            answer = self._pool.request("GET", self._url, preload_content=False)
            body = answer.read(LARGEST_KEYS + 1)
            answer.release_conn()
            if answer.status != 200 or len(body) > LARGEST_KEYS:
                raise Unavailable(f"{self._url} answered {answer.status}; GitHub's keys are not known")
            found = msgspec.json.decode(body, type=Keys)
        except (urllib3.exceptions.HTTPError, msgspec.MsgspecError) as error:
            raise Unavailable(f"{self._url} gave no keys ({type(error).__name__})") from error
        return {
            str(key.get("kid", "")): key
            for key in found.keys
            if key.get("kty") == "RSA" and key.get("use", "sig") == "sig"
        }
