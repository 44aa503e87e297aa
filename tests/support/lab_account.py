"""What tests of the lab itself make in its account."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import boto3

from lab.aws.server import Aws
from tests.support.waiting import eventually

REGION = "us-west-2"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Account:
    """Makes things in the lab's account."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self._session = boto3.session.Session()
        self._made: dict[str, Any] = {}
        iam = self.client("iam")
        self.role = iam.create_role(RoleName="test", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        # What tests of other things call is not what they are about.
        iam.put_role_policy(RoleName="test", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))

    def client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._session.client(
                service,
                region_name=REGION,
                endpoint_url=self.aws.endpoint,
                aws_access_key_id="tester",
                aws_secret_access_key="tester",
                config=boto3.session.Config(retries={"total_max_attempts": 1}, read_timeout=300),
            )
        return self._made[service]

    def function(self, code: str, **more: Any) -> str:
        """A function with this code and the handler `app.handler`; its name."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as contents:
            contents.writestr("app.py", code)
        name = f"fn-{uuid.uuid4().hex[:8]}"
        more = {"Timeout": 300, "Role": self.role, **more}
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
            **more,
        )
        return name

    def open_to_all(self, function: str) -> None:
        """Give a function's open URL the two permissions that it takes."""
        for name, action, more in (
            ("url", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("invoke", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
        ):
            self.client("lambda").add_permission(
                FunctionName=function, StatementId=name, Action=action, Principal="*", **more
            )

    def allow(self, service: str, target: str, source: str) -> None:
        """Let a service of AWS call a function, or send to a queue, for one resource (a rule, a topic), by ARN."""
        kind, name = target.split(":")[2], target.rsplit(":", 1)[-1]
        if kind == "lambda":
            self.client("lambda").add_permission(
                FunctionName=name,
                StatementId=f"s-{uuid.uuid4().hex[:8]}",
                Action="lambda:InvokeFunction",
                Principal=service,
                SourceArn=source,
            )
            return
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        policy = json.loads(held.get("Policy") or '{"Version": "2012-10-17", "Statement": []}')
        policy["Statement"].append(
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sqs:SendMessage",
                "Resource": target,
                "Condition": {"ArnEquals": {"aws:SourceArn": source}},
            }
        )
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})

    def arn(self, function: str) -> str:
        return str(self.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"])

    def queue(self) -> tuple[str, str]:
        """A queue; its URL and ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def received(self, url: str, count: int = 1) -> list[Any]:
        """The JSON bodies of at least `count` messages."""
        return [json.loads(message["Body"]) for message in self.messages(url, count)]

    def messages(self, url: str, count: int = 1) -> list[Any]:
        """At least `count` messages, with their attributes."""
        found: list[Any] = []

        def look() -> bool:
            got = self.client("sqs").receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            found.extend(got.get("Messages", []))
            return len(found) >= count

        eventually(look)
        return found

    def machine(self, definition: dict[str, Any]) -> str:
        """A JSONata state machine; its ARN."""
        return str(
            self.client("stepfunctions").create_state_machine(
                name=f"m-{uuid.uuid4().hex[:8]}",
                roleArn=self.role,
                definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
            )["stateMachineArn"]
        )

    def run(self, machine: str, value: Any = None) -> dict[str, Any]:
        """Run a machine to its end; DescribeExecution."""
        sfn = self.client("stepfunctions")
        execution = sfn.start_execution(stateMachineArn=machine, input=json.dumps(value or {}))[
            "executionArn"
        ]

        def ended() -> Any:
            described = sfn.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        described: dict[str, Any] = eventually(ended)
        return described
