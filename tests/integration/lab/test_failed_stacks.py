"""Stacks that fail, are repeated, deleted, and deployed over what they left: as CloudFormation does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.aws.server import Aws
from lab.moto.quotas import ESTABLISHED, NEW
from tests.support.lab_account import Account
from tests.support.waiting import eventually

# What cannot be made: a subscription to nothing of the kind.
BROKEN = {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": "none", "Protocol": "sqs"}}


def table(name: str, policy: str, *, protected: bool = False) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": policy,
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "DeletionProtectionEnabled": protected,
        },
    }


def bucket(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "RetainExceptOnCreate",
        "Properties": {"BucketName": name},
    }


class Stacks:
    """Stacks of one account by name; each is made through the API."""

    def __init__(self, account: Account) -> None:
        self.api = account.client("cloudformation")

    def create(self, name: str, **resources: Any) -> str:
        self.api.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
        return self.status(name)

    def status(self, name: str) -> str:
        return str(self.api.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def reasons(self, name: str) -> str:
        events = self.api.describe_stack_events(StackName=name)["StackEvents"]
        return "\n".join(each.get("ResourceStatusReason", "") for each in events)


@pytest.fixture
def stacks(account: Account) -> Stacks:
    return Stacks(account)


def failing(first: dict[str, Any]) -> dict[str, Any]:
    """Resources of which the second can only be made after the first, and never can."""
    return {"First": first, "Broken": {**BROKEN, "DependsOn": "First"}}


def test_what_is_retained_is_in_the_way_of_the_next_attempt(stacks: Stacks) -> None:
    assert stacks.create("kept-1", **failing(table("kept", "Retain"))) == "ROLLBACK_COMPLETE"
    assert stacks.create("kept-2", First=table("kept", "Retain")) == "ROLLBACK_COMPLETE"
    assert "already exists" in stacks.reasons("kept-2")


def test_what_is_retained_except_on_creation_is_made_again(stacks: Stacks, account: Account) -> None:
    assert stacks.create("again", **failing(table("again", "RetainExceptOnCreate"))) == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match=r"ROLLBACK_COMPLETE state and can not be updated"):
        stacks.api.update_stack(StackName="again", TemplateBody="{}")
    with pytest.raises(ClientError, match=r"already exists"):
        stacks.create("again", First=table("again", "RetainExceptOnCreate"))
    stacks.api.delete_stack(StackName="again")
    assert stacks.create("again", First=table("again", "RetainExceptOnCreate")) == "CREATE_COMPLETE"
    # From then on it stays.
    stacks.api.delete_stack(StackName="again")
    account.client("dynamodb").describe_table(TableName="again")


def test_a_protected_table_cannot_be_taken_back(stacks: Stacks, account: Account) -> None:
    made = failing(table("protected", "RetainExceptOnCreate", protected=True))
    assert stacks.create("protected", **made) == "ROLLBACK_FAILED"
    account.client("dynamodb").describe_table(TableName="protected")


def budget(**more: Any) -> dict[str, Any]:
    told = {"SubscriptionType": "SNS", "Address": {"Ref": "Topic"}}
    when = {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": 80,
        "ThresholdType": "PERCENTAGE",
    }
    limit = {"Amount": 1, "Unit": "USD"}
    return {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {}},
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "Topic"}],
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "budgets.amazonaws.com"},
                            "Action": "sns:Publish",
                            "Resource": {"Ref": "Topic"},
                        }
                    ]
                },
            },
        },
        "Budget": {
            "Type": "AWS::Budgets::Budget",
            **more,
            "Properties": {
                "Budget": {
                    "BudgetName": "spent",
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": limit,
                },
                "NotificationsWithSubscribers": [{"Notification": when, "Subscribers": [told]}],
            },
        },
    }


def test_a_budget_waits_for_its_topics_policy_and_an_account_has_its_name_once(stacks: Stacks) -> None:
    assert stacks.create("budget-1", **budget()) == "ROLLBACK_COMPLETE"
    assert "not allowed to publish" in stacks.reasons("budget-1")
    assert stacks.create("budget-2", **budget(DependsOn="TopicPolicy")) == "CREATE_COMPLETE"
    assert stacks.create("budget-3", **budget(DependsOn="TopicPolicy")) == "ROLLBACK_COMPLETE"
    assert "DuplicateRecordException" in stacks.reasons("budget-3")
    stacks.api.delete_stack(StackName="budget-2")
    assert stacks.create("budget-4", **budget(DependsOn="TopicPolicy")) == "CREATE_COMPLETE"


NAMED = {
    "AWS::SQS::Queue": {"QueueName": "one-name"},
    "AWS::SNS::Topic": {"TopicName": "one-name"},
    "AWS::Events::EventBus": {"Name": "one-name"},
    "AWS::Logs::LogGroup": {"LogGroupName": "/one/name"},
    "AWS::S3::Bucket": {"BucketName": "one-name"},
    "AWS::IAM::Role": {"RoleName": "one-name", "AssumeRolePolicyDocument": {"Statement": []}},
    "AWS::IAM::ManagedPolicy": {
        "ManagedPolicyName": "one-name",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        },
    },
    "AWS::IAM::OIDCProvider": {"Url": "https://one.example.com", "ClientIdList": ["x"]},
    "AWS::CloudWatch::Alarm": {
        "AlarmName": "one-name",
        "Namespace": "N",
        "MetricName": "M",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    },
    "AWS::SecretsManager::Secret": {"Name": "one-name", "SecretString": "x"},
}


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.replace("::", "-"))
def test_a_name_that_is_taken_is_refused_until_it_is_free_again(stacks: Stacks, kind: str) -> None:
    it = {"Type": kind, "Properties": NAMED[kind]}
    first, second = (f"{kind.replace('::', '-')}-{number}" for number in (1, 2))
    assert stacks.create(first, It=it) == "CREATE_COMPLETE"
    assert stacks.create(second, It=it) == "ROLLBACK_COMPLETE"
    stacks.api.delete_stack(StackName=first)
    stacks.api.delete_stack(StackName=second)
    assert stacks.create(second, It=it) == "CREATE_COMPLETE"


def test_a_buckets_name_has_63_characters_at_most(stacks: Stacks) -> None:
    assert stacks.create("long", It=bucket("b" * 64)) == "ROLLBACK_COMPLETE"
    assert stacks.create("longest", It=bucket("b" * 63)) == "CREATE_COMPLETE"


def test_an_update_that_fails_goes_back(stacks: Stacks, account: Account) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stays"}}
    more = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "goes"}}
    assert stacks.create("updated", First=queue) == "CREATE_COMPLETE"
    changed = {"Resources": {"First": queue, "More": more, "Broken": {**BROKEN, "DependsOn": "More"}}}
    stacks.api.update_stack(StackName="updated", TemplateBody=json.dumps(changed))
    assert stacks.status("updated") == "UPDATE_ROLLBACK_COMPLETE"
    urls = account.client("sqs").list_queues()["QueueUrls"]
    assert [url.rsplit("/", 1)[1] for url in urls if url.endswith(("/stays", "/goes"))] == ["stays"]


# --- importing ------------------------------------------------------------------------------------


def imported(stacks: Stacks, name: str, resources: dict[str, Any]) -> None:
    keys = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName"}
    told = [
        {
            "LogicalResourceId": logical,
            "ResourceType": each["Type"],
            "ResourceIdentifier": {
                keys[each["Type"]]: each["Properties"][keys[each["Type"]]],
            },
        }
        for logical, each in resources.items()
    ]
    made = stacks.api.create_change_set(
        StackName=name,
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": resources}),
        ResourcesToImport=told,
    )
    stacks.api.execute_change_set(ChangeSetName=made["Id"])


def test_what_a_deleted_stack_kept_is_imported_into_the_next(stacks: Stacks, account: Account) -> None:
    kept = {"Table": table("over", "RetainExceptOnCreate"), "Bucket": bucket("over")}
    assert stacks.create("over", **kept) == "CREATE_COMPLETE"
    dynamodb = account.client("dynamodb")
    dynamodb.put_item(TableName="over", Item={"pk": {"S": "before"}})
    with pytest.raises(ClientError, match="already exists in stack over"):
        imported(stacks, "thief", kept)
    stacks.api.delete_stack(StackName="over")
    imported(stacks, "over", kept)
    assert stacks.status("over") == "IMPORT_COMPLETE"
    more = {**kept, "More": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "over"}}}
    stacks.api.update_stack(StackName="over", TemplateBody=json.dumps({"Resources": more}))
    assert stacks.status("over") == "UPDATE_COMPLETE"
    assert dynamodb.get_item(TableName="over", Key={"pk": {"S": "before"}})["Item"]


def test_what_is_not_there_cannot_be_imported(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match="was not found"):
        imported(stacks, "nothing", {"Table": table("nothing", "Retain")})


# --- quotas ---------------------------------------------------------------------------------------


@pytest.fixture
def new_account(aws: Aws) -> Iterator[None]:
    aws.quotas.concurrency = NEW
    yield
    aws.quotas.concurrency = ESTABLISHED


HELD = """
import pathlib, time
def handler(event, context):
    pathlib.Path(event["here"], event["name"]).touch()
    while not pathlib.Path(event["here"], "go").exists():
        time.sleep(0.02)
