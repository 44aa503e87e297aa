"""Reads and writes the sentinel of a database from inside its network, and beats every minute."""

from __future__ import annotations

from functools import partial
from typing import Any

from candlefish.backups.model import ProbeRequest
from candlefish.backups.probe_database import probe_database
from candlefish.bootstrap import probe as wire
from candlefish.handler import handler

use = partial(probe_database, environment=wire.declared(), connect=wire.connect())


@handler
def lambda_handler(event: ProbeRequest) -> dict[str, Any]:
    return use(event)
