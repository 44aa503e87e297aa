"""What a request needs permissions for, and what the check of roles makes of the calls that a lab saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from lab.aws.asks import Request, asked
from lab.aws.recorded_calls import Seen
from tools.permissions import function_problems, main, refused
from tools.policies import Resolver

HERE = "123456789012"
TABLE = f"arn:aws:dynamodb:us-west-2:{HERE}:table/candlefish-staging"
RULE = f"arn:aws:elasticloadbalancing:us-west-2:{HERE}:listener-rule/app/candlefish/1/2/3"
GROUP = f"arn:aws:elasticloadbalancing:us-west-2:{HERE}:targetgroup/website-blue/1"


@pytest.mark.parametrize(
    ("service", "operation", "path", "body", "expected"),
    [
        ("dynamodb", "GetItem", "/", {"TableName": "candlefish-staging"}, [("dynamodb:GetItem", TABLE)]),
        (
            "dynamodb",
            "BatchWriteItem",
            "/",
            {"RequestItems": {"candlefish-staging": [{"PutRequest": {"Item": {"pk": {"S": "TableName"}}}}]}},
            [("dynamodb:BatchWriteItem", TABLE)],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            "/",
            {
                "TransactItems": [
                    {"Put": {"TableName": "candlefish-staging", "Item": {"pk": {"S": "a"}}}},
                    {"ConditionCheck": {"TableName": "candlefish-staging", "Key": {"pk": {"S": "b"}}}},
                ]
            },
            [("dynamodb:ConditionCheckItem", TABLE), ("dynamodb:PutItem", TABLE)],
        ),
        (
            "dynamodb",
            "Query",
            "/",
            {
                "TableName": "candlefish-staging",
                "ExpressionAttributeValues": {":pk": {"S": "release#website-1"}},
            },
            [("dynamodb:Query", TABLE)],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            "/",
            {"TransactItems": [{"Put": {"TableName": "candlefish-staging"}}]},
            [("dynamodb:PutItem", TABLE)],
        ),
        (
            "elbv2",
            "ModifyRule",
            "/",
            urlencode(
                {
                    "RuleArn": RULE,
                    "Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn": GROUP,
                }
            ),
            [("elasticloadbalancing:ModifyRule", RULE)],
        ),
        (
            "elbv2",
            "AddTags",
            "/",
            urlencode({"ResourceArns.member.1": RULE, "Tags.member.1.Key": "candlefish:generation"}),
            [("elasticloadbalancing:AddTags", RULE)],
        ),
        (
            "elbv2",
            "DescribeRules",
            "/",
            urlencode({"ListenerArn": RULE}),
            [("elasticloadbalancing:DescribeRules", "*")],
        ),
        (
            "eks",
            "UpdateNodegroupConfig",
            "/clusters/c/node-groups/n/update-config",
            {},
            [("eks:UpdateNodegroupConfig", f"arn:aws:eks:us-west-2:{HERE}:nodegroup/c/n/0")],
        ),
        (
            "eks",
            "ListNodegroups",
            "/clusters/c/node-groups",
            {},
            [("eks:ListNodegroups", f"arn:aws:eks:us-west-2:{HERE}:cluster/c")],
        ),
        ("s3", "HeadObject", "/bundles/a/b.yaml", "", [("s3:GetObject", "arn:aws:s3:::bundles/a/b.yaml")]),
        (
            "lambda",
            "Invoke",
            f"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A{HERE}%3Afunction%3Ahook/invocations",
            {},
            [("lambda:InvokeFunction", f"arn:aws:lambda:us-west-2:{HERE}:function:hook")],
        ),
        (
            "sqs",
            "SendMessageBatch",
            "/",
            {"QueueUrl": f"https://sqs.us-west-2.amazonaws.com/{HERE}/signals"},
            [("sqs:SendMessage", f"arn:aws:sqs:us-west-2:{HERE}:signals")],
        ),
        (
            "events",
            "PutEvents",
            "/",
            {"Entries": [{"EventBusName": "a"}, {"EventBusName": "b"}]},
            [("events:PutEvents", f"arn:aws:events:us-west-2:{HERE}:event-bus/{n}") for n in "ab"],
        ),
        ("acm", "ListCertificates", "/", {}, [("acm:ListCertificates", "*")]),
    ],
)
def test_what_a_request_asks_for(
    service: str, operation: str, path: str, body: Any, expected: list[tuple[str, ...]]
) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    got = asked(Request(service, operation, "us-west-2", path, "", lambda: data))
    assert sorted((ask.action, ask.resource) for ask in got) == expected


def needs(service: str, operation: str, body: dict[str, Any] | str) -> dict[tuple[str, str], dict[str, Any]]:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    got = asked(Request(service, operation, "us-west-2", "/", "", lambda: data))
    return {(ask.action, ask.resource): dict(ask.context) for ask in got}


def test_what_items_a_request_names() -> None:
    key = {"pk": {"S": "release#a"}, "sk": {"S": "x"}}
    for operation, body in (
        ("GetItem", {"Key": key}),
        ("PutItem", {"Item": key | {"body": {"M": {"Key": {"S": "no"}}}}}),
        (
            "Query",
            {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "release#a"}}},
        ),
    ):
        (context,) = needs("dynamodb", operation, {"TableName": "t", **body}).values()
        assert context == {"dynamodb:LeadingKeys": ("release#a",)}, operation
    (context,) = needs(
        "dynamodb", "BatchGetItem", {"RequestItems": {"t": {"Keys": [key, {"pk": {"S": "b"}}]}}}
    ).values()
    assert context == {"dynamodb:LeadingKeys": ("b", "release#a")}
    (context,) = needs("dynamodb", "Scan", {"TableName": "t"}).values()
    assert context == {}


def test_making_something_with_tags_asks_for_tagging_it_and_says_so() -> None:
    listener = RULE.replace("listener-rule", "listener").rpartition("/")[0]
    tags = {"Tags.member.1.Key": "candlefish:environment", "Tags.member.1.Value": "staging"}
    got = needs("elbv2", "CreateRule", urlencode({"ListenerArn": listener, **tags}))
    tagging = got["elasticloadbalancing:AddTags", RULE.rpartition("/")[0] + "/0"]
    assert tagging == {
        "aws:RequestTag/candlefish:environment": ("staging",),
        "aws:TagKeys": ("candlefish:environment",),
        "elasticloadbalancing:CreateAction": ("CreateRule",),
    }
    (plain,) = needs("elbv2", "AddTags", urlencode({"ResourceArns.member.1": RULE, **tags})).values()
    assert "elasticloadbalancing:CreateAction" not in plain and plain["aws:TagKeys"]


def test_a_password_that_rds_keeps_asks_for_its_secret_and_its_key() -> None:
    asks = {"DBInstanceIdentifier": "candlefish-drill-1", "ManageMasterUserPassword": "true"}
    got = [action for action, _ in needs("rds", "ModifyDBInstance", urlencode(asks))]
    assert got == [
        "rds:ModifyDBInstance",
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
        "kms:DescribeKey",
    ]
    own = f"arn:aws:kms:us-west-2:{HERE}:key/1"
    got = [
        a
        for a, on in needs("rds", "ModifyDBInstance", urlencode(asks | {"MasterUserSecretKmsKeyId": own}))
        if on == own
    ]
    assert got == ["kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"]


def test_what_was_refused_is_a_problem_and_what_was_never_called_is_one() -> None:
    role = f"arn:aws:iam::{HERE}:role/candlefish-staging-NextStepFunctionRole-1"
    seen = Seen(
        "candlefish-staging-next-step", role, [("dynamodb:GetItem", TABLE)], ["User: x is not authorized"]
    )
    stranger = Seen("fn-1", f"arn:aws:iam::{HERE}:role/test", [], ["User: y is not authorized"])
    assert list(refused([seen, stranger])) == ["User: x is not authorized"]
    (said,) = [each for each in function_problems([seen], Resolver("production")) if "NextStep" in each]
    assert "its role allows" in said and "dynamodb:PutItem" in said and "dynamodb:GetItem" not in said


def test_a_function_that_may_call_nothing_need_not_be_seen_calling() -> None:
    said = list(function_problems([], Resolver("production")))
    assert any(each.startswith("NextStepFunction: nobody saw it") for each in said)
    assert not any(each.startswith(("ServeConsoleFunction", "SignInFunction")) for each in said)


def test_where_labs_were_left_out_only_what_was_refused_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = f"arn:aws:iam::{HERE}:role/candlefish-staging-NextStepFunctionRole-1"
    seen = Seen("candlefish-staging-next-step", role, [("dynamodb:GetItem", TABLE)], ["User: x may not"])
    (tmp_path / "calls.json").write_bytes(msgspec.json.encode([seen]))
    assert main(tmp_path, some=True) == 1
    assert capsys.readouterr().out.startswith("User: x may not\n1 problems")
    assert main(tmp_path) > 1
    assert "NextStepFunction: its role allows" in capsys.readouterr().out
