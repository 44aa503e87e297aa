"""Who somebody is, and who may say yes: the four-eyes rule of releases and failovers alike."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.catalog.model import Person
from candlefish.errors import NotAllowed


def person_of(principal: str, people: Mapping[str, Person]) -> Person | None:
    """Who a principal is: `github:login`, `slack:id`, an IAM user or role session ARN, or a plain name."""
    kind, _, rest = principal.partition(":")
    if kind == "arn":
        name = principal.rpartition("/")[2]
        return next((p for p in people.values() if p.aws and p.aws == name), None)
    if kind in ("github", "slack") and rest:
        return next((p for p in people.values() if getattr(p, kind) == rest), None)
    return people.get(principal)


def require_person(principal: str, people: Mapping[str, Person]) -> Person:
    """The person behind a principal.

    Raises
    ------
    NotAllowed
        Nobody in the catalog goes by that name.
    """
    person = person_of(principal, people)
    if person is None:
        raise NotAllowed(
            f"{principal} is nobody in catalog/people.yaml; add the person there, or use credentials that name one"
        )
    return person


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
