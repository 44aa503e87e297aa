"""The freezes that people asked for, in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import Item, change_item, get, packed, put_if, read_body
from candlefish.release.ports import FreezesChanged
from candlefish.release.record import AskedFreezes


class DynamoFreezes:
    """`release.ports.Freezes`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment
        self._what = f"the freezes of {environment}"

    def get(self) -> AskedFreezes:
        return self._read(self._item())

    def update(self, change: Callable[[AskedFreezes], FreezesChanged]) -> FreezesChanged:
        return change_item(self._item, self._read, change, self._put, self._what)

    def _key(self) -> keys.Key:
        return keys.FREEZES.key(environment=self._environment)

    def _item(self) -> Item | None:
        return get(self._client, self._table, self._key(), what=self._what)

    def _read(self, item: Item | None) -> AskedFreezes:
        if item is None:
            return AskedFreezes(self._environment)
        return read_body(keys.FREEZES, item, AskedFreezes, what=self._what)

    def _put(self, record: AskedFreezes, seen: int, over: Item | None) -> bool:
        item = {
            **self._key(),
            "revision": {"N": str(record.revision)},
            **packed(keys.FREEZES, record, over),
        }
        return put_if(self._client, self._table, item, seen=seen or None, what=self._what)
