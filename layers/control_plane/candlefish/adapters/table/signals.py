"""The guard's memory, the log of signals and the ledger of messages, in the control plane's table."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.items import (
    Item,
    batch_get,
    beginning_with,
    change_item,
    expiry,
    get,
    packed,
    patience,
    put_if,
    read_body,
    readable_bodies,
    sortable,
    write_if,
)
from candlefish.ports import Now
from candlefish.signals.model import KnownAlert, LoggedSignal
from candlefish.signals.pieces import fingerprint
from candlefish.signals.ports import GuardChanged
from candlefish.signals.record import GuardRecord

T = TypeVar("T")

DAY = 86400
KEEP_LOG = 90 * DAY
KEEP_SEEN = 14 * DAY
KEEP_TOLD = 2 * DAY
# Who has not sent a message after that many seconds is gone: longer than `notify` may take, shorter than Lambda waits
# before it tries again.
SENDING = 45.0
ATTEMPTS = 12
# Limits of BatchGetItem and BatchWriteItem.
READ_AT_ONCE = 100
WRITE_AT_ONCE = 25


class DynamoGuards:
    """`signals.ports.Guards`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._key = keys.GUARD.key(environment=environment)
        self._name = f"the guard of {environment}"

    def get(self) -> GuardRecord:
        return self.read_item(self.newest_item())

    def newest_item(self) -> Item | None:
        """The item of the guard (a consistent read); None before anything was written."""
        return get(self._client, self._table, self._key, what=self._name)

    def read_item(self, item: Item | None) -> GuardRecord:
        """The guard that an item of the table is; an empty one where there is none."""
        return read_body(keys.GUARD, item, GuardRecord, what=self._name) if item else GuardRecord()

    def update(self, change: Callable[[GuardRecord], GuardChanged]) -> GuardChanged:
        return self.update_read(change, ())

    def update_read(
        self, change: Callable[[GuardRecord], GuardChanged], first: Sequence[Item | None]
    ) -> GuardChanged:
        """`update` that begins from what was read already (`first`), or reads it."""
        more = {"attempts": ATTEMPTS, "pause": step_aside}
        fetch = beginning_with(first, self.newest_item)
        return change_item(fetch, self.read_item, change, self._put, self._name, **more)

    def _put(self, record: GuardRecord, seen: int, over: Item | None) -> bool:
        # A guard that was never stored is at revision 0.
        item = self.item_of(record, over)
        return put_if(self._client, self._table, item, seen=seen or None, what=self._name)

    def item_of(self, record: GuardRecord, over: Item | None) -> dict[str, Any]:
        """The item that keeps a guard, over the one that it was made from."""
        return {
            **self._key,
            "revision": {"N": str(record.revision)},
            **packed(keys.GUARD, record, over),
        }


def step_aside(attempt: int) -> None:
    """Several handlers claim at once in a storm; meeting again at the same moment helps none."""
    time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 5)))


