"""What somebody may do at the page and the API: roles, by the groups that a token says somebody is in. Pure.

A role is asked for at the door. What it lets through is judged again where it is done: approver, four eyes, gates.
"""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.bounds import fit_line
from candlefish.catalog.model import ANYBODY, ROLES, Console, Person, Role
from candlefish.errors import NotAllowed, NotSignedIn

# Groups that are read of one token, and characters of what names somebody.
MOST_GROUPS, LONGEST_NAME = 1000, 190


class Caller(msgspec.Struct, frozen=True):
    """Who calls: what the credential names, the roles it has (each with those before it), what it is called, and the
    person of the catalog that it is ("" for nobody)."""

    principal: str
    roles: tuple[Role, ...]
    name: str = ""
    person: str = ""


def caller_of(claims: dict[str, Any], console: Console) -> Caller:
    """Who a token that was checked is about.

    Raises
    ------
    NotSignedIn
        It does not say who, in the claim that the catalog names.
    """
    found = claims.get(console.person)
    if not isinstance(found, str) or not found or len(found) > LONGEST_NAME or not found.isprintable():
        raise NotSignedIn(
            f"the token does not say in {console.person!r} who somebody is; name the claim that does in the "
            "catalog (console, person)"
        )
    # An address that the issuer has not seen to be somebody's can be anybody's.
    if console.person == "email" and claims.get("email_verified") in (False, "false"):
        raise NotSignedIn(
            "the issuer has not verified the e-mail address in the token; verify it and sign in again"
        )
    return Caller(f"oidc:{found}", roles_of(claims, console), _called(claims) or found)


def _called(claims: dict[str, Any]) -> str:
    """What the issuer calls somebody; shown, and believed by nobody."""
    named = (claims.get(claim) for claim in ("name", "preferred_username", "email"))
    return next((fit_line(text, LONGEST_NAME) for text in named if isinstance(text, str) and text), "")


def roles_of(claims: dict[str, Any], console: Console) -> tuple[Role, ...]:
    """The roles of somebody's groups; the highest brings those before it."""
    said = claims.get(console.groups)
    groups = {said} if isinstance(said, str) else set()
    if isinstance(said, list):
        groups = {each for each in said[:MOST_GROUPS] if isinstance(each, str)}
    groups.discard(ANYBODY)
    held = [
        number
        for number, role in enumerate(ROLES)
        if (wanted := getattr(console, role)) and (ANYBODY in wanted or not groups.isdisjoint(wanted))
    ]
    return ROLES[: max(held) + 1] if held else ()


def roles_at_the_command(person: Person | None) -> tuple[Role, ...]:
    """What IAM let through: its policies say who may call which function, people.yaml who is somebody."""
    if person is None:
        return ROLES[:1]
    return ROLES if person.approver else ROLES[:2]


def require_role(caller: Caller, least: Role, console: Console | None) -> Caller:
    """The caller, who has a role.

    Raises
    ------
    NotAllowed
        Not that one.
    """
    if least in caller.roles:
        return caller
    groups = ", ".join(getattr(console, least)) if console else ""
    has = f"is {caller.roles[-1]}" if caller.roles else "has no role"
    told = (
        f"ask whoever keeps the issuer's groups for one of {groups}"
        if groups
        else (f"no group is {least} in the catalog (console, {least}); ask whoever keeps it")
    )
    raise NotAllowed(f"{caller.name or caller.principal} {has} here, and this takes {least}; {told}")
