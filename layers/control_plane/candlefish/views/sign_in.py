"""Sign somebody in at the console's issuer: where the page goes, and the token for the code that it comes back with.

The code is exchanged here, so that the page asks no other origin than its own, and a client's secret stays where it is.
Nothing of it is kept: whoever has the token shows it with each request, and it is looked at each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from candlefish.bounds import Address
from candlefish.catalog.model import Console
from candlefish.catalog.roles import caller_of, require_role
from candlefish.errors import InvalidInput, Misconfigured, NotSignedIn, UnknownService
from candlefish.web import HttpRequest

PATH = "/v1/session"
Code = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]+\Z", max_length=4096)]
# RFC 7636, section 4.1.
Verifier = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~-]{43,128}\Z")]


class SessionAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page posts when the issuer sent it back: the code, what proves that it asked, and where it was sent."""

    code: Code
    verifier: Verifier
    redirect: Address
    # What it asked the issuer to put into the token.
    nonce: Code | None = None


class Session(msgspec.Struct, frozen=True):
    """A token, and until when it holds (epoch seconds)."""

    token: str
    expires_at: float


class WayIn(msgspec.Struct, frozen=True):
    """Where somebody signs in, and out (empty where the issuer says no such place), and what the page asks for."""

    authorize: str
    client: str
    scope: str
    audience: str = ""
    logout: str = ""


def sign_in(
    request: HttpRequest,
    *,
    console: Console | None,
    endpoints: Callable[[], tuple[str, str]],
    exchange: Callable[[Mapping[str, str]], Mapping[str, Any]],
    read: Callable[[str], dict[str, Any]],
    secret: Callable[[], str],
) -> WayIn | Session:
    """Say where to sign in (GET), or give the token for a code (POST).

    Parameters
    ----------
    endpoints
        Where the issuer signs in and out.
    exchange
        What its token endpoint answers to a form.
    read
        What a token says that holds.

    Raises
    ------
    NotSignedIn
        The issuer does not take the code, or gave a token that does not count.
    NotAllowed
        Whoever signed in has no role here.
    InvalidInput
        What was posted is not of this page.
    """
    if console is None:
        raise UnknownService(
            "nobody signs in at this environment: its catalog has no console; use the candlefish command"
        )
    if request.method == "GET":
        authorize, logout = endpoints()
        return WayIn(authorize, console.client, " ".join(console.scopes), console.audience, logout)
    asked = request.posted(SessionAsked)
    _require_ours(asked.redirect, request.request_context.domain_name, console)
    form = {
        "grant_type": "authorization_code",
        "code": asked.code,
        "code_verifier": asked.verifier,
        "redirect_uri": asked.redirect,
        "client_id": console.client,
    }
    if own := secret():
        form["client_secret"] = own
    given = exchange(form)
    # Tokens for the client are id tokens; those for an API of its own are access tokens.
    name = "access_token" if console.audience else "id_token"
    if not isinstance(token := given.get(name), str):
        raise Misconfigured(
            f"{console.issuer} gave no {name}; mend the client there, or the scopes in the catalog"
        )
    claims = read(token)
    if asked.nonce is not None and not console.audience and claims.get("nonce") != asked.nonce:
        raise NotSignedIn("the issuer answered another sign-in than this page asked for; sign in again")
    require_role(caller_of(claims, console), "reader", console)
    return Session(token, float(claims["exp"]))


def _require_ours(redirect: str, host: str, console: Console) -> None:
    """Refuse a sign-in that was sent back to another page than this one."""
    scheme = "http" if urlsplit(f"//{host}").hostname == "127.0.0.1" else "https"
    ours = {f"{scheme}://{host}/"} | ({f"{console.address}/"} if console.address else set())
    if redirect not in ours:
        raise InvalidInput(
            f"the sign-in was sent to another page than {' or '.join(sorted(ours))}; begin there"
        )
