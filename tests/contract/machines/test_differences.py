"""Where moto's engine, as the lab has it, does not do what AWS documents: the interpreter follows AWS.

Each line of the table is played on both. When moto learns one of them, its test fails, and the line goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab.simulator.machines import InvalidDefinition, Refused
from tests.support.engines.language import DONE, LONG, starting, states, task, waiting
from tests.support.engines.moto import moto_engine
from tests.support.engines.script import Engine, Script
from tests.support.engines.virtual import VirtualEngine

GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg"
API = "https://docs.aws.amazon.com/step-functions/latest/apireference"


@dataclass(frozen=True)
class Difference:
    """`play` gives what is compared. `aws` is what `source` says, and what the interpreter does."""

    what: str
    source: str
    play: Callable[[Engine], Any]
    aws: Any
    moto: Any
    answers: dict[str, list[Any]]


def once(
    definition: dict[str, Any], look: Callable[[Any], Any], value: Any = None
) -> Callable[[Engine], Any]:
    """Run it once, and look at how it ended."""
    return lambda engine: look(engine.end(engine.start(engine.define("m", definition), "x", value)))


def error(ended: Any) -> Any:
    return ended.error


def status(ended: Any) -> Any:
    return ended.status


def output(ended: Any) -> Any:
    return ended.output


def answered_twice(engine: Engine) -> str:
    arn = engine.start(engine.define("m", states("A", A=waiting(End=True))), "x")
    token = engine.called("ask")["token"]
    engine.succeed(token, {})
    engine.end(arn)
    with pytest.raises(Refused) as refused:
        engine.succeed(token, {})
    return refused.value.code


def beats_without_heartbeat(engine: Engine) -> str:
    engine.start(engine.define("m", states("A", A=waiting(TimeoutSeconds=100, End=True))), "x")
    token = engine.called("ask")["token"]
    try:
        engine.heartbeat(token)
    except Refused as refused:
        return refused.code
    return "taken"


def stopped_with_its_parent(engine: Engine) -> str:
    child = engine.define("child", states("F", F=task("f", Next="L"), L=LONG))
    parent = engine.start(engine.define("m", states("N", N=starting(child, "c", End=True))), "x")
    engine.called("f")
    engine.stop(parent, "Enough", "")
    # The parent is over on both; the child only where it was stopped.
    return engine.status("c")


def defined(definition: dict[str, Any]) -> Callable[[Engine], str]:
    def play(engine: Engine) -> str:
        try:
            engine.define("m", definition)
        except (InvalidDefinition, Refused):
            return "refused"
        return "taken"

    return play


def named(name: str) -> Callable[[Engine], str]:
    def play(engine: Engine) -> str:
        try:
            engine.start(engine.define("m", states("S", S=DONE)), name)
        except Refused as refused:
            return refused.code
        return "taken"

    return play


CATCH_ALL = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "S"}], "End": True}
CATCH_FAILED = {"Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "S"}], "End": True}
SWAP = {
    "Type": "Pass",
    "Assign": {"a": "{% $b %}", "b": "{% $a %}"},
    "Output": {"a": "{% $a %}", "b": "{% $b %}"},
    "End": True,
}

TABLE = [
    Difference(
        "Output sees the variables as they were before Assign",
        f"{GUIDE}/workflow-variables.html",
        once(states("P", P={"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Q"}, Q=SWAP), output),
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {},
    ),
    Difference(
        "a result of more than 256 KiB is an error, and States.ALL does not stand for it",
        f"{GUIDE}/concepts-error-handling.html",
        once(states("T", T=task("f", Output={}, **CATCH_ALL), S=DONE), error),
        "States.DataLimitExceeded",
        None,
        {"f": ["x" * 300_000]},
    ),
    Difference(
        "States.TaskFailed stands for every error but States.Timeout, for Step Functions' own too",
        f"{GUIDE}/concepts-error-handling.html",
        once(states("T", T=task("f", "{% $missing %}", **CATCH_FAILED), S=DONE), status),
        "SUCCEEDED",
        "FAILED",
        {"f": [{}]},
    ),
    # The general rule; no page speaks of Output in particular.
    Difference(
        "what goes wrong in Output is caught by the state's catchers",
        f"{GUIDE}/concepts-error-handling.html",
        once(states("T", T=task("f", Output="{% $missing %}", **CATCH_ALL), S=DONE), status),
        "SUCCEEDED",
        "FAILED",
        {"f": [{}]},
    ),
    Difference(
        "a wait takes whole seconds",
        f"{GUIDE}/state-wait.html",
        once(states("W", W={"Type": "Wait", "Seconds": "{% 0.5 %}", "End": True}), error),
        "States.QueryEvaluationError",
        None,
        {},
    ),
    Difference(
        "an answer to a task that is over is TaskTimedOut",
        f"{API}/API_SendTaskSuccess.html",
        answered_twice,
        "TaskTimedOut",
        "InvalidToken",
        {"ask": [{}]},
    ),
    Difference(
        "a sign of life is taken by every task that waits for a token",
        f"{API}/API_SendTaskHeartbeat.html",
        beats_without_heartbeat,
        "taken",
        "InvalidToken",
        {"ask": [{}]},
    ),
    Difference(
        "what an execution waits for with .sync is stopped with it",
        f"{GUIDE}/connect-to-resource.html",
        stopped_with_its_parent,
        "ABORTED",
        "RUNNING",
        {"f": [{}]},
    ),
    Difference(
        "a state to go to that is not there is refused",
        f"{API}/API_CreateStateMachine.html",
        defined(states("P", P={"Type": "Pass", "Next": "Nowhere"})),
        "refused",
        "taken",
        {},
    ),
    Difference(
        "a name has no blanks",
        f"{API}/API_StartExecution.html",
        named("a b"),
        "InvalidName",
        "taken",
        {},
    ),
]


@pytest.mark.parametrize("difference", TABLE, ids=lambda each: each.what)
def test_the_interpreter_does_what_aws_documents(difference: Difference) -> None:
    assert difference.play(VirtualEngine(Script(difference.answers))) == difference.aws


@pytest.mark.parametrize("difference", TABLE, ids=lambda each: each.what)
def test_moto_still_differs(difference: Difference) -> None:
    with moto_engine(Script(difference.answers)) as engine:
        assert difference.play(engine) == difference.moto != difference.aws
