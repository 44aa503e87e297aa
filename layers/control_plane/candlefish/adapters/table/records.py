"""The services' records in the control plane's table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import (
    Item,
    beginning_with,
    change_item,
    get,
    packed,
    put_if,
    query,
    read_body,
)
from candlefish.errors import NotOnboarded, Unreadable
from candlefish.service.ports import Changed
from candlefish.service.record import AllRecords, ServiceRecord, UnreadableRecord, contradiction


class DynamoRecords:
    """`ports.Records` in DynamoDB."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _key(self, service: str) -> dict[str, Any]:
        return keys.RECORD.key(environment=self._environment, service=service)

    def get(self, service: str) -> ServiceRecord:
        return self.read_item(self.newest_item(service))

    def newest_item(self, service: str) -> Item:
        """The item of a service's record (a consistent read)."""
        what = f"the record of {service} in {self._environment}"
        item = get(self._client, self._table, self._key(service), what=what)
        if item is None:
            raise self.not_onboarded(service)
        return item

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        return self.update_read(service, change, ())

    def update_read(
        self, service: str, change: Callable[[ServiceRecord], Changed], first: Sequence[Item]
    ) -> Changed:
        """`update` that begins from what was read already (`first`), or reads it."""
        what = f"the record of {service} in {self._environment}"
        fetch = beginning_with(first, lambda: self.newest_item(service))
        return change_item(fetch, self.read_item, change, self._put, what)

    def not_onboarded(self, service: str) -> NotOnboarded:
        """What is said of a service that has no record."""
        return NotOnboarded(
            f"{service} is not onboarded in {self._environment}; run: candlefish onboard {service} "
            f"-e {self._environment}"
        )

    def create(self, record: ServiceRecord) -> ServiceRecord:
        return record if self._put(record, None) else self.get(record.service)

    def _put(self, record: ServiceRecord, seen: int | None, over: Item | None = None) -> bool:
        item = self.item_of(record, over)
        return put_if(self._client, self._table, item, seen=seen, what=f"the record of {record.name}")

    def item_of(self, record: ServiceRecord, over: Item | None) -> dict[str, Any]:
        """The item that keeps a record, over the one that it was made from."""
        return {
            **self._key(record.service),
            "revision": {"N": str(record.revision)},
            "generation": {"N": str(record.generation)},
            "blue": {"N": str(record.desired["blue"])},
            "green": {"N": str(record.desired["green"])},
            **packed(keys.RECORD, record, over),
        }

    def all(self) -> AllRecords:
        items = query(
            self._client, self._table, keys.RECORD.partition(environment=self._environment), consistent=True
        )
        readable, unreadable = [], []
        for item in items:
            try:
                readable.append(self.read_item(item))
            except Unreadable as error:
                unreadable.append(UnreadableRecord(item["sk"]["S"], str(error)))
        return AllRecords(tuple(readable), tuple(unreadable))

    def read_item(self, item: Item | None) -> ServiceRecord:
        """The record that an item of the table is."""
        assert item is not None
        what = f"the record of {item['sk']['S']} in {self._environment}"
        look = f"Look with: candlefish records verify -e {self._environment}"
        record = read_body(keys.RECORD, item, ServiceRecord, what=what, next_step=look)
        if wrong := contradiction(record):
            raise Unreadable(f"{what} contradicts itself: {wrong}; nothing was changed. {look}")
        return record
