"""What the adapters of the one DynamoDB table share: reads, conditional writes, queries, keys that sort by time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import msgspec
from botocore.exceptions import ClientError

from candlefish.adapters.aws.api import aws_call, code_of
from candlefish.errors import RecordContested, Unreadable
from candlefish.telemetry import logger

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")
# What a change returns: the next value, or that and an answer.
R = TypeVar("R", bound=msgspec.Struct | tuple[msgspec.Struct, Any])
ATTEMPTS = 8
RESTORE = 'See "An item that cannot be read" in docs/runbook.md'
ABSENT = "attribute_not_exists(pk)"
SEEN = "revision = :seen"


def get(
    client: Any, table: str, key: Mapping[str, Any], *, what: str, consistent: bool = True
) -> dict[str, Any] | None:
    """The item under a key; None if there is none. `what` names it for people."""
    with aws_call(f"reading {what}"):
        item: dict[str, Any] | None = client.get_item(
            TableName=table, Key=key, ConsistentRead=consistent
        ).get("Item")
    return item


def read_body(item: Mapping[str, Any], kind: type[V], *, what: str, next_step: str = RESTORE) -> V:
    """What an item's body says. `what` names the item, `next_step` says what to do about one that says nothing.

    Raises
    ------
    Unreadable
        It is not what this code can read.
    """
    return read_json(lambda: item["body"]["S"], kind, what=what, next_step=next_step)


def read_json(text: Callable[[], str | bytes], kind: type[V], *, what: str, next_step: str = RESTORE) -> V:
    """What is kept as JSON; `text` takes it out of its item (`read_body`)."""
    try:
        return msgspec.json.decode(text(), type=kind)
    # A float or an int without end is a ValueError, what is nested without end a RecursionError.
    except (LookupError, TypeError, ValueError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
        raise Unreadable(f"{what} cannot be read: {error}; nothing was changed. {next_step}") from error


def readable_bodies(items: Iterable[Mapping[str, Any]], kind: type[V], *, what: str) -> list[V]:
    """What the bodies of a list's items say; one that says nothing is logged, and left out."""
    found = []
    for item in items:
        try:
            found.append(read_body(item, kind, what=f"{what} ({item['pk']['S']}, {item['sk']['S']})"))
        except Unreadable as error:
            logger.warning("left out of a list: %s", error)
    return found


def put_if(client: Any, table: str, item: Mapping[str, Any], *, seen: int | None, what: str) -> bool:
    """Put an item if its stored `revision` is still `seen`, or if there is none (None); whether it was put."""
    extra = {} if seen is None else {"ExpressionAttributeValues": {":seen": {"N": str(seen)}}}
    condition = ABSENT if seen is None else SEEN
    with aws_call(f"writing {what}"):
        try:
            client.put_item(TableName=table, Item=item, ConditionExpression=condition, **extra)
        except ClientError as error:
            if code_of(error) == "ConditionalCheckFailedException":
                return False
            raise
    return True


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
        after = msgspec.structs.replace(after, revision=seen + 1)
        if put(after, seen):
            return cast(R, (after, answer) if isinstance(changed, tuple) else after)
        pause(attempt)
    raise RecordContested(f"{what} was changed by others {attempts} times in a row")


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
