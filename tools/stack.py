"""What the template says of functions and machines: what each is called, who calls it, what it starts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from samtranslator.yaml_helper import yaml_parse

from candlefish.handler import KEEP_WARM
from tools.layers import ROOT

FUNCTION = "AWS::Serverless::Function"
MACHINE = "AWS::Serverless::StateMachine"
STARTS = "states:StartExecution"
ANSWERS = "states:SendTaskSuccess"
INVOKES = "lambda:InvokeFunction"


class Stack(msgspec.Struct, frozen=True):
    """The template's resources, and the machines' definitions by name."""

    resources: dict[str, Any]
    machines: dict[str, dict[str, Any]]

    def of(self, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical name and properties of every resource of these types."""
        for logical, definition in self.resources.items():
            if definition["Type"] in kinds:
                yield logical, definition.get("Properties", {})

    def name(self, logical: str) -> str:
        """What people call a resource: a function by its folder, a machine by its file."""
        properties = self.resources[logical].get("Properties", {})
        if "CodeUri" in properties:
            return Path(properties["CodeUri"]).name
        return machine_name(properties["DefinitionUri"]) if "DefinitionUri" in properties else logical


def machine_name(uri: str) -> str:
    return Path(uri).name.removesuffix(".asl.yaml")


def read(root: Path = ROOT) -> Stack:
    """The stack of a checkout."""
    template = yaml_parse((root / "template.yaml").read_text())
    definitions = sorted((root / "statemachines").glob("*.asl.yaml"))
    return Stack(
        template["Resources"], {machine_name(p.name): yaml.safe_load(p.read_text()) for p in definitions}
    )


def states_of(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state of a machine, those inside a Map too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states_of(state["ItemProcessor"])


def called(stack: Stack, machine: str, state: Mapping[str, Any]) -> str:
    """The name of the function or machine that a task calls."""
    arguments = state.get("Arguments", {})
    variable = arguments.get("FunctionName") or arguments.get("StateMachineArn") or ""
    logical = substitutions(stack, machine).get(variable.strip("${}"), "")
    return stack.name(logical) if logical else ""


def substitutions(stack: Stack, machine: str) -> dict[str, str]:
    """What a definition's `${Name}` stands for: the logical name of a resource."""
    properties = next(p for _, p in stack.of(MACHINE) if machine_name(p["DefinitionUri"]) == machine)
    return {
        name: refers_to(value)
        for name, value in properties["DefinitionSubstitutions"].items()
        if refers_to(value)
    }


def refers_to(value: Any) -> str:
    """The logical name that `!Ref` or `!GetAtt` names; a published version's is its function's or machine's."""
    if not isinstance(value, dict):
        return ""
    target = value.get("Ref") or value.get("Fn::GetAtt", "")
    return unpublished(str(target if isinstance(target, str) else target[0]))


def unpublished(reference: str) -> str:
    """What a reference to a published version (`XFunction.Version`, `XMachineVersion`) or an alias is a version of."""
    return re.sub(r"(?<=Machine)Version$|\.(?:Version|Alias)$", "", reference)


def allowed(stack: Stack, properties: Mapping[str, Any], action: str) -> set[str]:
    """The functions and machines, by name, to which a function or role may do something."""
    found: set[str] = set()
    for policy in properties.get("Policies", ()):
        for statement in policy.get("PolicyDocument", policy).get("Statement", ()):
            if action in str(statement.get("Action", "")):
                found |= _named_in(stack, str(statement.get("Resource", "")))
    return found


def _named_in(stack: Stack, resource: str) -> set[str]:
    """By reference, and by the name in an ARN, which avoids circles of resources."""
    in_arns = re.findall(r"(?:stateMachine|function):candlefish-\$\{Environment\}-([\w-]+)", resource)
    by_reference = {
        stack.name(logical)
        for logical, _ in stack.of(FUNCTION, MACHINE)
        if f"'{logical}'" in resource or f"${{{logical}.Arn}}" in resource
    }
    return by_reference | {name.replace("-", "_") for name in in_arns}


def answered(stack: Stack) -> set[str]:
    """The machines in which a task waits for somebody's answer."""
    return {
        name
        for name, machine in stack.machines.items()
        if any("waitForTaskToken" in state.get("Resource", "") for _, state in states_of(machine))
    }


HTTP_API = "AWS::Serverless::HttpApi"


class HttpRoute(NamedTuple):
    """A route of the HTTP API: the logical name of its function, and whether API Gateway asks for a token."""

    key: str
    function: str
    signed: bool


def http_routes(resources: Mapping[str, Any]) -> Iterator[HttpRoute]:
    """The routes of a template's HTTP APIs, from the documents that define them."""
    for definition in resources.values():
        if definition["Type"] != HTTP_API:
            continue
        body = definition["Properties"]["DefinitionBody"]
        integrations = body["components"]["x-amazon-apigateway-integrations"]
        for path, item in body["paths"].items():
            for method, operation in item.items():
                name = operation["x-amazon-apigateway-integration"]["$ref"].rpartition("/")[2]
                called = re.search(r"\b(\w+)\.Alias\b", str(integrations[name]["uri"]))
                yield HttpRoute(
                    f"{method.upper()} {path}",
                    called[1] if called else "",
                    bool(operation.get("security", body.get("security"))),
                )


def callers(stack: Stack, logical: str) -> list[str]:
    """What calls a function, in words: events first, then states."""
    properties = stack.resources[logical]["Properties"]
    found = [occasion(event) for event in properties.get("Events", {}).values() if not is_ping(event)]
    if "FunctionUrlConfig" in properties:
        iam = properties["FunctionUrlConfig"].get("AuthType", "AWS_IAM") == "AWS_IAM"
        found.append("URL, signed with IAM" if iam else "URL, open; it checks by itself")
    ways = [route.signed for route in http_routes(stack.resources) if route.function == logical]
    if ways:
        found.append("HTTP API, token" if all(ways) else "HTTP API, open")
    for _, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        if refers_to(mapping["FunctionName"]) == logical:
            found.append(f"queue {refers_to(mapping['EventSourceArn'])}")
    name = stack.name(logical)
    for machine, definition in stack.machines.items():
        states = [state for state, spec in states_of(definition) if called(stack, machine, spec) == name]
        if states:
            found.append(f"{machine}: {', '.join(states)}")
    askers = [
        stack.name(other) for other, spec in stack.of(FUNCTION) if name in allowed(stack, spec, INVOKES)
    ]
    return [*found, *askers] or ["people, by name"]


def is_ping(event: Mapping[str, Any]) -> bool:
    """Whether an event of a function only keeps it warm: with one of them nothing is lost, the next one comes."""
    return bool(event["Properties"].get("Input") == json.dumps(KEEP_WARM))


def occasion(event: Mapping[str, Any]) -> str:
    """When a schedule or a rule fires, in words."""
    properties = event["Properties"]
    if "Schedule" in properties:
        schedule = str(properties["Schedule"])
        rate = re.fullmatch(r"rate\((?:1 )?(.+)\)", schedule)
        return f"every {rate[1]}" if rate else schedule
    pattern = properties["Pattern"]
    types = pattern.get("detail-type", [])
    if types and isinstance(types[0], dict):
        return f"every event but {', '.join(types[0]['anything-but'])}"
    what = f"event {', '.join(types)}"
    status = pattern.get("detail", {}).get("status")
    return f"{what} ({', '.join(status)})" if status else what
