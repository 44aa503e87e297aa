"""What the adapters of the one DynamoDB table share: reads, conditional writes, queries, keys that sort by time."""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, TypeVar, cast

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.adapters.table import keys
from candlefish.errors import RecordContested, RecordTooNew, Throttled, Unreadable
from candlefish.telemetry import logger

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")
# As DynamoDB has it.
Item = Mapping[str, Any]
# What a change returns: the next value, or that and an answer.
R = TypeVar("R", bound=msgspec.Struct | tuple[msgspec.Struct, Any])
ATTEMPTS = 8
RESTORE = 'See "An item that cannot be read" in docs/runbook.md'
ABSENT = "attribute_not_exists(pk)"
SEEN = "revision = :seen"
# What DynamoDB says of a condition that does not hold.
FAILED = frozenset({"ConditionalCheckFailedException"})
# Somebody else wrote since it was read, or writes at this moment in a transaction.
OVERTAKEN = FAILED | {"TransactionConflictException"}


def get(
    client: Any, table: str, key: Mapping[str, Any], *, what: str, consistent: bool = True
) -> dict[str, Any] | None:
    """The item under a key; None if there is none. `what` names it for people."""
    with aws_call(f"reading {what}"):
        item: dict[str, Any] | None = client.get_item(
            TableName=table, Key=key, ConsistentRead=consistent
        ).get("Item")
    return item


def batch_get(client: Any, table: str, wanted: Sequence[Item], *, what: str) -> list[dict[str, Any]]:
    """Items of up to 100 keys, read consistently; those that there are, in no order."""
    request: dict[str, Any] = {table: {"Keys": list(wanted), "ConsistentRead": True}}
    found: list[dict[str, Any]] = []
    for pause in patience():
        with aws_call(f"reading {what}"):
            answer = client.batch_get_item(RequestItems=request)
        found += answer["Responses"].get(table, ())
        request = answer.get("UnprocessedKeys") or {}
        if not request:
            break
        pause()
    return found


def patience() -> Iterator[Callable[[], None]]:
    """Tries of a batch of which DynamoDB may leave a part undone, each with a longer pause after it."""
    for attempt in range(8):
        yield lambda attempt=attempt: time.sleep(random.uniform(0, 0.05 * 2**attempt))  # type: ignore[misc]
    raise Throttled("DynamoDB left a part of a batch undone eight times; it will be tried again")


def packed(of: keys.Item, value: Any, over: Item | None = None) -> dict[str, Any]:
    """A value as an item keeps it. `over` is the stored item that it was made from: what newer code wrote into it
    and this code does not know stays (`carried`).
    """
    stored = over["body"]["S"] if over else ""
    return {
        "schema": {"N": str(of.schema)},
        "body": {"S": carried(value, stored).decode()},
    }


def carried(value: Any, stored: str | bytes) -> bytes:
    """A value as JSON, with the fields of the stored one that its type does not know.

    Those of the whole always stay; those of a part only where the part is what it was, because what they said of
    another one need not be true. So a field that newer code adds must be one whose default says "not known".
    """
    if not stored:
        return msgspec.json.encode(value)
    there = msgspec.json.decode(stored)
    known = _plain(msgspec.convert(there, type(value)))
    after = _plain(value)
    # Parts that are as they were are taken as they are stored, with all that stands in them.
    return msgspec.json.encode({**_unknown(there, known), **_parts(after, there, known)})


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _unknown(there: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in there.items() if name not in known}


def _parts(after: Any, there: Any, known: Any) -> Any:
    if after == known:
        return there if isinstance(there, dict | list) else after
    if isinstance(after, dict) and isinstance(known, dict) and isinstance(there, dict):
        shared = after.keys() & known.keys() & there.keys()
        return {
            name: _parts(each, there[name], known[name]) if name in shared else each
            for name, each in after.items()
        }
    if isinstance(after, list) and isinstance(known, list) and isinstance(there, list):
        return [there[known.index(each)] if each in known else each for each in after]
    return after


def read_body(of: keys.Item, item: Item, kind: type[V], *, what: str, next_step: str = RESTORE) -> V:
    """What an item's body says. `what` names the item, `next_step` says what to do about one that says nothing.

    Raises
    ------
    RecordTooNew
        Newer code wrote it in a way that this code would misread.
    Unreadable
        It is not what this code can read.
    """
    refuse_schema(of, item, what)
    return read_json(lambda: item["body"]["S"], kind, what=what, next_step=next_step)


def refuse_schema(of: keys.Item, item: Item, what: str) -> None:
    """Raise `RecordTooNew` where an item has a newer schema than this code knows, `Unreadable` where it has none."""
    try:
        schema = int(item.get("schema", {"N": "0"})["N"])
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"the schema of {what} is no number; nothing was changed. {RESTORE}") from error
    if schema > of.schema:
        raise RecordTooNew(
            f"{what} has schema {schema} and this code knows {of.schema}: a newer stack wrote it, and nothing was "
            "changed. Deploy the newer stack again, or ask whoever rolled it back (docs/deploy.md, Rolling back)"
        )


