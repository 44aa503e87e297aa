"""What AWS would refuse, held against the template before anything is deployed."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

import boto3
import pytest

from lab.templates import read_template
from tests.support.translated import deployed
from tools.layers import ROOT
from tools.protect import protect
from tools.take_over import IDENTIFIERS, KEY, TABLE, Kept, plan

TEMPLATE = read_template(ROOT / "template.yaml")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
LONGEST_BUCKET = 63
# Events of a rule end in the log group's, the function's and the queue's own limits far above; these are the short ones.
LONGEST_FUNCTION = 64


def longest_environment() -> str:
    """A name as long as the parameter's pattern takes one."""
    pattern = TEMPLATE["Parameters"]["Environment"]["AllowedPattern"]
    most = int(re.search(r",(\d+)\}$", pattern)[1])  # type: ignore[index]
    name = "e" + "x" * most
    assert re.fullmatch(pattern, name)
    assert not re.fullmatch(pattern, name + "x")
    return name


def filled(text: str, region: str) -> str:
    values = {
        "Environment": longest_environment(),
        "AWS::AccountId": "1" * 12,
        "AWS::Region": region,
    }
    return re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], text)


def regions() -> list[str]:
    session = boto3.Session()
    return [r for p in session.get_available_partitions() for r in session.get_available_regions("s3", p)]


def named(kind: str, name: str) -> list[str]:
    return [
        each["Properties"][name]["Fn::Sub"]
        for each in TEMPLATE["Resources"].values()
        if each["Type"] == kind and name in each["Properties"]
    ]


@pytest.mark.parametrize(
    ("kind", "name", "most"),
    [
        ("AWS::S3::Bucket", "BucketName", LONGEST_BUCKET),
        ("AWS::Serverless::Function", "FunctionName", LONGEST_FUNCTION),
        ("AWS::IAM::Role", "RoleName", 64),
    ],
)
def test_names_fit_for_the_longest_environment_in_the_longest_region(kind: str, name: str, most: int) -> None:
    found = named(kind, name)
    assert found
    for text in found:
        for region in regions():
            assert len(filled(text, region)) <= most, text


def test_no_bundle_goes_by_its_age() -> None:
    rules = TEMPLATE["Resources"]["Bundles"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rules
    for rule in rules:
        assert not {"ExpirationInDays", "ExpirationDate", "Transitions", "Transition"} & rule.keys()


class Tables:
    """DynamoDB with one table."""

    def __init__(self, protected: bool) -> None:
        self.protected = protected
        self.updates: list[dict[str, Any]] = []

    def describe_table(self, **given: Any) -> dict[str, Any]:
        return {"Table": {"DeletionProtectionEnabled": self.protected}}

    def update_table(self, **given: Any) -> None:
        self.updates.append(given)


def test_a_deployed_table_is_protected_once() -> None:
    fresh, known = Tables(protected=False), Tables(protected=True)
    assert protect("t", fresh)
    assert not protect("t", known)
    assert fresh.updates == [{"TableName": "t", "DeletionProtectionEnabled": True}]
    assert known.updates == []


def test_what_a_deleted_stack_kept_is_imported_as_the_template_has_it() -> None:
    kept = Kept({TABLE: "candlefish-e", KEY: "k-1"})
    imports, told = plan(TEMPLATE, kept)
    assert {each["ResourceType"]: each["ResourceIdentifier"] for each in told} == {
        TABLE: {"TableName": "candlefish-e"},
        KEY: {"KeyId": "k-1"},
    }
    for logical, definition in imports["Resources"].items():
        assert definition == TEMPLATE["Resources"][logical]
    # An import adds nothing else, and refers to nothing that it does not bring.
    assert "Outputs" not in imports
    assert referred(imports["Resources"]) <= imports["Resources"].keys() | imports["Parameters"].keys()


def test_everything_that_stays_can_be_taken_over() -> None:
    stays = {
        each["Type"]
        for each in TEMPLATE["Resources"].values()
        if each.get("DeletionPolicy", "") == "RetainExceptOnCreate"
    }
    assert stays == IDENTIFIERS.keys()


def referred(resources: Any) -> set[str]:
    """What Ref, GetAtt and Sub name, but for what AWS itself knows."""
    text = str(resources)
    found = set(re.findall(r"'Ref': '(\w+)'", text)) | set(re.findall(r"'Fn::GetAtt': \['(\w+)'", text))
    return found | set(re.findall(r"\$\{(\w+)\}", text))


# What Lambda does for a function in a VPC with the function's own rights.
INTERFACES = {
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}


def test_functions_in_a_network_may_have_interfaces_there_within_the_boundary() -> None:
    stack = deployed()
    joined = {name for name, each in stack.items() if "VpcConfig" in each.get("Properties", {})}
    assert "DeploySlotFunction" in joined
    assert "RestoreTrafficFunction" not in joined
    for name in joined:
        attached = stack[f"{name}Role"]["Properties"]["ManagedPolicyArns"]
        assert any(arn.endswith("/AWSLambdaVPCAccessExecutionRole") for arn in attached), name
    boundary = read_template(ROOT / "deploy/bootstrap.yaml")["Resources"]["Boundary"]["Properties"]
    allowed = boundary["PolicyDocument"]["Statement"][0]["Action"]
    assert {each for each in INTERFACES if not any(fnmatch(each, one) for one in allowed)} == set()
