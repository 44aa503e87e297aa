"""What may be used only once, in the control plane's table."""

from __future__ import annotations

import hashlib
from typing import Any

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import put_if


class DynamoNonces:
    """`release.ports.Nonces`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def first(self, nonce: str, until: float) -> bool:
        item = {
            **keys.NONCE.key(nonce=hashlib.sha256(nonce.encode()).hexdigest()),
            "expires": {"N": str(round(until))},
        }
        return put_if(self._client, self._table, item, seen=None, what="the nonce of a request")
