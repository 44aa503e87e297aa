"""Diagrams of the state machines and the table of functions, written into the documentation.

    python -m tools.diagrams [--check]

In every page of docs/, what stands between `<!-- generated: NAME -->` and `<!-- /generated -->` is made
here: `overview`, `machines` (all of them), `functions`, or one machine by its name.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from tools.layers import ROOT
from tools.pages import write_or_check_all
from tools.stack import (
    ANSWERS,
    FUNCTION,
    MACHINE,
    STARTS,
    Stack,
    allowed,
    answered,
    called,
    callers,
    http_routes,
    is_ping,
    occasion,
    read,
    refers_to,
    states_of,
)

State = Mapping[str, Any]
MARKED = re.compile(r"(?s)(<!-- generated: (\S+) -->\n).*?(<!-- /generated -->)")
# So many states with the same Catch are drawn as one group with one arrow.
GROUPED = 3
SHAPES = {
    "Task": ("[", "]"),
    "Choice": ("{", "}"),
    "Wait": ("{{", "}}"),
    "Pass": ("(", ")"),
    "Succeed": ("([", "])"),
    "Fail": ("([", "])"),
}
# What stands outside the template, in the overview.
OUTSIDE = {
    "schedules": "schedules",
    "events": "events",
    "https": "HTTPS: people, Alertmanager, Slack",
    "GitHubRole": "GitHub Actions, OIDC",
}


# --- one machine ------------------------------------------------------------------------------


def diagram(stack: Stack, name: str) -> str:
    """A machine as a mermaid flowchart."""
    lines = ["flowchart TD", *_scope(stack, name, stack.machines[name], "start")]
    failures = [state for state, spec in states_of(stack.machines[name]) if spec["Type"] == "Fail"]
    if failures:
        lines += ["classDef failed stroke:#c33,stroke-width:2px", f"class {','.join(failures)} failed"]
    return fenced(lines)


def fenced(lines: list[str]) -> str:
    return "\n".join(["```mermaid", lines[0], *(f"    {line}" for line in lines[1:]), "```"])


def _scope(stack: Stack, machine: str, scope: Mapping[str, Any], start: str) -> Iterator[str]:
    """The states of a machine or of a Map, then their arrows."""
    states = scope["States"]
    groups = _groups(states)
    yield f"{start}(( )) --> {scope['StartAt']}"
    for number, (_, members) in enumerate(groups, 1):
        yield f'subgraph {start}_group{number}[" "]'
        yield from (
            f"    {line}" for member in members for line in _node(stack, machine, member, states[member])
        )
        yield "end"
    grouped = {member for _, members in groups for member in members}
    for name, state in states.items():
        if name not in grouped:
            yield from _node(stack, machine, name, state)
    for name, state in states.items():
        yield from _arrows(name, state)
        if name not in grouped:
            yield from _catches(name, state.get("Catch", ()))
    for number, (catch, _) in enumerate(groups, 1):
        yield from _catches(f"{start}_group{number}", catch)


def _groups(states: Mapping[str, State]) -> list[tuple[Any, list[str]]]:
    """States that catch the same errors and go to the same places."""
    catching = sorted(
        (
            (str([(c["ErrorEquals"], c["Next"]) for c in state["Catch"]]), name)
            for name, state in states.items()
            if "Catch" in state
        ),
        key=lambda pair: (pair[0], list(states).index(pair[1])),
    )
    alike = [[name for _, name in members] for _, members in groupby(catching, key=lambda pair: pair[0])]
    return [(states[members[0]]["Catch"], members) for members in alike if len(members) >= GROUPED]


def _node(stack: Stack, machine: str, name: str, state: State) -> Iterator[str]:
    if state["Type"] == "Map":
        how = "one after the other" if state.get("MaxConcurrency") == 1 else "side by side"
        yield f'subgraph {name}["{name}: {plain(state["Items"])}, {how}"]'
        yield from (f"    {line}" for line in _scope(stack, machine, state["ItemProcessor"], f"{name}_start"))
        yield "end"
        return
    opening, closing = SHAPES[state["Type"]]
    if "startExecution" in state.get("Resource", ""):
        opening, closing = "[[", "]]"
    yield f'{name}{opening}"{_label(stack, machine, name, state)}"{closing}'


def _label(stack: Stack, machine: str, name: str, state: State) -> str:
    """The state's name and what it does."""
    does = _does(stack, machine, state)
    return quoted(name if does in ("", name) else f"{name}<br>{does}")


