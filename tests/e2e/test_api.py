"""The API in the lab: each address refuses whoever may not, at the door and in the function, and lets in who may.

One table: every route of the document, with every credential that somebody could show.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from candlefish.catalog.model import ROLES, Role
from candlefish.views.openapi import ACTIONS, document
from candlefish.views.routes import OPENAPI, VIEW_ROUTES
from lab.choices import judged
from lab.moto import ACCOUNT
from lab.oidc import OidcIssuer
from lab.scenes.bring_up import bring_up
from lab.scenes.driver import call_url
from lab.world import World
from tests.support.labs import Labs


class Made(NamedTuple):
    """A lab with one service, what its API is called by, and who is who in it."""

    world: World
    environment: str
    service: str
    url: str
    approver: str
    operator: str


@contextmanager
def one_service(folder: Path) -> Iterator[Made]:
    with World(folder) as world:
        environment = judged(world.catalog).name
        service = next(each.name for each in world.catalog.services.values() if each.balanced)
        bring_up(world, [environment], [service])
        people = world.catalog.people.values()
        approver = next(person.name for person in people if person.approver)
        operator = next(person.name for person in people if not person.approver)
        url = world.sites[environment].stack.outputs["ConsoleUrl"]
        yield Made(world, environment, service, url, approver, operator)


@pytest.fixture
def made(labs: Labs) -> Made:
    return labs.get(one_service)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body or b"null")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


def call(url: str, method: str = "GET", body: Any = None, token: str = "", **headers: str) -> Answer:
    """A request as the page makes it; redirects are answers."""
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        said["authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, method=method, data=data, headers=said)
    try:
        with urllib.request.build_opener(_Stay()).open(request, timeout=60) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


# --- who calls --------------------------------------------------------------------------------------


@cache
def another_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(issuer: OidcIssuer, person: str) -> dict[str, Any]:
    said: dict[str, Any] = jwt.decode(issuer.token(person), options={"verify_signature": False})
    return said


def unsigned(issuer: OidcIssuer, person: str) -> str:
    return f"{segment({'alg': 'none', 'kid': issuer.kid})}.{segment(claims_of(issuer, person))}."


def by_the_public_key(issuer: OidcIssuer, person: str) -> str:
    secret = issuer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = f"{segment({'alg': 'HS256', 'kid': issuer.kid})}.{segment(claims_of(issuer, person))}"
    mark = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def badly_signed(issuer: OidcIssuer, person: str) -> str:
    return jwt.encode(
        claims_of(issuer, person), another_key(), algorithm="RS256", headers={"kid": issuer.kid}
    )


def by_an_unknown_key(issuer: OidcIssuer, person: str) -> str:
    return jwt.encode(claims_of(issuer, person), another_key(), algorithm="RS256", headers={"kid": "theirs"})


# What an approver could show that does not count.
BAD: dict[str, Callable[[OidcIssuer, str], str]] = {
    "no token": lambda issuer, person: "",
    "expired": lambda issuer, person: issuer.token(person, exp=time.time() - 3600, iat=time.time() - 7200),
    "not yet valid": lambda issuer, person: issuer.token(person, nbf=time.time() + 3600),
    "wrong audience": lambda issuer, person: issuer.token(person, aud="somebody-else"),
    "wrong issuer": lambda issuer, person: issuer.token(person, iss="https://login.example.org"),
    "alg none": unsigned,
    "HS256 by the public key": by_the_public_key,
    "bad signature": badly_signed,
    "unknown key": by_an_unknown_key,
}


class Row(NamedTuple):
    """A route: what is called, and the function behind it with the role that it takes."""

    method: str
    path: str
    function: str
    role: Role
    body: dict[str, Any] | None = None


FUNCTIONS = {
    "answer": "decide-approval",
    "pause": "steer-release",
    "resume": "steer-release",
    "promote": "steer-release",
    "abort": "request-release",
    "rollback": "request-release",
    "freeze": "freeze",
    "lift": "freeze",
}
# Bodies that are as they must be, and lead to nothing: there is no such release.
BODIES: dict[str, dict[str, Any]] = {
    "answer": {"question": "q-1", "answer": "approved"},
    "freeze": {"until": "2h", "reason": "table"},
}
ROWS = [
    *(
        Row("GET", view.path.format(service="SERVICE", release="r-none"), "serve-views", view.role)
        for view in VIEW_ROUTES
    ),
    Row("GET", OPENAPI, "serve-views", "reader"),
    *(
        Row(
            "POST",
            action.path.format(service="SERVICE", release="r-none"),
            FUNCTIONS[action.name],
            action.role,
            BODIES.get(action.name, {"reason": "table"}),
        )
        for action in ACTIONS
        if action.role is not None
    ),
]


def test_the_table_has_every_address_of_the_document() -> None:
    said = {
        (method.upper(), path.format(service="SERVICE", release="r-none"))
        for path, item in document()["paths"].items()
        for method in item
    }
    assert said == {(row.method, row.path) for row in ROWS} | {
        ("GET", "/v1/session"),
        ("POST", "/v1/session"),
    }


def path_of(row: Row, made: Made) -> str:
    return row.path.replace("SERVICE", made.service)


def event(
    row: Row, made: Made, authorization: str = "", authorizer: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What somebody writes who may invoke the function himself."""
    context: dict[str, Any] = {
        "http": {"method": row.method, "path": path_of(row, made)},
        "domainName": "api.example.org",
        "accountId": ACCOUNT,
        "stage": "$default",
    }
    if authorizer:
        context["authorizer"] = authorizer
    return {
        "version": "2.0",
        "rawPath": path_of(row, made),
        "rawQueryString": "",
        "headers": {"authorization": authorization} if authorization else {},
        "requestContext": context,
        "body": json.dumps(row.body) if row.body is not None else None,
        "isBase64Encoded": False,
    }


