"""Who asked for which execution, in the control plane's table."""

from __future__ import annotations

from typing import Any

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import expiry, get, packed, put_if, read_body
from candlefish.requester import Asked

# Longer than any execution lasts, shorter than the 90 days after which its name may be used again. Seconds.
KEEP = 40 * 86400.0


class DynamoRequesters:
    """`ports.Requesters` in DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, machine: str, name: str, asked: Asked) -> Asked:
        item = {
            **keys.ASKED.key(machine=machine, name=name),
            **packed(keys.ASKED, asked),
            "expires": expiry(asked.at, KEEP),
        }
        if put_if(self._client, self._table, item, seen=None, what=f"who asked for {machine} {name}"):
            return asked
        return self.find(machine, name) or asked

    def find(self, machine: str, name: str) -> Asked | None:
        key, what = keys.ASKED.key(machine=machine, name=name), f"who asked for {machine} {name}"
        item = get(self._client, self._table, key, what=what)
        return None if item is None else read_body(keys.ASKED, item, Asked, what=what)
