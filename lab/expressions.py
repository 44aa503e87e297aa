"""JSONata as Step Functions evaluates it, through the jsonata-python package.

An expression is compiled once and variables are bound as values: pasting them into its text, as moto
does, breaks on quotes in strings.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils

_compiled = threading.local()


class Undefined(Exception):
    """The expression returned nothing; Step Functions treats that as an error."""


def _partition(values: list[Any], size: int) -> list[list[Any]]:
    return [list(values[at : at + int(size)]) for at in range(0, len(values), int(size))]


def _range(first: int, last: int, step: int) -> list[int]:
    return list(range(int(first), int(last) + (1 if step > 0 else -1), int(step)))


def _hash(value: Any, algorithm: str = "SHA-256") -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return hashlib.new(algorithm.lower().replace("-", ""), text.encode()).hexdigest()


def seeded(seed: float) -> float:
    """What `$random(seed)` gives: the same number for the same seed."""
    return random.Random(seed).random()


# The functions that Step Functions adds to JSONata.
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "randomSeeded": seeded,
    "random": lambda seed=None: random.Random(seed).random(),
    "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
}


def functions(**others: Callable[..., Any]) -> dict[str, Any]:
    """The functions of Step Functions, and others in place of those of the same name, to evaluate with."""
    return {name: Jsonata.JLambda(function) for name, function in {**_FUNCTIONS, **others}.items()}


_ALL = functions()


def parsed(expression: str) -> Jsonata:
    """The expression, parsed once in each thread.

    Raises
    ------
    jsonata.JException
        When it cannot be parsed.
    """
    cache: dict[str, Jsonata] = _compiled.__dict__.setdefault("cache", {})
    compiled = cache.get(expression)
    if compiled is None:
        compiled = cache[expression] = Jsonata(expression)
        compiled.set_output_convert_nulls(False)
    return compiled


def evaluate(expression: str, bindings: dict[str, Any], known: dict[str, Any] | None = None) -> Any:
    """Evaluate a JSONata expression over variables, by their names without `$`, and `functions`.

    Raises
    ------
    Undefined
        When the expression returned nothing.
    jsonata.JException
        When it cannot be parsed or evaluated.
    """
    compiled = parsed(expression)
    # The library finds the running expression by thread; a cached one has to put itself there.
    Jsonata.CURRENT.jsonata = compiled
    values = {name: Utils.NULL_VALUE if value is None else value for name, value in bindings.items()}
    result = compiled.evaluate(None, (known or _ALL) | values)
    if result is None:
        raise Undefined
    return json.loads(json.dumps(Utils.convert_nulls(result)))
