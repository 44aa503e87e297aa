"""The runner of real handlers behaves as Lambda does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.faults import Fault, Faults
from lab.functions.pool import Code, Functions, Outcome, Spec

HANDLER = """
import os, pathlib, time
class Throttled(Exception): pass
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print("working on", event)
    if event.get("sleep"): time.sleep(event["sleep"])
    if event.get("meet"):
        place = pathlib.Path(event["meet"])
        (place / f"{os.getpid()}.there").touch()
        while len(list(place.glob("*.there"))) < event["count"]: time.sleep(0.01)
    if event.get("raise"): raise Throttled("slow down")
    if event.get("exit"): os._exit(3)
    if event.get("unserialisable"): return object()
    return {"calls": calls, "pid": os.getpid(), "name": os.environ["NAME"], "secret": os.environ.get("OTHER"),
            "left": context.get_remaining_time_in_millis(), "function": context.function_name}
"""

Write = Callable[[str], str]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def functions(tmp_path: Path, faults: Faults) -> Iterator[Functions]:
    runner = Functions(tmp_path / "lab", faults)
    yield runner
    runner.close()


def spec(directory: str, **more: Any) -> Spec:
    values: dict[str, Any] = {
        "name": "fn",
        "arn": "arn:aws:lambda:us-west-2:123456789012:function:fn",
        "handler": "app.handler",
        "timeout": 300,
        "memory": 128,
        "region": "us-west-2",
        "environment": {"NAME": "fn"},
        "code": Code(directory),
        **more,
    }
    return Spec(**values)


def result(outcome: Outcome) -> Any:
    assert outcome.error is None, outcome.payload
    return json.loads(outcome.payload)


def error_of(outcome: Outcome) -> tuple[str, str]:
    assert outcome.error == "Unhandled"
    body = json.loads(outcome.payload)
    return body["errorType"], body["errorMessage"]


def test_a_worker_stays_warm_and_knows_its_own_environment_only(
    functions: Functions, code: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "of the lab's own process")
    here = spec(code(HANDLER))
    first, second = result(functions.invoke(here, b"{}")), result(functions.invoke(here, b"{}"))
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"]
    assert (first["name"], first["secret"], first["function"]) == ("fn", None, "fn")
    assert 0 < first["left"] <= 300_000


def test_invocations_that_overlap_get_workers_of_their_own(
    functions: Functions, code: Write, tmp_path: Path
) -> None:
    here = spec(code(HANDLER))
    # Each waits until all are there.
    meet = json.dumps({"meet": str(tmp_path), "count": 3}).encode()
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(functions.invoke(here, meet))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result(outcome)["pid"] for outcome in outcomes}) == 3


def test_an_exception_is_reported_by_its_class_name_and_the_worker_lives_on(
    functions: Functions, code: Write
) -> None:
    here = spec(code(HANDLER))
    pid = result(functions.invoke(here, b"{}"))["pid"]
    assert error_of(functions.invoke(here, b'{"raise": 1}')) == ("Throttled", "slow down")
    assert result(functions.invoke(here, b"{}"))["pid"] == pid


def test_a_function_over_its_timeout_is_killed(functions: Functions, code: Write) -> None:
    # A busy machine has to do the first one in that time.
    here = spec(code(HANDLER), timeout=5)
    pid = result(functions.invoke(here, b"{}"))["pid"]
    kind, message = error_of(functions.invoke(here, b'{"sleep": 300}'))
    assert kind == "Sandbox.Timedout"
    assert "Task timed out after 5.00 seconds" in message
    assert result(functions.invoke(here, b"{}"))["pid"] != pid


@pytest.mark.parametrize(
    ("event", "kind"),
    [(b'{"exit": 1}', "Runtime.ExitError"), (b'{"unserialisable": 1}', "Runtime.MarshalError")],
)
def test_other_ways_to_fail_have_lambdas_names(
    functions: Functions, code: Write, event: bytes, kind: str
) -> None:
    assert error_of(functions.invoke(spec(code(HANDLER)), event))[0] == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import nothing_of_that_name", "Runtime.ImportModuleError"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("raise KeyError('TABLE_NAME')", "KeyError"),
    ],
)
def test_a_handler_that_cannot_be_imported_says_so_each_time(
    functions: Functions, code: Write, text: str, kind: str
) -> None:
    here = spec(code(text))
    assert error_of(functions.invoke(here, b"{}"))[0] == kind
    assert error_of(functions.invoke(here, b"{}"))[0] == kind


def test_reserved_concurrency_throttles(functions: Functions, code: Write) -> None:
    here = spec(code(HANDLER), concurrency=0)
    assert functions.invoke(here, b"{}").error == "Throttled"


def test_a_changed_configuration_takes_a_new_worker(functions: Functions, code: Write) -> None:
    directory = code(HANDLER)
    assert result(functions.invoke(spec(directory), b"{}"))["name"] == "fn"
    changed = spec(directory, environment={"NAME": "changed"})
    assert result(functions.invoke(changed, b"{}"))["name"] == "changed"


def test_an_isolated_worker_sees_nothing_but_its_artefact_and_layers(
    functions: Functions, code: Write, tmp_path: Path
) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "shared.py").write_text("VALUE = 7")
    text = """
import shared
def handler(event, context):
    try:
        import msgspec
    except ImportError:
        return {"layer": shared.VALUE, "packages of the lab": "hidden"}
"""
    here = spec(code(text), code=Code(code(text), (str(layer),), isolated=True))
    assert result(functions.invoke(here, b"{}")) == {"layer": 7, "packages of the lab": "hidden"}


def test_the_log_has_what_the_function_printed(functions: Functions, code: Write, tmp_path: Path) -> None:
    outcome = functions.invoke(spec(code(HANDLER)), b'{"x": 1}')
    assert "working on {'x': 1}" in outcome.log
    assert "working on {'x': 1}" in (tmp_path / "lab" / "logs" / "fn.log").read_text()


def test_faults_strike_the_invocation(functions: Functions, faults: Faults, code: Write) -> None:
    here = spec(code(HANDLER))
    faults.add(Fault(boundary="function", service="fn", kind="throttle"))
    assert functions.invoke(here, b"{}").error == "Throttled"
    faults.add(Fault(boundary="function", service="fn", kind="crash", seconds=0.1))
    assert error_of(functions.invoke(here, b'{"sleep": 1}'))[0] == "Runtime.ExitError"
    faults.add(Fault(boundary="function", service="fn", kind="timeout"))
    assert error_of(functions.invoke(spec(code(HANDLER), timeout=0.3), b"{}"))[0] == "Sandbox.Timedout"
    assert result(functions.invoke(here, b"{}"))["calls"] == 1
