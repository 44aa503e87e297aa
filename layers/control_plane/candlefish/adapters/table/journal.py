"""Releases and their timelines in the control plane's table (`keys.py`)."""

from __future__ import annotations

import os
from collections.abc import Set
from typing import Any

import msgspec

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import (
    RESTORE,
    Item,
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
from candlefish.bounds import LONGEST_REASON, fit
from candlefish.errors import InvalidInput, RecordContested, Unreadable
from candlefish.release.model import PlanStep, Release, ReleaseEntry, Status
from candlefish.telemetry import logger

# Timelines are kept this long, in seconds (400 days).
KEEP = 400 * 86400


class DynamoJournalStore:
    """`release.ports.JournalStore` in DynamoDB."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def open(self, release: Release) -> bool:
        item = {
            **keys.RELEASE.key(release=release.id),
            "status": {"S": release.status},
            **packed(keys.RELEASE, release),
            "expires": expiry(release.started_at, KEEP),
        }
        new = put_if(self._client, self._table, item, seen=None, what=f"release {release.id}")
        if not new:
            # Whoever stored it may have died before it was listed.
            release = self.read(release.id)
        when = {"environment": release.environment, "time": sortable(release.started_at)}
        for place in (
            keys.RELEASES.key(service=release.service, release=release.id, **when),
            keys.ALL_RELEASES.key(release=release.id, **when),
        ):
            line = {**place, "release": {"S": release.id}, "expires": expiry(release.started_at, KEEP)}
            with aws_call(f"listing release {release.id}"):
                self._client.put_item(TableName=self._table, Item=line)
        return new

    def read(self, release: str) -> Release:
        item = get(self._client, self._table, keys.RELEASE.key(release=release), what=f"release {release}")
        if item is None:
            raise InvalidInput(f"there is no release {release!r}; list them with: candlefish status")
        return release_of(item)

    def append(self, release: str, entry: ReleaseEntry) -> None:
        with aws_call(f"writing to the timeline of release {release}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    **keys.RELEASE_ENTRY.key(release=release, time=sortable(entry.at), n=os.urandom(4).hex()),
                    "kind": {"S": entry.kind},
                    **packed(keys.RELEASE_ENTRY, entry),
                    "expires": expiry(entry.at, KEEP),
                },
            )

    def replan(self, seen: Release, plan: tuple[PlanStep, ...]) -> None:
        what = f"the plan of release {seen.id}"
        item = get(self._client, self._table, keys.RELEASE.key(release=seen.id), what=what)
        if item is None or release_of(item).plan != seen.plan:
            raise _contested(seen)
        after = packed(keys.RELEASE, msgspec.structs.replace(release_of(item), plan=plan), item)
        done = write_if(
            f"writing {what}",
            self._client.update_item,
            TableName=self._table,
            Key=keys.RELEASE.key(release=seen.id),
            UpdateExpression="SET body = :body, #schema = :schema",
            ConditionExpression="body = :seen",
            ExpressionAttributeNames={"#schema": "schema"},
            ExpressionAttributeValues={
                ":body": after["body"],
                ":schema": after["schema"],
                ":seen": item["body"],
            },
        )
        if not done:
            raise _contested(seen)

    def set_status(
        self, release: str, status: Status, *, over: Set[Status], because: ReleaseEntry | None = None
    ) -> bool:
        if not over:
            return False
        why = (
            {":why": {"S": fit(because.reason, LONGEST_REASON)}, ":by": {"S": because.by}} if because else {}
        )
        known = {f":over{n}": {"S": each} for n, each in enumerate(sorted(over))}
        return write_if(
            f"writing the status of release {release}",
            self._client.update_item,
            TableName=self._table,
            Key=keys.RELEASE.key(release=release),
            UpdateExpression="SET #status = :status" + (", why = :why, why_by = :by" if why else ""),
            ConditionExpression=f"#status IN ({', '.join(known)})",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}, **known, **why},
        )

    def entries(self, release: str) -> list[ReleaseEntry]:
        items = query(
            self._client,
            self._table,
            keys.RELEASE_ENTRY.partition(release=release),
            prefix=keys.RELEASE_ENTRY.prefix(),
        )
        return readable_bodies(keys.RELEASE_ENTRY, items, ReleaseEntry, what=f"an entry of release {release}")

    def recent(self, service: str, limit: int = 10) -> list[Release]:
        key = keys.RELEASES.partition(environment=self._environment, service=service)
        items = query(self._client, self._table, key, newest=limit)
        found = []
        for item in items:
            try:
                found.append(self.read(item["release"]["S"]))
            except (Unreadable, InvalidInput) as error:
                logger.warning("left out of a list: %s", error)
        return found


def _contested(seen: Release) -> RecordContested:
    return RecordContested(
        f"the plan of release {seen.id} was written by another look meanwhile; the next one goes on from there"
    )


def release_of(item: Item) -> Release:
    """The release that an item of the table is, with the status beside it."""
    release = read_body(keys.RELEASE, item, Release, what=f"release {item['pk']['S'].partition('#')[2]}")
    try:
        status = msgspec.convert(item["status"]["S"], Status)
    except (LookupError, msgspec.ValidationError) as error:
        raise Unreadable(f"the status of release {release.id} cannot be read: {error}. {RESTORE}") from error
    why, by = (item[name]["S"] if name in item else "" for name in ("why", "why_by"))
    return msgspec.structs.replace(
        release, status=status, why=why or release.why, why_by=by or release.why_by
    )
