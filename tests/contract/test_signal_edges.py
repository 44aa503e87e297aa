"""The edges of signals: the queue, messages, secrets, the tag and the bus, against moto and a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from candlefish.adapters.aws.eventbridge import EventBus
from candlefish.adapters.aws.secrets import SecretTokens
from candlefish.adapters.aws.sns import SnsChannel
from candlefish.adapters.aws.sqs import SqsQueue
from candlefish.adapters.aws.tag_switch import STANDS_IN, TagSwitch
from candlefish.adapters.http.slack import SlackChannel
from candlefish.adapters.http.slack_api import SlackApi
from candlefish.adapters.http.slack_blocks import notification_body
from candlefish.adapters.http.slack_chat import SlackChat
from candlefish.adapters.http.slack_secret import slack_secret
from candlefish.automation import TAG, off_tag
from candlefish.errors import ControlPlaneError, Misconfigured, Throttled, Unavailable
from candlefish.signals.model import BearerToken
from candlefish.signals.notification import Notification
from tests.support.clock import Clock

REGION = "us-west-2"
MESSAGE = Notification(
    "backend-api → v2 is <live>",
    "It & its reason.",
    "good",
    (("By", "dev"),),
    "https://x/y|z",
    "candlefish status",
)


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def test_every_message_is_on_the_queue_whatever_their_number_and_size() -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(QueueName="signals")["QueueUrl"]
    bodies = [f"{i}{'x' * (100_000 if i % 3 else 10)}".encode() for i in range(25)]
    SqsQueue(client, url).send(bodies)
    found: list[bytes] = []
    while got := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [m["Body"].encode() for m in got]
    assert sorted(found) == sorted(bodies)


def test_a_message_that_is_no_more_ours_is_not_put_off() -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(QueueName="shows")["QueueUrl"]
    SqsQueue(client, url).send([b"draw"])
    received = client.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    SqsQueue(client, url).put_off(received, 1)
    client.delete_message(QueueUrl=url, ReceiptHandle=received)
    SqsQueue(client, url).put_off(received, 1)
    with pytest.raises(Misconfigured):
        SqsQueue(client, f"{url}-other").put_off(received, 1)


def test_a_message_that_was_not_taken_is_an_error() -> None:
    class Refusing:
        def send_message_batch(self, **kwargs: Any) -> dict[str, Any]:
            return {"Successful": [], "Failed": [{"Id": "0", "Code": "InternalError"}]}

    with pytest.raises(Unavailable, match="1 messages were not taken"):
        SqsQueue(Refusing(), "url").send([b"x"])


def test_a_queue_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ControlPlaneError):
        SqsQueue(boto3.client("sqs", region_name=REGION), f"https://sqs.{REGION}.amazonaws.com/1/no").send(
            [b"x"]
        )


def test_sns_gets_a_subject_that_it_takes_and_the_whole_text() -> None:
    sns, sqs = boto3.client("sns", region_name=REGION), boto3.client("sqs", region_name=REGION)
    topic = sns.create_topic(Name="notices")["TopicArn"]
    url = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    SnsChannel(sns, topic).send(MESSAGE)
    (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
    body = json.loads(got["Body"])
    assert body["Subject"] == "backend-api v2 is <live>"
    assert body["Message"] == MESSAGE.plain()


def secret(text: str) -> Any:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="alerts", SecretString=text)
    return client


def test_tokens_are_read_once_and_again_when_they_may_not_be_that_old() -> None:
    clock, client = Clock(), secret('{"tokens": [{"token": "a"}]}')
    tokens = SecretTokens(client, "alerts", clock)
    assert tokens.read(300) == (BearerToken("a"),)
    client.put_secret_value(
        SecretId="alerts", SecretString='{"tokens": [{"token": "b"}, {"token": "a", "expires": 5}]}'
    )
    clock.forward(60)
    assert tokens.read(300) == (BearerToken("a"),)
    assert tokens.read(10) == (BearerToken("b"), BearerToken("a", 5))


def test_the_token_that_cloudformation_generated_is_read() -> None:
    assert SecretTokens(secret('{"token": "generated"}'), "alerts", Clock()).read(300) == (
        BearerToken("generated"),
    )


def test_tokens_that_were_stored_are_read() -> None:
    tokens = SecretTokens(secret('{"tokens": [{"token": "a"}]}'), "alerts", Clock())
    tokens.read(300)
    tokens.store([BearerToken("c"), BearerToken("a", 9.0)])
    assert tokens.read(300) == (BearerToken("c"), BearerToken("a", 9.0))


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        '{"tokens": "s3cret"}',
        '{"tokens": []}',
        '{"tokens": [{"token": ""}]}',
        '{"tokens": [{"token": "s3cret"}, {"token": "s3cret2"}, {"token": "s3cret3"}]}',
    ],
)
def test_a_secret_that_is_wrong_is_named_and_not_quoted(text: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        SecretTokens(secret(text), "alerts", Clock()).read(300)
    assert "alerts" in str(refusal.value) and "s3cret" not in str(refusal.value)


def test_the_tag_switches_off_and_its_absence_does_not() -> None:
    client = boto3.client("stepfunctions", region_name=REGION)
    machine = client.create_state_machine(
        name="respond",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/x",
    )["stateMachineArn"]
    switch = TagSwitch(client, machine)
    assert switch.off() == ""
    client.tag_resource(resourceArn=machine, tags=[{"key": TAG, "value": "off"}])
    assert f"automation is off (tag {TAG}" in switch.off()
    client.tag_resource(resourceArn=machine, tags=[{"key": TAG, "value": "on"}])
    assert switch.off() == ""
    switch.turn(off_tag("restoring the table; ask #ops", "arn:aws:iam::123456789012:user/lead", 0.0))
    assert (
        "off since 1970-01-01T00:00Z by arn:aws:iam::123456789012:user/lead: restoring the table  ask  ops"
        in switch.off()
    )
    switch.turn("on")
    assert switch.off() == ""


@pytest.mark.parametrize("said", ["on", "off"])
def test_in_a_storm_what_the_tag_said_within_the_last_minute_stands_in(said: str) -> None:
    client = boto3.client("stepfunctions", region_name=REGION)
    now = [100.0]
    switch = TagSwitch(client, f"arn:aws:states:{REGION}:123456789012:stateMachine:respond", lambda: now[0])
    asked = {"tags": [{"key": TAG, "value": said}]}
    with Stubber(client) as stub:
        for code in ("", *["ThrottlingException"] * 3):
            if code:
                stub.add_client_error("list_tags_for_resource", code, http_status_code=400)
            else:
                stub.add_response("list_tags_for_resource", asked)
        first = switch.off()
        assert bool(first) == (said == "off") and switch.off() == first
        now[0] += STANDS_IN
        assert switch.off() == first
        now[0] += 1
        with pytest.raises(Throttled):
            switch.off()


def test_what_the_tag_never_said_stands_in_for_nothing() -> None:
    client = boto3.client("stepfunctions", region_name=REGION)
    with Stubber(client) as stub, pytest.raises(Throttled):
        stub.add_client_error("list_tags_for_resource", "ThrottlingException", http_status_code=400)
        TagSwitch(client, f"arn:aws:states:{REGION}:123456789012:stateMachine:respond").off()


def test_a_long_reason_fits_into_the_tag() -> None:
    assert len(off_tag("because " * 100, "lead", 0.0)) <= 256


def test_a_tag_that_cannot_be_read_is_an_error_not_a_yes() -> None:
    client = boto3.client("stepfunctions", region_name=REGION)
    # moto answers with no tags for a machine that does not exist; AWS refuses.
    with Stubber(client) as stub, pytest.raises(ControlPlaneError):
        stub.add_client_error("list_tags_for_resource", "ResourceNotFound", http_status_code=400)
        TagSwitch(client, f"arn:aws:states:{REGION}:123456789012:stateMachine:gone").off()


def test_the_bus_gets_the_event() -> None:
    client = boto3.client("events", region_name=REGION)
    sqs = boto3.client("sqs", region_name=REGION)
    client.create_event_bus(Name="candlefish")
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.put_rule(
        Name="r", EventBusName="candlefish", EventPattern='{"detail-type": [{"prefix": "signal."}]}'
    )
    client.put_targets(Rule="r", EventBusName="candlefish", Targets=[{"Id": "q", "Arn": arn}])
    EventBus(client, "candlefish").publish("signal.decided", {"about": "service/website"})
    (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(got["Body"])["detail"] == {"about": "service/website"}


class Slack:
    """A server that answers as Slack does."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                slack.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(slack.status)
                self.end_headers()
                self.wfile.write(b"ok" if slack.status == 200 else b"invalid_token")

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/s3cret"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def slack() -> Iterator[Slack]:
    server = Slack()
    yield server
    server.close()


