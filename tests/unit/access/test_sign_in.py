"""Signing in: where, and the token for a code; nothing of another page's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from candlefish.catalog.model import Console
from candlefish.errors import (
    ControlPlaneError,
    InvalidInput,
    Misconfigured,
    NotAllowed,
    NotSignedIn,
    UnknownService,
)
from candlefish.views.sign_in import Session, WayIn, sign_in
from candlefish.web import Http, HttpRequest, RequestContext

CONSOLE = Console(
    issuer="https://login.example.org",
    client="page",
    reader=("staff",),
    address="https://releases.example.org",
)
HOST = "abc.execute-api.us-west-2.amazonaws.com"
POSTED = {"code": "c-1", "verifier": "v" * 43, "redirect": f"https://{HOST}/"}
CLAIMS = {"sub": "u-1", "groups": ["staff"], "exp": 1_800_000_900, "nonce": "n-1"}


class Issuer:
    """An issuer that takes every code; `forms` are what it was sent."""

    def __init__(self, **given: Any) -> None:
        self.given = given or {"id_token": "id.token", "access_token": "access.token"}
        self.forms: list[Mapping[str, str]] = []
        self.claims: dict[str, Any] = dict(CLAIMS)
        self.read_tokens: list[str] = []

    def exchange(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        self.forms.append(form)
        return self.given

    def said_by(self, token: str) -> dict[str, Any]:
        self.read_tokens.append(token)
        return self.claims


def asked(
    issuer: Issuer, body: Any = None, *, console: Console | None = CONSOLE, secret: str = "", host: str = HOST
) -> WayIn | Session:
    method = "GET" if body is None else "POST"
    request = HttpRequest(
        raw_path="/v1/session",
        body=json.dumps(body) if body is not None else None,
        request_context=RequestContext(http=Http(method), domain_name=host),
    )
    return sign_in(
        request,
        console=console,
        endpoints=lambda: ("https://login.example.org/authorize", ""),
        exchange=issuer.exchange,
        read=issuer.said_by,
        secret=lambda: secret,
    )


def test_the_page_is_told_where_to_go() -> None:
    assert asked(Issuer()) == WayIn("https://login.example.org/authorize", "page", "openid profile email")


def test_the_code_is_exchanged_with_what_proves_that_this_page_asked() -> None:
    issuer = Issuer()
    assert asked(issuer, {**POSTED, "nonce": "n-1"}) == Session("id.token", 1_800_000_900.0)
    assert issuer.forms == [
        {
            "grant_type": "authorization_code",
            "code": "c-1",
            "code_verifier": "v" * 43,
            "redirect_uri": f"https://{HOST}/",
            "client_id": "page",
        }
    ]
    asked(issuer, POSTED, secret="s3cret")
    assert issuer.forms[-1]["client_secret"] == "s3cret"


def test_tokens_for_an_api_of_its_own_are_access_tokens() -> None:
    issuer = Issuer()
    console = Console(issuer="https://login.example.org", client="page", audience="api", reader=("staff",))
    assert asked(issuer, POSTED, console=console) == Session("access.token", 1_800_000_900.0)


def test_the_page_may_have_an_address_of_its_own_and_the_lab_has_no_tls() -> None:
    issuer = Issuer()
    assert asked(issuer, {**POSTED, "redirect": "https://releases.example.org/"})
    assert asked(issuer, {**POSTED, "redirect": "http://127.0.0.1:8080/"}, host="127.0.0.1:8080")


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example.org/",
        f"https://{HOST}.evil.example.org/",
        f"https://{HOST}@evil.example.org/",
        f"http://{HOST}/",
        f"https://{HOST}",
        f"https://{HOST}/elsewhere",
        "http://127.0.0.1:8080/",
        "",
    ],
)
def test_a_sign_in_that_was_sent_to_another_page_is_refused_before_the_code_is_used(redirect: str) -> None:
    issuer = Issuer()
    with pytest.raises(InvalidInput, match="another page"):
        asked(issuer, {**POSTED, "redirect": redirect})
    assert issuer.forms == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, InvalidInput),
        ({**POSTED, "verifier": "short"}, InvalidInput),
        ({**POSTED, "verifier": "v" * 42 + "&"}, InvalidInput),
        ({**POSTED, "code": ""}, InvalidInput),
        ({**POSTED, "code": "a b"}, InvalidInput),
        ({**POSTED, "code": "x" * 5000}, InvalidInput),
        ({**POSTED, "client_id": "other"}, InvalidInput),
        ({**POSTED, "nonce": "other"}, NotSignedIn),
    ],
)
def test_what_is_not_this_pages_sign_in_is_refused(body: Any, error: type[ControlPlaneError]) -> None:
    with pytest.raises(error):
        asked(Issuer(), body)


def test_who_has_no_role_is_told_so_at_once() -> None:
    issuer = Issuer()
    issuer.claims["groups"] = []
    with pytest.raises(NotAllowed, match="has no role here"):
        asked(issuer, POSTED)


def test_an_issuer_that_gives_no_token_of_the_kind_is_told_of() -> None:
    with pytest.raises(Misconfigured, match="gave no id_token"):
        asked(Issuer(access_token="a"), POSTED)


def test_where_the_catalog_has_no_console_nobody_signs_in() -> None:
    for body in (None, POSTED):
        with pytest.raises(UnknownService, match="no console"):
            asked(Issuer(), body, console=None)
