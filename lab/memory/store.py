"""What the stores in memory share: values as JSON keeps them, and writes that compare revisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

K = TypeVar("K")
T = TypeVar("T", bound=msgspec.Struct)


def kept(value: T) -> T:
    """A value as a table gives it back: a copy of its own. What JSON cannot hold raises, as it would there."""
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))


def sortable(at: float) -> int:
    """Epoch seconds as the table's keys have them, to the microsecond (`adapters.table.items.sortable`)."""
    return round(at * 1e6)


class Store:
    """A store whose adapter makes several calls for some calls of its port.

    `between` runs between two such calls: another writer comes first there, or the caller dies.
    """

    def __init__(self) -> None:
        self.between: Callable[[], None] = lambda: None

    def put_if(self, stored: dict[K, T], key: K, value: T, seen: int) -> bool:
        """Put a value in place of the one of a revision that was read before; whether it was put."""
        self.between()
        before: Any = stored[key]
        if before.revision != seen:
            return False
        stored[key] = kept(value)
        return True