def invoked(made: Made, row: Row, said: dict[str, Any]) -> int:
    answer: dict[str, Any] = made.world.invoke(made.environment, row.function, said)
    return int(answer["statusCode"])


def starts(made: Made) -> int:
    """How many executions of releases and rollbacks there were."""
    states = made.world.clients(made.world.sites[made.environment].region)("stepfunctions")
    outputs = made.world.sites[made.environment].stack.outputs
    return sum(
        len(states.list_executions(stateMachineArn=outputs[f"{machine}MachineArn"])["executions"])
        for machine in ("Release", "Rollback", "Train")
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_nobody_passes_who_may_not(made: Made, row: Row) -> None:
    """At the API and, with an event of one's own making, in the function: an approver's token that does not count, a role
    too low, an invented caller, IAM without proof."""
    issuer, url = made.world.oidc, made.url + path_of(row, made)
    before = starts(made)
    wrong: dict[str, int] = {}

    def expect(what: str, got: int, *wanted: int) -> None:
        if got not in wanted:
            wrong[what] = got

    for what, make in BAD.items():
        token = make(issuer, made.approver)
        expect(f"{what} at the API", call(url, row.method, row.body, token).status, 401)
        bearer = f"Bearer {token}" if token else ""
        expect(f"{what} in the function", invoked(made, row, event(row, made, bearer)), 401)
    # Who may less: the door of the API lets every token of the issuer through, the function does not.
    people = {None: "stranger", "reader": "visitor", "operator": made.operator}
    for role, person in people.items():
        held = ROLES[: ROLES.index(role) + 1] if role else ()
        if row.role not in held:
            expect(person, call(url, row.method, row.body, issuer.token(person)).status, 403)
    # Callers that the event names and nothing proves.
    jwt_claims = {"jwt": {"claims": claims_of(issuer, made.approver), "scopes": None}}
    expect("invented claims", invoked(made, row, event(row, made, authorizer=jwt_claims)), 401)
    iam = {"iam": {"userArn": f"arn:aws:iam::{ACCOUNT}:user/{made.approver}"}}
    expect("IAM without proof", invoked(made, row, event(row, made, authorizer=iam)), 401, 403)
    both = {**iam, **jwt_claims}
    bad = f"Bearer {badly_signed(issuer, made.approver)}"
    expect("all of it with a bad token", invoked(made, row, event(row, made, bad, both)), 401)
    assert wrong == {}
    assert starts(made) == before


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_who_may_is_let_in(made: Made, row: Row) -> None:
    """Who has the role is answered by the use case: with a view, or why there is nothing to do. The last ones lift what
    the table froze."""
    who = {"reader": "visitor", "operator": made.operator, "approver": made.approver}[row.role]
    answer = call(made.url + path_of(row, made), row.method, row.body, made.world.oidc.token(who))
    assert answer.status in (200, 400, 404, 409), answer.body
    if answer.status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.said["detail"] and answer.said["status"] == answer.status
    # No release is called so; all else is there, and nothing was released that could be rolled back.
    assert (answer.status != 200) == ("r-none" in row.path or row.path.endswith("/rollback"))


def test_an_address_that_nobody_has_is_nobodys(made: Made) -> None:
    token = made.world.oidc.token(made.approver)
    for method, path in (
        ("POST", "/v1/fleet"),
        ("POST", "/v1/releases/a/b"),
        ("GET", "/elsewhere"),
        ("PUT", "/v1/me"),
    ):
        assert call(made.url + path, method, {}, token).status == 404
    assert call(f"{made.url}/v1/elsewhere", token=token).status == 404


def test_the_page_needs_no_token_and_shows_nobodys_things(made: Made) -> None:
    answer = call(f"{made.url}/")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def signed_in(made: Made, person: str, **changed: str) -> Answer:
    """The way of the page: where to, the issuer, and back with a code."""
    way = call(f"{made.url}/v1/session").said
    verifier, state, redirect = secrets.token_urlsafe(48), secrets.token_urlsafe(8), f"{made.url}/"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": way["client"],
        "redirect_uri": redirect,
        "scope": way["scope"],
        "state": state,
        "nonce": "n-1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "person": person,
    }
    sent = call(f"{way['authorize']}?{urllib.parse.urlencode(asked)}")
    assert sent.status == 302 and sent.headers["location"].startswith(redirect)
    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sent.headers["location"]).query))
    assert back["state"] == state
    posted = {"code": back["code"], "verifier": verifier, "redirect": redirect, "nonce": "n-1", **changed}
    answer = call(f"{made.url}/v1/session", "POST", posted)
    if answer.status == 200:
        # A code counts once.
        assert call(f"{made.url}/v1/session", "POST", posted).status == 401
    return answer


