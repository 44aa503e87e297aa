"""Who calls and what he may: roles by groups, and either way in at the door."""

from __future__ import annotations

from typing import Any

import pytest

from candlefish.adapters.http.callers import Callers
from candlefish.catalog.model import ROLES, Console, Person, Role
from candlefish.catalog.people import person_of
from candlefish.catalog.roles import caller_of, require_role, roles_of
from candlefish.errors import NotAllowed, NotSignedIn
from candlefish.web import Authorizer, HttpRequest, Iam, RequestContext

ACCOUNT = "111111111111"
CONSOLE = Console(
    issuer="https://login.example.org",
    client="page",
    reader=("staff",),
    operator=("dev",),
    approver=("lead",),
)
PEOPLE = {
    "ann": Person(name="ann", oidc="u-1", aws=("user/ann",), approver=True),
    "bob": Person(name="bob", oidc="u-2", aws=("user/bob",)),
}


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["staff"], ROLES[:1]),
        (["dev"], ROLES[:2]),
        # Who may answer may look, whatever other groups there are.
        (["lead"], ROLES),
        (["staff", "lead"], ROLES),
        ("dev", ROLES[:2]),
        ([], ()),
        (None, ()),
        (["*"], ()),
        ("*", ()),
        ({"dev": True}, ()),
        ([["dev"], 7, None], ()),
        (["DEV", "dev ", "developers"], ()),
        (["x"] * 1000 + ["lead"], ()),
    ],
)
def test_groups_give_roles(groups: Any, roles: tuple[Role, ...]) -> None:
    assert roles_of({"groups": groups}, CONSOLE) == roles


def test_everybody_may_look_where_the_catalog_says_so_and_nobody_acts_for_that() -> None:
    console = Console(issuer="https://login.example.org", client="page", reader=("*",), operator=("dev",))
    assert roles_of({}, console) == ROLES[:1]
    assert roles_of({"groups": ["*"]}, console) == ROLES[:1]
    assert roles_of({"groups": ["dev"]}, console) == ROLES[:2]


@pytest.mark.parametrize(
    "claims", [{}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 200}, {"sub": "a\nb"}, {"sub": "a\x1b[31m"}]
)
def test_a_token_says_who_somebody_is(claims: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn, match="who somebody is"):
        caller_of(claims, CONSOLE)


@pytest.mark.parametrize("verified", [False, "false"])
def test_an_address_that_nobody_verified_is_nobodys(verified: Any) -> None:
    console = Console(issuer="https://login.example.org", client="page", person="email", reader=("*",))
    with pytest.raises(NotSignedIn, match="not verified"):
        caller_of({"email": "ann@example.org", "email_verified": verified}, console)
    assert caller_of({"email": "ann@example.org", "email_verified": True}, console).principal == (
        "oidc:ann@example.org"
    )


def test_a_name_in_a_token_is_text_that_can_be_shown() -> None:
    """Found by the fuzzing: half of a surrogate pair is no text that JSON has."""
    caller = caller_of({"sub": "u-9", "name": "A\ud800\x1b[31m\nB" + "x" * 500}, CONSOLE)
    assert caller.name.isprintable() and len(caller.name) <= 190
    caller.name.encode()


def test_the_name_in_a_token_is_nobodys_name_in_the_catalog() -> None:
    """Names are shown; who somebody is, is the claim alone, and only as `oidc:`."""
    caller = caller_of({"sub": "u-9", "name": "ann", "preferred_username": "u-1"}, CONSOLE)
    assert person_of(caller.principal, PEOPLE) is None
    assert person_of(caller_of({"sub": "ann"}, CONSOLE).principal, PEOPLE) is None
    assert person_of("oidc:", {"eve": Person(name="eve")}) is None


