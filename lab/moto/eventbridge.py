"""EventBridge: events that reach their targets.

Rules deliver to Lambda, Step Functions, SQS, SNS, log groups and other buses, in the background,
with the target's input, input path or transformer, its retries and its dead-letter queue.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from jsonpath_ng.parser import parse as parse_path
from moto.events.models import Rule, events_backends
from moto.logs.models import logs_backends
from moto.stepfunctions.responses import get_backend as states_backend

from lab.faults import Faults
from lab.iam.policies import Ask
from lab.moto import ACCOUNT, replace
from lab.moto.iam import Authority, session
from lab.moto.lambdas import Lambdas, send_to
from lab.pace import Pace

LOG = logging.getLogger("lab")
_PLACEHOLDER = re.compile(r"<([^<>]+)>")
# EventBridge tries for a day with growing pauses; the lab gives up sooner.
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.1

# What calling a target needs, by its service. Log groups are left out: their resource policies are not imitated.
_CALLS = {
    "lambda": "lambda:InvokeFunction",
    "states": "states:StartExecution",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "events": "events:PutEvents",
}
# Whatever else goes wrong is an error of the target's own.
_ERROR_CODES: dict[type, str] = {
    PermissionError: "NO_PERMISSIONS",
    LookupError: "NO_RESOURCE",
    ConnectionError: "CONNECTION_FAILURE",
}
_started: Bus | None = None


class Bus:
    """Delivers events from rules to targets."""

    def __init__(
        self,
        lambdas: Lambdas,
        faults: Faults,
        pace: Pace | None = None,
        authority: Authority | None = None,
    ) -> None:
        self.pace = pace or Pace()
        self._authority = authority or Authority()
        self._lambdas = lambdas
        self._faults = faults
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="events")
        self._stopped = threading.Event()

    def install(self) -> None:
        """Put this in the place of moto's own delivery."""
        global _started
        _started = self

        def send_to_targets(rule: Any, event: dict[str, Any], transform_input: bool = True) -> None:
            # A rule without a pattern is a schedule; moto would have it match every event.
            if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
                return
            event = dict(event)
            event.pop("ingestion-time", None)
            event["time"] = _iso(event.get("time"))
            if rule.event_pattern.matches_event(event):
                self.deliver(rule, event)

        replace(Rule, "send_to_targets", send_to_targets)

    def close(self) -> None:
        """Stop delivering."""
        global _started
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if _started is self:
            _started = None

    def deliver(self, rule: Any, event: dict[str, Any]) -> None:
        """Hand an event to every target of a rule, in the background."""
        for target in list(rule.targets):
            self._pool.submit(
                self._with_retries, rule.arn, dict(target), event, rule.account_id, rule.region_name
            )

    def deliver_to(
        self, source: str, target: dict[str, Any], event: dict[str, Any], account: str, region: str
    ) -> None:
        """Hand an event to one target, as EventBridge Scheduler does; `source` is the ARN of what fired."""
        self._pool.submit(self._with_retries, source, target, event, account, region)

    def _with_retries(
        self, source: str, target: dict[str, Any], event: dict[str, Any], account: str, region: str
    ) -> None:
        name = source.rsplit("/", 1)[-1]
        body = event_input(target, event)
        service = target["Arn"].split(":")[2]
        attempts = min(_ATTEMPTS, 1 + target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185))
        problem: Exception | None = None
        # What is not allowed is not tried again.
        if refused := self._refused(source, target):
            attempts, problem = 0, PermissionError(refused)
        for attempt in range(attempts):
            fault = self._faults.take("events", service, name)
            try:
                if fault is not None and fault.kind == "error":
                    raise ConnectionError("injected fault")
                if fault is not None and fault.kind == "latency":
                    time.sleep(fault.seconds)
                self._send(target, body, account, region)
                if fault is not None and fault.kind == "duplicate":
                    self._send(target, body, account, region)
                return
            except Exception as error:  # noqa: BLE001 - whatever a target does, delivery is tried again
                problem = error
            if self._stopped.wait(_FIRST_PAUSE_SECONDS * 2**attempt):
                return
        LOG.warning("rule %s could not deliver to %s: %r", name, target["Arn"], problem)
        if letter := target.get("DeadLetterConfig", {}).get("Arn"):
            if self._authority.refuse_service("events.amazonaws.com", Ask("sqs:SendMessage", letter), source):
                return
            send_to(letter, body, account, region, _why(source, target, problem, attempts))

    def _refused(self, source: str, target: dict[str, Any]) -> str:
        """Why a rule or schedule may not call its target: by the target's role if it has one, else as EventBridge."""
        arn = target["Arn"]
        service = arn.split(":")[2]
        if service not in _CALLS:
            return ""
        ask = Ask(_CALLS[service], arn if service != "states" else ":".join(arn.split(":")[:7]))
        if role := target.get("RoleArn"):
            return self._authority.refuse(session(role, "events"), [ask])
        return self._authority.refuse_service("events.amazonaws.com", ask, source)

    def _send(self, target: dict[str, Any], body: str, account: str, region: str) -> None:
        arn = target["Arn"]
        service = arn.split(":")[2]
        if service == "lambda":
            fn = self._lambdas.find(arn, account, region)
            if fn is None:
                raise LookupError(f"there is no function {arn}")
            self._lambdas.queue(fn, body.encode())
        elif service == "states":
            states_backend(account, arn.split(":")[3]).start_execution(arn, str(uuid.uuid4()), body)
        elif service in ("sqs", "sns"):
            send_to(arn, body, account, region)
        elif service == "logs":
            _to_log_group(arn, body, account, region)
        elif service == "events":
            event = json.loads(body)
            entry = {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event.get("resources", []),
                "EventBusName": arn,
            }
            events_backends[arn.split(":")[4]][arn.split(":")[3]].put_events([entry])
        else:
            raise NotImplementedError(f"the lab does not deliver events to {arn}")


