"""What is private answers functions in its network alone, and those need a way to AWS's APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.elbv2.models import elbv2_backends

from lab.aws.account import lead_out, make_network
from lab.aws.server import Aws
from lab.moto import ACCOUNT
from tests.support.lab_account import REGION, Account

ASKS = """
import os, socket, boto3
from botocore.config import Config
def handler(event, context):
    if "connect" in event:
        try:
            socket.create_connection(tuple(event["connect"]), timeout=1).close()
        except TimeoutError as error:
            return str(error)
        except OSError:
            pass
        return "reached"
    client = boto3.client(event["ask"], config=Config(retries={"total_max_attempts": 1}))
    try:
        getattr(client, event["call"])()
    except Exception as error:
        return type(error).__name__
    return "reached"
"""


@pytest.fixture(scope="module")
def network(account: Account) -> Any:
    return make_network(account.client, "walled", REGION, 77, scheme="internal")


@pytest.fixture(scope="module")
def outside(account: Account) -> str:
    return account.function(ASKS)


@pytest.fixture(scope="module")
def inside(account: Account, network: Any) -> str:
    group = account.client("ec2").create_security_group(
        GroupName="functions", Description="x", VpcId=network.vpc
    )["GroupId"]
    return account.function(ASKS, VpcConfig={"SubnetIds": list(network.subnets), "SecurityGroupIds": [group]})


def said(account: Account, function: str, event: dict[str, Any]) -> str:
    answer = account.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return str(json.loads(answer["Payload"].read()))


def test_a_private_address_is_reached_from_its_network_alone(
    aws: Aws, account: Account, network: Any, inside: str, outside: str
) -> None:
    where = ["127.9.9.9", 9]
    assert said(account, outside, {"connect": where}) == "reached"
    aws.networks.private["127.9.9.9", 9] = network.vpc
    try:
        assert "is private" in said(account, outside, {"connect": where})
        assert said(account, inside, {"connect": where}) == "reached"
    finally:
        aws.networks.private.clear()


def test_an_internal_load_balancer_is_private(
    aws: Aws, account: Account, network: Any, inside: str, outside: str
) -> None:
    (balancer,) = elbv2_backends[ACCOUNT][REGION].describe_load_balancers([network.load_balancer], None)
    balancer.dns_name = "127.8.8.8"
    where = ["127.8.8.8", 80]
    assert "is private" in said(account, outside, {"connect": where})
    assert "is private" not in said(account, inside, {"connect": where})


def test_a_function_in_a_network_reaches_the_apis_that_its_network_leads_to(
    account: Account, network: Any, inside: str, outside: str
) -> None:
    tables = {"ask": "dynamodb", "call": "list_tables"}
    queues = {"ask": "sqs", "call": "list_queues"}
    assert said(account, outside, tables) == "reached"
    assert said(account, inside, tables) != "reached"
    account.client("ec2").create_vpc_endpoint(
        VpcId=network.vpc, ServiceName=f"com.amazonaws.{REGION}.dynamodb", VpcEndpointType="Gateway"
    )
    assert said(account, inside, tables) == "reached"
    assert said(account, inside, queues) != "reached"
    lead_out(account.client, network)
    assert said(account, inside, queues) == "reached"
