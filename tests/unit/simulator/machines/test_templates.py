"""Expressions: short cuts find what JSONata finds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonata.jexception import JException

from lab.expressions import Undefined, evaluate
from lab.simulator.machines.errors import StateFailed
from lab.simulator.machines.short_cuts import short_cut
from lab.simulator.machines.templates import template

OURS = sorted((Path(__file__).parents[4] / "statemachines").glob("*.asl.yaml"))


class Values:
    """What a template sees, in a test."""

    state = "S"
    known: dict[str, Any] = {}

    def __init__(self, variables: dict[str, Any]) -> None:
        self.variables = variables

    def states(self) -> dict[str, Any]:
        return {"input": self.variables}


VALUES: list[Any] = [None, True, False, 0, 1.5, "", "x", "it's", [], [1], ["x"], [[1]], {}, {"b": 1}]
VALUES += [["x", "y"], ["x", {"b": "x"}], [{"b": 1}, {"b": 2}]]
VALUES += [{"b": value} for value in VALUES] + [[{"b": value}] for value in VALUES]
SHORT = [
    "$a",
    "$a.b",
    "$a.b.c",
    "$missing",
    "$missing.b",
    "$states.input.a.b",
    "$a = 'x'",
    "$a.b = 'x'",
    "$missing = 'x'",
    "$a.b=''",
    "'x'",
    "{}",
    "{'a': $a, 'b': $a.b, 'c': 'text', 'd': {'e': $missing}}",
    "$merge([$a, {'b': $a.b, 'q': $a}])",
    "$merge([$a])",
    "$merge([$missing, {'b': 'x'}])",
    "$merge([{'b': 'x', 'c': 'y'}, $a])",
]
# Near to one, and none.
LONG = [
    "$a.b[0]",
    "$a . b",
    "$count($a)",
    "$merge($a)",
    "{'a': 1}",
    "{'a': $a, 'a': $a}",
    "$a.in",
    "$a = $a.b",
    "$a ? 'x' : 'y'",
]


@pytest.mark.parametrize("expression", [*SHORT, *LONG])
def test_a_short_cut_finds_what_the_evaluator_finds(expression: str) -> None:
    made = template(f"{{%{expression}%}}", "here")
    for value in VALUES:
        values = Values({"a": value})
        try:
            expected = evaluate(expression, {**values.variables, "states": values.states()})
        except (Undefined, JException):
            expected = "an error"
        try:
            found = made.fill(values)
        except StateFailed:
            found = "an error"
        assert (type(found), found) == (type(expected), expected), value


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_most_of_ours_are_short(path: Path) -> None:
    found = re.findall(r"\{%(.*?)%\}", path.read_text())
    assert sum(short_cut(each) is not None for each in found) > len(found) / 2


@pytest.mark.parametrize("expression", SHORT)
def test_these_are_short(expression: str) -> None:
    assert short_cut(expression) is not None


@pytest.mark.parametrize("expression", LONG)
def test_these_are_not(expression: str) -> None:
    assert short_cut(expression) is None


def test_a_value_without_expressions_is_handed_out_as_it_is() -> None:
    value = {"a": [1, {"b": "{% not at the end"}]}
    assert template(value, "here").fill(Values({})) is value
