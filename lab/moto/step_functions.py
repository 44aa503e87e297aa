"""Step Functions: what moto's engine lacks to run the product's state machines.

- JSONata (see `lab.moto.jsonata`), States.* errors out of a Map or Parallel, waits of fractions of a second, retry intervals in lab time
- nested executions (`startExecution`, `.sync:2`) and the Lambda integration through our own runner
- StopExecution that takes effect at once, with its error and cause; unnamed executions get a name
- "Step Functions Execution Status Change" events on the default bus
- definitions are parsed once, clients are made once: an execution starts in a few milliseconds
"""

from __future__ import annotations

import copy
import datetime
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.utils import get_backend as lambda_backend
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions import models as simple_models
from moto.stepfunctions.exceptions import ValidationException
from moto.stepfunctions.parser import models
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_callback,
    state_task_service_sfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import seconds, timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback import callback
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution, execution_worker
from moto.stepfunctions.responses import StepFunctionResponse

from lab import fairness
from lab.iam.policies import Ask
from lab.moto import ACCOUNT, eventbridge, iam, jsonata, published, replace
from lab.moto.iam import Authority

# Names that the SDK integrations use for services that boto3 calls otherwise.
_SDK_NAMES = {
    "elasticloadbalancingv2": "elbv2",
    "elasticloadbalancing": "elb",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "costexplorer": "ce",
}
# However compressed time is, a retry waits at least this long, and at least that share of its interval up to a second.
_LEAST_RETRY_SECONDS = 0.1
_LEAST_SHARE = 0.2
# What Step Functions takes as input, in bytes of UTF-8.
LARGEST_INPUT = 256 * 1024


@cache
def _parse(definition: str) -> tuple[Any, Any]:
    return _original_parse(definition)


_original_parse = AmazonStateLanguageParser.parse


def _clients(endpoint: str) -> Callable[..., Any]:
    made: dict[tuple[str, str, str], Any] = {}
    lock = threading.Lock()
    config = Config(
        parameter_validation=False, retries={"max_attempts": 1, "mode": "standard"}, max_pool_connections=50
    )

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        # A task calls as the machine's role.
        role = state_credentials.role_arn
        with lock:
            if (region, service, role) not in made:
                key, secret, token = iam.keys_of(role, "states", region)
                made[region, service, role] = boto3.session.Session().client(
                    service,
                    region_name=region,
                    endpoint_url=endpoint,
                    aws_access_key_id=key,
                    aws_secret_access_key=secret,
                    aws_session_token=token,
                    config=config,
                )
            return made[region, service, role]

    return client_for


# --- the Lambda integration ----------------------------------------------------------------


def _invoke(
    authority: Authority, parameters: dict[str, Any], region: str, state_credentials: Any
) -> dict[str, Any]:
    name = parameters["FunctionName"]
    account = name.split(":")[4] if name.startswith("arn:") else ACCOUNT
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{region}:{account}:function:{name}"
    caller = iam.session(state_credentials.role_arn, "states")
    if refused := authority.refuse(caller, [Ask("lambda:InvokeFunction", arn)]):
        raise _client_error("AWSLambdaException", refused, 403)
    headers = {"X-Amz-Invocation-Type": parameters.get("InvocationType", "RequestResponse")}
    answer: dict[str, str] = {}
    try:
        payload = lambda_backend(account, region).invoke(
            name, parameters.get("Qualifier"), parameters.get("Payload") or b"{}", headers, answer
        )
    except UnknownFunctionException as error:
        raise _client_error("ResourceNotFoundException", f"Function not found: {name}", 404) from error
    if "x-lab-throttled" in answer:
        raise _client_error("TooManyRequestsException", "Rate Exceeded.", 429)
    text = payload.decode() if isinstance(payload, bytes) else payload or "null"
    executed = answer.get("x-amz-executed-version", "$LATEST")
    response: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": executed, "Payload": _loads(text)}
    if "x-amz-function-error" in answer:
        response["FunctionError"] = answer["x-amz-function-error"]
    return response


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _client_error(code: str, message: str, status: int) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status, "RequestId": str(uuid.uuid4())}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "Invoke")


# --- nested executions -----------------------------------------------------------------------


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def _upper_first(name: str) -> str:
    return name[:1].upper() + name[1:]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return int(value.timestamp() * 1000)
    return value


