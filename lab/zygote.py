"""Forks workers from a process that has imported what every function imports.

A fork is ready in milliseconds where a new interpreter needs the better part of a second; each
fork still imports the function's own code with the function's own environment.
"""

from __future__ import annotations

import array
import contextlib
import gc
import os
import signal
import socket
import sys

from lab import worker

# What a function's own imports would load first; missing ones only cost time.
_WARM = (
    "boto3",
    "botocore.auth",
    "botocore.httpsession",
    "botocore.retries.standard",
    "aws_lambda_powertools",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.tracing",
    "msgspec",
    "urllib3",
    "zoneinfo",
    "concurrent.futures.thread",
    "hmac",
    "http.client",
    "ssl",
)


def main() -> None:
    """Serve fork requests on the socket whose file descriptor is on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in _WARM:
        with contextlib.suppress(ImportError):
            __import__(module)
    # The kernel reaps the forks; nobody asks for their exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    control.sendall(b"r")
    while True:
        request, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            _become_worker(fds[0])
        os.close(fds[0])
        control.sendall(array.array("i", [pid]).tobytes())


def _become_worker(fd: int) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection = socket.socket(fileno=fd)
        assignment = worker.receive(connection)
        if assignment is not None:
            worker.serve(connection, assignment)
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
