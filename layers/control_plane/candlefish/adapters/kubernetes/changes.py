"""What an apply changed in an object, in lines for a person to read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from candlefish.release.model import Manifest

# How many lines an apply may give, and how many characters a value and a line.
LINES, VALUE, LINE = 40, 48, 200
# What only the server writes, and what stands in every object that a release writes: its own names.
_SERVERS = ("apiVersion", "kind", "status")
_OURS = ("candlefish.ai/", "app.kubernetes.io/version")
# What an item of a list is called by, the first that it has.
_NAMES = ("name", "key", "containerPort", "port", "topologyKey", "ip")

Fields = dict[str, Any]


def changes(wanted: Manifest, before: Manifest | None, after: Manifest) -> list[str]:
    """One line for each field that is ours and has another value now, or is gone.

    Ours is what we wanted (`wanted`, the applied manifest), and whatever an apply took away; what the
    server filled in and what others wrote is not.
    """
    subject = f"{wanted['kind']} {wanted['metadata']['name']}"
    if before is None:
        return [f"{subject}: created"]
    ours, old, new = _fields(wanted), _fields(before), _fields(after)
    lines = [
        f"{subject}: {path}: {_shown(old, path)} -> {_shown(new, path)}"
        for path in sorted(ours.keys() & new.keys() | old.keys() - new.keys())
        if old.get(path, _shown) != new.get(path, _shown)
    ]
    return [_cut(line, LINE) for line in lines]


def bounded(lines: list[str]) -> tuple[str, ...]:
    """The first lines, and how many there are beside them."""
    if len(lines) <= LINES:
        return tuple(lines)
    return (*lines[: LINES - 1], f"and {len(lines) - LINES + 1} more")


def _fields(value: Manifest) -> Fields:
    """Every field that has a value by its path, but for those that no change of a version's is."""
    metadata = value.get("metadata") or {}
    kept = {key: metadata.get(key) for key in ("labels", "annotations")}
    rest = {key: part for key, part in value.items() if key not in (*_SERVERS, "metadata")}
    return {
        path: found
        for path, found in _flat({"metadata": kept, **rest}, "")
        if not any(mark in path for mark in _OURS)
    }


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for name, item in _named(value):
            yield from _flat(item, f"{path}[{name}]")
    elif value is not None:
        yield path, value


def _named(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Each item with what it is called by: its name where all have one of their own, or its place."""
    names = [
        next((item[key] for key in _NAMES if key in item), None) if isinstance(item, Mapping) else None
        for item in items
    ]
    if None in names or len(set(names)) < len(names):
        yield from enumerate(items)
    else:
        yield from zip(names, items, strict=True)


def _shown(fields: Fields, path: str) -> str:
    return _cut(str(fields[path]), VALUE) if path in fields else "nothing"


def _cut(text: str, most: int) -> str:
    # What a line shows is one line.
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
