"""Runs the real handlers as Lambda runs them.

A worker is a process of one function: it has the function's environment and nothing else's, takes
one invocation at a time, stays warm, and is killed when the function's timeout passes. More
workers are made when invocations overlap. Workers are forked from a zygote (`lab.functions.zygote`), or
started as isolated interpreters that see only the function's artefact and layers.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lab import ROOT, fairness
from lab.faults import Fault, Faults
from lab.functions import worker

# Warm workers of one function that are kept; a burst's others end.
_MOST_IDLE = 2
# Why an invocation is refused: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_OWN_LIMIT = "ReservedFunctionConcurrentInvocationLimitExceeded"
_ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"
# Initialisation has a limit of its own, ten seconds on AWS; machines here may be slower.
_INIT_SECONDS = 120.0


# A host and a port.
Address = tuple[str, int]


class Code(msgspec.Struct, frozen=True):
    """Where a function's code is on this machine."""

    directory: str
    # Each goes on the module path, as `/opt/python` does.
    layers: tuple[str, ...] = ()
    # Start a clean interpreter instead of a fork: nothing but the code, its layers and the standard library.
    isolated: bool = False


class Spec(msgspec.Struct, frozen=True):
    """A function's deployed configuration."""

    name: str
    arn: str
    handler: str
    timeout: float
    memory: int
    region: str
    environment: dict[str, str]
    code: Code
    # None: no reserved concurrency. It is the function's: all its versions together.
    concurrency: int | None = None
    version: str = "$LATEST"
    # Of the VPC that it is attached to; none for no VPC.
    subnets: tuple[str, ...] = ()
    # Whose credentials it has: a function that is made again under its name has another role.
    role: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What an invocation came to. `error` is None, `Handled`, `Unhandled` or `Throttled`."""

    payload: bytes
    error: str | None = None
    log: str = ""
    seconds: float = 0.0


class _Worker:
    def __init__(
        self, spec: Spec, closed: frozenset[Address], access_key: str, connection: socket.socket, pid: int
    ) -> None:
        self.spec = spec
        self.closed = closed
        self.access_key = access_key
        self.connection = connection
        self.pid = pid
        self.started = False
        self.process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.connection.close()
        if self.process is not None:
            self.process.wait()


# Gives a worker of a function its credentials: (access key id, secret, session token).
Credentials = Callable[[Spec], tuple[str, str, str]]


def _fixed_credentials(spec: Spec) -> tuple[str, str, str]:
    return f"ASIA{uuid.uuid4().hex[:16].upper()}", "lab", "lab"


class Functions:
    """The workers of all functions. Thread-safe; `close` ends every process it started."""

    def __init__(
        self,
        directory: Path,
        faults: Faults | None = None,
        environment: dict[str, str] | None = None,
        credentials: Credentials = _fixed_credentials,
    ) -> None:
        self._logs = directory / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        # Which region each log is of.
        self._log_of: dict[Path, str] = {}
        self._faults = faults or Faults()
        # Laid over every function's own environment.
        self.environment = environment or {}
        self.credentials = credentials
        self._lock = threading.Lock()
        # By ARN: versions of a function stay warm side by side.
        self._idle: dict[str, list[_Worker]] = {}
        self._busy: dict[str, set[_Worker]] = {}
        self._zygote: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        # Whether the zygote has imported what it shall and takes requests.
        self._awake = False
        self._zygote_lock = threading.Lock()
        # The addresses that a function does not reach from where it runs.
        self.closed_to: Callable[[Spec], frozenset[Address]] = lambda spec: frozenset()
        # Told of every invocation that has ended, or was refused.
        self.ended: list[Callable[[Spec, Outcome], None]] = []
        # How many executions functions without a reservation share in a region; None: as many as are asked for.
        self.unreserved: Callable[[str], int] | None = None

    # --- public ----------------------------------------------------------------------------

    def invoke(self, spec: Spec, event: bytes, client_context: Any = None) -> Outcome:
        """Run one invocation and wait for it."""
        outcome = self._invoke(spec, event, client_context)
        for tell in self.ended:
            tell(spec, outcome)
        return outcome

    def _invoke(self, spec: Spec, event: bytes, client_context: Any) -> Outcome:
        began = time.perf_counter()
        fault = self._faults.take("function", spec.name, "Invoke")
        if reason := _OWN_LIMIT if fault is not None and fault.kind == "throttle" else self._limit(spec):
            return _throttled(reason)
        request_id = str(uuid.uuid4())
        if fault is not None and fault.kind == "error":
            return _failed("Runtime.ExitError", f"RequestId: {request_id} Error: injected fault", began)
        if fault is not None and fault.kind == "latency":
            time.sleep(fault.seconds)
        try:
            runner = self._acquire(spec)
        except OSError as error:
            return _failed("Runtime.Unknown", f"RequestId: {request_id} Error: {error}", began)
        mark = self._log_size(spec)
        invocation = {
            "request_id": request_id,
            "arn": spec.arn,
            "event": json.loads(event or b"{}"),
            "client_context": client_context,
        }
        answer, timed_out = self._run_struck(runner, invocation, spec.timeout, fault)
        if answer is None:
            self._discard(runner)
            return self._cut_short(spec, request_id, timed_out, began)
        seconds = time.perf_counter() - began
        if "init_error" in answer:
            self._discard(runner)
            return Outcome(json.dumps(answer["init_error"]).encode(), "Unhandled", "", seconds)
        self._release(runner)
        log = self._log_tail(spec, mark)
        if "error" in answer:
            return Outcome(json.dumps(answer["error"]).encode(), "Unhandled", log, seconds)
        return Outcome(answer["result"].encode(), None, log, seconds)

    def _cut_short(self, spec: Spec, request_id: str, timed_out: bool, began: float) -> Outcome:
        kind, text = "Runtime.ExitError", "Runtime exited without providing a reason"
        if timed_out:
            kind, text = "Sandbox.Timedout", f"Task timed out after {spec.timeout:.2f} seconds"
        message = f"RequestId: {request_id} Error: {text}"
        self._note(spec, message)
        return _failed(kind, message, began)

    def prepare(self) -> None:
        """Start the process that workers are forked from; it gets ready in the background."""
        with self._zygote_lock:
            if self._zygote is None:
                self._zygote = _start_zygote()

    def warm(self, spec: Spec) -> None:
        """Import the function's handler ahead of its first invocation."""
        runner = self._acquire(spec)
        if not runner.started:
            runner.connection.settimeout(_INIT_SECONDS)
            with contextlib.suppress(OSError):
                answer = worker.receive(runner.connection)
                if answer is not None and "ready" in answer:
                    runner.started = True
                    self._release(runner)
                    return
            self._discard(runner)
        else:
            self._release(runner)

    def kill_caller(self, access_key: str) -> str | None:
        """Kill the worker that signs with this access key; its function's name, or None."""
        with self._lock:
            workers = [one for busy in self._busy.values() for one in busy if one.access_key == access_key]
        for one in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
            return one.spec.name
        return None

    def name_of(self, access_key: str) -> str | None:
        """The function whose running worker signs with this access key."""
        spec = self.spec_of(access_key)
        return spec.name if spec else None

    def spec_of(self, access_key: str) -> Spec | None:
        """The same, as it is deployed."""
        with self._lock:
            for busy in self._busy.values():
                for one in busy:
                    if one.access_key == access_key:
                        return one.spec
        return None

    def close(self) -> None:
        """End every worker and the zygote."""
        with self._lock:
            workers = [one for idle in self._idle.values() for one in idle]
            workers += [one for busy in self._busy.values() for one in busy]
            self._idle.clear()
            self._busy.clear()
        for one in workers:
            one.kill()
        with self._zygote_lock:
            if self._zygote is not None:
                process, control = self._zygote
                control.close()
                process.terminate()
                process.wait()
                self._zygote = None

    # --- workers ---------------------------------------------------------------------------

    def _limit(self, spec: Spec) -> str:
        """Whose limit is reached: the function's own, or what the region's functions share; empty for neither."""
        with self._lock:
            if spec.concurrency is not None:
                own = len(self._busy.get(spec.name, ()))
                return _OWN_LIMIT if own >= spec.concurrency else ""
            running = sum(
                one.spec.region == spec.region and one.spec.concurrency is None
                for busy in self._busy.values()
                for one in busy
            )
        # Asked for outside: whoever counts reservations asks about all functions.
        shared = self.unreserved(spec.region) if self.unreserved else None
        return "" if shared is None or running < shared else _ACCOUNT_LIMIT

    def _acquire(self, spec: Spec) -> _Worker:
        stale, closed = [], self.closed_to(spec)
        try:
            with self._lock:
                idle = self._idle.setdefault(spec.arn, [])
                busy = self._busy.setdefault(spec.name, set())
                while idle:
                    candidate = idle.pop()
                    if (candidate.spec, candidate.closed) == (spec, closed):
                        busy.add(candidate)
                        return candidate
                    stale.append(candidate)
        finally:
            for one in stale:
                one.kill()
        made = self._start(spec, closed)
        with self._lock:
            self._busy[spec.name].add(made)
        return made

    def _release(self, runner: _Worker) -> None:
        with self._lock:
            self._busy.get(runner.spec.name, set()).discard(runner)
            idle = self._idle.setdefault(runner.spec.arn, [])
            surplus = len(idle) >= _MOST_IDLE
            if not surplus:
                idle.append(runner)
        if surplus:
            runner.kill()

    def _discard(self, runner: _Worker) -> None:
        with self._lock:
            self._busy.get(runner.spec.name, set()).discard(runner)
        runner.kill()

    def _start(self, spec: Spec, closed: frozenset[Address]) -> _Worker:
        key, secret, token = self.credentials(spec)
        ours, theirs = socket.socketpair()
        assignment = {
            "environment": _environment(spec, key, secret, token) | self.environment,
            "log": str(self._log(spec)),
            "code": spec.code.directory,
            "layers": list(spec.code.layers),
            "handler": spec.handler,
            "closed": sorted(closed),
        }
        with theirs:
            if spec.code.isolated:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", worker.__file__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
                made = _Worker(spec, closed, key, ours, process.pid)
                made.process = process
            else:
                made = _Worker(spec, closed, key, ours, self._fork(theirs))
        worker.send(ours, assignment)
        return made

    def _fork(self, connection: socket.socket) -> int:
        with self._zygote_lock:
            if self._zygote is None or self._zygote[0].poll() is not None:
                self._zygote = _start_zygote()
                self._awake = False
            _, control = self._zygote
            if not self._awake:
                if control.recv(1) != b"r":
                    raise OSError("the process that workers are forked from died; see the lab's output")
                self._awake = True
            socket.send_fds(control, [b"f"], [connection.fileno()])
            (pid,) = struct.unpack("i", control.recv(4))
            return int(pid)

    def _run_struck(
        self, runner: _Worker, invocation: dict[str, Any], limit: float, fault: Fault | None
    ) -> tuple[dict[str, Any] | None, bool]:
        """As `_run`; a fault's crash or stall is an invocation that is cut short."""
        if fault is not None and fault.kind == "crash":
            answer, _ = self._run(runner, invocation, fault.seconds, crash=True)
            return answer, False
        began = time.perf_counter()
        answer, timed_out = self._run(runner, invocation, limit)
        if fault is not None and fault.kind == "timeout" and answer is not None:
            time.sleep(max(0.0, limit - (time.perf_counter() - began)))
            return None, True
        return answer, timed_out

    def _run(
        self, runner: _Worker, invocation: dict[str, Any], limit: float, *, crash: bool = False
    ) -> tuple[dict[str, Any] | None, bool]:
        """The worker's answer (None when it died), and whether the time ran out.

        The limit is fair to a function on a busy machine, except where the worker is to `crash` then.
        """
        connection = runner.connection
        try:
            if not runner.started:
                connection.settimeout(_INIT_SECONDS)
                answer = worker.receive(connection)
                if answer is None or "init_error" in answer:
                    return answer, False
                runner.started = True
            # Sending is quick, and so is an answer that has begun.
            connection.settimeout(_INIT_SECONDS)
            worker.send(connection, invocation | {"limit": limit, "least": fairness.LEAST})

            poll = select.poll()
            poll.register(connection, select.POLLIN)

            def answered(seconds: float) -> bool:
                return bool(poll.poll(seconds * 1000))

            if not (answered(limit) if crash else fairness.within(answered, limit)):
                return None, True
            return worker.receive(connection), False
        except TimeoutError:
            return None, True
        except OSError:
            return None, False

    # --- logs ------------------------------------------------------------------------------

    def logs(self) -> list[tuple[Path, str]]:
        """The log of every function that ran, and its region."""
        return list(self._log_of.items())

    def _log(self, spec: Spec) -> Path:
        # A function of the same name in another region has a log of its own.
        path = self._logs / f"{spec.name}.log"
        if self._log_of.setdefault(path, spec.region) != spec.region:
            path = self._logs / f"{spec.name}@{spec.region}.log"
            self._log_of.setdefault(path, spec.region)
        return path

    def _note(self, spec: Spec, text: str) -> None:
        with self._log(spec).open("a") as log:
            log.write(text + "\n")

    def _log_size(self, spec: Spec) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self._log(spec).stat().st_size
        return 0

    def _log_tail(self, spec: Spec, mark: int) -> str:
        with contextlib.suppress(FileNotFoundError), self._log(spec).open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(mark, end - 4096))
            return log.read().decode(errors="replace")
        return ""


def _throttled(reason: str) -> Outcome:
    message = {"Reason": reason, "message": "Rate Exceeded."}
    return Outcome(json.dumps(message).encode(), "Throttled")


def _failed(kind: str, message: str, began: float) -> Outcome:
    payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return Outcome(payload, "Unhandled", "", time.perf_counter() - began)


def _environment(spec: Spec, key: str, secret: str, token: str) -> dict[str, str]:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "en_US.UTF-8",
        "TZ": "UTC",
        "HOME": "/tmp",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "lab",
        "LAMBDA_TASK_ROOT": spec.code.directory,
        "_HANDLER": spec.handler,
    } | spec.environment


def _start_zygote() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    environment = {"PATH": os.environ.get("PATH", ""), "TZ": "UTC"}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.functions.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
    return process, ours
