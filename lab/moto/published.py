"""Published versions and aliases of functions and state machines, as CloudFormation makes them.

- A version of a function is what the function was when it was published: code, layers, settings.
- A version of a machine is its definition then. Its executions are the machine's: a name is used once whatever version
  it was started with, and ARNs of executions name the machine alone.
- What is published stays until it is deleted: SAM gives versions `DeletionPolicy: Retain`.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any

from moto.awslambda.models import LambdaVersion, lambda_backends
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from lab.moto import ACCOUNT, replace, wrap

Properties = dict[str, Any]
Client = Callable[[str], Any]


def function_alias(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    """AWS::Lambda::Alias: made, or pointed at another version."""
    api = client("lambda")
    wanted = {key: str(props[key]) for key in ("FunctionName", "Name", "FunctionVersion")}
    there = {each["Name"] for each in api.list_aliases(FunctionName=wanted["FunctionName"])["Aliases"]}
    made = (api.update_alias if wanted["Name"] in there else api.create_alias)(**wanted)
    return made["AliasArn"], {"AliasArn": made["AliasArn"]}


def machine_version(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    """AWS::StepFunctions::StateMachineVersion: the machine as it is now."""
    machine = _machine(props["StateMachineArn"])
    machine.latest_version_number += 1
    # moto's own versions cannot be started. A copy has the definition of now and the machine's own executions.
    version = copy.copy(machine)
    version.arn = f"{machine.arn}:{machine.latest_version_number}"
    version.versions, version.aliases = {}, {}
    machine.versions[machine.latest_version_number] = machine.latest_version = version
    return version.arn, {"Arn": version.arn}


def machine_alias(props: Properties, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    """AWS::StepFunctions::StateMachineAlias: made, or pointed at another version."""
    version = props["DeploymentPreference"]["StateMachineVersionArn"]
    machine = _machine(unqualified(version))
    routing = [{"stateMachineVersionArn": version, "weight": 100}]
    if (there := machine.aliases.get(props["Name"])) is not None:
        there.update(routing_configuration=routing)
        return there.arn, {"Arn": there.arn}
    made = machine.backend.create_state_machine_alias(props["Name"], routing, None)
    return made.arn, {"Arn": made.arn}


def unqualified(machine_arn: str) -> str:
    """A machine's ARN without the version or alias that may stand behind it."""
    return ":".join(machine_arn.split(":")[:7])


def version_arn(machine_arn: str) -> str:
    """The ARN of the version that an ARN names, itself or by an alias; empty for a machine's own."""
    if machine_arn == unqualified(machine_arn):
        return ""
    qualifier = machine_arn.rpartition(":")[2]
    if qualifier.isdecimal():
        return machine_arn
    alias = _machine(unqualified(machine_arn)).aliases[qualifier]
    return str(alias.routing_configuration[0]["stateMachineVersionArn"])


def _machine(arn: str) -> Any:
    return stepfunctions_parser_backends[ACCOUNT][arn.split(":")[3]].describe_state_machine(arn)


def _publish(cls: Any, /, name: str, definition: Any, account: str, region: str, **more: Any) -> Any:
    function = definition["Properties"]["FunctionName"]
    published: Any = lambda_backends[account][region].publish_version(function)
    made = cls({"Version": str(published.version)})
    made.arn = published.function_arn
    return made


def _delete_version(cls: Any, arn: str, definition: Any, account: str, region: str) -> None:
    lambda_backends[account][region].delete_function(arn)


def _version_attribute(version: Any, attribute: str) -> str:
    return str({"Version": version.version, "FunctionArn": version.arn}[attribute])


def _machine_attribute(original: Callable[..., Any]) -> Callable[..., Any]:
    def attribute(machine: Any, name: str) -> Any:
        if name == "Arn":
            return machine.arn
        if name == "StateMachineRevisionId":
            return hashlib.sha256(f"{machine.definition}|{machine.roleArn}".encode()).hexdigest()[:32]
        return original(machine, name)

    return attribute


def install() -> None:
    """Teach moto's stacks what versions are; its own know nothing of them."""
    LambdaVersion.physical_resource_id = property(lambda version: version.arn)  # type: ignore[attr-defined]
    replace(LambdaVersion, "create_from_cloudformation_json", classmethod(_publish))
    replace(LambdaVersion, "delete_from_cloudformation_json", classmethod(_delete_version))
    replace(LambdaVersion, "has_cfn_attr", classmethod(lambda cls, name: True))
    LambdaVersion.get_cfn_attribute = _version_attribute  # type: ignore[attr-defined]
    replace(StateMachine, "has_cfn_attr", classmethod(lambda cls, name: True))
    wrap(StateMachine, "get_cfn_attribute", _machine_attribute)