class DynamoSignalLog:
    """`signals.ports.SignalLog`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client = client
        self._table = table
        self._environment = environment

    def seen(self, fingerprints: Sequence[str]) -> dict[str, KnownAlert]:
        known: dict[str, KnownAlert] = {}
        for some in _chunks(list(dict.fromkeys(fingerprints)), READ_AT_ONCE):
            wanted = [self.seen_key(each) for each in some]
            items = batch_get(self._client, self._table, wanted, what="what is known of alerts")
            known |= known_of(items)
        return known

    def append(self, lines: Sequence[LoggedSignal], seen: Iterable[KnownAlert]) -> None:
        for some in _chunks([self._line(line) for line in lines], WRITE_AT_ONCE):
            request: dict[str, Any] = {self._table: [{"PutRequest": {"Item": item}} for item in some]}
            for pause in patience():
                with aws_call("writing the log of signals"):
                    answer = self._client.batch_write_item(RequestItems=request)
                request = answer.get("UnprocessedItems") or {}
                if not request:
                    break
                pause()
        for each in seen:
            self._remember(each)

    def claim_telling(self, key: str, owner: str, *, now: float, until: float) -> bool:
        item = keys.TELLING.key(environment=self._environment, key=fingerprint(key))
        return write_if(
            f"claiming to tell of {key}",
            self._client.put_item,
            TableName=self._table,
            Item={
                **item,
                "about": {"S": key},
                "owner": {"S": owner},
                "until": {"N": f"{until:.6f}"},
                "expires": expiry(until, KEEP_TOLD),
            },
            ConditionExpression="attribute_not_exists(pk) OR #until <= :now OR #owner = :owner",
            ExpressionAttributeNames={"#until": "until", "#owner": "owner"},
            ExpressionAttributeValues={":now": {"N": f"{now:.6f}"}, ":owner": {"S": owner}},
        )

    def count_telling(self, key: str, window: float, *, until: float, most: int) -> bool:
        mark = fingerprint(key)
        return write_if(
            f"counting {key} among what is told",
            self._client.update_item,
            TableName=self._table,
            Key=keys.TELLINGS.key(environment=self._environment, time=sortable(window)),
            # A set takes what is in it already once more: a repetition counts once.
            UpdateExpression="ADD told :mark SET expires = :expires",
            ConditionExpression="attribute_not_exists(told) OR size(told) < :most OR contains(told, :one)",
            ExpressionAttributeValues={
                ":mark": {"SS": [mark]},
                ":one": {"S": mark},
                ":most": {"N": str(most)},
                ":expires": expiry(until, KEEP_TOLD),
            },
        )

    def _line(self, line: LoggedSignal) -> dict[str, Any]:
        return {
            **keys.SIGNAL_LOG.key(
                environment=self._environment,
                day=_day(line.at),
                time=sortable(line.at),
                n=os.urandom(4).hex(),
            ),
            "about": {"S": line.signal.about},
            **packed(keys.SIGNAL_LOG, line),
            "expires": expiry(line.at, KEEP_LOG),
        }

    def _remember(self, seen: KnownAlert) -> None:
        # Newer news is there already.
        write_if(
            f"remembering alert {seen.fingerprint}",
            self._client.put_item,
            TableName=self._table,
            Item={
                **self.seen_key(seen.fingerprint),
                "as_of": {"N": f"{seen.as_of:.6f}"},
                **packed(keys.ALERT, seen),
                "expires": expiry(time.time(), KEEP_SEEN),
            },
            ConditionExpression="attribute_not_exists(pk) OR as_of <= :as_of",
            ExpressionAttributeValues={":as_of": {"N": f"{seen.as_of:.6f}"}},
        )

    def seen_key(self, fingerprint: str) -> dict[str, Any]:
        return keys.ALERT.key(environment=self._environment, fingerprint=fingerprint)


class DynamoLedger:
    """`signals.ports.NotificationLedger`."""

    def __init__(self, client: Any, table: str, now: Now = time.time) -> None:
        self._client = client
        self._table = table
        self._now = now

    def _key(self, key: str, channel: str) -> dict[str, Any]:
        return keys.NOTIFIED.key(event=key, channel=channel)

    def claim(self, key: str, channel: str, *, again: float = 0.0) -> bool:
        now = self._now()
        # An item without `sent` is of code that wrote one when it had sent.
        free = "attribute_not_exists(pk) OR (sent = :no AND #at <= :gone)"
        values = {":no": {"BOOL": False}, ":gone": {"N": f"{now - SENDING:.6f}"}}
        if again:
            free += " OR (sent = :yes AND #at <= :before)"
            values |= {":yes": {"BOOL": True}, ":before": {"N": f"{now - again:.6f}"}}
        return write_if(
            f"claiming to tell of {key} on {channel}",
            self._client.put_item,
            TableName=self._table,
            Item=self._item(key, channel, sent=False, at=now),
            ConditionExpression=free,
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues=values,
        )

    def mark(self, key: str, channel: str) -> None:
        with aws_call(f"remembering that {key} was told on {channel}"):
            item = self._item(key, channel, sent=True, at=self._now())
            self._client.put_item(TableName=self._table, Item=item)

    def release(self, key: str, channel: str) -> None:
        with aws_call(f"remembering that {key} was not told on {channel}"):
            item = self._item(key, channel, sent=False, at=0.0)
            self._client.put_item(TableName=self._table, Item=item)

    def _item(self, key: str, channel: str, *, sent: bool, at: float) -> dict[str, Any]:
        return {
            **self._key(key, channel),
            "sent": {"BOOL": sent},
            "at": {"N": f"{at:.6f}"},
            "expires": expiry(self._now(), KEEP_TOLD),
        }


def known_of(items: Iterable[Item]) -> dict[str, KnownAlert]:
    """What items say of alerts, by their fingerprints. One that cannot be read is not known: it is looked at afresh."""
    read = readable_bodies(keys.ALERT, items, KnownAlert, what="what is known of an alert")
    return {one.fingerprint: one for one in read}


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _chunks(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]
