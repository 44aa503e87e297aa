"""What crosses the machines is what the types of events and answers say: held against the definitions.

A state gives a function just the fields that its event has, and reads only fields that an answer has. Read are
the expressions that the definitions use: objects, `$merge([$run, {...}])`, and paths like `$run.slot`.
"""

from __future__ import annotations

import ast
import importlib
import re
import types
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
import yaml

from candlefish.failover.begin_failover import SignalledFailover
from candlefish.release.payloads import WatchContext
from candlefish.service.model import RollbackRequest
from candlefish.signals.payloads import SignalResponse

ROOT = Path(__file__).parents[3]
MACHINES = tuple(sorted(p.name.split(".")[0] for p in (ROOT / "statemachines").glob("*.asl.yaml")))
# What a machine is started with where its states keep it, or hand it on whole.
INPUTS: Mapping[str, type] = {
    "watch": WatchContext,
    "respond": SignalResponse,
    "failover": SignalledFailover,
}
STARTED: Mapping[str, type] = {"RollbackMachine": RollbackRequest, "WatchMachine": WatchContext}
State = dict[str, Any]


def defined(machine: str) -> dict[str, State]:
    """The states of a machine, those of its maps with them."""
    found: dict[str, State] = {}

    def collect(states: dict[str, State]) -> None:
        for name, state in states.items():
            found[name] = state
            if "ItemProcessor" in state:
                collect(state["ItemProcessor"]["States"])

    collect(yaml.safe_load((ROOT / f"statemachines/{machine}.asl.yaml").read_text())["States"])
    return found


STATES = {machine: defined(machine) for machine in MACHINES}


