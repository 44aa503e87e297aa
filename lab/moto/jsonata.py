"""JSONata for moto's state machine engine, through the jsonata-python package.

moto leaves the evaluator out and pastes variables into the expression as text, which breaks on
quotes in strings. Here the expression is compiled once and variables are bound as values.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import uuid
from typing import Any

from jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from lab.moto import replace

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


# The functions that Step Functions adds to JSONata.
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
_FUNCTIONS: dict[str, Any] = {
    name: Jsonata.JLambda(function)
    for name, function in {
        "partition": _partition,
        "range": _range,
        "hash": _hash,
        "randomSeeded": lambda seed: random.Random(seed).random(),
        "random": lambda seed=None: random.Random(seed).random(),
        "uuid": lambda: str(uuid.uuid4()),
        "parse": json.loads,
    }.items()
}


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """Evaluate a JSONata expression over variables, by their names without `$`.

    Raises
    ------
    Undefined
        When the expression returned nothing.
    jsonata.JException
        When it cannot be parsed or evaluated.
    """
    cache: dict[str, Jsonata] = _compiled.__dict__.setdefault("cache", {})
    compiled = cache.get(expression)
    if compiled is None:
        compiled = cache[expression] = Jsonata(expression)
        compiled.set_output_convert_nulls(False)
    # The library finds the running expression by thread; a cached one has to put itself there.
    Jsonata.CURRENT.jsonata = compiled
    values = {name: Utils.NULL_VALUE if value is None else value for name, value in bindings.items()}
    result = compiled.evaluate(None, _FUNCTIONS | values)
    if result is None:
        raise Undefined
    return json.loads(json.dumps(Utils.convert_nulls(result)))


def _failure(env: Any, cause: str) -> FailureEventException:
    error = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details: Any = EventDetails(  # type: ignore[typeddict-item]
        evaluationFailedEventDetails=EvaluationFailedEventDetails(cause=cause, error=error.error_name)
    )
    failure = FailureEvent(
        env=env, error_name=error, event_type=HistoryEventType.EvaluationFailed, event_details=details
    )
    return FailureEventException(failure_event=failure)


def _eval_body(self: Any, env: Any) -> None:
    store = env.variable_store
    bindings = {**store._outer_scope, **store._inner_scope}
    # The context holds dates; round-trip what the engine holds into plain JSON.
    bindings["states"] = json.loads(to_json_str(env.states._states_data))
    try:
        env.stack.append(evaluate(self.expression, bindings))
    except Undefined:
        raise _failure(
            env, f"The JSONata expression '{self.expression}' returned nothing (undefined)."
        ) from None
    except Exception as error:
        raise _failure(env, f"The JSONata expression '{self.expression}' threw an error: {error}") from error


def _sample_body(self: Any, env: Any) -> None:
    store = env.variable_store
    name = self.expression.removeprefix("$")
    scope = {**store._outer_scope, **store._inner_scope}
    if name in scope:
        env.stack.append(scope[name])
    else:
        _eval_body(self, env)


def install() -> None:
    """Make every JSONata expression of a state machine evaluate here."""
    replace(string_expression.StringJSONata, "_eval_body", _eval_body)
    replace(string_expression.StringVariableSample, "_eval_body", _sample_body)
