"""JSONata for moto's state machine engine, through the jsonata-python package.

moto leaves the evaluator out; `lab.expressions` is one.
"""

from __future__ import annotations

import json
from typing import Any

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

from lab.expressions import Undefined, evaluate
from lab.moto import replace


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
