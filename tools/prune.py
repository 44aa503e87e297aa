"""Deletes published versions that no execution can need any more.

    python -m tools.prune production [--do]

A version is needed while an alias names it, while it is the newest, and while an execution may run that began with it: a
machine's executions end after thirty days at the latest (TimeoutSeconds), so a version may go a day after that, counted
from when a newer one was published. Without `--do` it says what would go.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

import boto3
import msgspec

from tools.policies import Resolver
from tools.stack import FUNCTION, MACHINE, Stack, read

DAY = 86400.0
# The longest that an execution runs, as statemachines/ say it, and a day for whoever started it late.
SPARE = DAY


class Published(msgspec.Struct, frozen=True, order=True):
    """One version: when it was published (epoch seconds), its ARN, and whether an alias names it."""

    at: float
    arn: str
    named: bool = False


def longest(stack: Stack) -> float:
    """How long an execution runs at most, in seconds."""
    return max(float(machine["TimeoutSeconds"]) for machine in stack.machines.values())


def disposable(versions: Iterable[Published], runs: float, now: float) -> list[Published]:
    """The versions of one function or machine that may go, oldest first."""
    known = sorted(versions)
    return [each for each, newer in pairwise(known) if not each.named and newer.at + runs + SPARE < now]


def _of_function(client: Any, name: str) -> list[Published]:
    named = {
        each["FunctionVersion"]
        for page in client.get_paginator("list_aliases").paginate(FunctionName=name)
        for each in page["Aliases"]
    }
    return [
        Published(
            datetime.fromisoformat(each["LastModified"]).timestamp(),
            each["FunctionArn"],
            each["Version"] in named,
        )
        for page in client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        for each in page["Versions"]
        if each["Version"] != "$LATEST"
    ]


def _of_machine(client: Any, arn: str) -> list[Published]:
    aliases = client.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
    routes = [
        client.describe_state_machine_alias(stateMachineAliasArn=each["stateMachineAliasArn"])[
            "routingConfiguration"
        ]
        for each in aliases
    ]
    named = {route["stateMachineVersionArn"] for each in routes for route in each}
    found: list[Published] = []
    token: dict[str, str] = {}
    while True:
        page = client.list_state_machine_versions(stateMachineArn=arn, **token)
        for each in page["stateMachineVersions"]:
            version = each["stateMachineVersionArn"]
            found.append(Published(each["creationDate"].timestamp(), version, version in named))
        if "nextToken" not in page:
            return found
        token = {"nextToken": page["nextToken"]}


def main(environment: str, *, do: bool, now: float) -> None:
    """Delete what may go, or say what would."""
    stack, resolve = read(), Resolver(environment)
    session = boto3.session.Session(region_name=resolve.region)
    functions, machines = session.client("lambda"), session.client("stepfunctions")
    runs, count = longest(stack), 0
    for logical, _ in stack.of(FUNCTION, MACHINE):
        if "Condition" in stack.resources[logical] and not resolve.condition(
            stack.resources[logical]["Condition"]
        ):
            continue
        arn = resolve.identify(logical, "Arn")
        is_machine = stack.resources[logical]["Type"] == MACHINE
        found = _of_machine(machines, arn) if is_machine else _of_function(functions, arn.rpartition(":")[2])
        for old in disposable(found, runs, now):
            count += 1
            print(old.arn)
            if do and is_machine:
                machines.delete_state_machine_version(stateMachineVersionArn=old.arn)
            elif do:
                name, version = old.arn.split(":")[6:8]
                functions.delete_function(FunctionName=name, Qualifier=version)
    print(
        f"{count} versions were deleted"
        if do
        else f"{count} versions would go; make prune DO=yes deletes them"
    )


if __name__ == "__main__":
    main(sys.argv[1], do="--do" in sys.argv, now=datetime.now().timestamp())