def test_somebody_signs_in_looks_and_is_known_by_name(made: Made) -> None:
    answer = signed_in(made, made.operator)
    assert answer.status == 200 and answer.said["expires_at"] > time.time()
    assert answer.headers["cache-control"] == "no-store"
    me = call(f"{made.url}/v1/me", token=answer.said["token"]).said
    assert (me["who"]["name"], me["roles"]) == (made.operator, ["reader", "operator"])


def test_a_sign_in_that_somebody_else_began_is_worth_nothing(made: Made) -> None:
    assert signed_in(made, made.operator, verifier="v" * 50).status == 401
    assert signed_in(made, made.operator, redirect="https://elsewhere.example.org/").status == 400
    assert signed_in(made, made.operator, nonce="n-2").status == 401
    assert signed_in(made, "stranger").status == 403


def test_the_command_line_looks_with_iam_and_a_proof(made: Made) -> None:
    """The same function, at an address of its own."""
    site = made.world.sites[made.environment]
    url = site.stack.outputs["ViewsUrl"]
    assert call(f"{url}v1/fleet").status == 403
    assert call(f"{url}v1/fleet", token=made.world.oidc.token(made.approver)).status == 403
    status, said = call_url(made.world, url, {}, person=made.operator, region=site.region)
    # Whom IAM lets in, the function answers: a POST looks at nothing.
    assert status == 405 and "send a GET" in said["detail"]


def test_a_view_that_the_page_has_is_not_sent_again(made: Made) -> None:
    token = made.world.oidc.token("visitor")
    first = call(f"{made.url}/v1/calendar", token=token)
    again = call(f"{made.url}/v1/calendar", token=token, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_iam_refused_nothing_that_the_api_needs(made: Made) -> None:
    views = [each.message for each in made.world.aws.authority.refusals if "serve-views" in each.role]
    assert views == []
