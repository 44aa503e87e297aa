"""CloudWatch metric math: arithmetic, comparisons, IF, FILL and the aggregates over series.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
Values are series (moment -> value) or numbers. In arithmetic on two series what one of them lacks at a moment is 0, and
what neither has is not there; a division by zero drops the moment. FILL gives a value to every moment that was asked
for, the newest too, whose report is only late.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

Series = dict[float, float]
Value = Series | float

_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
}
_UNARY: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}


class UnknownExpression(ValueError):
    """The lab's metric math does not know this expression."""


@cache
def names(text: str) -> frozenset[str]:
    """The ids of other queries that an expression uses."""
    return frozenset(
        node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name) and node.id[0].islower()
    )


def evaluate(text: str, series: dict[str, Series], moments: Sequence[float]) -> Series:
    """An expression's values at each of the moments at which it has one.

    Raises
    ------
    UnknownExpression
        When the expression uses what the lab does not know.
    """
    value = _value(_parse(text), series, moments)
    return value if isinstance(value, dict) else dict.fromkeys(moments, float(value))


@cache
def _parse(text: str) -> ast.expr:
    # The language's AND, OR and single = are Python's and, or and ==; IF and FILL are plain calls.
    python = re.sub(r"\bAND\b|&&", " and ", text)
    python = re.sub(r"\bOR\b|\|\|", " or ", python).replace("^", "**")
    try:
        return ast.parse(python.strip(), mode="eval").body
    except SyntaxError as error:
        raise UnknownExpression(f"cannot read the metric math {text!r}") from error


def _value(node: ast.expr, series: dict[str, Series], moments: Sequence[float]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in series:
        return series[node.id]
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, series, moments), _value(node.right, series, moments)
        return _combine(_OPERATORS[type(node.op)], left, right, lacking=0.0)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        right = _value(node.comparators[0], series, moments)
        return _combine(_OPERATORS[type(node.ops[0])], _value(node.left, series, moments), right)
    if isinstance(node, ast.BoolOp):
        both = isinstance(node.op, ast.And)
        result = _value(node.values[0], series, moments)
        for other in node.values[1:]:
            function = (
                (lambda a, b: float(bool(a) and bool(b)))
                if both
                else (lambda a, b: float(bool(a) or bool(b)))
            )
            result = _combine(function, result, _value(other, series, moments))
        return result
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _combine(operator.mul, _value(node.operand, series, moments), -1.0)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node.func.id, node.args, series, moments)
    if isinstance(node, ast.List):
        return [_value(element, series, moments) for element in node.elts]
    raise UnknownExpression(f"the lab's metric math does not know {ast.unparse(node)!r}")


def _call(name: str, nodes: list[ast.expr], series: dict[str, Series], moments: Sequence[float]) -> Any:
    if name == "FILL":
        base = _value(nodes[0], series, moments)
        if isinstance(nodes[1], ast.Name) and nodes[1].id == "REPEAT":
            return _repeat(base, moments)
        filler = _value(nodes[1], series, moments)
        known = base if isinstance(base, dict) else {}
        return {at: known.get(at, _at(filler, at) or 0.0) for at in moments}
    values = [_value(node, series, moments) for node in nodes]
    if name == "IF":
        condition, then = values[0], values[1]
        otherwise = values[2] if len(values) > 2 else {}
        chosen = {
            at: _at(then if _at(condition, at) else otherwise, at)
            for at in moments
            if _at(condition, at) is not None
        }
        return {at: value for at, value in chosen.items() if value is not None}
    if name in _AGGREGATES and len(values) == 1:
        if isinstance(values[0], list):
            present = {
                at: [value for value in (_at(one, at) for one in values[0]) if value is not None]
                for at in moments
            }
            return {at: float(_AGGREGATES[name](found)) for at, found in present.items() if found}
        return float(_AGGREGATES[name](list(values[0].values()))) if values[0] else {}
    if name in _UNARY and len(values) == 1:
        return _combine(lambda a, _: float(_UNARY[name](a)), values[0], 0.0)
    raise UnknownExpression(f"the lab's metric math does not know {name} with {len(nodes)} arguments")


def _at(value: Value, moment: float) -> float | None:
    return value.get(moment) if isinstance(value, dict) else value


def _repeat(value: Series, moments: Sequence[float]) -> Series:
    result, last = {}, None
    for at in moments:
        last = value.get(at, last)
        if last is not None:
            result[at] = last
    return result


def _combine(
    function: Callable[[float, float], float], left: Value, right: Value, lacking: float | None = None
) -> Value:
    """`lacking` stands for what one of two series does not have; None: then the moment is left out."""
    if not isinstance(left, dict) and not isinstance(right, dict):
        return float(function(left, right))
    moments = {at for side in (left, right) if isinstance(side, dict) for at in side}
    result = {}
    for at in sorted(moments):
        a, b = _at(left, at), _at(right, at)
        a, b = lacking if a is None else a, lacking if b is None else b
        if a is None or b is None:
            continue
        with suppress(ZeroDivisionError):
            result[at] = float(function(a, b))
    return result
