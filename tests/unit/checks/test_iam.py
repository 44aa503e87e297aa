"""What IAM says, at its edges: denials, boundaries, policies of resources, conditions on what is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lab.iam.conditions import Unknown
from lab.iam.policies import Decision, Grants, OnResource, Principal, decide, policy

HERE = "123456789012"
ROLE = f"arn:aws:iam::{HERE}:role/r"
SESSION = Principal((f"arn:aws:sts::{HERE}:assumed-role/r/s", ROLE), HERE)
QUEUE = f"arn:aws:sqs:us-west-2:{HERE}:q"
SEND = "sqs:SendMessage"


def statement(effect: str = "Allow", **said: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        **({"Action": "sqs:*"} if "NotAction" not in said else {}),
        "Resource": "*",
        **said,
    }


def of(*statements: dict[str, Any]) -> Any:
    return policy(json.dumps({"Statement": list(statements)}))


def said(
    *identity: dict[str, Any],
    boundary: list[dict[str, Any]] | None = None,
    resource: list[dict[str, Any]] | None = None,
    final: bool = False,
    who: Principal = SESSION,
    values: Mapping[str, Sequence[str]] | None = None,
    action: str = SEND,
    on: str = QUEUE,
) -> Decision:
    grants = None if who.service else Grants(of(*identity), of(*boundary) if boundary is not None else None)
    on_resource = OnResource(of(*resource), final) if resource is not None else None
    return decide(who, action, on, (values or {}).get, grants=grants, on_resource=on_resource)


def test_nothing_is_allowed_that_no_policy_allows() -> None:
    assert said() == Decision(False, f"because no identity-based policy allows the {SEND} action")
    assert said(statement()).allowed
    assert not said(statement(Resource=QUEUE + "x")).allowed
    assert not said(statement(Action="sqs:Receive*")).allowed


def test_a_name_is_no_prefix_of_another_but_by_a_wildcard() -> None:
    table = f"arn:aws:dynamodb:us-west-2:{HERE}:table/candlefish-staging"
    exact, wide = (
        statement(Action="dynamodb:*", Resource=table),
        statement(Action="dynamodb:*", Resource=table + "*"),
    )
    get = {"action": "dynamodb:GetItem", "on": table + "-eu"}
    assert not said(exact, **get).allowed
    assert said(wide, **get).allowed


def test_an_explicit_deny_wins_wherever_it_stands() -> None:
    deny = statement("Deny", Action=SEND)
    assert said(statement(), deny).reason == "with an explicit deny in an identity-based policy"
    assert (
        said(statement(), boundary=[statement(), deny]).reason
        == "with an explicit deny in a permissions boundary"
    )
    everybody = statement("Deny", Principal="*")
    assert (
        said(statement(), resource=[everybody]).reason == "with an explicit deny in a resource-based policy"
    )
    account = statement("Deny", Principal={"AWS": f"arn:aws:iam::{HERE}:root"})
    assert not said(statement(), resource=[account]).allowed


def test_a_boundary_gives_nothing_and_bounds_all() -> None:
    assert not said(boundary=[statement()]).allowed
    assert said(statement(), boundary=[statement()]).allowed
    assert (
        said(statement(), boundary=[]).reason == f"because no permissions boundary allows the {SEND} action"
    )


def test_the_policy_of_a_resource_lets_in_by_itself_within_the_account() -> None:
    to_role = statement(Principal={"AWS": ROLE})
    assert said(resource=[to_role]).allowed
    # A role that is named stays within its boundary; a session that is named does not.
    assert not said(resource=[to_role], boundary=[]).allowed
    assert said(resource=[statement(Principal={"AWS": SESSION.arn})], boundary=[]).allowed
    # The account's name leaves it to the account's own policies.
    account = statement(Principal={"AWS": f"arn:aws:iam::{HERE}:root"})
    assert not said(resource=[account]).allowed
    assert said(statement(), resource=[account]).allowed


def test_a_key_is_used_only_as_its_own_policy_says() -> None:
    key = {"action": "kms:Decrypt", "on": f"arn:aws:kms:us-west-2:{HERE}:key/1", "final": True}
    may = statement(Action="kms:*")
    account = statement(Action="kms:*", Principal={"AWS": HERE})
    assert not said(may, resource=[], **key).allowed
    assert said(may, resource=[account], **key).allowed
    assert not said(resource=[account], **key).allowed
    assert said(resource=[statement(Action="kms:Decrypt", Principal={"AWS": "*"})], **key).allowed


def test_a_service_gets_in_by_the_resource_alone() -> None:
    events = Principal(service="events.amazonaws.com")
    ours = statement(
        Principal={"Service": "events.amazonaws.com"}, Condition={"StringEquals": {"aws:SourceAccount": HERE}}
    )
    assert said(who=events, resource=[ours], values={"aws:sourceaccount": [HERE]}).allowed
    assert not said(who=events, resource=[ours], values={"aws:sourceaccount": ["999999999999"]}).allowed
    assert not said(
        who=Principal(service="sns.amazonaws.com"), resource=[ours], values={"aws:sourceaccount": [HERE]}
    ).allowed
    assert not said(who=events).allowed
    # Everybody of AWS's accounts is no service, but for one that acts as its owner: alarms do, rules do not.
    everybody = [statement(Principal={"AWS": "*"}, Condition={"StringEquals": {"AWS:SourceOwner": HERE}})]
    assert not said(who=events, resource=everybody, values={"aws:sourceowner": [HERE]}).allowed
    alarms = Principal(account=HERE, service="cloudwatch.amazonaws.com")
    assert said(who=alarms, resource=everybody, values={"aws:sourceowner": [HERE]}).allowed
    assert not said(who=alarms, resource=everybody, values={"aws:sourceowner": ["999999999999"]}).allowed


def test_all_but_some_actions_and_all_but_some_resources() -> None:
    assert said(statement(NotAction="iam:*")).allowed
    assert not said(statement(NotAction=["SQS:Send*"])).allowed
    rest = {k: v for k, v in statement().items() if k != "Resource"}
    assert not said(rest | {"NotResource": QUEUE}).allowed
    assert said(rest | {"NotResource": QUEUE + "-other"}).allowed


def test_of_no_values_all_fit_so_a_condition_on_all_needs_one_that_asks_for_any() -> None:
    names = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["release#*"]}}
    asks = {**names, "Null": {"dynamodb:LeadingKeys": "false"}}
    query = {"action": "dynamodb:Query", "on": f"arn:aws:dynamodb:us-west-2:{HERE}:table/t"}
    lenient, strict = (statement(Action="dynamodb:Query", Condition=c) for c in (names, asks))
    assert said(lenient, **query).allowed
    assert not said(strict, **query).allowed
    ours, mixed = {"dynamodb:leadingkeys": ["release#a"]}, {"dynamodb:leadingkeys": ["release#a", "task#a"]}
    assert said(strict, values=ours, **query).allowed
    assert not said(strict, values=mixed, **query).allowed
    any_of = {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["release#*"]}}
    assert said(statement(Action="dynamodb:Query", Condition=any_of), values=mixed, **query).allowed
    assert not said(statement(Action="dynamodb:Query", Condition=any_of), **query).allowed


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        ({"StringEquals": {"aws:ResourceTag/a": "x"}}, {}, False),
        ({"StringNotEquals": {"aws:ResourceTag/a": "x"}}, {}, True),
        ({"StringNotEquals": {"aws:ResourceTag/a": ["x", "y"]}}, {"aws:resourcetag/a": ["y"]}, False),
        ({"StringEqualsIfExists": {"aws:ResourceTag/a": "x"}}, {}, True),
        ({"StringEqualsIfExists": {"aws:ResourceTag/a": "x"}}, {"aws:resourcetag/a": ["z"]}, False),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/a": "PROD"}}, {"aws:resourcetag/a": ["prod"]}, True),
        ({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}, {}, False),
        ({"Bool": {"lambda:InvokedViaFunctionUrl": True}}, {"lambda:invokedviafunctionurl": ["true"]}, True),
        ({"Null": {"aws:TagKeys": "true"}}, {}, True),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:a"}},
            {"aws:sourcearn": ["arn:aws:sns:x:y:1:a"]},
            False,
        ),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:a*"}},
            {"aws:sourcearn": ["arn:aws:sns:x:1:a:b"]},
            True,
        ),
        (
            {"StringEquals": {"aws:RequestTag/a": "x"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}},
            {"aws:requesttag/a": ["x"], "aws:tagkeys": ["a", "b"]},
            False,
        ),
    ],
)
def test_conditions(condition: dict[str, Any], values: dict[str, list[str]], holds: bool) -> None:
    assert said(statement(Condition=condition), values=values).allowed is holds


@pytest.mark.parametrize(
    "unknown",
    [
        {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}},
        {"Condition": {"StringEquals": {"rds:DatabaseEngine": "postgres"}}},
        {"Condition": {"IpAddress": {"aws:SourceArn": "10.0.0.0/8"}}},
        {"Condition": {"StringEquals": {"aws:username": "${aws:PrincipalTag/name}"}}},
        {"Resource": "arn:aws:sqs:*:*:${aws:username}"},
    ],
)
def test_what_the_lab_cannot_evaluate_is_refused_loudly(unknown: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        said(
            statement(**unknown), on=QUEUE if "Resource" not in unknown else "arn:aws:sqs:a:b:${aws:username}"
        )
