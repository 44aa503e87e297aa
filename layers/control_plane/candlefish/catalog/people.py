"""Who somebody is, and who may say yes: the four-eyes rule of releases and failovers alike.

A principal is what a credential names: an IAM ARN, `github:login`, `slack:id`, `oidc:claim`. Doors turn it into a person
(`require_caller`); inside, people go by their names in the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from candlefish.catalog.model import Catalog, Person
from candlefish.errors import NotAllowed

_ARN = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::(?P<account>\d{12}):(?P<rest>[^:]+)")
# IAM Identity Center ends the names of its roles so, differently in each account.
_SUFFIX = re.compile(r"(assumed-role/AWSReservedSSO_[^/]+)_[0-9a-f]{16}(/[^/]+)")


def person_of(principal: str, people: Mapping[str, Person], account: str = "") -> Person | None:
    """Who a principal is: `github:login`, `slack:id`, `oidc:claim`, an IAM ARN of `account`, or a person's name.

    A session's name alone is nobody: whoever may assume a role chooses it. Account, role and session count.
    """
    kind, _, rest = principal.partition(":")
    if kind == "arn":
        match = _ARN.fullmatch(principal)
        if match is None or match["account"] != account:
            return None
        known = {match["rest"], _SUFFIX.sub(r"\1_*\2", match["rest"])}
        return next((p for p in people.values() if not known.isdisjoint(p.aws)), None)
    if kind in ("github", "slack", "oidc") and rest:
        return next((p for p in people.values() if getattr(p, kind) == rest), None)
    return people.get(principal)


def require_person(principal: str, people: Mapping[str, Person], account: str = "") -> Person:
    """The person behind a principal.

    Raises
    ------
    NotAllowed
        Nobody in the catalog goes by that name.
    """
    person = person_of(principal, people, account)
    if person is None:
        raise NotAllowed(
            f"{principal} is nobody in catalog/people.yaml; add the person there, or use credentials that name one"
        )
    return person


def require_caller(principal: str, catalog: Catalog, environment: str) -> Person:
    """The person whose credential signed a call to an environment's control plane.

    Raises
    ------
    NotAllowed
        Nobody in the catalog goes by that principal in the environment's account.
    """
    return require_person(principal, catalog.people, catalog.environment(environment).account)


def require_approver(principal: str, people: Mapping[str, Person]) -> Person:
    """The person behind a principal, who may approve what others ask for.

    Raises
    ------
    NotAllowed
        Nobody in the catalog goes by that name, or the person is no approver.
    """
    person = require_person(principal, people)
    if not person.approver:
        raise NotAllowed(f"{person.name} is no approver in catalog/people.yaml; ask somebody who is")
    return person


def require_other_person(
    approver: Person, requested_by: str, people: Mapping[str, Person], *, what: str
) -> None:
    """Four eyes: refuse an approver who asked for the thing (`release r1`) themselves.

    Raises
    ------
    NotAllowed
        The approver is who asked for it, or it is unknown who did (unknown is not "somebody else").
    """
    requester = person_of(requested_by, people)
    if requester is None:
        raise NotAllowed(
            f"{what} was requested by {requested_by}, who is nobody in catalog/people.yaml, so it cannot be "
            "told whether the approver is somebody else; add the person there"
        )
    if requester.name == approver.name:
        raise NotAllowed(
            f"{approver.name} asked for {what} (requested by {requested_by}) and cannot approve it; ask another approver"
        )
