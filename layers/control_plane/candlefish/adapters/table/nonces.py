"""What may be used only once, in the control plane's table."""

from __future__ import annotations

import hashlib
from typing import Any

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import get, put_if


class DynamoNonces:
    """`release.ports.Nonces`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def first(self, nonce: str, until: float, *, holder: str = "") -> bool:
        key, what = keys.NONCE.key(nonce=hashlib.sha256(nonce.encode()).hexdigest()), "the nonce of a request"
        item = {**key, "expires": {"N": str(round(until))}, "holder": {"S": holder}}
        if put_if(self._client, self._table, item, seen=None, what=what):
            return True
        used = get(self._client, self._table, key, what=what) if holder else None
        return used is not None and used.get("holder", {}).get("S") == holder
