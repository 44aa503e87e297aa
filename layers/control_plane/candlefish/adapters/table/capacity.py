"""The capacity record of one environment in the table, outside the cluster that it describes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import (
    Item,
    carried,
    change_item,
    get,
    packed,
    put_if,
    read_body,
    read_json,
)
from candlefish.capacity.model import CapacityRecord, Sleep
from candlefish.capacity.ports import CapacityChanged
from candlefish.errors import InvalidInput

# DynamoDB takes items of 400 KB; names and the rest of the item need a little of that.
LARGEST = 390_000


class DynamoCapacity:
    """`capacity.ports.CapacityStore`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _key(self) -> dict[str, Any]:
        return keys.CAPACITY.key(environment=self._environment)

    def get(self) -> CapacityRecord:
        return self._read(self._item())

    def _item(self) -> Item | None:
        return get(self._client, self._table, self._key(), what=f"the capacity record of {self._environment}")

    def _read(self, item: Item | None) -> CapacityRecord:
        if item is None:
            return CapacityRecord(self._environment)
        what = f"the capacity record of {self._environment}"
        record = read_body(keys.CAPACITY, item, CapacityRecord, what=what)
        if "saved" not in item:
            return record
        saved = read_json(lambda: zlib.decompress(item["saved"]["B"]), Sleep, what=f"what sleeps, in {what}")
        return msgspec.structs.replace(record, saved=saved)

    def update(self, change: Callable[[CapacityRecord], CapacityChanged]) -> CapacityChanged:
        what = f"the capacity record of {self._environment}"
        return change_item(self._item, self._read, change, self._put, what)

    def _put(self, record: CapacityRecord, seen: int, over: Item | None) -> bool:
        item = {
            **self._key(),
            "revision": {"N": str(record.revision)},
            "generation": {"N": str(record.generation)},
            "phase": {"S": record.phase},
            **body_of(record, over),
        }
        # A record that was never stored is at revision 0.
        what = f"the capacity record of {self._environment}"
        return put_if(self._client, self._table, item, seen=seen or None, what=what)


def body_of(record: CapacityRecord, over: Item | None = None) -> dict[str, Any]:
    """What of a record's item is the record.

    Raises
    ------
    InvalidInput
        DynamoDB would not take it.
    """
    body = packed(keys.CAPACITY, msgspec.structs.replace(record, saved=None), over)
    before = zlib.decompress(over["saved"]["B"]) if over and "saved" in over else b""
    saved = zlib.compress(carried(record.saved, before), 9) if record.saved else b""
    if (size := len(body["body"]["S"].encode()) + len(saved)) > LARGEST:
        raise InvalidInput(
            f"the capacity of {record.environment} takes {size} bytes to remember, DynamoDB takes {LARGEST}; "
            "nothing was changed. Split the environment, or annotate workloads to stay awake"
        )
    return body | ({"saved": {"B": saved}} if saved else {})
