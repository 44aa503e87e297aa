"""How the state machines' tasks are tried again: named policies, of which each Retry list is one.

A look (`candlefish.handler.look`) that is not finished is taken again as well, steadily: `# retry: looks, NAME`.

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

from candlefish.errors import PACES, Retryable
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
# Starting and stopping executions. As far as anybody has listed what Step Functions calls these.
EXECUTIONS = (
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SdkClientException",
    "StepFunctions.ThrottlingException",
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException",
    "Sfn.SfnException",
    "Sfn.SdkClientException",
    "Sfn.ThrottlingException",
)
# The function was at work and may have done it: every use case can be called again.
CUT_OFF = ("Runtime.ExitError", "States.Timeout")
PASSING = (*OURS, *LAMBDAS, *CUT_OFF, *EXECUTIONS)
ANY = ("States.ALL",)
# An execution has no room for so many.
FOR_EVER = 1_000_000


class Policy(msgspec.Struct, frozen=True):
    """What is tried again, how often, and why so. `longest` is seconds between tries, which are half of it on average."""

    why: str
    attempts: int
    errors: tuple[str, ...] = PASSING
    longest: int = 20
    # What is never tried again, where bugs are: it is an answer.
    final: tuple[str, ...] = ()
    # How often whatever else goes wrong is tried again, a minute apart at most.
    bugs: int = 0


# A look that fails by a bug says nothing of the version that it looks at.
VERDICTS = ("JudgedBad", "StaleGeneration")

POLICIES = {
    "transient": Policy(
        "A quarter of a minute: whatever lasts longer is taken back, or told to whoever asked.", attempts=5
    ),
    "stubborn": Policy(
        "Nobody does it when this gives up: an hour, and never long idle, because users may wait for it.",
        attempts=360,
    ),
    "anything": Policy(
        "What says how it went, starts or stops executions: AWS has more names for what passes than we know, and "
        "even a bug is tried again. Five minutes.",
        attempts=20,
        errors=ANY,
        longest=30,
    ),
    "judging": Policy(
        "As stubborn, and a bug of ours is tried again for some minutes; then a person is asked, because it is no evidence.",
        attempts=360,
        final=VERDICTS,
        bugs=12,
    ),
    "watching": Policy(
        "Nobody is there to be asked any more, and what fails here is no evidence: it looks until the window closes.",
        attempts=FOR_EVER,
        errors=ANY,
        longest=300,
        final=VERDICTS,
    ),
}

# Whoever looks ends by itself.
LOOKS = "looks"

COMMENT = re.compile(rf"\s*# retry: ((?:{LOOKS}, )?)(\w+)")
# A list with its comment, on two lines.
WRITTEN = re.compile(
    r"(?m)^(?P<head>(?P<indent> *)# retry: (?P<looks>(?:looks, )?)(?P<name>\w+)\n(?P=indent)Retry: )\[.*\]$"
)


def listed(policy: Policy, *, looks: bool = False) -> list[dict[str, Any]]:
    """A policy as the Amazon States Language has it. `looks`: what is not there yet is looked at again."""
    steady = [
        {
            "ErrorEquals": [error.__name__],
            "IntervalSeconds": pace,
            "MaxAttempts": FOR_EVER,
            "BackoffRate": 1,
        }
        for pace, error in PACES.items()
    ]
    never = [{"ErrorEquals": list(policy.final), "MaxAttempts": 0}] if policy.final else []
    bugs = [_spread(ANY, policy.bugs, 60)] if policy.bugs else []
    return [
        *(steady if looks else ()),
        *never,
        _spread(policy.errors, policy.attempts, policy.longest),
        *bugs,
    ]


def _spread(errors: tuple[str, ...], attempts: int, longest: int) -> dict[str, Any]:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": 1,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": longest,
        "JitterStrategy": "FULL",
    }


def rendered(policy: Policy, *, looks: bool = False) -> str:
    """The same on one line of YAML."""
    return yaml.safe_dump(
        listed(policy, looks=looks), default_flow_style=True, sort_keys=False, width=10_000
    ).strip()


def drifted(text: str) -> Iterator[str]:
    """What is wrong with the Retry lists of a definition, each with its state."""
    lines = text.splitlines()
    for state, key, value in _lists(yaml.compose(text, yaml.SafeLoader), ""):
        above = COMMENT.fullmatch(lines[key.start_mark.line - 1])
        if above is None:
            yield f"{state}: no comment `# retry: NAME` stands above its Retry; name a policy of tools/retries.py"
        elif (policy := POLICIES.get(above[2])) is None:
            yield f"{state}: there is no retry policy {above[2]}; tools/retries.py has {', '.join(POLICIES)}"
        elif _value(value) != listed(policy, looks=bool(above[1])):
            yield f"{state}: its Retry is not the policy {above[1]}{above[2]}; run `python -m tools.retries`"


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
            found["head"] + rendered(POLICIES[found["name"]], looks=bool(found["looks"]))
            if found["name"] in POLICIES
            else found[0]
        ),
        text,
    )


def main(folder: Path) -> None:
    """Write the lists of all definitions."""
    for path in sorted(folder.glob("*.asl.yaml")):
        path.write_text(rewritten(path.read_text()))


if __name__ == "__main__":
    main(ROOT / "statemachines")
