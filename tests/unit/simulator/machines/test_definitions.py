"""Definitions: ours are known, and whatever is unknown is refused when a machine is defined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lab.simulator.machines import InvalidDefinition, substituted
from lab.simulator.machines.parse import define
from tests.support.engines.language import DONE, LONG, states, task

ROOT = Path(__file__).parents[4]
OURS = sorted((ROOT / "statemachines").glob("*.asl.yaml"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_ours_are_known(path: Path) -> None:
    text = path.read_text()
    names = re.findall(r"\$\{(\w+)\}", text)
    definition = substituted(text, {name: f"the-{name}" for name in names})
    flow = define(definition).flow
    # Every state of the text, those inside maps too.
    assert len(list(flow.every())) == len(re.findall(r"^ +Type: ", text, re.MULTILINE))
    assert "${" not in str(definition)
    assert define(definition) is define(dict(definition))


def test_a_substitution_that_nobody_gave() -> None:
    assert substituted("A: x-${One}-${Two}\nB: [1, true]", {"One": "1", "Two": "2"}) == {
        "A": "x-1-2",
        "B": [1, True],
    }
    with pytest.raises(InvalidDefinition, match=r"\$\{Two\}"):
        substituted("A: ${One} ${Two}", {"One": "1"})


def retry(**more: Any) -> dict[str, Any]:
    return states("T", T=task("f", Retry=[{"ErrorEquals": ["E"], **more}], End=True))


def catch(*errors: list[str]) -> dict[str, Any]:
    return states(
        "T", T=task("f", Catch=[{"ErrorEquals": each, "Next": "S"} for each in errors], End=True), S=DONE
    )


def inside(**inner: Any) -> dict[str, Any]:
    return states(
        "P",
        P={"Type": "Pass", "Assign": {"a": 1}, "Next": "M"},
        M={
            "Type": "Map",
            "ItemProcessor": {**states("I", I={"Type": "Pass", "Assign": {"a": 2}, "End": True})} | inner,
            "End": True,
        },
    )


NAMED_TWICE = states("M", M={"Type": "Map", "ItemProcessor": states("M", M=DONE), "End": True})
CHOICE = {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "S"}]}
DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **states("I", I=DONE)}


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        (states("A", A={**DONE, "Comments": "x"}), "A: unknown Comments"),
        ({**states("A", A=DONE), "Start": 1}, "machine: unknown Start"),
        ({**states("A", A=DONE), "QueryLanguage": "JSONPath"}, "JSONata"),
        (states("A", A={**DONE, "QueryLanguage": "JSONPath"}), "JSONata"),
        (states("A", A={"Type": "Activity"}), "unknown Type 'Activity'"),
        (states("A", A={**LONG, "End": False}), "either Next or End"),
        (states("A", A={**LONG, "Next": "A"}), "either Next or End"),
        (states("B", A=DONE), "no state B"),
        (states("A", A={"Type": "Pass", "Next": "B"}), "no state B"),
        (states("A", A={**CHOICE, "Default": "B"}, S=DONE), "no state B"),
        (states("A", A={**CHOICE, "Assign": {"a": 1}}, S=DONE), "unknown Assign"),
        (states("A", A={"Type": "Choice", "Choices": []}), "needs Choices"),
        (
            states("A", A={"Type": "Choice", "Choices": [{"Variable": "$.x", "Next": "A"}]}),
            "unknown Variable",
        ),
        (states("A", A={"Type": "Pass", "Parameters": {}, "End": True}), "unknown Parameters"),
        (states("A" * 81, **{"A" * 81: DONE}), "80 characters"),
        (NAMED_TWICE, "names of their own: M"),
        (inside(), "outer scope cannot be assigned: a"),
        (states("M", M={"Type": "Map", "ItemProcessor": DISTRIBUTED, "End": True}), "only INLINE"),
        (
            states(
                "M",
                M={
                    "Type": "Map",
                    "ToleratedFailureCount": 1,
                    "ItemProcessor": states("I", I=DONE),
                    "End": True,
                },
            ),
            "unknown Tolerated",
        ),
        (states("T", T=task("f", Resource="arn:aws:states:::sqs:sendMessage", End=True)), "unknown Resource"),
        (
            states("T", T=task("f", Arguments={"FunctionName": "f", "Qualifier": "1"}, End=True)),
            "unknown Qualifier",
        ),
        (states("T", T=task("f", Arguments={"Payload": 1}, End=True)), "needs FunctionName"),
        (states("T", T=task("f", Arguments="{% $x %}", End=True)), "must be an object"),
        (states("T", T=task("f", TimeoutSeconds=5, HeartbeatSeconds=5, End=True)), "HeartbeatSeconds"),
        (states("T", T=task("f", Credentials={}, End=True)), "unknown Credentials"),
        (retry(Delay=1), "unknown Delay"),
        (retry(IntervalSeconds=0), "cannot be"),
        (retry(BackoffRate=0.5), "cannot be"),
        (retry(MaxDelaySeconds=0), "cannot be"),
        (retry(JitterStrategy="HALF"), "cannot be"),
        (catch([]), "must name errors"),
        (catch(["States.ALL", "E"]), "stand alone"),
        (catch(["States.ALL"], ["E"]), "and last"),
        (states("A", A={"Type": "Pass", "Assign": {"a-b": 1}, "End": True}), "'a-b' cannot be a variable"),
        (states("A", A={"Type": "Pass", "Assign": {"states": 1}, "End": True}), "'states' cannot"),
        (states("A", A={"Type": "Succeed", "Output": "{% $a + %}"}), "A/Output: .* is no JSONata"),
    ],
)
def test_what_is_unknown_is_refused(definition: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDefinition, match=says):
        define({"QueryLanguage": "JSONata", **definition})