def _does(stack: Stack, machine: str, state: State) -> str:
    resource = state.get("Resource", "")
    what = called(stack, machine, state)
    if "startExecution.sync" in resource:
        return f"{what}, to its end"
    if "startExecution" in resource:
        return f"starts {what}"
    if resource.endswith("waitForTaskToken"):
        return f"{what}, until somebody answers"
    if state["Type"] == "Task":
        payload = state.get("Arguments", {}).get("Payload", {})
        fixed = payload.values() if isinstance(payload, dict) else ()
        literal = [value for value in fixed if isinstance(value, str) and "{%" not in value]
        return " ".join((what or resource.rpartition(":")[2], *literal))
    error = str(state.get("Error", ""))
    return "" if "{%" in error else error


def _arrows(name: str, state: State) -> Iterator[str]:
    if "Next" in state:
        yield f"{name} --> {state['Next']}"
    ways: dict[str, list[str]] = {}
    for choice in state.get("Choices", ()):
        ways.setdefault(choice["Next"], []).append(plain(choice["Condition"]))
    if "Default" in state:
        ways.setdefault(state["Default"], []).append("else")
    for target, conditions in ways.items():
        yield f'{name} -->|"{quoted(either(conditions))}"| {target}'


def _catches(name: str, clauses: Any) -> Iterator[str]:
    for clause in clauses:
        errors = ["any error" if error == "States.ALL" else error for error in clause["ErrorEquals"]]
        rows = [", ".join(errors[at : at + 3]) for at in range(0, len(errors), 3)]
        yield f'{name} -. "{",<br>".join(rows)}" .-> {clause["Next"]}'


def plain(expression: str) -> str:
    """A JSONata expression in short: `$exists($states.input.epoch)` is `input.epoch is given`."""
    text = expression.strip().removeprefix("{%").removesuffix("%}").strip()
    text = re.sub(r"\$exists\(([^()]*)\)", r"\1 is given", text).replace("$states.", "")
    text = re.sub(r"\$(?=\w)", "", text)
    return re.sub(r"'([^']+)'", r"\1", text).replace("''", "nothing")


def either(conditions: list[str]) -> str:
    """Conditions of which one is enough; those about the same thing name it once."""
    said: list[str] = []
    for condition in conditions:
        subject, equals, value = condition.partition(" = ")
        if equals and said and said[-1].startswith(f"{subject} = "):
            said[-1] += f" or {value}"
        else:
            said.append(condition)
    return " or ".join(said)


def quoted(text: str) -> str:
    """Text inside a mermaid label."""
    return text.replace('"', "'").replace(">=", "≥").replace("<=", "≤")


# --- what leads to what -----------------------------------------------------------------------


def overview(stack: Stack) -> str:
    """What starts which machine: occasions, the functions that they call, queues and machines."""
    arrows = sorted({*_into(stack), *_queued(stack), *_through_functions(stack)})
    named = {name for arrow in arrows for name in arrow}
    lines = ["flowchart LR", *(f'{name}["{label}"]' for name, label in OUTSIDE.items() if name in named)]
    lines += [f"{source} --> {target}" for source, target in arrows]
    lines += ['subgraph machines["Step Functions"]', *(f"    {name}([{name}])" for name in stack.machines)]
    lines += [*(f"    {source} --> {target}" for source, target in sorted({*_inside(stack)})), "end"]
    return fenced(lines)


def _inside(stack: Stack) -> Iterator[tuple[str, str]]:
    """From machine to machine."""
    for name, machine in stack.machines.items():
        for _, state in states_of(machine):
            if "startExecution" in state.get("Resource", ""):
                yield name, called(stack, name, state)


def _into(stack: Stack) -> Iterator[tuple[str, str]]:
    """From a schedule or a role to the machine that it starts."""
    for logical, properties in stack.of(MACHINE):
        if properties.get("Events"):
            yield "schedules", stack.name(logical)
    for logical, properties in stack.of("AWS::IAM::Role"):
        yield from ((logical, target) for target in allowed(stack, properties, STARTS))


