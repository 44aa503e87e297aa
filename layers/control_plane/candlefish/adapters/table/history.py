"""Releases and signals as people look back on them, from the control plane's table: queries and batches, no scans."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from candlefish.adapters.aws.refusals import aws_call
from candlefish.adapters.table import keys
from candlefish.adapters.table.approvals import approval_of
from candlefish.adapters.table.items import Item, batch_get, read_body, readable_bodies
from candlefish.adapters.table.journal import release_of
from candlefish.errors import InvalidInput, Unreadable
from candlefish.release.model import ReleaseEntry, SeenEvidence, SeenWindow
from candlefish.signals.model import LoggedSignal
from candlefish.views.ports import EntriesPortion, Glance, Portion, SignalsPortion

V = TypeVar("V")
# Limit of BatchGetItem.
READ_AT_ONCE = 100
# A release of a day has so many windows of a minute; of longer ones the newest are shown.
MOST_WINDOWS = 1500
# What follows the time in a key: an id, or some random characters.
_CURSOR = re.compile(r"(?P<time>\d{20})#[A-Za-z0-9._=@+-]{1,100}")
DAY = 86400.0
# Who writes a line of a day when it is over has done so by then, seconds: as long as a function lives.
LATE = 900.0
# The log of signals is kept for so many days; a page looks at so many of them at most.
LOG_DAYS, DAYS_AT_ONCE = 90, 14


class _Found(NamedTuple):
    items: list[Item]
    older: str


def require_cursor(before: str) -> float:
    """The moment of a cursor, epoch seconds; 0 of an empty one.

    Raises
    ------
    InvalidInput
        It is none that an answer of ours had.
    """
    if not before:
        return 0.0
    match = _CURSOR.fullmatch(before)
    if not match:
        raise InvalidInput(
            f"before={before[:40]!r} is not where a list of ours goes on; take `older` of an answer"
        )
    return int(match["time"]) / 1e6


class DynamoHistory:
    """`views.ports.ReleaseHistory`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client, self._table, self._environment = client, table, environment

    def glances(self, releases: Sequence[str]) -> dict[str, Glance]:
        ids = list(dict.fromkeys(releases))
        kinds = (keys.RELEASE, keys.APPROVAL, keys.SEEN_EVIDENCE)
        wanted = [kind.key(release=id) for id in ids for kind in kinds]
        found: dict[tuple[str, str], Item] = {}
        for first in range(0, len(wanted), READ_AT_ONCE):
            some = wanted[first : first + READ_AT_ONCE]
            for item in batch_get(self._client, self._table, some, what="releases"):
                found[item["pk"]["S"], item["sk"]["S"]] = item
        return {
            id: self._glance(id, *(found.get(_place(kind.key(release=id))) for kind in kinds)) for id in ids
        }

    def _glance(self, id: str, release: Item | None, question: Item | None, seen: Item | None) -> Glance:
        unreadable: list[str] = []

        def part(item: Item | None, read: Callable[[Item], V]) -> V | None:
            try:
                return read(item) if item else None
            except Unreadable as error:
                unreadable.append(str(error))
                return None

        return Glance(
            part(release, release_of),
            part(question, lambda item: approval_of(item, id)),
            part(seen, lambda item: seen_of(item, id)),
            "; ".join(unreadable),
        )

    def entries_of(self, release: str, limit: int, before: str = "") -> EntriesPortion:
        pk, prefix = keys.RELEASE_ENTRY.partition(release=release), keys.RELEASE_ENTRY.prefix()
        found = self._page(pk, prefix, limit, before)
        what = f"an entry of release {release}"
        entries = readable_bodies(keys.RELEASE_ENTRY, found.items, ReleaseEntry, what=what)
        return EntriesPortion(tuple(entries), found.older)

    def windows(self, release: str) -> list[SeenWindow]:
        pk, prefix = keys.SEEN_WINDOW.partition(release=release), keys.SEEN_WINDOW.prefix()
        found = self._page(pk, prefix, MOST_WINDOWS, "")
        kept = readable_bodies(
            keys.SEEN_WINDOW, found.items, SeenWindow, what=f"a window of release {release}"
        )
        return sorted(kept, key=lambda window: window.start)

    def of_service(self, service: str, limit: int, before: str = "") -> Portion:
        pk = keys.RELEASES.partition(environment=self._environment, service=service)
        return self._listed(pk, limit, before)

    def of_environment(self, limit: int, before: str = "") -> Portion:
        return self._listed(keys.ALL_RELEASES.partition(environment=self._environment), limit, before)

    def _listed(self, pk: str, limit: int, before: str) -> Portion:
        found = self._page(pk, "", limit, before)
        return Portion(tuple(item["release"]["S"] for item in found.items), found.older)

    def _page(self, pk: str, prefix: str, limit: int, before: str) -> _Found:
        return portion_of(self._client, self._table, pk, prefix, limit, before)


