"""Tokens of an OpenID Connect issuer: whether it signed them, for us, and whether they hold now.

https://openid.net/specs/openid-connect-core-1_0.html (ID tokens), RFC 7519, RFC 8725. API Gateway's authorizer looks at the
same before a function runs; whoever may invoke the function writes the event himself, so it is looked at here again. Only
RS256 and ES256 are taken, whatever a token's header says, each with a key of its kind that the issuer publishes for
signing. A token is never logged and in no error's text.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3

from candlefish.bounds import fit_line
from candlefish.errors import Misconfigured, NotSignedIn, Unavailable
from candlefish.ports import Now

KINDS = {"RS256": "RSA", "ES256": "EC"}
# Keys are fetched again after this long, and for a key that is not known; but not at every token. Seconds.
KEPT, NOT_AGAIN = 3600.0, 60.0
# Clocks may differ by as much. Seconds.
SKEW = 60.0
LARGEST_DOCUMENT, LONGEST_TOKEN = 256 * 1024, 16 * 1024
AGAIN = "sign in again"


class Discovery(msgspec.Struct, frozen=True):
    """What an issuer says of itself."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


def is_safe(url: str) -> bool:
    """Whether nobody between can read or change what is said there; the lab is on this machine."""
    split = urlsplit(url)
    return split.scheme == "https" or (split.scheme == "http" and split.hostname == "127.0.0.1")


class OidcIssuer:
    """One issuer's documents: what it says of itself, and its keys; kept, and fetched when they are needed."""

    def __init__(self, issuer: str, now: Now) -> None:
        if not is_safe(issuer):
            raise Misconfigured(
                f"the console's issuer is {issuer!r}, which is no https address; mend the catalog"
            )
        self.issuer, self._now = issuer, now
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(
                2, redirect=0, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504)
            ),
            timeout=urllib3.Timeout(connect=2, read=4),
        )
        self._discovery: Discovery | None = None
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched: float | None = None
        self._failed: Unavailable | Misconfigured | None = None

    def discovery(self) -> Discovery:
        """Where the issuer's endpoints are; it must speak of itself.

        Raises
        ------
        Unavailable
            It does not answer, or answers something else.
        """
        if self._discovery is None:
            found = self.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", Discovery)
            if found.issuer != self.issuer:
                raise Misconfigured(
                    f"{self.issuer} says that it is {found.issuer}; write that in the catalog (console, issuer)"
                )
            for url in (found.jwks_uri, found.authorization_endpoint, found.token_endpoint):
                if url and not is_safe(url):
                    raise Misconfigured(f"{self.issuer} names {url}, which is no https address")
            self._discovery = found
        return self._discovery

    def key(self, name: str) -> dict[str, Any]:
        """A key by its id; one that is not known has them fetched again, once a minute at most."""
        now = self._now()
        age = float("inf") if self._fetched is None else now - self._fetched
        if age > KEPT or (name not in self._keys and age > NOT_AGAIN):
            # Also where it fails: tokens of nobody must not ask the issuer each.
            self._fetched, self._failed = now, None
            try:
                found = self.get(self.discovery().jwks_uri, _Keys).keys
            except (Unavailable, Misconfigured) as error:
                self._failed = error
                raise
            self._keys = {str(each.get("kid", "")): each for each in found if each.get("use", "sig") == "sig"}
        if name not in self._keys and self._failed is not None:
            raise self._failed.with_traceback(None)
        if name not in self._keys:
            raise NotSignedIn(f"the token is signed with a key that {self.issuer} does not publish; {AGAIN}")
        return self._keys[name]

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """What the token endpoint gives for a code.

        Raises
        ------
        NotSignedIn
            It does not take the code.
        Unavailable
            It does not answer.
        """
        url = self.discovery().token_endpoint
        try:
            answer = self._pool.request(
                "POST",
                url,
                fields=form,
                encode_multipart=False,
                redirect=False,
                preload_content=False,
                retries=False,
            )
            body = answer.read(LARGEST_DOCUMENT + 1)
            answer.release_conn()
            if answer.status >= 500 or answer.status == 429 or len(body) > LARGEST_DOCUMENT:
                raise Unavailable(f"{url} answered {answer.status}; try again")
            said: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        except (urllib3.exceptions.HTTPError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"{url} gave nothing that can be read ({type(error).__name__}); try again"
            ) from error
        if answer.status != 200:
            # A word of the standard; what it says beside that could quote what was sent.
            word = fit_line(str(said.get("error", answer.status)), 40)
            raise NotSignedIn(f"{self.issuer} does not take the code of the sign-in ({word}); {AGAIN}")
        return said

    def get(self, url: str, kind: type[Any]) -> Any:
        """A document of the issuer's."""
        try:
            answer = self._pool.request("GET", url, preload_content=False, redirect=False)
            body = answer.read(LARGEST_DOCUMENT + 1)
            answer.release_conn()
            if answer.status != 200 or len(body) > LARGEST_DOCUMENT:
                raise Unavailable(f"{url} answered {answer.status}; nobody can sign in before it answers")
            return msgspec.json.decode(body, type=kind)
        except (urllib3.exceptions.HTTPError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"{url} gave nothing that can be read ({type(error).__name__}); nobody can sign in before it does"
            ) from error


