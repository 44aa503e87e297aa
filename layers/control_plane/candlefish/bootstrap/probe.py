"""Composition root of the probe: the only function inside the database's network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from candlefish.adapters.aws.api import client
from candlefish.bootstrap.core import declared
from candlefish.settings import Setting, Settings

if TYPE_CHECKING:
    from candlefish.backups.ports import Connect

__all__ = ["declared"]


class ProbeSettings(Settings):
    """What the probe is told."""

    # Where the layer has RDS's certificates; empty where the stack says that there is no TLS.
    database_ca = Setting(str, optional="")


settings = ProbeSettings()


def connect() -> Connect:
    """How to open a connection with what the secrets say."""
    from candlefish.adapters.database import open_connection

    return partial(open_connection, client("secretsmanager"), settings.database_ca)
