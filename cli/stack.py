"""One environment's deployed stack, found by its names. Credentials, region and endpoint are the usual ones of AWS."""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from candlefish.errors import InvalidInput, NotOnboarded, Unavailable
from candlefish.names import partition_of
from cli import direct
from cli.progress import progress

if TYPE_CHECKING:
    from candlefish.adapters.table.approvals import DynamoApprovals
    from candlefish.adapters.table.journal import DynamoJournalStore
    from candlefish.adapters.table.records import DynamoRecords
    from candlefish.release.record import AskedFreezes
    from candlefish.service.record import ServiceRecord


class Refused(InvalidInput):
    """The stack was asked, and refused; nothing was changed."""


class Stack:
    """Names and clients of the stack `candlefish-<environment>`."""

    def __init__(self, environment: str, region: str) -> None:
        self.environment = environment
        self.region = region
        self._clients: dict[str, Any] = {}
        self._full: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Any:
        from candlefish.adapters.aws.api import new_session

        return new_session()

    def client(self, service: str) -> Any:
        """A client of a service, made once: commands that follow something ask again and again."""
        if service not in self._clients:
            made = direct.client(service, self.region, lambda: self._full_client(service))
            self._clients[service] = made or self._full_client(service)
        return self._clients[service]

    def _full_client(self, service: str) -> Any:
        if service not in self._full:
            self._full[service] = self._session.create_client(service, region_name=self.region)
        return self._full[service]

    @property
    def credentials(self) -> Any:
        """What signs in this process's name; None where there are none."""
        return self._session.get_credentials()

    def client_in(self, service: str, region: str) -> Any:
        """A client of a service that lives in one region only."""
        return self._session.create_client(service, region_name=region)

    @property
    def table(self) -> str:
        return f"candlefish-{self.environment}"

    @cached_property
    def _identity(self) -> dict[str, str]:
        identity: dict[str, str] = self.client("sts").get_caller_identity()
        return identity

    @property
    def caller(self) -> str:
        """ARN of the principal whose credentials this process has."""
        return self._identity["Arn"]

    @property
    def bundles_bucket(self) -> str:
        return f"candlefish-{self.environment}-{self._identity['Account']}-{self.region}"

    def machine(self, name: str) -> str:
        account = self._identity["Account"]
        arn = f"arn:{partition_of(self.region)}:states:{self.region}:{account}"
        return f"{arn}:stateMachine:candlefish-{self.environment}-{name}"

    def function(self, name: str) -> str:
        return f"candlefish-{self.environment}-{name.replace('_', '-')}"

    def records(self) -> DynamoRecords:
        from candlefish.adapters.table.records import DynamoRecords

        return DynamoRecords(self.client("dynamodb"), self.table, self.environment)

    def journal(self) -> DynamoJournalStore:
        """The releases and their timelines, for reading."""
        from candlefish.adapters.table.journal import DynamoJournalStore

        return DynamoJournalStore(self.client("dynamodb"), self.table, self.environment)

    def freezes(self) -> AskedFreezes:
        """The freezes that people asked for."""
        from candlefish.adapters.table.freezes import DynamoFreezes

        return DynamoFreezes(self.client("dynamodb"), self.table, self.environment).get()

    def approvals(self) -> DynamoApprovals:
        from candlefish.adapters.table.approvals import DynamoApprovals

        return DynamoApprovals(self.client("dynamodb"), self.table)

    def start(self, machine: str, name: str, payload: dict[str, Any]) -> None:
        """Start a machine under a name by which its execution is found."""
        self.client("stepfunctions").start_execution(
            stateMachineArn=self.machine(machine), name=name, input=json.dumps(payload)
        )

    def ask(self, machine: str, name: str, payload: dict[str, Any]) -> None:
        """Have a machine started as the person whose credentials this process has, under a name of ours."""
        self.post("request_release", {"start": machine, "name": name, "input": payload})

    def look(self, service: str) -> Any:
        """What this environment's stack would release a service with (`request_release.Carried`); nothing is started."""
        asked = {"start": "release", "name": "look", "input": {"service": service}, "look": True}
        return self.post("request_release", asked)

    def execution(self, machine: str, name: str) -> dict[str, Any]:
        """DescribeExecution of a machine's execution."""
        arn = self.machine(machine).replace(":stateMachine:", ":execution:") + f":{name}"
        found: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
        return found

    def invoke(self, function: str, payload: dict[str, Any]) -> Any:
        """Call a function and return what it returns; its error becomes a `click.ClickException`."""
        with progress(f"waiting for {function}"):
            answer = self.client("lambda").invoke(
                FunctionName=self.function(function), Payload=json.dumps(payload).encode()
            )
            body = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            from cli.terminal import failure

            raise failure(f"{body.get('errorType')}: {body.get('errorMessage')}")
        return body

    def post(self, function: str, payload: dict[str, Any], timeout: float = 30) -> Any:
        """POST to a function's URL, signed with this process's credentials."""
        with progress(f"waiting for {function}"):
            return self._post(function, payload, timeout)

    def _post(self, function: str, payload: dict[str, Any], timeout: float) -> Any:
        import urllib3
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        from candlefish.adapters.aws.caller_proof import caller_proof, sts_endpoint
        from candlefish.web import PROOF_HEADER

        # The template publishes each function under this alias, and its URL is the alias's.
        found = self.client("lambda").get_function_url_config(
            FunctionName=self.function(function), Qualifier="live"
        )
        url = found["FunctionUrl"]
        body = json.dumps(payload).encode()
        credentials = self.credentials
        proof = caller_proof(
            credentials,
            endpoint=sts_endpoint(self.region, os.environ),
            region=self.region,
            function=self.function(function),
            body=body,
        )
        request = AWSRequest(
            "POST", url, data=body, headers={"content-type": "application/json", PROOF_HEADER: proof}
        )
        SigV4Auth(credentials, "lambda", self.region).add_auth(request)
        try:
            answer = urllib3.request(
                "POST", url, body=request.data, headers=dict(request.headers.items()), timeout=timeout
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(
                f"{self.function(function)} did not answer within {timeout:.0f} s ({type(error).__name__}): whether it did "
                f"what was asked is not known; look with candlefish status -e {self.environment} before you ask again"
            ) from error
        try:
            told = json.loads(answer.data or b"{}")
        except ValueError:
            # What stands between says it in its own way.
            told = {}
        if answer.status != 200:
            said = (
                told.get("message")
                or told.get("detail")
                or told.get("Message")
                or f"{url} answered {answer.status}"
            )
            raise Unavailable(said) if answer.status >= 500 else Refused(said)
        return told


def record_of(stack: Stack, service: str) -> ServiceRecord | None:
    """The record of a service; None where it has none."""
    try:
        return stack.records().get(service)
    except NotOnboarded:
        return None