def _queued(stack: Stack) -> Iterator[tuple[str, str]]:
    """From rules and topics to queues."""
    for logical, properties in stack.of("AWS::Events::Rule"):
        yield from ((logical, refers_to(target["Arn"])) for target in properties["Targets"])
    for _, properties in stack.of("AWS::SNS::Subscription"):
        if properties["Protocol"] == "sqs":
            yield refers_to(properties["TopicArn"]), refers_to(properties["Endpoint"])


def _through_functions(stack: Stack) -> Iterator[tuple[str, str]]:
    """From what calls a function to the machines and queues it leads to; others are left to the table."""
    queues = {logical for logical, _ in stack.of("AWS::SQS::Queue")}
    for logical, properties in stack.of(FUNCTION):
        name = stack.name(logical)
        targets = allowed(stack, properties, STARTS)
        if ANSWERS in str(properties.get("Policies")):
            targets |= answered(stack)
        variables = properties.get("Environment", {}).get("Variables", {})
        targets |= {refers_to(value) for value in variables.values()} & queues
        yield from ((name, target) for target in targets)
        if targets:
            yield from ((source, name) for source in _sources(stack, logical))


def _sources(stack: Stack, logical: str) -> Iterator[str]:
    """What calls a function."""
    properties = stack.resources[logical]["Properties"]
    for event in properties.get("Events", {}).values():
        if is_ping(event):
            continue
        yield "schedules" if "Schedule" in event["Properties"] else "events"
    routed = any(route.function == logical for route in http_routes(stack.resources))
    if "FunctionUrlConfig" in properties or routed:
        yield "https"
    for _, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        if refers_to(mapping["FunctionName"]) == logical:
            yield refers_to(mapping["EventSourceArn"])
    for machine, definition in stack.machines.items():
        if stack.name(logical) in {called(stack, machine, state) for _, state in states_of(definition)}:
            yield machine


# --- tables and pages -------------------------------------------------------------------------


def functions(stack: Stack, root: Path = ROOT) -> str:
    """Every function: what it does, and what calls it."""
    rows = ["| function | does | called by |", "|---|---|---|"]
    for logical, _ in stack.of(FUNCTION):
        name = stack.name(logical)
        does = (ast.get_docstring(ast.parse((root / "functions" / name / "app.py").read_text())) or "").split(
            "\n"
        )[0]
        rows.append(f"| `{name}` | {does} | {'; '.join(callers(stack, logical))} |")
    return "\n".join(rows)


def machines(stack: Stack) -> str:
    """Every machine with its comment and its diagram."""
    return "\n\n".join(
        f"## {name}\n\n{machine['Comment'].strip()}{_started(stack, name)}\n\n{diagram(stack, name)}"
        for name, machine in stack.machines.items()
    )


def _started(stack: Stack, name: str) -> str:
    """When a schedule starts a machine."""
    events = [
        event
        for logical, p in stack.of(MACHINE)
        if stack.name(logical) == name
        for event in p.get("Events", {}).values()
    ]
    return f" Started by {', '.join(map(occasion, events))}." if events else ""


def filled(text: str, sections: Mapping[str, Callable[[], str]]) -> str:
    """A page with every marked part as it should be.

    Raises
    ------
    KeyError
        A marker names a part that nobody makes.
    """
    return MARKED.sub(lambda found: f"{found[1]}\n{sections[found[2]]()}\n\n{found[3]}", text)


def main(check: bool, root: Path = ROOT) -> int:
    """Write the pages, or say which are stale; how many are."""
    stack = read(root)
    sections: dict[str, Callable[[], str]] = {
        "overview": partial(overview, stack),
        "machines": partial(machines, stack),
        "functions": partial(functions, stack, root),
        **{name: partial(diagram, stack, name) for name in stack.machines},
    }
    pages = sorted((root / "docs").glob("*.md"))
    wanted = {page: filled(page.read_text(), sections) for page in pages}
    return write_or_check_all(
        wanted, source="definitions say", module="tools.diagrams", check=check, root=root
    )


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
