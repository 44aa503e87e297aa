"""What the check of roles reads out of a request, and that IAM refuses what a role does not allow."""

from __future__ import annotations

import json
import shutil
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from lab.aws.recorded_calls import Ask, Seen, asked
from tools.layers import ROOT
from tools.permissions import denied

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
            "Query",
            "/",
            {
                "TableName": "candlefish-staging",
                "ExpressionAttributeValues": {":pk": {"S": "release#website-1"}},
            },
            [("dynamodb:Query", TABLE, "release#x")],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            "/",
            {"TransactItems": [{"Put": {"TableName": "candlefish-staging"}}]},
            [("dynamodb:TransactWriteItems", TABLE)],
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
    assert sorted(asked(service, operation, "us-west-2", path, "", lambda: data)) == [
        Ask(*each) for each in expected
    ]


def seen(*asks: Ask, **statement: Any) -> Seen:
    may = {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "elasticloadbalancing:ModifyRule"],
        "Resource": "*",
    }
    role = f"arn:aws:iam::{HERE}:role/candlefish-staging-next-step"
    return Seen("candlefish-staging-next-step", role, [may | statement], list(asks))


@pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / ".tools/node").exists(), reason="needs node and make tools"
)
def test_iam_refuses_another_resource_another_environment_and_another_action() -> None:
    get, shift = Ask("dynamodb:GetItem", TABLE, "release#x"), Ask("elasticloadbalancing:ModifyRule", RULE)
    ours = {"StringEquals": {"aws:ResourceTag/candlefish:environment": "staging"}}
    theirs = {"StringEquals": {"aws:ResourceTag/candlefish:environment": "production"}}
    assert list(denied([seen(get, Resource=TABLE), seen(shift, Condition=ours)])) == []
    for wrong in (
        seen(get, Resource=TABLE.replace("staging", "production")),
        seen(get, Resource=TABLE.replace("us-west-2", "us-east-1")),
        seen(shift, Condition=theirs),
        seen(Ask("dynamodb:DeleteItem", TABLE)),
        seen(get, Condition={"StringLike": {"dynamodb:LeadingKeys": "record#*"}}),
        msgspec.structs.replace(seen(get), statements=[]),
    ):
        (said,) = denied([wrong])
        assert "its role does not let it" in said and "Denied" in said


def test_tagging_is_matched_here_where_the_evaluator_knows_classic_load_balancers_alone() -> None:
    tag = Ask("elasticloadbalancing:AddTags", RULE)
    may = {
        "Action": "elasticloadbalancing:AddTags",
        "Resource": f"{RULE.partition('listener-rule')[0]}listener-rule/*",
    }
    assert list(denied([seen(tag, **may)])) == []
    for wrong in (seen(tag), seen(tag, **may | {"Resource": GROUP})):
        (said,) = denied([wrong])
        assert "no statement of its role lets it elasticloadbalancing:AddTags" in said
