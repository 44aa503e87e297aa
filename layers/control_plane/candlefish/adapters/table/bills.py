"""The newest bill in the table, so that Cost Explorer, which takes a cent a page, is asked once a day."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import get, read_json, refuse_schema
from candlefish.cost.model import Bill
from candlefish.errors import Unreadable


class DynamoBills:
    """`cost.ports.BillStore`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._key = keys.BILL.key(environment=environment)

    def read(self) -> Bill | None:
        item = get(self._client, self._table, self._key, what="the bill that was kept", consistent=False)
        if item is None:
            return None
        try:
            refuse_schema(keys.BILL, item, "the bill that was kept")
            return read_json(lambda: zlib.decompress(item["bill"]["B"]), Bill, what="the bill that was kept")
        except Unreadable:
            # Another version of the code kept it; it is asked for anew.
            return None

    def keep(self, bill: Bill) -> None:
        item = {
            **self._key,
            "schema": {"N": str(keys.BILL.schema)},
            "bill": {"B": zlib.compress(msgspec.json.encode(bill), 9)},
        }
        with aws_call("keeping the bill"):
            self._client.put_item(TableName=self._table, Item=item)
