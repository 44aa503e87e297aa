"""One worker of one function: imports the handler and answers invocations over a socket.

Only the standard library, so that a worker sees nothing but the function's own code and layers
when it is started without the zygote. The protocol is frames: four bytes of length, then JSON.
The first frame is the worker's assignment; each later one is an invocation.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def stalled() -> float:
    """As `lab.fairness` reads it, which is not on a function's path."""
    with contextlib.suppress(OSError):
        first = Path("/proc/pressure/cpu").read_text().partition("\n")[0]
        return int(first.rpartition("total=")[2]) / 1e6
    return 0.0


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Write one frame."""
    data = json.dumps(message).encode()
    connection.sendall(struct.pack(">I", len(data)) + data)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Read one frame, or None when the other side has gone."""
    header = _exactly(connection, 4)
    if header is None:
        return None
    data = _exactly(connection, struct.unpack(">I", header)[0])
    return None if data is None else json.loads(data)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Context:
    """What Lambda passes as `context`."""

    def __init__(self, invocation: dict[str, Any]) -> None:
        environ = os.environ
        self.aws_request_id: str = invocation["request_id"]
        self.invoked_function_arn: str = invocation["arn"]
        self.function_name = environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = invocation.get("client_context")
        self._limit: float = invocation["limit"]
        # Of a time in which somebody waited for a processor so much counts.
        self._least: float = invocation["least"]
        self._began, self._stalled = time.monotonic(), stalled()

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout, which counts little of what the machine is late by."""
        owed = (stalled() - self._stalled) * (1 - self._least)
        return max(0, int((self._limit - (time.monotonic() - self._began) + owed) * 1000))


def _error(error: BaseException, request_id: str, kind: str | None = None) -> dict[str, Any]:
    frames = traceback.format_tb(error.__traceback__)
    return {
        "errorMessage": str(error),
        "errorType": kind or type(error).__name__,
        "requestId": request_id,
        # The first frame is this module's own.
        "stackTrace": frames[1:],
    }


def load(handler: str) -> Any:
    """Import `module.function`, or `directory/module.function`."""
    module, name = handler.rsplit(".", 1)
    return getattr(importlib.import_module(module.replace("/", ".")), name)


def close_off(addresses: list[list[Any]]) -> None:
    """Let connections to these addresses time out: they are private, and the function is elsewhere."""
    closed = {(host, port) for host, port in addresses}
    if not closed:
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and tuple(address[:2]) in closed:
            raise TimeoutError(
                f"timed out: {address[0]}:{address[1]} is private and this function is not in its VPC"
            )
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]


def serve(connection: socket.socket, assignment: dict[str, Any]) -> None:
    """Become the worker of the assigned function; returns when the runner hangs up."""
    os.environ.clear()
    os.environ.update(assignment["environment"])
    time.tzset()
    close_off(assignment.get("closed", []))
    log = os.open(assignment["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.path[0:0] = [assignment["code"], *assignment["layers"]]
    os.chdir(assignment["code"])
    failure = None
    try:
        handler = load(assignment["handler"])
    except (ImportError, AttributeError) as error:
        message = f"Unable to import module '{assignment['handler'].rsplit('.', 1)[0]}': {error}"
        failure = _error(error, "", "Runtime.ImportModuleError") | {"errorMessage": message}
    except SyntaxError as error:
        failure = _error(error, "", "Runtime.UserCodeSyntaxError")
    except Exception as error:  # noqa: BLE001 - whatever the function's code raises is its own
        failure = _error(error, "")
    if failure is not None:
        print(json.dumps(failure))
        send(connection, {"init_error": failure})
        return
    send(connection, {"ready": True})
    while (invocation := receive(connection)) is not None:
        send(connection, _answer(handler, invocation))


def _answer(handler: Any, invocation: dict[str, Any]) -> dict[str, Any]:
    request_id = invocation["request_id"]
    print(f"START RequestId: {request_id} Version: {os.environ['AWS_LAMBDA_FUNCTION_VERSION']}")
    began = time.perf_counter()
    answer: dict[str, Any]
    try:
        result = handler(invocation["event"], Context(invocation))
    except Exception as error:  # noqa: BLE001 - whatever the handler raises is the answer
        answer = {"error": _error(error, request_id)}
        print("[ERROR]", json.dumps(answer["error"]))
    else:
        try:
            # Text, because the runner hands it on without looking inside.
            answer = {"result": json.dumps(result, ensure_ascii=False)}
        except (TypeError, ValueError) as error:
            answer = {"error": _error(error, request_id, "Runtime.MarshalError")}
    with contextlib.suppress(ValueError):
        print(f"REPORT RequestId: {request_id} Duration: {(time.perf_counter() - began) * 1000:.2f} ms")
    return answer


def main() -> None:
    """Run as a program of its own: the socket is the file descriptor named on the command line."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    assignment = receive(connection)
    if assignment is not None:
        # The directory of this file is not on the function's path.
        here = Path(__file__).parent
        sys.path[:] = [entry for entry in sys.path if Path(entry) != here]
        serve(connection, assignment)


if __name__ == "__main__":
    main()