class OidcTokens:
    """Reads tokens of one issuer that are for `audience`."""

    def __init__(self, issuer: OidcIssuer, audience: str, now: Now) -> None:
        self._issuer, self._audience, self._now = issuer, audience, now

    def read(self, token: str) -> dict[str, Any]:
        """What a token says.

        Raises
        ------
        NotSignedIn
            The issuer did not sign it, it is for somebody else, or it does not hold now.
        Unavailable
            The issuer's keys are not known.
        """
        # Imported where a token comes: whoever signs with IAM has none.
        import jwt

        if not token or len(token) > LONGEST_TOKEN:
            raise NotSignedIn(f"the request shows no token that can be one; {AGAIN}")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg", "")
            if algorithm not in KINDS:
                raise NotSignedIn(f"the token is not signed with one of {', '.join(KINDS)}; {AGAIN}")
            found = self._issuer.key(str(header.get("kid", "")))
            if found.get("kty") != KINDS[algorithm] or found.get("alg", algorithm) != algorithm:
                raise NotSignedIn(
                    f"the token names a key of {self._issuer.issuer} that is of another kind; {AGAIN}"
                )
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(found, algorithm=algorithm),
                algorithms=[algorithm],
                issuer=self._issuer.issuer,
                # The clock is the one that is handed in; PyJWT has only its own.
                options={
                    "require": ["exp", "iss"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotSignedIn(
                f"the token is not one that {self._issuer.issuer} signed ({type(error).__name__}); {AGAIN}"
            ) from None
        self._require_meant(claims)
        self._require_now(claims)
        return claims

    def _require_meant(self, claims: dict[str, Any]) -> None:
        """For us; an access token of Cognito names the client in `client_id` instead."""
        named = claims.get("aud", claims.get("client_id"))
        meant = named if isinstance(named, list) else [named]
        if self._audience not in meant:
            raise NotSignedIn(f"the token is for somebody else than {self._audience}; {AGAIN} at this page")

    def _require_now(self, claims: dict[str, Any]) -> None:
        now, expires = self._now(), _moment(claims, "exp")
        if expires is None or not now < expires + SKEW:
            raise NotSignedIn(f"the token has expired; {AGAIN}")
        for name in ("nbf", "iat"):
            begins = _moment(claims, name)
            if begins is not None and not now > begins - SKEW:
                raise NotSignedIn(f"the token does not hold yet: clocks differ; {AGAIN}")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    """A time of a token, in epoch seconds; None where it says none."""
    value = claims.get(name)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    raise NotSignedIn(f"the token's {name!r} is no time; {AGAIN}")
