"""Who somebody is, and the one four-eyes rule."""

from __future__ import annotations

import pytest

from candlefish.catalog.model import Person
from candlefish.catalog.people import person_of, require_approver, require_other_person
from candlefish.errors import NotAllowed

ACCOUNT = "333333333333"
SSO = "assumed-role/AWSReservedSSO_Releases_0123456789abcdef"
AWS = ("user/lead.aws", "assumed-role/AWSReservedSSO_Releases_*/lead@example.com", "assumed-role/ops/lead")
LEAD = Person(name="lead", aws=AWS, github="lead-hub", slack="U1", approver=True)
SECOND = Person(name="second", aws=("user/second",), approver=True)
DEVELOPER = Person(name="developer", github="dev-hub")
PEOPLE = {person.name: person for person in (LEAD, SECOND, DEVELOPER)}


@pytest.mark.parametrize(
    ("principal", "person"),
    [
        ("lead", LEAD),
        ("github:lead-hub", LEAD),
        ("slack:U1", LEAD),
        ("arn:aws:iam::333333333333:user/lead.aws", LEAD),
        ("arn:aws:sts::333333333333:assumed-role/ops/lead", LEAD),
        (f"arn:aws:sts::333333333333:{SSO}/lead@example.com", LEAD),
        # A session's name is chosen by whoever assumes the role: another role, another account, another kind is nobody.
        ("arn:aws:sts::333333333333:assumed-role/AnyRole/lead", None),
        ("arn:aws:sts::333333333333:assumed-role/ops/lead.aws", None),
        (f"arn:aws:sts::333333333333:{SSO}x/lead@example.com", None),
        ("arn:aws:sts::999999999999:assumed-role/ops/lead", None),
        (f"arn:aws:sts::999999999999:{SSO}/lead@example.com", None),
        ("arn:aws:iam::999999999999:user/lead.aws", None),
        ("arn:aws:iam::333333333333:user/x/lead.aws", None),
        ("arn:aws:sts::333333333333:federated-user/lead.aws", None),
        ("arn:aws:iam::333333333333:role/ops", None),
        ("arn:x/lead.aws", None),
        ("arn:", None),
        ("slack:", None),
        ("", None),
        # A person without an account there is not the one without a name there.
        ("arn:aws:iam::333333333333:user/", None),
        ("signal:database-down", None),
    ],
)
def test_a_principal_is_a_person_or_nobody(principal: str, person: Person | None) -> None:
    assert person_of(principal, PEOPLE, ACCOUNT) == person


def test_without_an_account_no_arn_is_anybody() -> None:
    assert person_of("arn:aws:iam::333333333333:user/lead.aws", PEOPLE) is None
    assert person_of("arn:aws:iam:::user/lead.aws", PEOPLE) is None


def test_an_approver_is_a_person_who_may_approve() -> None:
    assert require_approver("github:lead-hub", PEOPLE) == LEAD
    with pytest.raises(NotAllowed, match=r"mallory is nobody in catalog/people\.yaml; add"):
        require_approver("mallory", PEOPLE)
    with pytest.raises(NotAllowed, match=r"developer is no approver .*; ask somebody who is"):
        require_approver("developer", PEOPLE)


def test_four_eyes_are_two_persons() -> None:
    require_other_person(SECOND, "github:lead-hub", PEOPLE, what="release r1")
    with pytest.raises(
        NotAllowed, match=r"lead asked for release r1 \(requested by .*\) and cannot approve it; ask another"
    ):
        require_other_person(LEAD, "github:lead-hub", PEOPLE, what="release r1")


@pytest.mark.parametrize("requested_by", ["somebody", "", "signal:database-down"])
def test_who_is_unknown_is_not_somebody_else(requested_by: str) -> None:
    with pytest.raises(NotAllowed, match=r"who is nobody in .* whether the approver is somebody else; add"):
        require_other_person(SECOND, requested_by, PEOPLE, what="release r1")