def test_who_has_not_the_role_is_told_whom_to_ask_for_what() -> None:
    dev = caller_of({"sub": "u-2", "groups": ["dev"]}, CONSOLE)
    with pytest.raises(
        NotAllowed, match=r"is operator here, and this takes approver; ask .* for one of lead"
    ):
        require_role(dev, "approver", CONSOLE)
    nobody = caller_of({"sub": "u-3"}, CONSOLE)
    with pytest.raises(NotAllowed, match="has no role here, and this takes reader"):
        require_role(nobody, "reader", CONSOLE)
    without = Console(issuer="https://login.example.org", client="page", reader=("*",))
    with pytest.raises(NotAllowed, match="no group is operator in the catalog"):
        require_role(caller_of({"sub": "u-1"}, without), "operator", without)


# --- the door -------------------------------------------------------------------------------------

ARN = f"arn:aws:iam::{ACCOUNT}:user/"
CLAIMS = {
    "dev-token": {"sub": "u-2", "groups": ["dev"]},
    "visitor": {"sub": "v", "groups": ["staff"], "name": "V"},
}


def read(token: str) -> dict[str, Any]:
    try:
        return CLAIMS[token]
    except KeyError:
        raise NotSignedIn("the token is not one that counts") from None


def proven(request: HttpRequest) -> str:
    """What the proof says; the event's word counts for nothing."""
    if not (found := request.header("x-proof")):
        raise NotAllowed("the request does not prove who calls")
    return found


def door(console: Console | None = CONSOLE) -> Callers:
    return Callers(
        console=console, tokens=read if console else None, proven=proven, people=PEOPLE, account=ACCOUNT
    )


def asked(*, iam: str = "", **headers: str) -> HttpRequest:
    authorizer = Authorizer(Iam(iam)) if iam else None
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(headers=said, request_context=RequestContext(authorizer=authorizer))


def test_a_token_names_the_person_and_a_proof_does() -> None:
    dev = door()(asked(authorization="Bearer dev-token"), "operator")
    assert (dev.principal, dev.name, dev.roles) == ("oidc:u-2", "bob", ROLES[:2])
    visitor = door()(asked(authorization="bearer visitor"), "reader")
    assert (visitor.principal, visitor.name, visitor.roles) == ("oidc:v", "V", ROLES[:1])
    ann = door()(asked(iam=f"{ARN}ann", x_proof=f"{ARN}ann"), "approver")
    assert (ann.principal, ann.name, ann.roles) == (f"{ARN}ann", "ann", ROLES)
    robot = door()(asked(iam=f"{ARN}ci", x_proof=f"{ARN}ci"), "reader")
    assert (robot.name, robot.roles) == ("ci", ROLES[:1])


@pytest.mark.parametrize(
    ("request_", "least", "error"),
    [
        (asked(), "reader", NotSignedIn),
        (asked(authorization="Bearer "), "reader", NotSignedIn),
        (asked(authorization="Basic YTpi"), "reader", NotSignedIn),
        (asked(authorization="Bearer invented"), "reader", NotSignedIn),
        # A token that does not count is not made up for by IAM, nor by a proof of somebody.
        (asked(iam=f"{ARN}ann", x_proof=f"{ARN}ann", authorization="Bearer invented"), "reader", NotSignedIn),
        (asked(iam=f"{ARN}ann"), "reader", NotAllowed),
        (asked(authorization="Bearer visitor"), "operator", NotAllowed),
        (asked(authorization="Bearer visitor"), "approver", NotAllowed),
        (asked(authorization="Bearer dev-token"), "approver", NotAllowed),
    ],
)
def test_nobody_else_passes(request_: HttpRequest, least: Role, error: type[Exception]) -> None:
    with pytest.raises(error):
        door()(request_, least)


def test_where_nobody_signs_in_no_token_counts() -> None:
    with pytest.raises(NotSignedIn, match="no console"):
        door(None)(asked(authorization="Bearer dev-token"), "reader")
    assert door(None)(asked(iam=f"{ARN}bob", x_proof=f"{ARN}bob"), "reader").name == "bob"
