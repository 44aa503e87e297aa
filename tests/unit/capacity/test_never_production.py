"""A production stack has nothing that sleeps, and the role that puts others to sleep may not touch production.

The use cases' own refusals are in `test_commands.py`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

# Imported while sockets may still be opened: the tracer opens one for its daemon.
import candlefish.handler  # noqa: F401

ROOT = Path(__file__).parents[3]
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
ACCOUNT = "222222222222"

# --- by the stack and the role --------------------------------------------------------------


def statements(resource: str, environment: str, cluster: str) -> list[dict[str, Any]]:
    values = {
        "Environment": environment,
        "ClusterName": cluster,
        "ProductionArns": PRODUCTION_ARNS,
        "AWS::Partition": "aws",
        "AWS::Region": "us-west-2",
        "AWS::AccountId": ACCOUNT,
    }

    def resolved(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
            return re.sub(r"\$\{([^}]+)\}", lambda match: values.get(match[1], match[1]), value["Fn::Sub"])
        if isinstance(value, dict) and set(value) == {"Fn::If"}:
            return resolved(value["Fn::If"][1])
        if isinstance(value, dict) and set(value) == {"Ref"}:
            return values.get(value["Ref"], value["Ref"])
        if isinstance(value, dict):
            return {name: resolved(inner) for name, inner in value.items()}
        return [resolved(each) for each in value] if isinstance(value, list) else value

    policies = TEMPLATE["Resources"][resource]["Properties"]["Policies"]
    # A function's policy is its statements, perhaps under a condition; a role's has a name around them.
    documents = [policy.get("PolicyDocument", policy) for policy in resolved(policies)]
    return [each for document in documents for each in document["Statement"]]


def allowed(policy: list[dict[str, Any]], action: str, resource: str, tags: dict[str, str]) -> bool:
    """Whether a role with these statements may: an explicit deny wins, and what is not allowed is denied.

    The part of IAM's evaluation that these statements need: IAM user guide, "Policy evaluation logic".
    """
    effects = [
        each["Effect"]
        for each in policy
        if any(fnmatchcase(action, pattern) for pattern in listed(each["Action"]))
        and any(
            fnmatchcase(resource, pattern) for pattern in listed(each["Resource"]) if isinstance(pattern, str)
        )
        and all(
            fits(operator, tags.get(key.removeprefix("aws:ResourceTag/"), ""), listed(wanted))
            for operator, keys in each.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    ]
    return "Allow" in effects and "Deny" not in effects


def fits(operator: str, value: str, wanted: list[str]) -> bool:
    # A negated operator holds where the key is missing (IAM user guide, "Condition operators").
    return {
        "StringEquals": value in wanted,
        "StringNotEquals": value not in wanted,
        "Null": (wanted == ["true"]) == (value == ""),
    }[operator]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def nodegroup(cluster: str) -> str:
    return f"arn:aws:eks:us-west-2:{ACCOUNT}:nodegroup/{cluster}/system/abc"


def database(name: str) -> str:
    return f"arn:aws:rds:us-west-2:{ACCOUNT}:db:{name}"


PRODUCTION_ARNS = [
    f"arn:aws:eks:us-west-2:{ACCOUNT}:nodegroup/example-production/*",
    f"arn:aws:rds:us-west-2:{ACCOUNT}:db:example-production",
]
SCALE, STOP = "eks:UpdateNodegroupConfig", "rds:StopDBInstance"
STAGING = {"candlefish:environment": "staging"}


def test_the_role_may_put_its_own_environment_to_sleep() -> None:
    policy = statements("AdvanceCapacityFunction", "staging", "example-staging")
    assert allowed(policy, SCALE, nodegroup("example-staging"), {})
    assert allowed(policy, STOP, database("example-staging"), STAGING)


@pytest.mark.parametrize(
    ("action", "resource", "tags"),
    [
        (SCALE, nodegroup("example-production"), {}),
        (STOP, database("example-production"), {}),
        # Somebody gave production's things the wrong tag, or staging's cluster production's tag.
        (STOP, database("example-production"), STAGING),
        (SCALE, nodegroup("example-staging"), {"candlefish:environment": "prod-eu"}),
        (STOP, database("main"), {"candlefish:environment": "production"}),
        (STOP, database("main"), {}),
    ],
)
def test_the_role_may_not_touch_production(action: str, resource: str, tags: dict[str, str]) -> None:
    policy = statements("AdvanceCapacityFunction", "staging", "example-staging")
    assert not allowed(policy, action, resource, tags)


def test_even_a_stack_that_was_pointed_at_the_production_cluster_may_not() -> None:
    policy = statements("AdvanceCapacityFunction", "staging", "example-production")
    assert not allowed(policy, SCALE, nodegroup("example-production"), {})


def test_the_production_stack_has_nothing_that_sleeps() -> None:
    assert TEMPLATE["Conditions"]["MaySleep"] == {"Fn::Equals": [{"Ref": "Production"}, "no"]}
    assert TEMPLATE["Parameters"]["Production"]["AllowedValues"] == ["yes", "no"]
    assert "Default" not in TEMPLATE["Parameters"]["Production"], "a stack that was told nothing"
    for name, resource in TEMPLATE["Resources"].items():
        if "Capacity" in name:
            assert resource.get("Condition") == "MaySleep", name


# Brings the recovery region to size, in production too; it stops nothing.
MAKES_LARGER = "StepFailoverFunction"


def test_no_other_role_may_stop_or_scale() -> None:
    for name, resource in TEMPLATE["Resources"].items():
        if name == "AdvanceCapacityFunction" or "Policies" not in resource.get("Properties", {}):
            continue
        policy = statements(name, "production", "example-production")
        for action in (STOP, "rds:StopDBCluster", *([] if name == MAKES_LARGER else [SCALE])):
            assert not allowed(policy, action, nodegroup("example-production"), {}), (name, action)
            assert not allowed(policy, action, database("example-production"), {}), (name, action)