def seen_of(item: Item, release: str) -> SeenEvidence:
    """What the judge of a release saw, as an item of the table is."""
    return read_body(keys.SEEN_EVIDENCE, item, SeenEvidence, what=f"what the judge of {release} saw")


class DynamoSignalHistory:
    """`views.ports.SignalHistory`."""

    def __init__(self, client: Any, table: str, environment: str) -> None:
        self._client, self._table, self._environment = client, table, environment
        # What was read of days that were over by then, with how many lines were asked for.
        self._over: dict[tuple[str, int], _Found] = {}

    def lately(self, limit: int, now: float, since: float) -> SignalsPortion:
        items, older, day = list[Item](), "", now
        while not older and day // DAY >= since // DAY:
            found = self._of_day(_day(day), limit, over=now - (day // DAY + 1) * DAY > LATE)
            items, older = [*items, *found.items], found.older
            if len(items) > limit:
                older = items[limit - 1]["sk"]["S"]
            day -= DAY
        self._over = {key: each for key, each in self._over.items() if key[0] >= _day(since)}
        fresh = [item for item in items[:limit] if require_cursor(item["sk"]["S"]) >= since]
        lines = readable_bodies(keys.SIGNAL_LOG, fresh, LoggedSignal, what="a line of the log of signals")
        return SignalsPortion(tuple(lines), older if len(fresh) == limit else "")

    def _of_day(self, day: str, limit: int, *, over: bool) -> _Found:
        if (known := self._over.get((day, limit))) is not None:
            return known
        pk = keys.SIGNAL_LOG.partition(environment=self._environment, day=day)
        found = portion_of(self._client, self._table, pk, "", limit, "")
        if over:
            self._over[day, limit] = found
        return found

    def lines(self, limit: int, now: float, before: str = "") -> SignalsPortion:
        oldest = now - LOG_DAYS * DAY
        day, items, older = require_cursor(before) or now, list[Item](), ""
        for _ in range(DAYS_AT_ONCE):
            pk = keys.SIGNAL_LOG.partition(environment=self._environment, day=_day(day))
            found = portion_of(self._client, self._table, pk, "", limit - len(items), before)
            items, older, before = [*items, *found.items], found.older, ""
            day -= DAY
            if older or len(items) >= limit or day < oldest - DAY:
                break
        if not older and day >= oldest - DAY:
            # There may be more on the days before; the end of the day that was looked at last is where they begin.
            older = f"{round((day // DAY + 1) * DAY * 1e6):020d}#0"
        lines = readable_bodies(keys.SIGNAL_LOG, items, LoggedSignal, what="a line of the log of signals")
        return SignalsPortion(tuple(lines), older)


def portion_of(client: Any, table: str, pk: str, prefix: str, limit: int, before: str) -> _Found:
    """Up to `limit` items of a partition, newest first, before a cursor; and the cursor of the next page."""
    require_cursor(before)
    low, high = prefix, f"{prefix}{before}" if before else f"{prefix}~"
    arguments: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
        "ExpressionAttributeValues": {":pk": {"S": pk}, ":low": {"S": low or " "}, ":high": {"S": high}},
        "ScanIndexForward": False,
        # One more, to know whether the list goes on; and the cursor itself.
        "Limit": limit + 2,
    }
    items: list[Item] = []
    with aws_call(f"querying {pk}"):
        while True:
            page = client.query(**arguments)
            items += [item for item in page["Items"] if item["sk"]["S"] != high]
            if len(items) > limit or "LastEvaluatedKey" not in page:
                break
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    more = len(items) > limit
    items = items[:limit]
    return _Found(items, items[-1]["sk"]["S"].removeprefix(prefix) if more and items else "")


def _place(key: keys.Key) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
