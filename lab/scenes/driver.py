"""Building blocks of scenarios: start a release, follow it, answer its question, see who served whom."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from candlefish.adapters.aws.caller_proof import caller_proof
from candlefish.adapters.aws.secrets import SecretTokens
from candlefish.web import PROOF_HEADER
from lab.looks import looks
from lab.world import World

_EVERY = 0.2


class NotReached(AssertionError):
    """What a scenario waited for did not happen in time."""


def start_release(
    world: World,
    environment: str,
    service: str,
    version: str,
    *,
    by: str,
    reason: str = "scenario",
    name: str = "",
    **more: Any,
) -> str:
    """Ask for a release of a version of the registry as a person; the release's id (the execution's name)."""
    release = name or f"{service}-{version}-{uuid.uuid4().hex[:8]}".replace(".", "-")
    request = {
        "service": service,
        "image": world.image(service, version),
        "reason": reason,
        "environment": environment,
        "label": version,
        **more,
    }
    return ask(world, environment, "release", release, request, person=by)


def ask(
    world: World, environment: str, machine: str, name: str, request: dict[str, Any], *, person: str
) -> str:
    """Have a machine started by the endpoint that knows its caller; the execution's name.

    Raises
    ------
    NotReached
        The endpoint refused.
    """
    site = world.sites[environment]
    body = {"start": machine, "name": name, "input": request}
    status, said = call_url(world, site.stack.outputs["ReleaseUrl"], body, person=person, region=site.region)
    if status != 200:
        raise NotReached(f"{person} could not start {machine} {name}: {said}")
    return name


def execution_arn(world: World, environment: str, name: str, machine: str = "Release") -> str:
    """The ARN of a release's execution (or of another machine's execution of that name)."""
    arn = world.sites[environment].stack.outputs[f"{machine}MachineArn"]
    return f"{arn.replace(':stateMachine:', ':execution:')}:{name}"


def execution(world: World, environment: str, release: str, machine: str = "Release") -> dict[str, Any]:
    """DescribeExecution of a release (or of another machine's execution of that name)."""
    states = world.clients(world.sites[environment].region)("stepfunctions")
    described: dict[str, Any] = states.describe_execution(
        executionArn=execution_arn(world, environment, release, machine)
    )
    return described


def wait_for(
    world: World, environment: str, release: str, seconds: float, machine: str = "Release"
) -> dict[str, Any]:
    """Wait until an execution ends; how it ended.

    Raises
    ------
    NotReached
        It still ran after `seconds`.
    """
    for _ in looks(seconds, _EVERY):
        described = execution(world, environment, release, machine)
        if described["status"] != "RUNNING":
            return described
    last = [entry["kind"] for entry in timeline(world, environment, release)]
    raise NotReached(f"{release} did not end within {seconds:.0f} s; its timeline is {last}")


def timeline(world: World, environment: str, release: str) -> list[dict[str, Any]]:
    """The entries of a release, oldest first, as the control plane recorded them."""
    items = query_table(world, environment, f"release#{release}")
    bodies = [json.loads(item["body"]["S"]) for item in items if item["sk"]["S"].startswith("entry#")]
    return sorted(bodies, key=lambda entry: entry["at"])


def wait_for_entry(world: World, environment: str, release: str, kind: str, seconds: float) -> dict[str, Any]:
    """Wait until a release's timeline has an entry of a kind; the newest such entry.

    Raises
    ------
    NotReached
        There was none after `seconds`, or the release ended without it.
    """
    for _ in looks(seconds, _EVERY):
        ended = execution(world, environment, release)["status"] != "RUNNING"
        entries = timeline(world, environment, release)
        found = [entry for entry in entries if entry["kind"] == kind]
        if found:
            return found[-1]
        if ended:
            break
    told = [f"{entry['kind']}: {entry['reason']}" for entry in entries]
    raise NotReached(f"{release} never came to {kind!r}; its timeline is {told}")


def record(world: World, environment: str, service: str) -> dict[str, Any]:
    """The record of a service, as it is stored."""
    site = world.sites[environment]
    found = world.clients(site.region)("dynamodb").get_item(
        TableName=site.stack.outputs["TableName"],
        Key={"pk": {"S": f"record#{environment}"}, "sk": {"S": service}},
        ConsistentRead=True,
    )
    body: dict[str, Any] = json.loads(found["Item"]["body"]["S"])
    return body


def rule_weights(world: World, environment: str, rule: str) -> dict[str, int]:
    """A listener rule's weights by target group ARN, from ELBv2."""
    elbv2 = world.clients(world.sites[environment].region)("elbv2")
    (found,) = elbv2.describe_rules(RuleArns=[rule])["Rules"]
    groups = found["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: group["Weight"] for group in groups}


def answer(
    world: World,
    environment: str,
    release: str,
    decision: str,
    *,
    person: str,
    reason: str = "",
    question: str | None = None,
) -> tuple[int, Any]:
    """Approve or deny (`approved`, `denied`) the open question, or the one named, as a person; (status, answer)."""
    site = world.sites[environment]
    shown = open_question(world, environment, release) if question is None else question
    body = {"release": release, "question": shown, "answer": decision, "reason": reason}
    return call_url(world, site.stack.outputs["ApprovalUrl"], body, person=person, region=site.region)


def open_question(world: World, environment: str, release: str) -> str:
    """The id of a release's newest question; empty when it never asked one."""
    for item in query_table(world, environment, f"release#{release}"):
        if item["sk"]["S"] == "approval":
            return str(json.loads(item["body"]["S"])["question"])
    return ""


def call_url(world: World, url: str, body: Any, *, person: str, region: str) -> tuple[int, Any]:
    """POST JSON to a function URL, signed by a person; (status, answer)."""
    keys = world.people[person]
    data = json.dumps(body).encode()
    credentials = Credentials(keys.access_key, keys.secret)
    proof = caller_proof(
        credentials,
        endpoint=world.aws.endpoint,
        region=region,
        function=world.aws.urls.function_at(url),
        body=data,
    )
    headers = {
        "Content-Type": "application/json",
        "X-Amz-Content-Sha256": hashlib.sha256(data).hexdigest(),
        PROOF_HEADER: proof,
    }
    request = AWSRequest("POST", url, data=data, headers=headers)
    SigV4Auth(credentials, "lambda", region).add_auth(request)
    plain = urllib.request.Request(url, data, dict(request.headers.items()), method="POST")
    try:
        with urllib.request.urlopen(plain, timeout=120) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def query_table(world: World, environment: str, key: str) -> list[dict[str, Any]]:
    """The items of the control plane's table with a partition key."""
    site = world.sites[environment]
    pages = (
        world.clients(site.region)("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=site.stack.outputs["TableName"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": key}},
            ConsistentRead=True,
        )
    )
    return [item for page in pages for item in page["Items"]]


def alert_token(world: World, environment: str) -> str:
    """The newest token of the endpoint for alerts, as an operator reads it from the secret."""
    site = world.sites[environment]
    client = world.clients(site.region)("secretsmanager")
    return SecretTokens(client, site.stack.outputs["AlertTokensSecret"], time.time).read(0)[0].token
