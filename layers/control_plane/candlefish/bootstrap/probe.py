"""Composition root of the probe: the only function of recovery inside the database's network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from candlefish.adapters.aws.api import aws_call, client
from candlefish.adapters.postgres import Connection, Login
from candlefish.backups.probing import Target
from candlefish.catalog.model import Environment
from candlefish.catalog.read import read
from candlefish.errors import InvalidInput, Misconfigured
from candlefish.settings import Settings


@cache
def settings() -> Settings:
    return Settings.from_env()


def region() -> str:
    return settings()["AWS_REGION"]


@cache
def declared() -> Environment:
    return read(settings()["CATALOG_PATH"]).environment(settings()["ENVIRONMENT"])


def connect(target: Target) -> Connection:
    """A connection with what the secrets say. TLS is verified unless the stack says that there is none."""
    known = {**_secret(target.secret), **(_secret(target.password_from) if target.password_from else {})}
    missing = [field for field in ("username", "password") if not known.get(field)]
    if missing:
        raise InvalidInput(f"secret {target.secret} has no {' and no '.join(missing)}")
    ca = settings().values.get("DATABASE_CA", "")
    if ca and not Path(ca).exists():
        raise Misconfigured(
            f"the database's certificates are not at {ca}; put RDS's bundle into the layer (docs/recovery.md, the probe)"
        )
    host, port = str(target.host or known.get("host", "")), int(known.get("port") or 5432)
    return Connection(
        Login(
            host=host,
            user=str(known["username"]),
            password=str(known["password"]),
            database=str(known.get("dbname") or known.get("database") or "postgres"),
            port=port,
            ca=ca,
        )
    )


def _secret(name: str) -> dict[str, Any]:
    with aws_call(f"reading secret {name}"):
        text = client("secretsmanager").get_secret_value(SecretId=name).get("SecretString", "")
    try:
        value: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"secret {name} is not JSON with host, username and password") from error
    return value