def publish(
    region: str, source: str, detail_type: str, detail: dict[str, Any], resources: list[str] | None = None
) -> None:
    """Put an event on the default bus, as AWS services do."""
    if _started is None:
        return
    _started.pace.stir()
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail, default=str),
        "Resources": resources or [],
    }
    events_backends[ACCOUNT][region].put_events([entry])


def _why(source: str, target: dict[str, Any], problem: Exception | None, attempts: int) -> dict[str, str]:
    """What a dead letter says of itself: https://docs.aws.amazon.com/eventbridge/latest/userguide/rule-dlq.html."""
    said = {
        "RULE_ARN": source,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": _ERROR_CODES.get(type(problem), "ERROR_FROM_TARGET"),
        "ERROR_MESSAGE": str(problem),
    }
    if attempts:
        said |= {"EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts", "RETRY_ATTEMPTS": str(attempts - 1)}
    return said


def event_input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """The text a target receives for an event."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if path := target.get("InputPath"):
        found = parse_path(path).find(event)
        return json.dumps(found[0].value if found else None)
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values: dict[str, Any] = {"aws.events.event.json": event, "aws.events.event": event}
    for name, path in transformer.get("InputPathsMap", {}).items():
        found = parse_path(path).find(event)
        values[name] = found[0].value if found else None
    template: str = transformer["InputTemplate"]

    def fill(match: re.Match[str]) -> str:
        if match.group(1) not in values:
            return match.group(0)
        value = values[match.group(1)]
        quoted = (
            template[match.start() - 1 : match.start()] == '"'
            and template[match.end() : match.end() + 1] == '"'
        )
        # Inside quotes a string stands without quotes of its own.
        return json.dumps(value)[1:-1] if isinstance(value, str) and quoted else json.dumps(value)

    return _PLACEHOLDER.sub(fill, template)


def _iso(moment: Any) -> str:
    if isinstance(moment, str) and not moment.replace(".", "", 1).isdigit():
        return moment
    when = datetime.fromtimestamp(float(moment or time.time()), UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _to_log_group(arn: str, body: str, account: str, region: str) -> None:
    group = arn.split(":log-group:")[1].removesuffix(":*")
    stream = str(uuid.uuid4())
    backend = logs_backends[account][region]
    backend.create_log_stream(group, stream)
    backend.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": body}])
