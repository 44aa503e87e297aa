"""How an allow-list is written, and how a document is taken through it.

A list is made of the five classes below. Each `take` makes a copy of what is allowed of a value, or raises
`FieldRefused` with the path; `rows` says each path below with what may stand there, for people.

Nothing is filtered out of what came in: a new document is made of the fields that the list names, so that
what the list does not know cannot come through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from candlefish.release.manifests.reach import Reach

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_SHOWN = 60
# What is taken and left out, because the control plane writes it itself.
_LEFT_OUT = object()

Allowed: TypeAlias = "Leaf | Ours | Fields | ListOf | Entries"


class FieldRefused(Exception):
    """A field that may not be there, or not with this value."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} {why}")


@dataclass(frozen=True)
class Leaf:
    """A value that is not looked into. `says` is what may stand there; `{service}` is the service's name."""

    says: str
    fits: Callable[[Any, Reach], bool]
    why: str = ""

    def take(self, value: Any, path: str, reach: Reach) -> Any:
        if self.fits(value, reach):
            return value
        says = self.says.replace("{service}", reach.service)
        raise FieldRefused(path, f"is {shown(value)}; write {says}" + (f" ({self.why})" if self.why else ""))

    def rows(self, path: str) -> Iterator[tuple[str, str]]:
        yield path, self.says.replace("{service}", "<service>")


@dataclass(frozen=True)
class Ours:
    """What a chart may say and the control plane says better: it is left out, whatever it is."""

    says: str

    def take(self, value: Any, path: str, reach: Reach) -> Any:
        return _LEFT_OUT

    def rows(self, path: str) -> Iterator[tuple[str, str]]:
        yield path, f"anything; {self.says}"


@dataclass(frozen=True)
class Fields:
    """An object with just these fields.

    Attributes
    ----------
    needs:
        Fields that must be there.
    one_of:
        Fields of which exactly one must be there.
    whys:
        Why some others may not be there, and what to do.
    says:
        What it is, for people who need not see each field.
    """

    fields: dict[str, Allowed]
    needs: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    whys: dict[str, str] = field(default_factory=dict)
    says: str = ""

    def take(self, value: Any, path: str, reach: Reach) -> Any:
        made = {}
        # A field that is null is a field that is not there, to Kubernetes and here.
        given = {key: each for key, each in _object(value, path).items() if each is not None}
        for key, each in given.items():
            if key not in self.fields:
                why = self.whys.get(
                    key, "leave it out of the chart; what may be there stands in docs/kubernetes.md"
                )
                raise FieldRefused(at(path, key), f"is not allowed in a bundle: {why}")
            taken = self.fields[key].take(each, at(path, key), reach)
            if taken is not _LEFT_OUT:
                made[key] = taken
        if missing := [key for key in self.needs if key not in given]:
            raise FieldRefused(path, f"has no {missing[0]}; check the chart's values")
        if self.one_of and len(found := [key for key in self.one_of if key in given]) != 1:
            raise FieldRefused(
                path, f"has {' and '.join(found) or 'none'} of {', '.join(self.one_of)}; write exactly one"
            )
        return made

    def rows(self, path: str) -> Iterator[tuple[str, str]]:
        if self.says:
            yield path, self.says
            return
        for key, rule in self.fields.items():
            yield from rule.rows(f"{path}.{key}" if path else key)


@dataclass(frozen=True)
class ListOf:
    """A list of at most so many."""

    rule: Allowed
    most: int

    def take(self, value: Any, path: str, reach: Reach) -> Any:
        if not isinstance(value, list):
            raise FieldRefused(path, f"is {shown(value)}; it must be a list")
        if len(value) > self.most:
            raise FieldRefused(path, f"has {len(value)} entries; at most {self.most} may be there")
        return [self.rule.take(each, f"{path}[{index}]", reach) for index, each in enumerate(value)]

    def rows(self, path: str) -> Iterator[tuple[str, str]]:
        yield from self.rule.rows(f"{path}[]")


@dataclass(frozen=True)
class Entries:
    """An object whose keys are the chart's, like labels."""

    key: Leaf
    value: Leaf
    most: int

    def take(self, value: Any, path: str, reach: Reach) -> Any:
        given = _object(value, path)
        if len(given) > self.most:
            raise FieldRefused(path, f"has {len(given)} entries; at most {self.most} may be there")
        made = {}
        for key, each in given.items():
            if not self.key.fits(key, reach):
                says = self.key.says.replace("{service}", reach.service)
                because = f" ({self.key.why})" if self.key.why else ""
                raise FieldRefused(
                    at(path, key), f"is not allowed in a bundle: a key here is {says}{because}"
                )
            if each is not None:
                made[key] = self.value.take(each, at(path, key), reach)
        return made

    def rows(self, path: str) -> Iterator[tuple[str, str]]:
        yield (
            f"{path}[]",
            f"keys: {self.key.says}; values: {self.value.says}".replace("{service}", "<service>"),
        )


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldRefused(path, f"is {shown(value)}; it must be an object")
    return value


def at(path: str, key: Any) -> str:
    """The path of a field of an object."""
    if isinstance(key, str) and len(key) <= _SHOWN and _PLAIN.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{shown(key)}]"


def shown(value: Any) -> str:
    """A value in a message: short, and with every character that could mislead the eye spelt out."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return ascii(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
    if isinstance(value, int) and abs(value) > 10**18:
        return "a number without measure"
    return json.dumps(value, default=lambda each: type(each).__name__)
