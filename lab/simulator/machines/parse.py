"""From a definition as it is written to one that can be executed.

What is in a definition and not here is refused, so that nothing is silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from lab.simulator.machines.definition import Catcher, Definition, Flow, Retrier, Rule, State
from lab.simulator.machines.errors import InvalidDefinition
from lab.simulator.machines.templates import Template, template

_COMMON = {"Type", "Comment", "QueryLanguage"}
_GOES_ON = {"Next", "End", "Output", "Assign"}
_FAILS = {"Retry", "Catch"}
_FIELDS = {
    "Pass": _COMMON | _GOES_ON,
    "Task": _COMMON | _GOES_ON | _FAILS | {"Resource", "Arguments", "TimeoutSeconds", "HeartbeatSeconds"},
    # Not what it may have at its top: the documents leave open how that goes with what its rules have.
    "Choice": _COMMON | {"Choices", "Default"},
    "Wait": _COMMON | _GOES_ON | {"Seconds", "Timestamp"},
    "Succeed": _COMMON | {"Output"},
    "Fail": _COMMON | {"Error", "Cause"},
    "Parallel": _COMMON | _GOES_ON | _FAILS | {"Arguments", "Branches"},
    "Map": _COMMON | _GOES_ON | _FAILS | {"Items", "ItemSelector", "ItemProcessor", "MaxConcurrency"},
}
# The parameters that each integration takes, and those it needs.
RESOURCES: dict[str, tuple[set[str], set[str]]] = {
    "arn:aws:states:::lambda:invoke": ({"FunctionName"}, {"Payload"}),
    "arn:aws:states:::lambda:invoke.waitForTaskToken": ({"FunctionName"}, {"Payload"}),
    "arn:aws:states:::states:startExecution": ({"StateMachineArn"}, {"Name", "Input"}),
    "arn:aws:states:::states:startExecution.sync:2": ({"StateMachineArn"}, {"Name", "Input"}),
    "arn:aws:states:::aws-sdk:sfn:stopExecution": ({"ExecutionArn"}, {"Error", "Cause"}),
}
_RETRIER = {
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,79}")


def define(definition: dict[str, Any]) -> Definition:
    """Look through a definition; the same one again costs nothing.

    Raises
    ------
    InvalidDefinition
        It has what is unknown, or lacks what is needed.
    """
    return _define(msgspec.json.encode(definition))


@lru_cache(maxsize=256)
def _define(text: bytes) -> Definition:
    definition = msgspec.json.decode(text)
    _only(
        definition, {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}, "machine"
    )
    if definition.get("QueryLanguage") != "JSONata":
        raise InvalidDefinition("machine: QueryLanguage must be JSONata")
    flow = _flow(definition, "machine", set())
    names = [state.name for state in flow.every()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidDefinition(f"states must have names of their own: {', '.join(twice)}")
    return Definition(flow, definition.get("TimeoutSeconds"))


def _only(value: dict[str, Any], fields: set[str], where: str) -> None:
    if unknown := sorted(set(value) - fields):
        raise InvalidDefinition(f"{where}: unknown {', '.join(unknown)}")


def _flow(value: dict[str, Any], where: str, outer: set[str]) -> Flow:
    states = value.get("States") or {}
    assigned = {name for state in states.values() for name in _assigned(state)}
    if both := sorted(assigned & outer):
        raise InvalidDefinition(
            f"{where}: variables of the outer scope cannot be assigned: {', '.join(both)}"
        )
    made = {name: _state(name, state, outer | assigned) for name, state in states.items()}
    targets = {name for state in made.values() for name in _following(state)} | {value.get("StartAt")}
    if missing := sorted(str(name) for name in targets - set(made)):
        raise InvalidDefinition(f"{where}: there is no state {', '.join(missing)}")
    return Flow(value["StartAt"], made)


def _assigned(state: dict[str, Any]) -> Iterator[str]:
    for part in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from part.get("Assign", ())


def _following(state: State) -> Iterator[str]:
    if state.next is not None:
        yield state.next
    yield from (rule.next for rule in state.rules)
    yield from (catcher.next for catcher in state.catch)


def _state(name: str, value: dict[str, Any], outer: set[str]) -> State:
    kind = value.get("Type", "")
    if kind not in _FIELDS:
        raise InvalidDefinition(f"{name}: unknown Type {kind!r}")
    if len(name) > 80:
        raise InvalidDefinition(f"{name}: a state's name has at most 80 characters")
    _only(value, _FIELDS[kind], name)
    if value.get("QueryLanguage", "JSONata") != "JSONata":
        raise InvalidDefinition(f"{name}: QueryLanguage must be JSONata")
    if "Next" in _FIELDS[kind] and ("Next" in value) == (value.get("End") is True):
        raise InvalidDefinition(f"{name}: needs either Next or End")
    own = {"Arguments", "TimeoutSeconds", "HeartbeatSeconds", "Seconds", "Timestamp", "Error", "Cause"}
    own |= {"Items", "ItemSelector", "MaxConcurrency"}
    return State(
        name,
        kind,
        next=value.get("Next", value.get("Default")),
        assign=_assign(value, name),
        output=_output(value, name),
        retry=tuple(_retrier(each, name) for each in _last_is_all(value.get("Retry", []), name)),
        catch=tuple(_catcher(each, name) for each in _last_is_all(value.get("Catch", []), name)),
        resource=_resource(value, name) if kind == "Task" else "",
        filled={each: template(value[each], f"{name}/{each}") for each in value if each in own},
        rules=_rules(value, name) if kind == "Choice" else (),
        flows=_flows(value, name, outer),
    )


def _resource(value: dict[str, Any], name: str) -> str:
    resource: str = value.get("Resource", "")
    if resource not in RESOURCES:
        raise InvalidDefinition(f"{name}: unknown Resource {resource!r}")
    needed, possible = RESOURCES[resource]
    arguments = value.get("Arguments", {})
    if not isinstance(arguments, dict):
        raise InvalidDefinition(f"{name}: Arguments must be an object")
    _only(arguments, needed | possible, f"{name}/Arguments")
    if missing := sorted(needed - set(arguments)):
        raise InvalidDefinition(f"{name}/Arguments: needs {', '.join(missing)}")
    timeout, heartbeat = value.get("TimeoutSeconds"), value.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        raise InvalidDefinition(f"{name}: HeartbeatSeconds must be smaller than TimeoutSeconds")
    return resource


def _rules(value: dict[str, Any], name: str) -> tuple[Rule, ...]:
    rules = []
    for at, each in enumerate(value.get("Choices", [])):
        where = f"{name}/Choices[{at}]"
        _only(each, {"Condition", "Next", "Assign", "Output", "Comment"}, where)
        if "Condition" not in each or "Next" not in each:
            raise InvalidDefinition(f"{where}: needs Condition and Next")
        condition = template(each["Condition"], f"{where}/Condition")
        rules.append(Rule(condition, each["Next"], _assign(each, where), _output(each, where)))
    if not rules:
        raise InvalidDefinition(f"{name}: needs Choices")
    return tuple(rules)


def _flows(value: dict[str, Any], name: str, outer: set[str]) -> tuple[Flow, ...]:
    if value["Type"] == "Parallel":
        for each in value.get("Branches", []):
            _only(each, {"StartAt", "States", "Comment"}, f"{name}/Branches")
        return tuple(_flow(each, name, outer) for each in value.get("Branches", []))
    if value["Type"] != "Map":
        return ()
    each = value.get("ItemProcessor", {})
    _only(each, {"ProcessorConfig", "StartAt", "States", "Comment"}, f"{name}/ItemProcessor")
    if each.get("ProcessorConfig", {"Mode": "INLINE"}) != {"Mode": "INLINE"}:
        raise InvalidDefinition(f"{name}/ItemProcessor: only INLINE maps are known")
    return (_flow(each, name, outer),)


def _assign(value: dict[str, Any], where: str) -> dict[str, Template]:
    for name in value.get("Assign", {}):
        if not _VARIABLE.fullmatch(name) or name == "states":
            raise InvalidDefinition(f"{where}/Assign: {name!r} cannot be a variable")
    return {name: template(item, f"{where}/Assign/{name}") for name, item in value.get("Assign", {}).items()}


def _output(value: dict[str, Any], where: str) -> Template | None:
    return template(value["Output"], f"{where}/Output") if "Output" in value else None


def _last_is_all(values: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    for at, each in enumerate(values):
        errors = each.get("ErrorEquals") or []
        if not errors:
            raise InvalidDefinition(f"{name}: ErrorEquals must name errors")
        if "States.ALL" in errors and (len(errors) > 1 or at < len(values) - 1):
            raise InvalidDefinition(f"{name}: States.ALL must stand alone, and last")
    return values


def _retrier(value: dict[str, Any], name: str) -> Retrier:
    _only(value, _RETRIER | {"Comment"}, f"{name}/Retry")
    interval, most = value.get("IntervalSeconds", 1), value.get("MaxDelaySeconds", 31_622_400)
    jitter = value.get("JitterStrategy", "NONE")
    if interval < 1 or value.get("BackoffRate", 2.0) < 1 or most <= 0 or jitter not in ("FULL", "NONE"):
        raise InvalidDefinition(f"{name}/Retry: {value} cannot be")
    return Retrier(
        frozenset(value["ErrorEquals"]),
        interval,
        value.get("MaxAttempts", 3),
        value.get("BackoffRate", 2.0),
        most,
        jitter == "FULL",
    )


def _catcher(value: dict[str, Any], name: str) -> Catcher:
    _only(value, {"ErrorEquals", "Next", "Assign", "Output", "Comment"}, f"{name}/Catch")
    where = f"{name}/Catch"
    return Catcher(
        frozenset(value["ErrorEquals"]), value.get("Next", ""), _assign(value, where), _output(value, where)
    )
