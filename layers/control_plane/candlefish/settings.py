"""What a function is told by its environment variables (set in template.yaml).

A bootstrap module declares what it reads as a class of `Setting`s, one for each variable, and
`tools/lint_settings.py` compares what each function reads with what the template gives it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from candlefish.errors import Misconfigured

T = TypeVar("T")
MACHINE_PREFIX = "MACHINE_"


class Setting(Generic[T]):
    """One environment variable, called like the attribute in capitals, read when it is asked for.

    A function has only those variables that its use case needs, so that a missing one is no error
    until somebody reads it. An `optional` one may be missing or empty.
    """

    def __init__(self, kind: Callable[[str], T], *, optional: T | None = None) -> None:
        self._kind = kind
        self._optional = optional

    def __set_name__(self, owner: type, name: str) -> None:
        self.variable = name.upper()

    def __get__(self, settings: Settings, owner: type | None = None) -> T:
        text = settings.environ.get(self.variable, "")
        if not text and self._optional is not None:
            return self._optional
        if not text:
            raise Misconfigured(
                f"the function's environment variable {self.variable} is not set; set it in template.yaml"
            )
        try:
            return self._kind(text)
        except ValueError as error:
            raise Misconfigured(
                f"the function's environment variable {self.variable} is {text!r} ({error}); mend it in template.yaml"
            ) from error


def listed(text: str) -> tuple[str, ...]:
    """What is written one after the other with commas between."""
    return tuple(each.strip() for each in text.split(",") if each.strip())


class Settings:
    """What every function is told. Subclasses add what theirs are told."""

    environment = Setting(str)
    table_name = Setting(str)
    bus_name = Setting(str)
    catalog_path = Setting(str)
    # Lambda sets it.
    aws_region = Setting(str)

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.environ = environ

    @property
    def machines(self) -> dict[str, str]:
        """ARNs of state machines by their short names: `MACHINE_ROLLBACK` is `rollback`."""
        return {
            name.removeprefix(MACHINE_PREFIX).lower(): value
            for name, value in self.environ.items()
            if name.startswith(MACHINE_PREFIX)
        }
