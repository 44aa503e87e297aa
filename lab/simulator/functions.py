"""The product's functions as they are wired in `functions/`, on ports in memory, called as Lambda calls them.

A function's app.py is loaded as it is; while it is, what the composition roots hand out is replaced by the
boundary's proxies. Nothing else of the product is touched.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import msgspec

from lab.simulator.boundary import Boundary, Invocation
from lab.simulator.kernel import Kernel, Killed, Late
from lab.simulator.machines.errors import FunctionError
from lab.simulator.template import Function, Stack

ROOTS = ("core", "release", "signals", "capacity", "cost", "failover", "backups", "views", "messages")
# What a handler is given beside its event.
Handler = Callable[[Any, Any], Any]
# How long Lambda waits before it tries an event again that a function failed on, in seconds.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
AGAIN = (60.0, 120.0)
# How long it waits at first, and at most, when a function runs as often as it may.
BUSY_FIRST, BUSY_MOST = 1.0, 300.0


class Context(msgspec.Struct, frozen=True):
    """The second argument of a handler."""

    aws_request_id: str
    function_name: str


class Code:
    """The handlers of an environment's functions by ARN, loaded once; `boundary` binds them to a run.

    Parameters
    ----------
    accessors
        What replaces a composition root's functions, by name: what each shall return.
    """

    def __init__(self, root: Path, stack: Stack, accessors: Callable[[Boundary], Mapping[str, Any]]) -> None:
        self.boundary = Boundary()
        self._replaced = accessors(self.boundary)
        self.handlers: dict[str, Handler] = {}
        for function in stack.functions.values():
            with _told(function), self.wired():
                self.handlers[function.arn] = _load(root, function)

    @contextmanager
    def wired(self) -> Iterator[None]:
        """Composition roots that hand out what the simulator has; some are asked only while a function runs."""
        with _wired(self._replaced, self.boundary):
            yield


def _load(root: Path, function: Function) -> Handler:
    path = root / "functions" / function.name / "app.py"
    # Under a name of its own: another environment's, or the test's own import of it, stays what it is.
    spec = importlib.util.spec_from_file_location(f"simulated_{function.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importable(spec.name, module):
        spec.loader.exec_module(module)
    handler: Handler = module.lambda_handler
    return handler


@contextmanager
def _importable(name: str, module: ModuleType) -> Iterator[None]:
    """Annotations of a module are looked up by its name."""
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _told(function: Function) -> Iterator[None]:
    """The environment variables that the function has."""
    with patch.dict(os.environ, function.environment | {"AWS_LAMBDA_FUNCTION_NAME": function.name}):
        yield


@contextmanager
def _wired(replaced: Mapping[str, Any], boundary: Boundary) -> Iterator[None]:
    modules = [importlib.import_module(f"candlefish.bootstrap.{name}") for name in ROOTS]
    before: list[tuple[ModuleType, str, Any]] = []
    for module in modules:
        for name, value in vars(module).copy().items():
            if name in replaced and callable(value):
                before.append((module, name, value))
                setattr(module, name, partial(_given, replaced[name]))
            elif name == "now":
                before.append((module, name, value))
                setattr(module, name, boundary.now)
            elif hasattr(value, "cache_clear"):
                # What a root composes of the others is composed anew.
                value.cache_clear()
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        for module in modules:
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _given(value: Any, *args: Any, **more: Any) -> Any:
    return value


class Lambdas:
    """Calls the functions of one stack in virtual time.

    Parameters
    ----------
    lost
        Told of each event that was tried as often as it may be: the function and the event.
    """

    def __init__(self, kernel: Kernel, stack: Stack, code: Code, lost: Callable[[str, Any], None]) -> None:
        self._kernel, self._stack, self._code, self._lost = kernel, stack, code, lost
        self._named = {arn.rpartition(":")[2]: each for arn, each in stack.functions.items()}
        self._running: dict[str, int] = {}
        self._made = 0
        self._waiting = 0
        # Told of each invocation that begins: the function.
        self.before: list[Callable[[str], None]] = []
        # Told of each invocation that ended: function, what went in, what came out or the error's name.
        self.watchers: list[Callable[[str, Any, Any, str], None]] = []

    def call(self, called: str, payload: Any) -> Any:
        """Call a function, by its ARN or its deployed name, and wait for its answer.

        Raises
        ------
        FunctionError
            It failed, took too long, died, or runs as often as it may.
        """
        function = self._named[called.rpartition(":")[2]]
        arn = function.arn
        running = self._running.get(arn, 0)
        if function.concurrency is not None and running >= function.concurrency:
            raise FunctionError("Lambda.TooManyRequestsException", "Rate Exceeded.")
        for hear in self.before:
            hear(function.name)
        self._made += 1
        request = f"{function.name}-{self._made}"
        event = json.loads(json.dumps(payload))
        handler = self._code.handlers[arn]
        task = Invocation(self._kernel, lambda: handler(event, Context(request, function.name)), request)
        task.function = function.name
        task.deadline = self._kernel.now() + function.timeout
        self._running[arn] = running + 1
        task.then(lambda: self._ended(arn))
        self._kernel.later(0, task.resume, request)
        try:
            answer = json.loads(json.dumps(self._kernel.wait(task, function.timeout)))
        except Late:
            task.kill()
            raise self._failed(
                function, event, "Sandbox.Timedout", f"Task timed out after {function.timeout:.2f} seconds"
            ) from None
        except Killed:
            if not task.died:
                raise
            raise self._failed(
                function, event, "Runtime.ExitError", "Runtime exited with error: signal: killed"
            ) from None
        except Exception as error:
            raise self._failed(function, event, type(error).__name__, str(error)) from error
        for watch in self.watchers:
            watch(function.name, event, answer, "")
        return answer

    @property
    def busy(self) -> bool:
        """Whether a function runs, or an event waits for one."""
        return self._waiting > 0 or any(self._running.values())

    def queue(self, arn: str, event: Any) -> None:
        """Call a function soon, and again when it fails, as Lambda does with events."""
        function = self._stack.functions[arn]
        retries = function.retries
        limit = self._kernel.now() + function.event_age
        self._kernel.spawn(partial(self._try, function, event, retries, limit), f"event for {function.name}")

    def _try(self, function: Function, event: Any, retries: int, limit: float) -> None:
        self._waiting += 1
        try:
            self._until_taken(function, event, retries, limit)
        finally:
            self._waiting -= 1

    def _until_taken(self, function: Function, event: Any, retries: int, limit: float) -> None:
        failed, busy = 0, 0
        while True:
            try:
                self.call(function.arn, event)
                return
            except FunctionError as error:
                if error.error == "Lambda.TooManyRequestsException":
                    pause, busy = min(BUSY_MOST, BUSY_FIRST * 2**busy), busy + 1
                elif failed < retries:
                    pause, failed = AGAIN[min(failed, len(AGAIN) - 1)], failed + 1
                else:
                    break
            if self._kernel.now() + pause > limit:
                break
            self._kernel.sleep(pause)
        self._lost(function.name, event)

    def _ended(self, arn: str) -> None:
        self._running[arn] -= 1

    def _failed(self, function: Function, event: Any, error: str, message: str) -> FunctionError:
        for watch in self.watchers:
            watch(function.name, event, message, error)
        cause = {"errorMessage": message, "errorType": error, "requestId": "", "stackTrace": []}
        return FunctionError(error, json.dumps(cause))
