"""Connections to a database with what its secrets say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from candlefish.adapters.aws.secrets import read_json_secret
from candlefish.adapters.postgres import Connection, Login
from candlefish.backups.model import ProbeTarget
from candlefish.errors import InvalidInput, Misconfigured


def open_connection(secretsmanager: Any, ca: str, target: ProbeTarget) -> Connection:
    """A connection to a target. TLS is verified with the certificates at `ca`, unless it is empty.

    Raises
    ------
    InvalidInput
        A secret is no JSON, or has no user or no password.
    Misconfigured
        The certificates are not there.
    """
    known = read_json_secret(secretsmanager, target.secret, "username and password")
    if target.password_from:
        known |= read_json_secret(secretsmanager, target.password_from, "username and password")
    missing = [field for field in ("username", "password") if not known.get(field)]
    if missing:
        raise InvalidInput(f"secret {target.secret} has no {' and no '.join(missing)}")
    if ca and not Path(ca).exists():
        raise Misconfigured(
            f"the database's certificates are not at {ca}; put RDS's bundle into the layer (docs/recovery.md, the probe)"
        )
    return Connection(
        Login(
            host=str(target.host or known.get("host", "")),
            user=str(known["username"]),
            password=str(known["password"]),
            database=str(known.get("dbname") or known.get("database") or "postgres"),
            port=int(known.get("port") or 5432),
            ca=ca,
        )
    )
