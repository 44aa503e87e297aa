"""The lab's CloudFormation executes a change set once, however often its client asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lab.moto.cloudformation import _execute_change_set


def test_a_client_that_asks_again_begins_nothing_anew() -> None:
    """botocore does when no answer came in a minute, as on a busy machine."""
    asked: list[str] = []
    change_set = SimpleNamespace(
        execution_status="AVAILABLE", stack_id="s", change_set_type="UPDATE", template="", parameters={}
    )

    def change(*args: Any, **more: Any) -> None:
        asked.append(change_set.execution_status)
        execute(backend, "c")
        raise InterruptedError

    stack = SimpleNamespace(parameters={}, _add_stack_event=change)
    backend = SimpleNamespace(describe_change_set=lambda name: change_set, stacks={"s": stack})
    execute: Any = _execute_change_set(lambda *args: None)
    try:
        execute(backend, "c")
    except InterruptedError:
        assert asked == ["EXECUTE_IN_PROGRESS"]
    else:
        raise AssertionError("it was not executed at all")
