"""The queue, the switch, the tokens and the channels of signals: the same cases in memory and on AWS (moto)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto import mock_aws

from candlefish.adapters.aws.secrets import SecretTokens
from candlefish.adapters.aws.sns import SnsChannel
from candlefish.adapters.aws.sqs import SqsQueue
from candlefish.adapters.aws.tag_switch import TagSwitch
from candlefish.automation import TAG
from candlefish.errors import ControlPlaneError, Unavailable
from candlefish.ports import Switchboard
from candlefish.signals.model import BearerToken
from candlefish.signals.notification import Notification
from candlefish.signals.ports import Channel, SignalQueue, WebhookTokens
from lab.memory.signals import MemoryChannel, MemoryQueue, MemorySwitchboard, MemoryTokens
from tests.support.clock import Clock

REGION = "us-west-2"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def queue_of(name: str) -> tuple[str, str, Callable[[], list[str]]]:
    """A queue of SQS: its URL, its ARN, and what is in it."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def bodies() -> list[str]:
        found: list[str] = []
        while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [each["Body"] for each in got]
        return found

    return url, arn, bodies


# --- the queue ------------------------------------------------------------------------------

Queued = tuple[SignalQueue, Callable[[], list[bytes]], Callable[[], None]]


@pytest.fixture(params=["fake", "sqs"])
def queued(request: pytest.FixtureRequest) -> Queued:
    """A queue, what is on it, and how it goes away."""
    if request.param == "fake":
        fake = MemoryQueue()
        return fake, lambda: fake.messages, lambda: setattr(fake, "broken", True)
    url, _, bodies = queue_of("signals")
    client = boto3.client("sqs", region_name=REGION)
    real = SqsQueue(client, url)
    return real, lambda: [body.encode() for body in bodies()], lambda: client.delete_queue(QueueUrl=url)


def test_every_message_is_on_the_queue(queued: Queued) -> None:
    queue, messages, _ = queued
    sent = [f"message {number:02}".encode() for number in range(23)]
    queue.send(iter(sent))
    queue.send([])
    assert sorted(messages()) == sent


def test_a_queue_that_does_not_take_it_is_an_error(queued: Queued) -> None:
    queue, _, goes = queued
    goes()
    with pytest.raises(ControlPlaneError):
        queue.send([b"x"])


# --- the switch -----------------------------------------------------------------------------

Switched = tuple[Switchboard, Callable[[bool], None]]


@pytest.fixture(params=["fake", "tag"])
def switched(request: pytest.FixtureRequest) -> Switched:
    """The switch, and how a person switches automation on and off."""
    if request.param == "fake":
        fake = MemorySwitchboard()
        return fake, lambda on: setattr(fake, "tag", "on" if on else "off")
    client = boto3.client("stepfunctions", region_name=REGION)
    arn = client.create_state_machine(
        name="respond",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/x",
    )["stateMachineArn"]

    def tag(on: bool) -> None:
        client.tag_resource(resourceArn=arn, tags=[{"key": TAG, "value": "on" if on else "off"}])

    return TagSwitch(client, arn), tag


def test_automation_is_off_while_somebody_switched_it_off(switched: Switched) -> None:
    board, switch = switched
    assert board.off() == ""
    switch(False)
    assert board.off().startswith(f"automation is off (tag {TAG} of the machine respond)")
    switch(True)
    assert board.off() == ""


# --- tokens ---------------------------------------------------------------------------------

Rotated = tuple[WebhookTokens, Clock, Callable[..., None]]


@pytest.fixture(params=["fake", "secret"])
def rotated(request: pytest.FixtureRequest) -> Rotated:
    """The tokens that are valid, a clock, and how they are replaced behind the reader's back."""
    clock = Clock()
    if request.param == "fake":
        fake = MemoryTokens(BearerToken("a"), now=clock)
        return fake, clock, lambda *tokens: setattr(fake, "stored", tokens)
    client = boto3.client("secretsmanager", region_name=REGION)
    client.create_secret(Name="alerts", SecretString='{"tokens": [{"token": "a"}]}')

    def replace(*tokens: BearerToken) -> None:
        kept = [{"token": each.token, "expires": each.expires} for each in tokens]
        client.put_secret_value(SecretId="alerts", SecretString=json.dumps({"tokens": kept}))

    return SecretTokens(client, "alerts", clock), clock, replace


def test_tokens_are_a_copy_until_they_must_be_newer(rotated: Rotated) -> None:
    tokens, clock, replace = rotated
    assert tuple(tokens.read(300)) == (BearerToken("a"),)
    replace(BearerToken("b"), BearerToken("a", 5.0))
    clock.forward(60)
    assert tuple(tokens.read(300)) == (BearerToken("a"),)
    assert tuple(tokens.read(10)) == (BearerToken("b"), BearerToken("a", 5.0))
    assert tuple(tokens.read(300)) == (BearerToken("b"), BearerToken("a", 5.0))


# --- channels -------------------------------------------------------------------------------

MESSAGE = Notification("backend-api is live", "It is healthy.", "good", command="candlefish status")
Sent = tuple[Channel, Callable[[], list[str]], Callable[[], None]]


@pytest.fixture(params=["fake", "sns"])
def sent(request: pytest.FixtureRequest) -> Sent:
    """A channel, the texts that people got, and how it goes away."""
    if request.param == "fake":
        fake = MemoryChannel()
        gone = Unavailable("the channel is down")
        return fake, lambda: [each.plain() for each in fake.got], lambda: setattr(fake, "error", gone)
    client = boto3.client("sns", region_name=REGION)
    topic = client.create_topic(Name="notices")["TopicArn"]
    _, arn, bodies = queue_of("mail")
    client.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return (
        SnsChannel(client, topic),
        lambda: [str(json.loads(body)["Message"]) for body in bodies()],
        lambda: client.delete_topic(TopicArn=topic),
    )


def test_people_get_the_whole_text_once(sent: Sent) -> None:
    channel, texts, _ = sent
    channel.send(MESSAGE)
    assert texts() == [MESSAGE.plain()]


def test_a_channel_that_has_gone_says_so(sent: Sent) -> None:
    channel, _, goes = sent
    goes()
    with pytest.raises(ControlPlaneError):
        channel.send(MESSAGE)


def test_a_switch_or_a_secret_that_cannot_be_read_is_an_error_not_a_yes() -> None:
    """Of the fakes; what AWS refuses stands in test_signal_edges."""
    board, tokens = MemorySwitchboard(), MemoryTokens()
    board.broken = tokens.broken = True
    for read in (board.off, lambda: tokens.read(300)):
        with pytest.raises(Unavailable):
            read()
