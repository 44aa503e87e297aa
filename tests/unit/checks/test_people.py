"""Who may do what of the command line: the policies for people, command by command."""

from __future__ import annotations

import json

import pytest

from lab.iam.policies import Grants, Principal, decide, policy
from tools.layers import ROOT
from tools.policies import Resolver, policies_for_people

RESOLVE = Resolver("staging")
POLICIES = {
    name: Grants(policy(json.dumps({"Statement": statements})))
    for name, statements in policies_for_people(RESOLVE).items()
}
WHO = Principal((f"arn:aws:iam::{RESOLVE.account}:user/somebody",), RESOLVE.account)
URL = {"lambda:invokedviafunctionurl": ("true",)}


def may(name: str, action: str, rest: str, **values: tuple[str, ...]) -> bool:
    service = action.partition(":")[0]
    arn = f"arn:aws:s3:::{rest}" if service == "s3" else RESOLVE.arn(service, rest)
    said = {key.replace("__", ":"): value for key, value in values.items()}
    return decide(WHO, action, arn, said.get, grants=POLICIES[name]).allowed


def calls(name: str, function: str) -> bool:
    """Whether somebody may find and call a function's URL."""
    arn = RESOLVE.arn("lambda", f"function:candlefish-staging-{function}:live")
    return all(
        decide(WHO, action, arn, values.get, grants=POLICIES[name]).allowed
        for action, values in (
            ("lambda:GetFunctionUrlConfig", {}),
            ("lambda:InvokeFunctionUrl", {}),
            ("lambda:InvokeFunction", URL),
        )
    )


def test_there_are_four_and_each_is_named_in_the_docs() -> None:
    assert sorted(POLICIES) == ["approver", "deployer", "on-call", "reader"]
    text = (ROOT / "docs/security.md").read_text()
    assert all(f"candlefish-<env>-{name}" in text for name in POLICIES)


@pytest.mark.parametrize(
    ("function", "who"),
    [
        ("request-release", {"deployer", "on-call"}),
        ("decide-approval", {"approver"}),
        ("freeze", {"deployer", "on-call"}),
        ("steer-release", {"deployer", "approver", "on-call"}),
        ("command-capacity", {"deployer", "on-call"}),
        ("request-failover", {"on-call"}),
        ("rebuild-record", {"on-call"}),
        ("next-step", set()),
    ],
)
def test_whose_urls(function: str, who: set[str]) -> None:
    assert {name for name in POLICIES if calls(name, function)} == who


@pytest.mark.parametrize(
    "function",
    [
        "request-release",
        "decide-approval",
        "steer-release",
        "freeze",
        "command-capacity",
        "request-failover",
        "rebuild-record",
    ],
)
def test_nobody_invokes_past_a_url(function: str) -> None:
    for name in POLICIES:
        for qualifier in ("", ":live", ":1"):
            assert not may(
                name, "lambda:InvokeFunction", f"function:candlefish-staging-{function}{qualifier}"
            )


@pytest.mark.parametrize(
    ("action", "rest", "who"),
    [
        ("lambda:InvokeFunction", "function:candlefish-staging-onboard", {"deployer"}),
        ("lambda:InvokeFunction", "function:candlefish-staging-verify-records", {"reader"}),
        ("lambda:InvokeFunction", "function:candlefish-staging-sync-alarms", {"on-call"}),
        ("lambda:InvokeFunction", "function:candlefish-staging-shift-weights", set()),
        ("states:StartExecution", "stateMachine:candlefish-staging-drill", {"on-call"}),
        ("states:StartExecution", "stateMachine:candlefish-staging-release", set()),
        ("states:SendTaskSuccess", "stateMachine:candlefish-staging-release", set()),
        ("states:TagResource", "stateMachine:candlefish-staging-respond", {"on-call"}),
        ("states:DescribeExecution", "execution:candlefish-staging-release:one", {"reader"}),
        ("secretsmanager:GetSecretValue", "secret:candlefish/staging/alert-tokens-AbCdEf", {"on-call"}),
        ("secretsmanager:GetSecretValue", "secret:candlefish/staging/database-AbCdEf", set()),
        ("events:PutEvents", "event-bus/candlefish-staging", {"on-call"}),
        # A plan compares what would come with what is live: both bundles, in either region.
        ("s3:GetObject", f"candlefish-staging-{RESOLVE.account}-us-west-2/website/0a.json", {"reader"}),
        ("s3:GetObject", f"candlefish-production-{RESOLVE.account}-us-west-2/website/0a.json", set()),
        ("dynamodb:Scan", "table/candlefish-staging", set()),
        ("dynamodb:DeleteItem", "table/candlefish-staging", set()),
    ],
)
def test_whose_calls(action: str, rest: str, who: set[str]) -> None:
    assert {name for name in POLICIES if may(name, action, rest)} == who


def test_the_table_is_read_but_for_the_tokens_of_waiting_tasks_and_written_to_mute_alone() -> None:
    table = "table/candlefish-staging"

    def keyed(name: str, action: str, *keys: str) -> bool:
        return may(name, action, table, dynamodb__leadingkeys=keys)

    for key in ("release#a", "record#staging", "signal#log#staging"):
        assert keyed("reader", "dynamodb:Query", key)
        assert not any(keyed(name, "dynamodb:PutItem", key) for name in POLICIES)
    assert not any(keyed(name, "dynamodb:GetItem", "task#a") for name in POLICIES)
    assert not any(keyed(name, "dynamodb:GetItem", "release#a", "task#a") for name in POLICIES)
    # A request that names no key is no request for a key that is allowed.
    assert not any(may(name, "dynamodb:Query", table) for name in POLICIES)
    assert {name for name in POLICIES if keyed(name, "dynamodb:PutItem", "guard#staging")} == {"on-call"}
