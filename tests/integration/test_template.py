"""The real stack: broken halfway and repeated, deleted and deployed over what it kept, in a private network, and watched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab import garbage
from lab.faults import Fault
from lab.kube.pod_security import guarded
from lab.templates import read_template
from lab.world import TEMPLATE, Ground, World, rbac
from tests.support.waiting import eventually
from tools.protect import protect
from tools.take_over import KEY, TABLE, find, take_over

ENVIRONMENT, SERVICE = "staging", "website"
STACK = TABLE_NAME = f"candlefish-{ENVIRONMENT}"


class Empty:
    """A lab's account with the ground of one private environment, and nothing of the control plane."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.environment = world.catalog.environments[ENVIRONMENT]
        self.ground: Ground = world.make_ground(
            ENVIRONMENT, namespaces=(self.environment.namespace,), private=True
        )
        self.ground.cluster.apply([guarded(self.environment.namespace)])
        self.ground.cluster.apply(rbac(), namespace=self.environment.namespace)
        self.client = world.clients(self.ground.region)

    def deploy(self, **more: str) -> None:
        self.world.sites[ENVIRONMENT] = self.world.deploy(self.ground, self.environment, **more)

    @property
    def status(self) -> str:
        return str(self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])

    def networked(self) -> dict[str, str]:
        """The parameters that put functions into the environment's network."""
        wanted = [{"Name": "vpc-id", "Values": [self.ground.network.vpc]}]
        (group, *_) = self.client("ec2").describe_security_groups(Filters=wanted)["SecurityGroups"]
        subnets = ",".join(self.ground.network.subnets)
        return {"FunctionSubnetIds": subnets, "FunctionSecurityGroupIds": group["GroupId"]}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Empty]:
    with World(tmp_path_factory.mktemp("lab")) as world, garbage.lasting():
        world.start()
        yield Empty(world)


def test_a_first_deployment_that_breaks_halfway_is_repeated(empty: Empty) -> None:
    empty.world.faults.add(
        Fault(boundary="aws", service="eks", operation="CreateAccessEntry", kind="error", status=400, skip=3)
    )
    with pytest.raises(RuntimeError, match="ROLLBACK_COMPLETE"):
        empty.deploy()
    # Nothing is in the way of the next, but for the empty stack.
    with pytest.raises(ClientError, match="not found"):
        empty.client("dynamodb").describe_table(TableName=TABLE_NAME)
    with pytest.raises(ClientError, match="can not be updated"):
        empty.deploy()
    empty.client("cloudformation").delete_stack(StackName=STACK)
    empty.deploy()
    assert empty.status == "CREATE_COMPLETE"


def test_what_is_private_is_reached_from_its_network_alone(empty: Empty) -> None:
    with pytest.raises(RuntimeError, match="did not answer"):
        empty.world.invoke(ENVIRONMENT, "onboard", {"service": SERVICE})
    empty.deploy(**empty.networked())
    empty.world.invoke(ENVIRONMENT, "onboard", {"service": SERVICE})


def test_a_reconciler_that_has_stopped_reaches_whoever_is_subscribed(empty: Empty) -> None:
    site = empty.world.sites[ENVIRONMENT]
    queue = empty.client("sqs").create_queue(QueueName="on-call")["QueueUrl"]
    empty.client("sns").subscribe(
        TopicArn=site.stack.outputs["NoticesTopicArn"],
        Protocol="sqs",
        Endpoint=queue_arn(empty, queue),
    )
    heard: list[dict[str, Any]] = []

    def told(state: str) -> bool:
        got = empty.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        messages = [json.loads(each["Body"])["Message"] for each in got]
        # Beside CloudWatch, whose messages are JSON, the control plane itself tells people things here.
        heard.extend(json.loads(message) for message in messages if message.startswith("{"))
        return any(
            each.get("AlarmName", "").endswith("-reconciler") and each["NewStateValue"] == state
            for each in heard
        )

    schedules = empty.world.aws.schedules
    schedules.paused.set()
    try:
        eventually(lambda: told("ALARM"))
    finally:
        schedules.paused.clear()
    heard.clear()
    eventually(lambda: told("OK"))


def queue_arn(empty: Empty, url: str) -> str:
    """A queue that SNS may send to."""
    sqs = empty.client("sqs")
    arn = str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return arn


def test_a_stack_is_deployed_over_what_a_deleted_one_kept(
    empty: Empty, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb, stacks = empty.client("dynamodb"), empty.client("cloudformation")
    assert protect(TABLE_NAME, dynamodb)
    before = dynamodb.scan(TableName=TABLE_NAME)["Items"]
    assert any(SERVICE in item["sk"]["S"] for item in before)
    stacks.delete_stack(StackName=STACK)
    # Made again as it was, it would be in its own way.
    with pytest.raises(RuntimeError, match="ROLLBACK"):
        empty.deploy(**empty.networked())
    stacks.delete_stack(StackName=STACK)

    monkeypatch.setenv("AWS_ENDPOINT_URL", empty.world.aws.endpoint)
    session = boto3.Session("lab", "lab", region_name=empty.ground.region)
    kept = find(session, ENVIRONMENT)
    assert {TABLE, KEY} <= kept.by_type.keys()
    take_over(STACK, ENVIRONMENT, read_template(TEMPLATE), kept, stacks)
    assert empty.status == "IMPORT_COMPLETE"
    empty.deploy(**empty.networked())
    assert empty.status == "UPDATE_COMPLETE"
    after = {(item["pk"]["S"], item["sk"]["S"]) for item in dynamodb.scan(TableName=TABLE_NAME)["Items"]}
    assert {(item["pk"]["S"], item["sk"]["S"]) for item in before} <= after
    # And the service goes on: its record and its rule are known.
    empty.world.invoke(ENVIRONMENT, "onboard", {"service": SERVICE})
