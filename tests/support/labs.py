"""What the tests of a module share, until one of them fails on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Labs:
    """Holds one lab for a module: made when it is first asked for, and made anew after a failure.

    What a failed test left under way (a release, a fault, a switch) would fail the next one as well,
    and a second try of the same one.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self.spoiled = False
        self._folder = folder
        self._open = ExitStack()
        self._made: dict[object, object] = {}

    def get(self, make: Callable[[Path], AbstractContextManager[T]]) -> T:
        """What `make` makes in a folder of its own."""
        if self.spoiled:
            self.close()
        if make not in self._made:
            self._made[make] = self._open.enter_context(make(self._folder()))
        return self._made[make]  # type: ignore[return-value]

    def close(self) -> None:
        """End all that was made."""
        self.spoiled = False
        self._made.clear()
        self._open.close()
