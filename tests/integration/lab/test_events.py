"""Events reach their targets, schedules fire, failures end where they were meant to."""

from __future__ import annotations

import json
import uuid
from typing import Any

from lab.aws.server import Aws
from lab.faults import Fault
from lab.moto.eventbridge import event_input
from tests.support.lab_account import Account
from tests.support.waiting import eventually

FORWARD = """
import boto3, json, os
def handler(event, context):
    if event.get("fail"): raise RuntimeError("on purpose")
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    if "Records" in event:
        bad = [r["messageId"] for r in event["Records"] if "bad" in r.get("body", "")]
        return {"batchItemFailures": [{"itemIdentifier": i} for i in bad]}
"""
MISSING = "arn:aws:lambda:us-west-2:123456789012:function:missing"


def forwarder(account: Account, url: str, **more: Any) -> str:
    return account.function(FORWARD, Environment={"Variables": {"QUEUE": url}}, **more)


def rule(account: Account, target: dict[str, Any], **more: Any) -> tuple[str, str]:
    """A rule on its own source that may call its target; the rule's name and the source."""
    name, source = f"r-{uuid.uuid4().hex[:8]}", f"test.{uuid.uuid4().hex[:8]}"
    events = account.client("events")
    wanted = more or {"EventPattern": json.dumps({"source": [source]})}
    arn = events.put_rule(Name=name, **wanted)["RuleArn"]
    called = () if "RoleArn" in target or target["Arn"] == MISSING else (target["Arn"],)
    for each in (*called, *target.get("DeadLetterConfig", {}).values()):
        account.allow("events.amazonaws.com", each, arn)
    events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])
    return name, source


def put(account: Account, source: str, detail: Any) -> None:
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail)}
    account.client("events").put_events(Entries=[entry])


def test_a_rule_calls_a_function_with_the_event(account: Account) -> None:
    url, _ = account.queue()
    _, source = rule(account, {"Arn": account.arn(forwarder(account, url))})
    put(account, source, {"x": 1})
    (event,) = account.received(url)
    assert (event["source"], event["detail"], event["detail-type"]) == (source, {"x": 1}, "Test")


def test_a_rule_starts_a_state_machine_with_what_its_transformer_makes(account: Account) -> None:
    machine = account.machine({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})
    transformer = {
        "InputPathsMap": {"who": "$.detail.who", "all": "$.detail"},
        "InputTemplate": '{"by": "<who>", "detail": <all>}',
    }
    _, source = rule(account, {"Arn": machine, "RoleArn": account.role, "InputTransformer": transformer})
    put(account, source, {"who": 'a "b"'})
    sfn = account.client("stepfunctions")
    (run,) = eventually(lambda: sfn.list_executions(stateMachineArn=machine)["executions"])
    given = json.loads(sfn.describe_execution(executionArn=run["executionArn"])["input"])
    assert given == {"by": 'a "b"', "detail": {"who": 'a "b"'}}


def test_a_disabled_rule_and_a_scheduled_rule_take_no_events(account: Account) -> None:
    url, arn = account.queue()
    disabled, source = rule(account, {"Arn": arn})
    account.client("events").disable_rule(Name=disabled)
    rule(account, {"Arn": arn}, ScheduleExpression="rate(10 days)")
    _, seen = rule(account, {"Arn": arn})
    put(account, source, {})
    put(account, seen, {})
    assert [event["source"] for event in account.received(url)] == [seen]


def test_an_event_that_cannot_be_delivered_becomes_a_dead_letter(aws: Aws, account: Account) -> None:
    url, letters = account.queue()
    target = {
        "Arn": MISSING,
        "DeadLetterConfig": {"Arn": letters},
        "RetryPolicy": {"MaximumRetryAttempts": 1},
    }
    _, source = rule(account, target)
    put(account, source, {"x": 1})
    (letter,) = account.messages(url)
    assert json.loads(letter["Body"])["detail"] == {"x": 1}
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert (said["TARGET_ARN"], said["ERROR_CODE"]) == (MISSING, "NO_PERMISSIONS")
    assert "RETRY_ATTEMPTS" not in said, "what is not allowed is not tried again"


