"""How the state machines' tasks are tried again: named policies, of which each Retry list is one.

Step Functions takes no YAML aliases, so every list stands in full where it is used, under a comment
`# retry: NAME`. tools/lint_template.py holds them to this table.

    python -m tools.retries     # write the lists anew, after a change here
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from candlefish.errors import Retryable
from tools.layers import ROOT

# What passes by itself: our Retryable errors, and Lambda's own.
OURS = tuple(error.__name__ for error in Retryable.__subclasses__())
LAMBDAS = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
)
# The function was at work and may have done it: every use case can be called again.
CUT_OFF = ("Runtime.ExitError", "States.Timeout")
PASSING = (*OURS, *LAMBDAS, *CUT_OFF)
ANY = ("States.ALL",)


class Policy(msgspec.Struct, frozen=True):
    """What is tried again, how often, and why so. `interval` and `longest` are seconds between tries."""

    why: str
    errors: tuple[str, ...] = PASSING
    attempts: int = 5
    interval: int = 1
    longest: int = 20


POLICIES = {
    "transient": Policy("Half a minute; whatever lasts longer is taken back, or told to whoever asked."),
    "once_more": Policy("It lasts minutes, and others see it: a hook.", attempts=2),
    "urgent": Policy("Users wait for it, so the pauses are short.", attempts=20, longest=10),
    "patient": Policy(
        "Nobody waits; a quarter of an hour outlasts most of AWS's bad moments.", attempts=20, longest=60
    ),
    "stubborn": Policy(
        "Nobody does it when this gives up: an hour or so, and never long idle.",
        attempts=100,
        longest=60,
    ),
    "without_timeout": Policy(
        "For a task token: its timeout is a person's time, and a function that was cut off may have asked already.",
        errors=(*OURS, *LAMBDAS),
    ),
    "any_error": Policy(
        "It writes down how it ended; even a bug is tried again.", errors=ANY, attempts=12, longest=60
    ),
    "start_execution": Policy(
        "StartExecution by a name may be repeated; what is started must be.",
        errors=ANY,
        attempts=20,
        longest=30,
    ),
    "best_effort": Policy(
        "It is done in another way as well when this fails: the reconciler starts, a stale generation stops.",
        errors=ANY,
        attempts=3,
    ),
}

COMMENT = re.compile(r"\s*# retry: (\w+)")
# A list with its comment, on two lines.
WRITTEN = re.compile(r"(?m)^(?P<head>(?P<indent> *)# retry: (?P<name>\w+)\n(?P=indent)Retry: )\[.*\]$")


def listed(policy: Policy) -> list[dict[str, Any]]:
    """A policy as the Amazon States Language has it."""
    return [
        {
            "ErrorEquals": list(policy.errors),
            "IntervalSeconds": policy.interval,
            "MaxAttempts": policy.attempts,
            "BackoffRate": 2,
            "MaxDelaySeconds": policy.longest,
            "JitterStrategy": "FULL",
        }
    ]


def rendered(policy: Policy) -> str:
    """The same on one line of YAML."""
    return yaml.safe_dump(listed(policy), default_flow_style=True, sort_keys=False, width=10_000).strip()


def drifted(text: str) -> Iterator[str]:
    """What is wrong with the Retry lists of a definition, each with its state."""
    lines = text.splitlines()
    for state, key, value in _lists(yaml.compose(text, yaml.SafeLoader), ""):
        above = COMMENT.fullmatch(lines[key.start_mark.line - 1])
        if above is None:
            yield f"{state}: no comment `# retry: NAME` stands above its Retry; name a policy of tools/retries.py"
        elif (policy := POLICIES.get(above[1])) is None:
            yield f"{state}: there is no retry policy {above[1]}; tools/retries.py has {', '.join(POLICIES)}"
        elif _value(value) != listed(policy):
            yield f"{state}: its Retry is not the policy {above[1]}; run `python -m tools.retries`"


def _lists(node: yaml.Node | None, state: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Every Retry below a node: its state, the node of its key and that of its list."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _lists(item, state)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "Retry":
                yield state, key, value
            elif key.value == "States":
                for name, inner in value.value:
                    yield from _lists(inner, f"{state} > {name.value}" if state else name.value)
            else:
                yield from _lists(value, state)


def _value(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node))


def rewritten(text: str) -> str:
    """A definition with every list as its comment names it."""
    return WRITTEN.sub(
        lambda found: (
            found["head"] + rendered(POLICIES[found["name"]]) if found["name"] in POLICIES else found[0]
        ),
        text,
    )


def main(folder: Path) -> None:
    """Write the lists of all definitions."""
    for path in sorted(folder.glob("*.asl.yaml")):
        path.write_text(rewritten(path.read_text()))


if __name__ == "__main__":
    main(ROOT / "statemachines")
