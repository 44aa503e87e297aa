"""Writing several items of the one table at once: all of them are stored, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from candlefish.adapters.aws.refusals import aws_call, code_of
from candlefish.adapters.table.items import conditional
from candlefish.errors import Throttled

# Why DynamoDB says that it did not store one of the items: it was another one, or is being written.
OVERTAKEN = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})


def put_all(
    client: Any, table: str, puts: Sequence[tuple[Mapping[str, Any], int | None]], *, what: str
) -> bool:
    """Put items, each if its stored `revision` is still the one seen (None: if there is none); whether all were put.

    Raises
    ------
    Throttled, Unavailable
        It is not known whether they were: read again.
    """
    writes = [{"Put": conditional(table, item, seen)} for item, seen in puts]
    with aws_call(f"writing {what}"):
        try:
            client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", ())}
            if codes & THROTTLED:
                raise Throttled(
                    f"writing {what}: AWS asked us to slow down; it will be tried again"
                ) from error
            if code_of(error) == "TransactionCanceledException" and codes & OVERTAKEN:
                return False
            raise
    return True
