"""Executions of the control plane's machines: the same cases in memory and on Step Functions (moto)."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from candlefish.adapters.aws.stepfunctions import StepFunctionsExecutions
from candlefish.errors import Misconfigured
from candlefish.ports import Executions
from lab.simulator.kernel import Kernel
from lab.simulator.machines import Machines
from lab.simulator.machines.executions import MachineExecutions
from tests.support.executions import FakeExecutions

DEFINITION = {
    "QueryLanguage": "JSONata",
    "StartAt": "A",
    "States": {"A": {"Type": "Wait", "Seconds": 900, "End": True}},
}
NOBODY = "arn:aws:states:us-west-2:123456789012:execution:candlefish-production-rollback:nobody"


def on_aws() -> StepFunctionsExecutions:
    client = boto3.client("stepfunctions", region_name="us-west-2")
    machines = {
        name: client.create_state_machine(
            name=f"candlefish-production-{name}",
            definition=json.dumps(DEFINITION),
            roleArn="arn:aws:iam::123456789012:role/x",
        )["stateMachineArn"]
        for name in ("rollback", "watch")
    }
    return StepFunctionsExecutions(client, machines)


def in_virtual_time() -> MachineExecutions:
    engine = Machines(Kernel(), invoke=lambda name, payload: None, announce=lambda event: None)
    names = ("rollback", "watch")
    return MachineExecutions(
        engine, {name: engine.define(f"candlefish-production-{name}", DEFINITION) for name in names}
    )


MAKERS = {"fake": FakeExecutions, "stepfunctions": on_aws, "simulator": in_virtual_time}


@pytest.fixture(params=MAKERS)
def executions(request: pytest.FixtureRequest) -> Any:
    with mock_aws():
        yield MAKERS[request.param]()


def test_a_machine_is_started_by_its_short_name(executions: Executions) -> None:
    arn = executions.start("rollback", "rb-1", {"service": "website"})
    assert executions.status(arn).status == "RUNNING"
    found = executions.find("rollback", "rb-1")
    assert found is not None and (found.arn, found.status) == (arn, "RUNNING")


def test_starting_a_name_again_is_harmless(executions: Executions) -> None:
    first = executions.start("rollback", "rb-1", {"service": "website"})
    assert executions.start("rollback", "rb-1", {"service": "website"}) == first
    assert executions.start("rollback", "rb-1", {"service": "another"}) == first
    assert executions.start("rollback", "rb-2", {"service": "website"}) != first


def test_machines_do_not_share_names(executions: Executions) -> None:
    executions.start("rollback", "r", {})
    assert executions.find("watch", "r") is None


def test_what_was_never_started_is_unknown(executions: Executions) -> None:
    assert executions.status(NOBODY).status == "UNKNOWN"
    assert executions.find("rollback", "nobody") is None


@pytest.mark.parametrize("made", [StepFunctionsExecutions(None, {}), in_virtual_time()])
def test_a_machine_that_nobody_wired_is_named(made: Executions) -> None:
    with pytest.raises(Misconfigured, match="ARN of state machine 'train'"):
        made.start("train", "t", {})


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_task_that_was_answered_before_or_is_over_takes_no_answer_and_no_harm(code: str) -> None:
    client = boto3.client("stepfunctions", region_name="us-west-2")
    aws, fakes = StepFunctionsExecutions(client, {}), (FakeExecutions(), in_virtual_time())
    with Stubber(client) as stub:
        stub.add_client_error("send_task_success", code, http_status_code=400)
        stub.add_client_error("send_task_failure", code, http_status_code=400)
        for each in (aws, *fakes):
            each.succeed("token", {"answer": "approved"})
            each.fail("token", error="Denied", cause="no")
        stub.assert_no_pending_responses()


def test_a_waiting_task_gets_the_answer() -> None:
    client = boto3.client("stepfunctions", region_name="us-west-2")
    with Stubber(client) as stub:
        stub.add_response("send_task_success", {}, {"taskToken": "token", "output": '{"answer":"approved"}'})
        stub.add_response("send_task_failure", {}, {"taskToken": "token", "error": "E" * 256, "cause": "no"})
        aws = StepFunctionsExecutions(client, {})
        aws.succeed("token", {"answer": "approved"})
        aws.fail("token", error="E" * 300, cause="no")
        stub.assert_no_pending_responses()
