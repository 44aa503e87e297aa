"""Faults strike at the AWS boundary, and calls are recorded with who made them."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.aws.server import Aws
from lab.faults import Fault, Faults
from tests.support.lab_account import Account

WRITER = """
import boto3
from botocore.config import Config
def handler(event, context):
    table = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    table.put_item(TableName=event["table"], Item={"pk": {"S": "written"}})
    return "done"
"""


def table(account: Account, name: str) -> str:
    account.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return name


def written(account: Account, name: str) -> bool:
    return "Item" in account.client("dynamodb").get_item(TableName=name, Key={"pk": {"S": "written"}})


def test_a_throttle_strikes_as_often_as_it_says_after_those_it_lets_pass(aws: Aws, account: Account) -> None:
    aws.faults.add(Fault(boundary="aws", service="elbv2", operation="Describe*", kind="throttle", skip=1))
    elbv2 = account.client("elbv2")
    elbv2.describe_load_balancers()
    with pytest.raises(ClientError, match="Throttling"):
        elbv2.describe_load_balancers()
    elbv2.describe_load_balancers()


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("stepfunctions", lambda client: client.list_state_machines()),
        ("elbv2", lambda client: client.describe_load_balancers()),
        ("lambda", lambda client: client.list_functions()),
        ("s3", lambda client: client.list_buckets()),
        ("cloudwatch", lambda client: client.describe_alarms()),
    ],
)
def test_every_protocol_gets_its_own_kind_of_error(
    aws: Aws, account: Account, service: str, call: Any
) -> None:
    aws.faults.add(Fault(boundary="aws", service=service, kind="error", status=503))
    with pytest.raises(ClientError) as caught:
        call(account.client(service))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_reset_does_nothing_and_a_lost_answer_did_it(aws: Aws, account: Account) -> None:
    sqs = account.client("sqs")
    for kind in ("reset", "lost_answer"):
        aws.faults.add(Fault(boundary="aws", service="sqs", operation="CreateQueue", kind=kind))
        with pytest.raises(ConnectionClosedError):
            sqs.create_queue(QueueName=f"q-{kind}")
    names = [url.rsplit("/", 1)[1] for url in sqs.list_queues(QueueNamePrefix="q-").get("QueueUrls", [])]
    assert "q-lost_answer" in names
    assert "q-reset" not in names


@pytest.mark.parametrize(("kind", "done"), [("kill_caller", False), ("kill_caller_after", True)])
def test_a_function_dies_around_one_of_its_calls(aws: Aws, account: Account, kind: Any, done: bool) -> None:
    name = table(account, f"table-{kind}")
    function = account.function(WRITER)
    aws.faults.add(Fault(boundary="aws", service="dynamodb", operation="PutItem", caller=function, kind=kind))
    payload = json.dumps({"table": name}).encode()
    answer = account.client("lambda").invoke(FunctionName=function, Payload=payload)
    assert json.loads(answer["Payload"].read())["errorType"] == "Runtime.ExitError"
    assert written(account, name) is done


def test_calls_are_recorded_with_the_function_that_made_them(aws: Aws, account: Account) -> None:
    name = table(account, "recorded")
    function = account.function(WRITER)
    account.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"table": name}).encode())
    made = [(call.service, call.operation) for call in aws.gateway.calls if call.caller == function]
    assert made == [("dynamodb", "PutItem")]


def test_the_control_endpoint_adds_lists_and_clears(aws: Aws, account: Account) -> None:
    def ask(method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{aws.endpoint}/_lab/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read())

    ask("POST", "faults", {"boundary": "aws", "service": "sqs", "kind": "latency", "seconds": 0.3})
    before = time.perf_counter()
    account.client("sqs").list_queues()
    assert time.perf_counter() - before >= 0.3
    assert [fault["hits"] for fault in ask("GET", "faults")] == [1]
    ask("DELETE", "faults")
    assert ask("GET", "faults") == []


def test_probability_is_a_share_of_requests() -> None:
    faults = Faults(seed=1)
    faults.add(Fault(boundary="aws", kind="throttle", probability=0.3, count=None))
    struck = sum(faults.take("aws", "elbv2", "ModifyRule") is not None for _ in range(1000))
    assert 250 < struck < 350
