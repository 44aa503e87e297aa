"""moto's engine, as the lab has it, in this process: its threads, but no server and next to no waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.config import default_user_config
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from lab.moto import ACCOUNT, eventbridge, replace, restore, step_functions
from lab.moto.iam import Authority
from lab.simulator.machines import Refused
from tests.support.engines.script import Ended, Fails, Script, Summary, plain, read
from tests.support.waiting import eventually

REGION = "us-west-2"
ENDPOINT = f"https://states.{REGION}.amazonaws.com"
# Waits of the machines are that much shorter; timeouts are not.
FASTER = 2000.0


class MotoEngine:
    """`Engine`."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.pauses: list[float] = []
        self.events: list[dict[str, Any]] = []
        self._sfn = boto3.client("stepfunctions", region_name=REGION)

    # --- in place of the lab's own -----------------------------------------------------------

    def install(self) -> None:
        step_functions.install(ENDPOINT, 1, Authority())
        replace(lambda_eval_utils, "_invoke_lambda_function", self._invoke)
        replace(eventbridge, "publish", self._publish)
        replace(retrier_decl, "time", self)
        replace(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.005)
        wait: Callable[[Any, Any, float], None] = vars(WaitFunction)["_wait_interval"]
        replace(
            WaitFunction,
            "_wait_interval",
            lambda own, env, wait_seconds: wait(own, env, wait_seconds / FASTER),
        )

    def sleep(self, seconds: float) -> None:
        """What a retrier calls."""
        self.pauses.append(seconds)

    def _publish(self, region: str, source: str, kind: str, detail: dict[str, Any], resources: Any) -> None:
        self.events.append(detail)

    def _invoke(self, parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        answer = self.script.answer(parameters["FunctionName"], json.loads(parameters["Payload"]))
        result: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
        if not isinstance(answer, Fails):
            return result | {"Payload": json.loads(json.dumps(answer))}
        if answer.by_service:
            details: Any = {"Error": {"Code": answer.error, "Message": answer.message}}
            raise ClientError(
                details | {"ResponseMetadata": {"HTTPStatusCode": 429, "RequestId": "r"}}, "Invoke"
            )
        return result | {"Payload": answer.payload, "FunctionError": "Unhandled"}

    # --- the engine ----------------------------------------------------------------------------

    def define(self, name: str, definition: dict[str, Any]) -> str:
        made = self._sfn.create_state_machine(
            name=name,
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/states",
            definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, name: str | None = None, value: Any = None) -> str:
        more = {} if name is None else {"name": name}
        text = json.dumps({} if value is None else value)
        started = self._call("start_execution", stateMachineArn=machine, input=text, **more)
        return str(started["executionArn"])

    def stop(self, arn: str, error: str, cause: str) -> None:
        self._call("stop_execution", executionArn=arn, error=error, cause=cause)

    def succeed(self, token: str, output: Any) -> None:
        self._call("send_task_success", taskToken=token, output=json.dumps(output))

    def fail(self, token: str, error: str, cause: str) -> None:
        self._call("send_task_failure", taskToken=token, error=error, cause=cause)

    def heartbeat(self, token: str) -> None:
        self._call("send_task_heartbeat", taskToken=token)

    def _call(self, call: str, **parameters: Any) -> Any:
        try:
            return getattr(self._sfn, call)(**parameters)
        except ClientError as error:
            raise Refused(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error

    def called(self, name: str, times: int = 1) -> Any:
        def look() -> Any:
            found = [payload for called, payload in list(self.script.calls) if called == name]
            return (found[times - 1],) if len(found) >= times else None

        return eventually(look, 0.005)[0]

    def end(self, arn: str) -> Ended:
        return eventually(lambda: self._ended(arn), 0.005)

    def _ended(self, arn: str) -> Ended | None:
        found = self._sfn.describe_execution(executionArn=arn)
        if found["status"] == "RUNNING":
            return None
        output = json.loads(found["output"]) if "output" in found else None
        return Ended(found["status"], output, found.get("error"), read(found.get("cause")))

    def _all(self) -> list[Any]:
        machines = stepfunctions_parser_backends[ACCOUNT][REGION].state_machines
        return [run for machine in machines for run in machine.executions]

    def status(self, name: str) -> str:
        return str(next(run.status for run in self._all() if run.name == name))

    def summary(self) -> Summary:
        ended = {run.name: self.end(run.exec_arn) for run in self._all()}
        # Both are told, but the beginning possibly after the end.
        eventually(lambda: len(self.events) >= 2 * len(ended), 0.005)
        order = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
        return Summary(
            [(name, plain(payload)) for name, payload in self.script.calls],
            {
                name: Ended(each.status, plain(each.output), each.error, each.cause)
                for name, each in ended.items()
            },
            {
                name: sorted(
                    (each["status"] for each in self.events if each["name"] == name), key=order.index
                )
                for name in ended
            },
            self.pauses,
        )


@contextmanager
def moto_engine(script: Script) -> Iterator[MotoEngine]:
    """moto's engine for a while; only one at a time."""
    before = default_user_config["stepfunctions"]
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    try:
        with mock_aws():
            engine = MotoEngine(script)
            engine.install()
            yield engine
            for run in engine._all():
                if run.status == "RUNNING":
                    engine.stop(run.exec_arn, "TestOver", "")
    finally:
        restore()
        default_user_config["stepfunctions"] = before