def hooked(url: str) -> SlackChannel:
    """A channel by a webhook alone."""
    known = slack_secret(url)
    return SlackChannel(lambda: known, "default", SlackChat(SlackApi(), lambda: known), timeout=0.5)


def test_slack_gets_one_message(slack: Slack) -> None:
    hooked(slack.url).send(MESSAGE)
    assert slack.got == [notification_body(MESSAGE)]


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, Throttled), (500, Unavailable), (503, Unavailable), (403, Misconfigured), (404, Misconfigured)],
)
def test_what_slack_refuses_is_an_error_without_the_secret(
    slack: Slack, status: int, error: type[Exception]
) -> None:
    slack.status = status
    with pytest.raises(error) as refusal:
        hooked(slack.url).send(MESSAGE)
    assert "s3cret" not in str(refusal.value)


def test_a_slack_that_does_not_answer_is_tried_again_and_its_secret_kept() -> None:
    with pytest.raises(Unavailable) as refusal:
        hooked("http://127.0.0.1:9/services/s3cret").send(MESSAGE)
    assert "s3cret" not in str(refusal.value) and refusal.value.__cause__ is None


def test_a_secret_that_is_no_address_is_said(slack: Slack) -> None:
    with pytest.raises(Misconfigured, match="holds no https"):
        hooked("todo").send(MESSAGE)


def test_text_cannot_mention_a_channel_or_pretend_to_be_a_link() -> None:
    """Blocks of plain text have no markup; the line for notifications, which may, has it taken out."""
    sent = notification_body(Notification("<!channel>", "<https://evil|click>", facts=(("a", "<@U1>"),)))
    blocks = [*sent["blocks"], *sent["attachments"][0]["blocks"]]
    assert [block["text"]["type"] for block in blocks] == ["plain_text"] * 3
    assert sent["text"] == "&lt;!channel&gt;" and sent["mrkdwn"] is False


def test_a_message_of_any_length_fits() -> None:
    long = Notification("t" * 300, "x" * 9000, facts=tuple((f"f{i}", "y" * 5000) for i in range(20)))
    for block in notification_body(long)["attachments"][0]["blocks"]:
        assert len(block["text"]["text"]) <= 3000
