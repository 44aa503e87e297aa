"""A caller that dies in the middle of what it writes, in memory and on DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.memory.store import Store


class Died(BaseException):
    """The caller's process died here."""


@contextmanager
def dying_after_one_write(store: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever writes twice to a store dies after the first."""

    def die(*_: Any, **__: Any) -> Any:
        raise Died

    with monkeypatch.context() as patched:
        if isinstance(store, Store):
            patched.setattr(store, "between", die)
        else:
            put = store._client.put_item

            def once(**asked: Any) -> Any:
                patched.setattr(store._client, "put_item", die)
                return put(**asked)

            patched.setattr(store._client, "put_item", once)
        yield
