"""What the probe answers: heartbeats, the row of a failover, and the inspection of a restored database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import msgspec

from candlefish.backups import sentinel
from candlefish.backups.sentinel import Sql
from candlefish.catalog.model import Database, Environment
from candlefish.errors import ControlPlaneError, InvalidInput


class Question(msgspec.Struct, frozen=True):
    """`beat` goes to every database of the region; the others name one, and the host to ask."""

    do: Literal["beat", "begin-epoch", "inspect"]
    database: str = ""
    host: str = ""
    epoch: int = 0
    # Secret with the master password of a scratch instance.
    secret: str = ""


class Target(msgspec.Struct, frozen=True):
    """Where to connect: the secret that names user, database and port, and what it does not say."""

    secret: str
    host: str = ""
    # A secret that has only user and password, as RDS makes them.
    password_from: str = ""


Connect = Callable[[Target], AbstractContextManager[Sql]]


def answer(question: Question, *, environment: Environment, region: str, connect: Connect) -> dict[str, Any]:
    """Answer one question.

    Raises
    ------
    InvalidInput
        The environment has no such database, or it has no secret to connect with.
    BackupUnusable, Unavailable, NotAllowed
        What the database said.
    """
    if question.do == "beat":
        return {d.name: _beat(d, connect) for d in environment.databases if d.secret}
    database = next((d for d in environment.databases if d.name == question.database), None)
    if database is None or not database.secret:
        raise InvalidInput(f"{environment.name} has no database {question.database!r} with a secret")
    target = Target(database.secret, question.host, question.secret)
    with connect(target) as sql:
        if question.do == "begin-epoch":
            return sentinel.begin_epoch(sql, question.epoch)
        found: dict[str, Any] = msgspec.to_builtins(sentinel.inspect(sql))
        return found


def _beat(database: Database, connect: Connect) -> dict[str, Any]:
    """One heartbeat; a database that cannot take it is said, and does not stop the others."""
    try:
        with connect(Target(database.secret)) as sql:
            return sentinel.beat(sql)
    except ControlPlaneError as error:
        return {"missed": str(error)}