def _normalise_parameters(self: Any, parameters: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    _original_normalise(self, parameters, *args, **kwargs)
    for name in list(parameters):
        parameters[_lower_first(name)] = parameters.pop(name)


def _normalise_response(self: Any, response: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    response.pop("ResponseMetadata", None)
    for name in list(response):
        response[_upper_first(name)] = _plain(response.pop(name))


_original_normalise = state_task_service_sfn.StateTaskServiceSfn._normalise_parameters


def _normalise_sdk_parameters(self: Any, parameters: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    # Definitions write every parameter with a capital; botocore has those of Step Functions without.
    if self.resource.api_name == "sfn":
        for name in list(parameters):
            parameters[_lower_first(name)] = parameters.pop(name)


def _normalise_sdk_response(self: Any, response: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    if self.resource.api_name == "sfn":
        _normalise_response(self, response)


# --- errors ------------------------------------------------------------------------------------


def _error_name(error_name: str | None) -> ErrorName:
    # moto refuses a Map or Parallel whose insides failed with an error of Step Functions itself.
    if error_name is not None and error_name.startswith("States."):
        return StatesErrorName(typ=StatesErrorNameType.from_name(error_name))
    return CustomErrorName(error_name)


# --- waits -----------------------------------------------------------------------------------


def _wait_interval(self: Any, env: Any, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while env.is_running() and (left := deadline - time.monotonic()) > 0:
        env.program_state_event.wait(min(left, 1.0))


def _jsonata_seconds(self: Any, env: Any) -> float:
    self.string_jsonata.eval(env=env)
    return float(env.stack.pop())


def _timestamp_seconds(self: Any, env: Any) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text!r} is not an ISO 8601 timestamp") from None
    return (moment - datetime.datetime.now(datetime.UTC)).total_seconds()


def _wait_for_answer(self: Any, timeout: float | None = None) -> Any:
    # Who is waited for is a person: a question is open until a time of the clock, on a busy machine, too.
    threading.Event.wait(self._notify_event, timeout)
    return self._outcome


class _RetryClock:
    """Stands in for the `time` module where retriers sleep."""

    def __init__(self, time_scale: float) -> None:
        self._scale = time_scale

    def sleep(self, interval: float) -> None:
        least = min(1.0, max(_LEAST_RETRY_SECONDS, interval * _LEAST_SHARE))
        time.sleep(max(interval / self._scale, min(interval, least)))


# --- life and death of an execution ------------------------------------------------------------


def _milliseconds(moment: datetime.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def _machine_of(run: Any) -> dict[str, Any]:
    """What runs: the machine, and which version of it, where the start named one."""
    arn = run.state_machine.arn
    return {
        "stateMachineArn": published.unqualified(arn),
        "stateMachineVersionArn": published.version_arn(arn) or None,
    }


def _announce(run: Any, *, begun: bool = False) -> None:
    """Tell of an execution's end; or that it has `begun`, although it may be over by now."""
    # https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    detail = {
        "executionArn": run.exec_arn,
        **_machine_of(run),
        "name": run.name,
        "status": "RUNNING" if begun else run.status,
        "startDate": _milliseconds(run.start_date),
        "stopDate": None if begun else _milliseconds(run.stop_date),
        "input": json.dumps(run.input_data),
        "output": None if begun or run.output is None else json.dumps(run.output, default=str),
        "error": None if begun else run.error,
        "cause": None if begun else run.cause,
    }
    eventbridge.publish(
        run.region_name, "aws.states", "Step Functions Execution Status Change", detail, [run.exec_arn]
    )


def _terminated(self: Any) -> None:
    run = self.execution
    with _life:
        if run.exec_status != ExecutionStatus.RUNNING:
            return
        self._reflect_execution_status()
    _announce(run)


_life = threading.RLock()


def _execution_logic(self: Any) -> None:
    run = self._execution_communication.execution
    try:
        _original_logic(self)
    except Exception as error:  # noqa: BLE001 - the execution must end whatever went wrong
        with _life:
            if run.exec_status != ExecutionStatus.RUNNING:
                return
            run.exec_status = ExecutionStatus.FAILED
            run.stop_date = datetime.datetime.now(datetime.UTC)
            run.error, run.cause = "States.Runtime", repr(error)
        _announce(run)


_original_logic: Callable[[Any], None] = execution_worker.ExecutionWorker._execution_logic


def _entrypoint(self: Any) -> Any:
    # Programs keep state while they run, so each execution gets its own copy.
    return copy.deepcopy(_parse(self._evaluation_details.state_machine_details.definition)[0])


def _start_execution(
    self: Any, state_machine_arn: str, name: str | None = None, execution_input: str = "{}", **more: Any
) -> Any:
    if len(execution_input.encode()) > LARGEST_INPUT:
        raise ValidationException(f"the input must have at most {LARGEST_INPUT} bytes (UTF-8)")
    arn = published.version_arn(state_machine_arn) or state_machine_arn
    run = _original_start(self, arn, name or str(uuid.uuid4()), execution_input, **more)
    if not getattr(run, "announced", False):
        run.announced = True  # type: ignore[attr-defined]
        _announce(run, begun=True)
    return run


_original_start = models.StepFunctionsParserBackend.start_execution


def _stop_execution(self: Any) -> ActionResult:
    run = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    error, cause = self._get_param("error"), self._get_param("cause")
    now = datetime.datetime.now(datetime.UTC)
    while run.exec_worker is None or run.exec_worker.env is None:
        time.sleep(0.005)
    with _life:
        running = run.exec_status == ExecutionStatus.RUNNING
        if running:
            run.exec_status, run.stop_date, run.error, run.cause = ExecutionStatus.ABORTED, now, error, cause
    if running:
        env = run.exec_worker.env
        env.set_stop(stop_date=now, cause=cause, error=error)
        for endpoint in list(env.callback_pool_manager._pool.values()):
            endpoint.interrupt_all()
        _announce(run)
    return ActionResult({"stopDate": run.stop_date})


def _describe_execution(self: Any) -> ActionResult:
    # moto forgets the end of an execution that timed out, and gives a text as it is instead of as JSON.
    run = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    found = {
        "executionArn": run.exec_arn,
        **_machine_of(run),
        "name": run.name,
        "status": run.status,
        "startDate": run.start_date,
        "input": run.execution_input,
        "inputDetails": {"included": True},
        "stopDate": run.stop_date,
        "error": run.error,
        "cause": run.cause,
    }
    if run.status == "SUCCEEDED":
        found |= {"output": to_json_str(run.output), "outputDetails": {"included": True}}
    return ActionResult({name: value for name, value in found.items() if value is not None})


def _send_task_failure(self: Any) -> EmptyResult:
    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"), error=self._get_param("error"), cause=self._get_param("cause")
    )
    return EmptyResult()


def _get_executions(self: Any, execution_status: Any = None) -> list[Any]:
    # An execution whose thread has not begun yet has no environment to ask.
    return [
        run
        for run in _original_executions(self, execution_status)
        if run.exec_worker is not None and run.exec_worker.env is not None
    ]


_original_executions = models.StepFunctionsParserBackend._get_executions


def anything_runs() -> bool:
    """Whether any execution runs, in any region."""
    return any(
        run.status == "RUNNING"
        for backend in list(models.stepfunctions_parser_backends[ACCOUNT].values())
        for machine in list(backend.state_machines)
        for run in list(machine.executions)
    )


def install(endpoint: str, time_scale: float, authority: Authority) -> None:
    """Teach the engine what it lacks; `endpoint` is where service tasks call AWS, as the machine's role may."""
    jsonata.install()
    client_for = _clients(endpoint)
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("moto.stepfunctions.parser.asl") and hasattr(
            module, "boto_client_for"
        ):
            replace(module, "boto_client_for", client_for)
    # CloudFormation makes state machines in the backend that runs nothing.
    replace(simple_models, "stepfunctions_backends", models.stepfunctions_parser_backends)
    replace(AmazonStateLanguageParser, "parse", staticmethod(_parse))
    replace(execution_worker.ExecutionWorker, "_get_evaluation_entrypoint", _entrypoint)
    replace(execution_worker.ExecutionWorker, "_execution_logic", _execution_logic)
    replace(execution.BaseExecutionWorkerCommunication, "terminated", _terminated)
    replace(lambda_eval_utils, "_invoke_lambda_function", partial(_invoke, authority))
    replace(state_task_service_sfn.StateTaskServiceSfn, "_normalise_parameters", _normalise_parameters)
    replace(state_task_service_sfn.StateTaskServiceSfn, "_normalise_response", _normalise_response)
    sdk = state_task_service_aws_sdk.StateTaskServiceAwsSdk
    replace(sdk, "_normalise_parameters", _normalise_sdk_parameters)
    replace(sdk, "_normalise_response", _normalise_sdk_response)
    replace(iteration_worker, "CustomErrorName", _error_name)
    replace(branches_decl, "CustomErrorName", _error_name)
    # How long a task may take until it has an answer or waits for one, and how long it may give no sign of life.
    replace(execute_state, "threading", fairness)
    replace(callback, "Event", fairness.Event)
    replace(callback.CallbackEndpoint, "wait", _wait_for_answer)
    replace(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.05)
    names = StateTaskService._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES | _SDK_NAMES
    replace(StateTaskService, "_SERVICE_NAME_SFN_TO_BOTO_OVERRIDES", names)
    replace(WaitFunction, "_wait_interval", _wait_interval)
    replace(seconds.SecondsJSONata, "_get_wait_seconds", _jsonata_seconds)
    replace(timestamp.Timestamp, "_get_wait_seconds", _timestamp_seconds)
    replace(retrier_decl, "time", _RetryClock(time_scale))
    replace(models.StepFunctionsParserBackend, "start_execution", _start_execution)
    replace(models.StepFunctionsParserBackend, "_get_executions", _get_executions)
    replace(StepFunctionResponse, "stop_execution", _stop_execution)
    replace(StepFunctionResponse, "describe_execution", _describe_execution)
    replace(StepFunctionResponse, "send_task_failure", _send_task_failure)
