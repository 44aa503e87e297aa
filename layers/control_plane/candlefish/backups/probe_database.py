"""What the probe answers: heartbeats, the row of a failover, and the inspection of a restored database."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from candlefish.backups import sentinel
from candlefish.backups.model import ProbeRequest, ProbeTarget
from candlefish.backups.ports import Connect
from candlefish.catalog.model import Database, Environment
from candlefish.errors import ControlPlaneError, InvalidInput


def probe_database(request: ProbeRequest, *, environment: Environment, connect: Connect) -> dict[str, Any]:
    """Answer one question.

    Raises
    ------
    InvalidInput
        The environment has no such database, or it has no secret to connect with.
    BackupUnusable, Unavailable, NotAllowed
        What the database said.
    """
    match request.do:
        case "beat":
            return {d.name: _beat(d, connect) for d in environment.databases if d.secret}
        case "begin-epoch":
            with connect(_target(request, environment)) as sql:
                return sentinel.begin_epoch(sql, request.epoch)
        case "inspect":
            with connect(_target(request, environment)) as sql:
                found: dict[str, Any] = msgspec.to_builtins(sentinel.inspect(sql))
                return found
        case _:
            assert_never(request.do)


def _target(request: ProbeRequest, environment: Environment) -> ProbeTarget:
    database = next((d for d in environment.databases if d.name == request.database), None)
    if database is None or not database.secret:
        raise InvalidInput(f"{environment.name} has no database {request.database!r} with a secret")
    return ProbeTarget(database.secret, request.host, request.secret)


def _beat(database: Database, connect: Connect) -> dict[str, Any]:
    """One heartbeat; a database that cannot take it is said, and does not stop the others."""
    try:
        with connect(ProbeTarget(database.secret)) as sql:
            return sentinel.beat(sql)
    except ControlPlaneError as error:
        return {"missed": str(error)}
