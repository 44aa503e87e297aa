"""Drills and the newest audit of backups, in the control plane's table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import (
    Item,
    change_item,
    expiry,
    get,
    packed,
    put_if,
    query,
    read_body,
    readable_bodies,
)
from candlefish.backups.model import AuditReport
from candlefish.backups.record import Drill
from candlefish.errors import InvalidInput

KEEP = 7 * 365 * 86400


class DynamoDrills:
    """`backups.ports.Drills` and `AuditReports`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _key(self, id: str) -> dict[str, Any]:
        return keys.DRILL.key(environment=self._environment, id=id)

    def read(self, id: str) -> Drill | None:
        item = self._item(id)
        return read_body(keys.DRILL, item, Drill, what=f"drill {id}") if item else None

    def _item(self, id: str) -> Item | None:
        return get(self._client, self._table, self._key(id), what=f"drill {id}")

    def create(self, drill: Drill) -> Drill:
        if self._put(drill, None):
            return drill
        stored = self.read(drill.id)
        assert stored is not None
        return stored

    def update(self, id: str, change: Callable[[Drill], Drill]) -> Drill:
        def known(item: Item | None) -> Drill:
            if item is None:
                raise InvalidInput(f"there is no drill {id!r}")
            return read_body(keys.DRILL, item, Drill, what=f"drill {id}")

        return change_item(lambda: self._item(id), known, change, self._put, f"drill {id}")

    def _put(self, drill: Drill, seen: int | None, over: Item | None = None) -> bool:
        item = {
            **self._key(drill.id),
            "revision": {"N": str(drill.revision)},
            **packed(keys.DRILL, drill, over),
            "expires": expiry(drill.started_at, KEEP),
        }
        return put_if(self._client, self._table, item, seen=seen, what=f"drill {drill.id}")

    def recent(self, limit: int = 20) -> list[Drill]:
        items = query(self._client, self._table, keys.DRILL.partition(environment=self._environment))
        drills = readable_bodies(keys.DRILL, items, Drill, what="a drill")
        return sorted(drills, key=lambda d: -d.started_at)[:limit]

    def _report_key(self) -> dict[str, Any]:
        return keys.AUDIT.key(environment=self._environment)

    def latest(self) -> AuditReport | None:
        item = get(self._client, self._table, self._report_key(), what="the newest backup audit")
        return read_body(keys.AUDIT, item, AuditReport, what="the newest backup audit") if item else None

    def store(self, report: AuditReport) -> None:
        item = {**self._report_key(), **packed(keys.AUDIT, report)}
        with aws_call("keeping the backup audit"):
            self._client.put_item(TableName=self._table, Item=item)
