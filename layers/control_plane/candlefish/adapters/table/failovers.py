"""Failover runs, their timelines, and the stable versions of the other region, in the control plane's table."""

from __future__ import annotations

import os
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
    sortable,
    write_if,
)
from candlefish.errors import InvalidInput
from candlefish.failover.model import FailoverEntry, Run
from candlefish.service.model import Version

# Evidence of failovers is kept for seven years, in seconds.
KEEP = 7 * 365 * 86400


class DynamoRuns:
    """`failover.ports.Runs`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _partition(self, target: str) -> str:
        return keys.FAILOVER.partition(environment=self._environment, target=target)

    def _key(self, target: str, epoch: int) -> keys.Key:
        return keys.FAILOVER.key(environment=self._environment, target=target, epoch=keys.epoch_part(epoch))

    def current(self, target: str) -> Run | None:
        item = self._newest(target)
        return None if item is None else self._read(item)

    def _read(self, item: Item) -> Run:
        return read_body(
            keys.FAILOVER, item, Run, what=f"the newest failover of {item['pk']['S'].rpartition('#')[2]}"
        )

    def _newest(self, target: str) -> Item | None:
        newest = query(
            self._client,
            self._table,
            self._partition(target),
            prefix=keys.FAILOVER.prefix(),
            consistent=True,
            newest=1,
        )
        return newest[0] if newest else None

    def create(self, run: Run) -> Run:
        if not self._put(run, None):
            stored = self.current(run.target)
            assert stored is not None
            if stored.epoch != run.epoch:
                return stored
            # Whoever stored it may have died before it was indexed.
            run = stored
        with aws_call(f"indexing failover {run.id}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    **keys.FAILOVERS.key(
                        environment=self._environment,
                        time=sortable(run.requested_at),
                        target=run.target,
                        epoch=keys.epoch_part(run.epoch),
                    ),
                    "target": {"S": run.target},
                    "epoch": {"N": str(run.epoch)},
                    "expires": expiry(run.requested_at, KEEP),
                },
            )
        return run

    def update(self, target: str, change: Callable[[Run], Run]) -> Run:
        def known(item: Item | None) -> Run:
            if item is None:
                raise InvalidInput(f"there is no failover of {target} in {self._environment}")
            return self._read(item)

        return change_item(lambda: self._newest(target), known, change, self._put, f"failover {target}")

    def _put(self, run: Run, seen: int | None, over: Item | None = None) -> bool:
        item = {
            **self._key(run.target, run.epoch),
            "revision": {"N": str(run.revision)},
            "status": {"S": run.status},
            **packed(keys.FAILOVER, run, over),
            "expires": expiry(run.requested_at, KEEP),
        }
        return put_if(self._client, self._table, item, seen=seen, what=f"failover {run.id}")

    def append(self, run: Run, entry: FailoverEntry) -> None:
        with aws_call(f"writing to the timeline of failover {run.id}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    **keys.FAILOVER_ENTRY.key(
                        environment=self._environment,
                        target=run.target,
                        epoch=keys.epoch_part(run.epoch),
                        time=sortable(entry.at),
                        n=os.urandom(4).hex(),
                    ),
                    "kind": {"S": entry.kind},
                    **packed(keys.FAILOVER_ENTRY, entry),
                    "expires": expiry(entry.at, KEEP),
                },
            )

    def entries(self, run: Run) -> list[FailoverEntry]:
        items = query(
            self._client,
            self._table,
            self._partition(run.target),
            prefix=keys.FAILOVER_ENTRY.prefix(epoch=keys.epoch_part(run.epoch)),
            consistent=True,
        )
        return readable_bodies(
            keys.FAILOVER_ENTRY, items, FailoverEntry, what=f"an entry of failover {run.id}"
        )

    def recent(self, target: str = "", limit: int = 20) -> list[Run]:
        if target:
            items = query(
                self._client,
                self._table,
                self._partition(target),
                prefix=keys.FAILOVER.prefix(),
                consistent=True,
                newest=limit,
            )
            return readable_bodies(keys.FAILOVER, items, Run, what=f"a failover of {target}")
        found = []
        for item in query(
            self._client,
            self._table,
            keys.FAILOVERS.partition(environment=self._environment),
            consistent=True,
            newest=limit,
        ):
            key = self._key(item["target"]["S"], int(item["epoch"]["N"]))
            run = get(self._client, self._table, key, what="a failover")
            found += [run] if run else []
        return readable_bodies(keys.FAILOVER, found, Run, what="a failover")


class DynamoStableVersions:
    """`ports.StableVersions`. The writer's client is one of the recovery region."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def _key(self, service: str) -> dict[str, Any]:
        return keys.STABLE.key(environment=self._environment, service=service)

    def read(self, service: str) -> Version | None:
        what = f"the stable version of {service}"
        item = get(self._client, self._table, self._key(service), what=what)
        return read_body(keys.STABLE, item, Version, what=what) if item else None

    def write(self, service: str, version: Version, at: float) -> None:
        item = {
            **self._key(service),
            "at": {"N": f"{at:.6f}"},
            **packed(keys.STABLE, version),
        }
        # An event that arrived late: a newer promotion is known already.
        write_if(
            f"remembering the stable version of {service}",
            self._client.put_item,
            TableName=self._table,
            Item=item,
            ConditionExpression="attribute_not_exists(pk) OR #at <= :at",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":at": item["at"]},
        )
