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
from typing import Any

from lab import ROOT
from lab.functions import worker

# What a function's own imports would load first; missing ones only cost time.
_WARM = (
    "boto3",
    "botocore.auth",
    "botocore.httpsession",
    "botocore.retries.standard",
    "aws_lambda_powertools",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "msgspec",
    "urllib3",
    "zoneinfo",
    "concurrent.futures.thread",
    "hmac",
    "http.client",
    "ssl",
    "asyncio",
    "kubernetes.client.api_client",
    "kubernetes.client.configuration",
    "kubernetes.client.exceptions",
)
# Services whose API models are parsed once, before any function asks for them.
_SERVICES = (
    "dynamodb",
    "elbv2",
    "events",
    "stepfunctions",
    "cloudwatch",
    "lambda",
    "eks",
    "sns",
    "sqs",
    "s3",
)


def main() -> None:
    """Serve fork requests on the socket whose file descriptor is on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in _WARM:
        with contextlib.suppress(ImportError):
            __import__(module)
    _parse_models()
    # The kernel reaps the forks; nobody asks for their exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    control.sendall(b"r")
    while True:
        try:
            request, fds, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionResetError:
            # The lab went down before it had heard that this is ready.
            return
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            _become_worker(fds[0])
        os.close(fds[0])
        control.sendall(array.array("i", [pid]).tobytes())


def _parse_models() -> None:
    import botocore.loaders
    import botocore.session

    load = botocore.loaders.JSONFileLoader.load_file
    parsed: dict[str, Any] = {}

    def load_once(self: Any, file_path: str) -> Any:
        if file_path not in parsed:
            parsed[file_path] = load(self, file_path)
        return parsed[file_path]

    botocore.loaders.JSONFileLoader.load_file = load_once
    session = botocore.session.get_session()
    for service in _SERVICES:
        session.create_client(
            service, region_name="us-west-2", aws_access_key_id="none", aws_secret_access_key="none"
        )


def _become_worker(fd: int) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The lab's own code is not on a function's path.
        sys.path[:] = [entry for entry in sys.path if entry not in ("", str(ROOT))]
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
