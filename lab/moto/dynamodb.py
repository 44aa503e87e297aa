"""DynamoDB: a conditional write looks and writes in one step, however many write at once.

moto looks at the condition and writes in two; threads that meet in between would both be told that they won.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb.models import DynamoDBBackend

from lab.moto import replace

WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")
# A transaction is made of the other writes.
_writing = threading.RLock()


def install(put: Callable[[Any, str, Any], Any] = replace) -> None:
    """Let one write go on at a time; `put` sets the attribute of a class."""
    for name in WRITES:
        put(DynamoDBBackend, name, _alone(getattr(DynamoDBBackend, name)))


def _alone(method: Any) -> Any:
    @wraps(method)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with _writing:
            return method(*args, **kwargs)

    return alone