"""


def test_a_reservation_is_refused_where_it_leaves_too_little(
    aws: Aws, account: Account, new_account: None
) -> None:
    name, api = account.function(HELD), account.client("lambda")
    with pytest.raises(ClientError, match=r"below its minimum value of \[10\]"):
        api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    settings = api.get_account_settings()["AccountLimit"]
    assert (settings["ConcurrentExecutions"], settings["UnreservedConcurrentExecutions"]) == (10, 10)
    quotas = account.client("service-quotas")
    quotas.request_service_quota_increase(
        ServiceCode="lambda", QuotaCode="L-B99A9384", DesiredValue=ESTABLISHED
    )
    try:
        api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
            api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
    finally:
        quotas.request_service_quota_increase(ServiceCode="lambda", QuotaCode="L-B99A9384", DesiredValue=NEW)
        api.delete_function_concurrency(FunctionName=name)
        aws.quotas.reset()


def test_more_executions_than_the_account_may_have_are_throttled(
    aws: Aws, account: Account, tmp_path: Any
) -> None:
    name, api = account.function(HELD), account.client("lambda")
    aws.quotas.concurrency = 2
    try:
        for number in range(2):
            event = {"here": str(tmp_path), "name": f"n{number}"}
            api.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
        eventually(lambda: len(list(tmp_path.iterdir())) == 2)
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            api.invoke(FunctionName=name, Payload=json.dumps({"here": str(tmp_path), "name": "n3"}))
    finally:
        aws.quotas.concurrency = ESTABLISHED
        (tmp_path / "go").touch()