@cache
def signature(function: str) -> tuple[type, type]:
    """Type of the event, and of the answer, of `${DeploySlot}`, from its handler's annotations."""
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function.strip("${}")).lower()
    tree = ast.parse((ROOT / "functions" / folder / "app.py").read_text())
    names: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and ".bootstrap" not in node.module:
            module = importlib.import_module(node.module)
            names |= {alias.name: getattr(module, alias.name) for alias in node.names}
    (handler,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    event = handler.args.args[0].annotation
    assert event and handler.returns
    return eval(ast.unparse(event), names), eval(ast.unparse(handler.returns), names)


def fields(kind: Any) -> dict[str, bool]:
    """Name of each field of a struct, and whether it has to be there."""
    return {field.encode_name: field.required for field in msgspec.structs.fields(kind)}


def reached(kind: Any, path: list[str]) -> Any:
    """The type at the end of a path; fails when a struct on the way has no such field."""
    for name in path:
        options = [k for k in get_args(kind) if k is not type(None)] if get_origin(kind) in UNIONS else [kind]
        kind = next((k for k in options if name in getattr(k, "__struct_fields__", ())), options[0])
        if get_origin(kind) in (list, tuple):
            kind = get_args(kind)[0]
        if kind is Any or get_origin(kind) is dict:
            return Any
        hints = get_type_hints(kind)
        assert name in hints, f"{getattr(kind, '__name__', kind)} has no field {name!r}"
        kind = hints[name]
    return kind


UNIONS = (Union, types.UnionType)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def successors(state: State) -> Iterator[str]:
    for key in ("Next", "Default"):
        if key in state:
            yield state[key]
    for rule in (*state.get("Choices", ()), *state.get("Catch", ())):
        yield rule["Next"]


def assigners(machine: str, variable: str, at: str) -> Iterator[str]:
    """States that may have assigned a variable last before `at` began."""
    states, seen, todo = STATES[machine], set[str](), [at]
    while todo:
        name = todo.pop()
        for before, state in states.items():
            if name in successors(state) and before not in seen:
                seen.add(before)
                if variable in state.get("Assign", {}):
                    yield before
                else:
                    todo.append(before)


def kinds_of(machine: str, variable: str, at: str, known: frozenset[str] = frozenset()) -> list[Any]:
    """What types a variable may have when `at` begins; none when it is not an answer of a function."""
    found: list[Any] = []
    for name in assigners(machine, variable, at):
        state = STATES[machine][name]
        expression = str(state["Assign"][variable])
        if re.match(r"{% (?:\$merge\(\[)?\$states\.input\b(?!\.)", expression) and machine in INPUTS:
            found.append(INPUTS[machine])
        elif literal := re.fullmatch(r"{% (\{.*\}) %}", expression):
            found.append(literal_of(literal[1]))
        elif match := re.fullmatch(r"{% \$states\.result\.Payload((?:\.\w+)*) %}", expression):
            answer = signature(state["Arguments"]["FunctionName"])[1]
            found.append(reached(answer, match[1].split(".")[1:]))
        elif (
            match := re.match(r"{% (?:\$merge\(\[)?\$(?!states)(\w+)((?:\.\w+)*)", expression)
        ) and name not in known:
            # A merge puts another value into a field; on its way round a loop it is what it was.
            before = kinds_of(machine, match[1], name, known | {name})
            found += [reached(kind, match[2].split(".")[1:]) for kind in before]
    return found


def literal_of(text: str) -> type:
    """An object that an expression spells out, as a struct of fields of any type."""
    return msgspec.defstruct("Literal", [(name, Any) for name in re.findall(r"'(\w+)':", text)])


def given(machine: str, at: str, payload: Any) -> Iterator[set[str]]:
    """The fields that a payload has, for each type that the variable in it may have."""
    if isinstance(payload, dict):
        yield set(payload)
        return
    if payload == "{% $states.input %}":
        yield set(fields(INPUTS[machine]))
        return
    merged = re.fullmatch(r"{% (?:\$merge\(\[)?\$(\w+)(?:, \{(.*)\}\]\))? %}", payload)
    assert merged, f"{machine}.{at}: {payload} is no form that is read here"
    more = set(re.findall(r"'(\w+)':", merged[2] or ""))
    kinds = kinds_of(machine, merged[1], at)
    assert kinds, f"{machine}.{at}: ${merged[1]} is no answer of a function"
    for kind in kinds:
        yield set(fields(kind)) | more


TASKS = [
    (machine, name)
    for machine in MACHINES
    for name, state in STATES[machine].items()
    if "lambda:invoke" in state.get("Resource", "")
]


@pytest.mark.parametrize(("machine", "name"), TASKS, ids=[".".join(task) for task in TASKS])
def test_a_function_gets_just_the_fields_of_its_event(machine: str, name: str) -> None:
    arguments = STATES[machine][name]["Arguments"]
    event = fields(signature(arguments["FunctionName"])[0])
    for each in given(machine, name, arguments["Payload"]):
        assert each <= set(event), "the event knows nothing of these"
        assert {field for field, required in event.items() if required} <= each


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_reads_only_what_an_answer_has(machine: str) -> None:
    read = 0
    for name, state in STATES[machine].items():
        for text in texts(state):
            if "Arguments" in state and "lambda:invoke" in state["Resource"]:
                answer = signature(state["Arguments"]["FunctionName"])[1]
                for path in re.findall(r"\$states\.result\.Payload((?:\.\w+)+)", text):
                    reached(answer, path.split(".")[1:])
                    read += 1
            for variable, path in re.findall(r"\$(\w+)((?:\.\w+)+)", text):
                for kind in kinds_of(machine, variable, name):
                    reached(kind, path.split(".")[1:])
                    read += 1
    # What a drill comes to is the output of its map, whole.
    assert read > 0 or machine == "drill"


def started() -> Iterator[tuple[str, str, str]]:
    for machine in MACHINES:
        for name, state in STATES[machine].items():
            target = str(state.get("Arguments", {}).get("StateMachineArn", "")).strip("${}")
            if target in STARTED and "$states.input" not in str(state["Arguments"]["Input"]):
                yield machine, name, target


@pytest.mark.parametrize(("machine", "name", "target"), list(started()))
def test_a_machine_is_started_with_the_fields_of_its_input(machine: str, name: str, target: str) -> None:
    expected = fields(STARTED[target])
    for each in given(machine, name, STATES[machine][name]["Arguments"]["Input"]):
        assert each <= set(expected)
        assert {field for field, required in expected.items() if required} <= each


@pytest.mark.parametrize("path", sorted(ROOT.glob("statemachines/*.yaml")), ids=lambda path: path.stem)
def test_causes_are_cut_before_they_are_handed_on(path: Path) -> None:
    """A cause has up to 32 KB, a state takes 256 KB, and a Fail's own cause 32 KB: two of them do not fit."""
    for line in path.read_text().splitlines():
        key, _, value = line.strip().partition(":")
        handed_on = key == "reason" or "'reason'" in value or "&" in value
        if ".Cause" not in value or not handed_on:
            continue
        bare = re.sub(r"\$exists\([^()]*\)|\$substring\([^()]*, 0, \d{4,5}\)", "", value)
        assert ".Cause" not in bare, f"{path.name}: {line.strip()}"