def test_a_dead_letter_says_how_often_it_was_tried(aws: Aws, account: Account) -> None:
    url, letters = account.queue()
    _, arn = account.queue()
    target = {"Arn": arn, "DeadLetterConfig": {"Arn": letters}, "RetryPolicy": {"MaximumRetryAttempts": 1}}
    name, source = rule(account, target)
    for _ in range(2):
        aws.faults.add(Fault(boundary="events", operation=name, kind="error"))
    put(account, source, {"x": 1})
    (letter,) = account.messages(url)
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert (said["ERROR_CODE"], said["ERROR_MESSAGE"]) == ("CONNECTION_FAILURE", "injected fault")
    assert (said["EXHAUSTED_RETRY_CONDITION"], said["RETRY_ATTEMPTS"]) == ("MaximumRetryAttempts", "1")


def test_a_delivery_that_fails_at_first_is_tried_again_and_one_may_come_twice(
    aws: Aws, account: Account
) -> None:
    url, arn = account.queue()
    name, source = rule(account, {"Arn": arn})
    aws.faults.add(Fault(boundary="events", operation=name, kind="error"))
    put(account, source, {"n": 1})
    assert account.received(url)[0]["detail"] == {"n": 1}
    aws.faults.add(Fault(boundary="events", operation=name, kind="duplicate"))
    put(account, source, {"n": 2})
    assert [event["detail"]["n"] for event in account.received(url, 2)] == [2, 2]


def test_an_asynchronous_failure_is_retried_and_ends_in_the_destination(account: Account) -> None:
    url, letters = account.queue()
    function = forwarder(account, url)
    account.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": letters}},
    )
    account.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b'{"fail": 1}')
    (record,) = account.received(url)
    assert record["requestPayload"] == {"fail": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorType"] == "RuntimeError"


def test_a_queue_feeds_a_function_and_a_bad_message_ends_as_a_dead_letter(account: Account) -> None:
    out, _ = account.queue()
    dead, dead_arn = account.queue()
    url, arn = account.queue()
    sqs = account.client("sqs")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "30"})
    account.client("lambda").create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=forwarder(account, out),
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    for body in ('"good"', '"bad"'):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    assert account.received(dead) == ["bad"]
    bodies = [record["body"] for event in account.received(out) for record in event["Records"]]
    assert '"good"' in bodies


def test_a_topic_calls_a_function(account: Account) -> None:
    url, _ = account.queue()
    sns = account.client("sns")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    function = account.arn(forwarder(account, url))
    account.allow("sns.amazonaws.com", function, topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="help", Subject="alert")
    (event,) = account.received(url)
    notice = event["Records"][0]["Sns"]
    assert (notice["TopicArn"], notice["Message"], notice["Subject"]) == (topic, "help", "alert")


def test_a_rate_fires_in_lab_time(account: Account) -> None:
    url, arn = account.queue()
    name, _ = rule(account, {"Arn": arn}, ScheduleExpression="rate(1 minute)")
    events = account.received(url, 2)
    account.client("events").disable_rule(Name=name)
    assert events[0]["detail-type"] == "Scheduled Event"


def test_a_schedule_sends_its_input_when_it_is_fired_by_hand(aws: Aws, account: Account) -> None:
    url, arn = account.queue()
    account.client("scheduler").create_schedule(
        Name="nightly",
        ScheduleExpression="cron(0 3 * * ? *)",
        ScheduleExpressionTimezone="America/Los_Angeles",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": account.role, "Input": '{"at": "<aws.scheduler.scheduled-time>"}'},
    )
    assert aws.schedules.fire("schedule/default/nightly") == 1
    (body,) = account.received(url)
    assert body["at"].endswith("Z")


def test_the_input_of_a_target() -> None:
    event = {"detail": {"a": {"b": 1}}, "id": "7"}
    assert event_input({"Input": '"fixed"'}, event) == '"fixed"'
    assert json.loads(event_input({"InputPath": "$.detail.a"}, event)) == {"b": 1}
    template = {
        "InputTemplate": '{"id": <id>, "whole": <aws.events.event.json>}',
        "InputPathsMap": {"id": "$.id"},
    }
    assert json.loads(event_input({"InputTransformer": template}, event)) == {"id": "7", "whole": event}