def read_json(text: Callable[[], str | bytes], kind: type[V], *, what: str, next_step: str = RESTORE) -> V:
    """What is kept as JSON; `text` takes it out of its item (`read_body`)."""
    try:
        return msgspec.json.decode(text(), type=kind)
    # A float or an int without end is a ValueError, what is nested without end a RecursionError.
    except (LookupError, TypeError, ValueError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
        raise Unreadable(f"{what} cannot be read: {error}; nothing was changed. {next_step}") from error


def readable_bodies(of: keys.Item, items: Iterable[Item], kind: type[V], *, what: str) -> list[V]:
    """What the bodies of a list's items say; one that says nothing is logged, and left out."""
    found = []
    for item in items:
        try:
            found.append(read_body(of, item, kind, what=f"{what} ({item['pk']['S']}, {item['sk']['S']})"))
        except Unreadable as error:
            logger.warning("left out of a list: %s", error)
    return found


def put_if(client: Any, table: str, item: Mapping[str, Any], *, seen: int | None, what: str) -> bool:
    """Put an item if its stored `revision` is still `seen`, or if there is none (None); whether it was put."""
    request = conditional(table, item, seen)
    return write_if(f"writing {what}", client.put_item, otherwise=OVERTAKEN, **request)


def write_if(
    what: str, write: Callable[..., object], *, otherwise: Set[str] = FAILED, **request: Any
) -> bool:
    """Send a conditional write; whether its condition held, and so whether it was written.

    `what` says it to people ("writing ..."); `otherwise` are the errors of DynamoDB that mean no.
    """
    with aws_call(what):
        try:
            write(**request)
        except ClientError as error:
            if code_of(error) not in otherwise:
                raise
            return False
    return True


def conditional(table: str, item: Mapping[str, Any], seen: int | None) -> dict[str, Any]:
    """The arguments of a put that holds if the stored `revision` is still `seen`, or if there is no item (None)."""
    extra = {} if seen is None else {"ExpressionAttributeValues": {":seen": {"N": str(seen)}}}
    condition = ABSENT if seen is None else SEEN
    return {"TableName": table, "Item": item, "ConditionExpression": condition, **extra}


def change_stored(
    read: Callable[[], T],
    change: Callable[[T], R],
    put: Callable[[T, int], bool],
    what: str,
    *,
    attempts: int = ATTEMPTS,
    pause: Callable[[int], None] = lambda attempt: None,
) -> R:
    """Read, change, and put if nobody else put in between; otherwise again from the start.

    A change returns the next value, or the next value and an answer; what is returned is the same, as it
    was stored. A change whose value is the one it was given puts nothing. `put` gets the value and the
    revision seen; `pause` gets the number of the attempt that was too late, from 0.

    Raises
    ------
    RecordContested
        Others were faster every time.
    """
    for attempt in range(attempts):
        before = read()
        changed: Any = change(before)
        after, answer = changed if isinstance(changed, tuple) else (changed, None)
        if after == before:
            return cast(R, changed)
        seen: int = getattr(before, "revision")  # noqa: B009 - every T has one, a bound cannot say so
        after = revised(after, seen)
        if put(after, seen):
            return cast(R, (after, answer) if isinstance(changed, tuple) else after)
        pause(attempt)
    raise RecordContested(f"{what} was changed by others {attempts} times in a row")


def revised(after: V, seen: int) -> V:
    """A value as it is stored over the revision that was seen."""
    # Never back: a value that was made anew may be newer than the one that it takes the place of.
    revision = max(seen, getattr(after, "revision")) + 1  # noqa: B009 - every one has one, a bound cannot say so
    return cast(V, msgspec.structs.replace(cast(Any, after), revision=revision))


def beginning_with(
    first: Sequence[Item | None], fetch: Callable[[], Item | None]
) -> Callable[[], Item | None]:
    """Reads an item: the first time what was read already, if anything was (`first`; None in it: there was none)."""
    waiting = list(first[:1])

    def read() -> Item | None:
        return waiting.pop() if waiting else fetch()

    return read


def change_item(
    fetch: Callable[[], Item | None],
    value_of: Callable[[Item | None], T],
    change: Callable[[T], R],
    put: Callable[[T, int, Item | None], bool],
    what: str,
    **more: Any,
) -> R:
    """`change_stored` for an item: `put` also gets the item that was read, for what is to stay in it (`packed`)."""
    found: Item | None = None

    def read() -> T:
        nonlocal found
        found = fetch()
        return value_of(found)

    return change_stored(read, change, lambda value, seen: put(value, seen, found), what, **more)


def query(
    client: Any, table: str, pk: str, *, prefix: str = "", consistent: bool = False, newest: int = 0
) -> list[dict[str, Any]]:
    """All items under a key, oldest first; or the `newest` ones, newest first."""
    condition = "pk = :pk" + (" AND begins_with(sk, :prefix)" if prefix else "")
    values = {":pk": {"S": pk}} | ({":prefix": {"S": prefix}} if prefix else {})
    arguments: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ConsistentRead": consistent,
    }
    if newest:
        arguments |= {"ScanIndexForward": False, "Limit": newest}
    items: list[dict[str, Any]] = []
    with aws_call(f"querying {pk}"):
        while True:
            page = client.query(**arguments)
            items += page["Items"]
            if newest or "LastEvaluatedKey" not in page:
                return items
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def sortable(at: float) -> str:
    """Epoch seconds as text that sorts like the number, to the microsecond."""
    return f"{round(at * 1e6):020d}"


def expiry(at: float, keep: float) -> dict[str, str]:
    """The attribute that lets DynamoDB delete an item `keep` seconds after `at`."""
    return {"N": str(round(at + keep))}
