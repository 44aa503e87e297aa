"""Lambda: moto's functions, run by `lab.functions.pool`.

- synchronous invocations wait for the real handler; reserved concurrency throttles
- asynchronous ones are queued, retried twice, and end in the function's dead-letter queue or
  on-failure destination
- SQS event sources are polled, with partial batch responses and redrive to the dead-letter queue
- SNS messages arrive in the shape that SNS sends
- what was uploaded is unpacked; a function with layers sees nothing else, and where one of its variables
  names a file in /opt, it is told where that layer's file is on this machine; an archive that holds nothing but
  the name of a directory (`source`) is that directory
- a published version has the code, the layers and the settings that it was published with
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.awslambda import models
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.policy import Policy as FunctionPolicy
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError
from moto.sns.models import Subscription, sns_backends
from moto.sqs.models import sqs_backends

from lab.functions.pool import Code, Functions, Outcome, Spec
from lab.iam.policies import Ask
from lab.moto import replace, wrap
from lab.moto.iam import Authority, session
from lab.pace import Pace

LOG = logging.getLogger("lab")
Original = Callable[..., Any]

# What AWS waits before the second and third attempt of an asynchronous invocation, in seconds.
_RETRY_DELAYS = (60.0, 120.0)
_ASYNC_RETRIES = 2
# In an archive: the directory that it stands for.
_SOURCE = "lab-source"
# What sending something needs, by service.
_SENDING = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
# What Lambda does with the queue that feeds a function, in the function's name.
_POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_THROTTLE_PAUSE_SECONDS = 0.1
_MOST_THROTTLE_PAUSE_SECONDS = 2.0


class Lambdas:
    """The bridge between moto's Lambda and the runner of real handlers."""

    def __init__(
        self,
        functions: Functions,
        directory: Path,
        time_scale: float,
        pace: Pace | None = None,
        authority: Authority | None = None,
    ) -> None:
        self.functions = functions
        self._authority = authority or Authority()
        self._pace = pace or Pace(time_scale)
        self._unpacked = directory / "code"
        # Called once for what each layer holds, by the layer's name: a chance to fit it to this machine.
        self.adapt: Callable[[str, Path], None] = lambda layer, directory: None
        self._unpacking = threading.Lock()
        self._time_scale = time_scale
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="lambda-async")
        self._polling: set[str] = set()
        self._stopped = threading.Event()

    def install(self) -> None:
        """Put this in the place of moto's own execution."""
        replace(models.LambdaFunction, "invoke", self._invoke())
        wrap(LambdaResponse, "invoke", _respond)
        wrap(Subscription, "publish", self._publish)
        wrap(models.LambdaBackend, "create_event_source_mapping", self._create_mapping)
        for model, make in ((models.LambdaFunction, _create_function), (models.LayerVersion, _create_layer)):
            original = model.create_from_cloudformation_json
            replace(model, "create_from_cloudformation_json", classmethod(make(original)))
        wrap(FunctionPolicy, "add_statement", _add_statement)
        replace(models.Permission, "create_from_cloudformation_json", classmethod(_create_permission))
        # moto forgot what `!Ref` of a layer is.
        models.LayerVersion.physical_resource_id = property(lambda layer: layer.arn)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Stop polling and delivering."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # --- in moto's place -------------------------------------------------------------------

    def _invoke(self) -> Original:
        def invoke(fn: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
            event = (body.encode() if isinstance(body, str) else body) or b"{}"
            _check_json(event)
            kind = _header(request_headers, "X-Amz-Invocation-Type")
            if kind == "DryRun":
                return ""
            if kind == "Event":
                self.queue(fn, event)
                return ""
            context = _header(request_headers, "X-Amz-Client-Context")
            outcome = self.call(fn, event, json.loads(base64.b64decode(context)) if context else None)
            if outcome.error == "Throttled":
                response_headers["x-lab-throttled"] = "true"
            elif outcome.error:
                response_headers["x-amz-function-error"] = outcome.error
            response_headers["x-amz-executed-version"] = str(fn.version)
            response_headers["x-amz-log-result"] = base64.b64encode(outcome.log[-4096:].encode()).decode()
            return outcome.payload

        return invoke

    def _publish(self, original: Original) -> Original:
        def publish(subscription: Any, message: str, message_id: str, *args: Any, **more: Any) -> None:
            if subscription.protocol != "lambda":
                if subscription.protocol != "sqs" or self._may_deliver(subscription, message):
                    original(subscription, message, message_id, *args, **more)
                return
            attributes = more.get("message_attributes")
            matcher = subscription._filter_policy_matcher
            if matcher is not None and not matcher.matches(attributes, message):
                return
            region = subscription.endpoint.split(":")[3]
            fn = self.find(subscription.endpoint, subscription.account_id, region)
            wanted = Ask("lambda:InvokeFunction", subscription.endpoint)
            source = subscription.topic_arn
            if fn is not None and not self._authority.refuse_service("sns.amazonaws.com", wanted, source):
                event = _sns_event(subscription, message, message_id, more.get("subject"), attributes)
                self.queue(fn, json.dumps(event).encode())

        return publish

    def _may_deliver(self, subscription: Any, message: str) -> bool:
        """Whether a topic may send to a queue; what it may not goes to the subscription's dead letters, if it may."""
        source, service = subscription.topic_arn, "sns.amazonaws.com"
        if not self._authority.refuse_service(service, Ask("sqs:SendMessage", subscription.endpoint), source):
            return True
        letters = json.loads(subscription.attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        if letters and not self._authority.refuse_service(service, Ask("sqs:SendMessage", letters), source):
            send_to(letters, message, subscription.account_id, source.split(":")[3])
        return False

    def _create_mapping(self, original: Original) -> Original:
        def create_mapping(backend: Any, spec: dict[str, Any]) -> Any:
            mapping = original(backend, spec)
            self._take_over(backend, mapping)
            return mapping

        return create_mapping

    # --- invocations -----------------------------------------------------------------------

    def call(self, fn: Any, event: bytes, client_context: Any = None) -> Outcome:
        """Run one invocation of a moto function and wait for it."""
        return self.functions.invoke(self.spec(fn), event, client_context)

    def queue(self, fn: Any, event: bytes) -> None:
        """Run it as an asynchronous invocation."""
        self._pool.submit(self._asynchronously, fn, event)

    def find(self, name_or_arn: str, account: str, region: str) -> Any | None:
        """moto's function, or None."""
        try:
            return get_backend(account, region).get_function(name_or_arn, None)
        except UnknownFunctionException:
            return None

    def spec(self, fn: Any) -> Spec:
        """A moto function's configuration, as the runner wants it."""
        code = self._unpack(fn)
        return Spec(
            name=fn.function_name,
            arn=fn.function_arn,
            handler=fn.handler,
            timeout=float(fn.timeout),
            memory=int(fn.memory_size),
            region=fn.region,
            environment={name: _in_layers(str(value), code) for name, value in fn.environment_vars.items()},
            code=code,
            version=str(fn.version),
            concurrency=None if fn.reserved_concurrency is None else int(fn.reserved_concurrency),
            role=str(fn.role),
            subnets=tuple((fn.vpc_config or {}).get("SubnetIds") or ()),
        )

    def _asynchronously(self, fn: Any, event: bytes) -> None:
        retries = _ASYNC_RETRIES
        if fn.event_invoke_config:
            retries = fn.event_invoke_config[-1].config.get("MaximumRetryAttempts", retries)
        for attempt in range(retries + 1):
            outcome = self._unthrottled(fn, event)
            if outcome.error is None:
                return
            if attempt < retries:
                self._stopped.wait(_RETRY_DELAYS[min(attempt, 1)] / self._time_scale)
        LOG.warning(
            "asynchronous invocation of %s failed for good: %s", fn.function_name, outcome.payload[:500]
        )
        self._bury(fn, event, outcome, retries + 1)

    def _unthrottled(self, fn: Any, event: bytes) -> Outcome:
        # Throttled asynchronous invocations go back to the queue and do not count as attempts.
        pause = _THROTTLE_PAUSE_SECONDS
        while (outcome := self.call(fn, event)).error == "Throttled":
            if self._stopped.wait(pause):
                break
            pause = min(pause * 2, _MOST_THROTTLE_PAUSE_SECONDS)
        return outcome

    def _bury(self, fn: Any, event: bytes, outcome: Outcome, attempts: int) -> None:
        letter = getattr(fn, "dead_letter_config", None) or {}
        if target := letter.get("TargetArn"):
            send_to(target, event.decode(), fn.account_id, fn.region)
        config = fn.event_invoke_config[-1].config if fn.event_invoke_config else {}
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        # In the function's own name: Lambda has no rights of its own.
        if destination and not self._authority.refuse(
            session(fn.role, fn.function_name), [Ask(_SENDING[destination.split(":")[2]], destination)]
        ):
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
            record = {
                "version": "1.0",
                "timestamp": datetime.now(UTC).isoformat(),
                "requestContext": {
                    "requestId": str(uuid.uuid4()),
                    "functionArn": fn.function_arn
                    if str(fn.version).isdecimal()
                    else f"{fn.function_arn}:$LATEST",
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": attempts,
                },
                "requestPayload": json.loads(event),
                "responseContext": {"statusCode": 200, "functionError": outcome.error},
                "responsePayload": json.loads(outcome.payload),
            }
            send_to(destination, json.dumps(record), fn.account_id, fn.region)

    def _unpack(self, fn: Any) -> Code:
        layers, isolated = [], False
        for layer in fn.layers:
            version = get_backend(fn.account_id, fn.region).layers_versions_by_arn(layer["Arn"])
            if version is not None:
                directory, is_source = self._extract(version, version.name)
                layers.append(str(directory if is_source else directory / "python"))
                isolated |= not is_source
        directory, _ = self._extract(fn)
        return Code(str(directory), tuple(layers), isolated=isolated)

    def _extract(self, uploaded: Any, layer: str = "") -> tuple[Path, bool]:
        """Where a function's or a layer's archive is unpacked; or which directory it names, and that it does."""
        digest = hashlib.sha256(uploaded.code_sha_256.encode()).hexdigest()[:16]
        target = self._unpacked / digest
        with self._unpacking:
            if not target.exists():
                scratch = target.with_suffix(".new")
                with zipfile.ZipFile(io.BytesIO(uploaded.code_bytes)) as contents:
                    contents.extractall(scratch)
                if layer and not (scratch / _SOURCE).exists():
                    self.adapt(layer, scratch)
                scratch.rename(target)
        named = target / _SOURCE
        return (Path(named.read_text()), True) if named.exists() else (target, False)

    # --- SQS event sources -------------------------------------------------------------------

    def _take_over(self, backend: Any, mapping: Any) -> None:
        if ":sqs:" not in mapping.event_source_arn:
            return
        name = mapping.event_source_arn.rsplit(":", 1)[1]
        queue = sqs_backends[backend.account_id][backend.region_name].get_queue(name)
        # moto would call the function inside SendMessage.
        queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
        thread = threading.Thread(target=self._poll, args=(backend, mapping, name), daemon=True)
        thread.start()

    def _poll(self, backend: Any, mapping: Any, name: str) -> None:
        queues = sqs_backends[backend.account_id][backend.region_name]
        while not self._stopped.wait(self._pace.pause(0.05)):
            if backend.get_event_source_mapping(mapping.uuid) is None or name not in queues.queues:
                return
            if not mapping.enabled or not queues.queues[name].messages:
                continue
            try:
                self._deliver_batch(backend, mapping, name)
            except Exception:
                LOG.exception("delivering from queue %s failed", name)

    def _deliver_batch(self, backend: Any, mapping: Any, name: str) -> None:
        queues = sqs_backends[backend.account_id][backend.region_name]
        queue: Any = queues.queues[name]
        # By what the mapping names: an alias points elsewhere after an update.
        fn = self.find(mapping.function_name, backend.account_id, backend.region_name)
        if fn is None or self._authority.refuse(
            session(fn.role, fn.function_name), [Ask(each, mapping.event_source_arn) for each in _POLLING]
        ):
            return
        visibility = max(1, int(int(queue.visibility_timeout) / self._time_scale))
        messages = queues.receive_message(name, int(mapping.batch_size), 0, visibility, ["All"])
        if not messages:
            return
        records = [
            _sqs_record(message, mapping.event_source_arn, backend.region_name) for message in messages
        ]
        outcome = self.call(fn, json.dumps({"Records": records}).encode())
        failed = {message.id for message in messages} if outcome.error else set()
        if outcome.error is None and "ReportBatchItemFailures" in (mapping.function_response_types or ()):
            answer = json.loads(outcome.payload) or {}
            failed = {item["itemIdentifier"] for item in answer.get("batchItemFailures", ())}
        for message in messages:
            if message.id not in failed:
                queues.delete_message(name, str(message.receipt_handle))


def _header(headers: Any, name: str) -> Any:
    return headers.get(name) or headers.get(name.lower())


def _respond(original: Original) -> Original:
    def respond(response: Any) -> Any:
        status, headers, body = original(response)
        if "x-lab-throttled" in headers:
            raise _Throttled
        return status, headers, body

    return respond


def _create_function(original: Original) -> Original:
    def create(cls: Any, name: str, template: Any, *args: Any, **more: Any) -> Any:
        fn: Any = original(name, template, *args, **more)
        properties = template["Properties"]
        fn.tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        fn.dead_letter_config = properties.get("DeadLetterConfig", {})
        fn.architectures = properties.get("Architectures", ["x86_64"])
        fn.tracing_config = properties.get("TracingConfig", fn.tracing_config)
        fn.layers = fn._get_layers_data(properties.get("Layers", []))
        return fn

    return create


def _create_layer(original: Original) -> Original:
    def create(cls: Any, name: str, template: Any, *args: Any, **more: Any) -> Any:
        return original(template["Properties"].get("LayerName", name), template, *args, **more)

    return create


def _create_permission(cls: Any, /, name: str, template: Any, account_id: str, region: str, **_: Any) -> Any:
    props = template["Properties"]
    fn: Any = get_backend(account_id, region).get_function(":".join(props["FunctionName"].split(":")[:7]))
    qualifier = "".join(props["FunctionName"].split(":")[7:])
    fn.policy.statements = [s for s in fn.policy.statements if s["Sid"] != name]
    fn.policy.add_statement(json.dumps(props | {"StatementId": name}), qualifier)
    return cls(region=region)


def _add_statement(original: Original) -> Original:
    def add(policy: Any, raw: str, qualifier: str | None = None) -> Any:
        said = json.loads(raw)
        said = {name: value for name, value in said.items() if name not in _CONDITIONS}
        made, revision = original(policy, json.dumps(said), qualifier)
        # moto forgets most conditions, and gives a function's own statement a version.
        made["Condition"] = _permission_conditions(json.loads(raw))
        made["Resource"] = made["Resource"].replace(":$LATEST", "")
        if isinstance(made["Principal"], str) and made["Principal"] != "*":
            made["Principal"] = {"AWS": made["Principal"]}
        return made, revision

    return add


# A parameter of AddPermission -> the condition that it makes.
_CONDITIONS = {
    "SourceArn": ("ArnLike", "aws:SourceArn"),
    "SourceAccount": ("StringEquals", "aws:SourceAccount"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
}


def _permission_conditions(said: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, (operator, key) in _CONDITIONS.items():
        if name in said:
            value = said[name]
            found.setdefault(operator, {})[key] = str(value).lower() if isinstance(value, bool) else value
    return found


class _Throttled(JsonRESTError):
    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


def source(directory: Path, digest: str) -> bytes:
    """An archive that stands for a directory of this machine; `digest` tells apart what the directory held."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as contents:
        for name, text in ((_SOURCE, str(directory)), ("digest", digest)):
            # Always with the same time: what holds the same is the same archive.
            contents.writestr(zipfile.ZipInfo(name), text)
    return archive.getvalue()


def send_to(
    arn: str, body: str, account: str, region: str, attributes: Mapping[str, str] | None = None
) -> None:
    """Send text to a queue or topic, as a dead letter or destination; a queue's message has attributes that say why."""
    service, name = arn.split(":")[2], arn.rsplit(":", 1)[1]
    if service == "sqs":
        said = {
            key: {"DataType": "String", "StringValue": value} for key, value in (attributes or {}).items()
        }
        sqs_backends[account][region].send_message(name, body, said)
    elif service == "sns":
        sns_backends[account][region].publish(message=body, arn=arn)
    else:
        LOG.warning("the lab does not deliver to %s", arn)


def _in_layers(value: str, code: Code) -> str:
    """A path in /opt is one in the function's layers, the last one that has it."""
    if value.startswith("/opt/"):
        for layer in reversed(code.layers):
            if (there := Path(layer).parent / value.removeprefix("/opt/")).exists():
                return str(there)
    return value


def _check_json(event: bytes) -> None:
    try:
        json.loads(event)
    except ValueError as error:
        raise JsonRESTError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error


def _sqs_record(message: Any, source: str, region: str) -> dict[str, Any]:
    now = int(time.time() * 1000)
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp or now),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(message.body.encode()).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": source,
        "awsRegion": region,
    }


def _sns_event(
    subscription: Any, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
) -> dict[str, Any]:
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic_arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "SignatureVersion": "1",
        "MessageAttributes": {
            name: {"Type": value.get("Type"), "Value": value.get("Value")}
            for name, value in (attributes or {}).items()
        },
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": notification,
    }
    return {"Records": [record]}
