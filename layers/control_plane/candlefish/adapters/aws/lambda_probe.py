"""The probe function: what reads and writes the sentinel runs inside the database's network."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from candlefish import errors
from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.aws.words import BUSY
from candlefish.backups.model import ProbeRequest, ScratchInstance
from candlefish.catalog.model import Database
from candlefish.errors import ControlPlaneError, Unavailable


class LambdaProbe:
    """`failover.ports.Probe` and `backups.ports.Inspector`, through a function in one region's network."""

    def __init__(self, client: Any, function: str) -> None:
        self._client = client
        self._function = function

    def begin_epoch(self, database: Database, host: str, epoch: int) -> dict[str, Any]:
        return self._ask(ProbeRequest("begin-epoch", database.name, host, epoch=epoch))

    def inspect(self, database: Database, scratch: ScratchInstance) -> dict[str, Any]:
        return self._ask(ProbeRequest("inspect", database.name, scratch.address, secret=scratch.secret))

    def _ask(self, request: ProbeRequest) -> dict[str, Any]:
        with aws_call(f"asking {self._function} to {request.do}", busy=BUSY["lambda"]):
            answer = self._client.invoke(
                FunctionName=self._function, Payload=msgspec.json.encode(request).decode()
            )
        body = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise _error(self._function, body or {})
        found: dict[str, Any] = body
        return found


def _error(function: str, body: dict[str, Any]) -> ControlPlaneError:
    """The function's error as it was raised there; anything that is not ours passes by itself, or never comes."""
    kind = getattr(errors, str(body.get("errorType", "")), None)
    message = str(body.get("errorMessage", "no message"))
    if isinstance(kind, type) and issubclass(kind, ControlPlaneError):
        return kind(message)
    return Unavailable(f"{function} failed: {body.get('errorType', 'no error type')}: {message}")
