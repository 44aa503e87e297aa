"""What a delivery of alerts is decided by, in one BatchGetItem: the guard, what is known of its alerts, records, capacity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from candlefish.adapters.table import keys
from candlefish.adapters.table.items import Item, batch_get, revised
from candlefish.adapters.table.records import DynamoRecords
from candlefish.adapters.table.signals import (
    ATTEMPTS,
    READ_AT_ONCE,
    DynamoGuards,
    DynamoSignalLog,
    known_of,
    step_aside,
)
from candlefish.adapters.table.transactions import put_all
from candlefish.errors import RecordContested
from candlefish.service.ports import Changed
from candlefish.service.record import ServiceRecord
from candlefish.signals.ports import GuardChanged, Sight
from candlefish.signals.record import GuardRecord


class DynamoLook:
    """`signals.ports.Look`. `asleep` says why an environment sleeps, by its capacity item; None where none ever does."""

    def __init__(
        self,
        client: Any,
        table: str,
        environment: str,
        *,
        guards: DynamoGuards,
        log: DynamoSignalLog,
        records: DynamoRecords,
        asleep: Callable[[Item | None], str] | None,
    ) -> None:
        self._client, self._table, self._environment = client, table, environment
        self._guards, self._log, self._records, self._asleep = guards, log, records, asleep

    def __call__(self, fingerprints: Sequence[str], services: Sequence[str]) -> Sight:
        guard = keys.GUARD.key(environment=self._environment)
        capacity = keys.CAPACITY.key(environment=self._environment)
        records = {each: keys.RECORD.key(environment=self._environment, service=each) for each in services}
        seen = [self._log.seen_key(each) for each in dict.fromkeys(fingerprints)]
        wanted = [guard, *([capacity] if self._asleep else ()), *records.values(), *seen]
        items: dict[tuple[str, str], dict[str, Any]] = {}
        for first in range(0, len(wanted), READ_AT_ONCE):
            some = wanted[first : first + READ_AT_ONCE]
            for item in batch_get(self._client, self._table, some, what="what alerts are decided by"):
                items[item["pk"]["S"], item["sk"]["S"]] = item

        def found(key: Mapping[str, Any]) -> dict[str, Any] | None:
            return items.get((key["pk"]["S"], key["sk"]["S"]))

        guards = _Guards(self._guards, found(guard))
        stored = _Records(self._records, {name: found(key) for name, key in records.items()})
        return Sight(
            guards,
            stored,
            known_of(alert for key in seen if (alert := found(key))),
            self._asleep(found(capacity)) if self._asleep else "",
            claiming=lambda claim: _Together(self._client, self._table, guards, stored, claim),
        )


class _Guards:
    """The guard; until it is changed through this, as it was read."""

    def __init__(self, guards: DynamoGuards, item: Item | None) -> None:
        self.store = guards
        self._item = item
        self._fresh = True

    def get(self) -> GuardRecord:
        return self.store.read_item(self._item) if self._fresh else self.store.get()

    def update(self, change: Callable[[GuardRecord], GuardChanged]) -> GuardChanged:
        first, self._fresh = ([self._item] if self._fresh else []), False
        return self.store.update_read(change, first)

    def take(self) -> Item | None:
        """The item that a change begins from: what was read, and the newest from then on."""
        fresh, self._fresh = self._fresh, False
        return self._item if fresh else self.store.newest_item()


class _Records:
    """Records; until one is changed through this, as it was read. One that was not read is read when it is asked for."""

    def __init__(self, records: DynamoRecords, items: Mapping[str, Item | None]) -> None:
        self.store = records
        self._items = dict(items)

    def get(self, service: str) -> ServiceRecord:
        if service not in self._items:
            return self.store.get(service)
        item = self._items[service]
        if item is None:
            raise self.store.not_onboarded(service)
        return self.store.read_item(item)

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        item = self._items.pop(service, None)
        return self.store.update_read(service, change, [item] if item is not None else [])

    def take(self, service: str) -> Item:
        """The item that a change begins from: what was read, and the newest from then on."""
        item = self._items.pop(service, None)
        return item if item is not None else self.store.newest_item(service)


class _Together:
    """Records whose change is stored in one write with a change of the guard: both are, or neither.

    Each only over what was read, so nothing is lost that one of two conditional puts would keep; it saves a call and
    the state between them.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        guards: _Guards,
        records: _Records,
        claim: Callable[[GuardRecord], GuardRecord],
    ) -> None:
        self._client, self._table = client, table
        self._guards, self._records, self._claim = guards, records, claim

    def get(self, service: str) -> ServiceRecord:
        return self._records.get(service)

    def update(self, service: str, change: Callable[[ServiceRecord], Changed]) -> Changed:
        what = f"the record of {service} with the guard"
        for attempt in range(ATTEMPTS):
            guard_item, item = self._guards.take(), self._records.take(service)
            guard, record = self._guards.store.read_item(guard_item), self._records.store.read_item(item)
            claimed = self._claim(guard)
            changed: Any = change(record)
            after, answer = changed if isinstance(changed, tuple) else (changed, None)
            puts = []
            if claimed != guard:
                seen = guard.revision or None
                puts.append((self._guards.store.item_of(revised(claimed, guard.revision), guard_item), seen))
            if after != record:
                after = revised(after, record.revision)
                puts.append((self._records.store.item_of(after, item), record.revision))
            if not puts or put_all(self._client, self._table, puts, what=what):
                return cast(Changed, (after, answer) if isinstance(changed, tuple) else after)
            step_aside(attempt)
        raise RecordContested(f"{what} was changed by others {ATTEMPTS} times in a row")
