"""What differs between two sets of Kubernetes objects, object by object, as a person reads it. Pure.

What must not be shown is not: values of variables, ConfigMaps and Secrets whose name says that they are secret are
numbered, so that one sees that they are another and not what they are.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from candlefish.release.manifests.model import RELEASE_LABEL
from candlefish.release.model import Manifest

# Lines around each change.
CONTEXT = 3
_SECRET = re.compile(r"pass|secret|token|credential|api_?key|private_?key|dsn$", re.IGNORECASE)
# What every release writes anew and no version is.
_OURS, _LABELS = "candlefish.ai/", (RELEASE_LABEL, "app.kubernetes.io/version")

Change = Literal["created", "changed", "left behind"]


class ObjectDifference(msgspec.Struct, frozen=True):
    """One object that a release would make or change; `diff` is a unified diff of its YAML, without the file's heads.

    What is left behind is in no version any more; nothing takes it away.
    """

    kind: str
    name: str
    change: Change
    diff: tuple[str, ...]


def object_differences(before: Sequence[Manifest], after: Sequence[Manifest]) -> tuple[ObjectDifference, ...]:
    """Every object that differs, in the order in which they are applied."""
    hidden: dict[str, int] = {}
    old, new = (
        {(each["kind"], each["metadata"]["name"]): list(_lines(_shown(each, hidden))) for each in objects}
        for objects in (before, after)
    )
    found = []
    for kind, name in [*new, *(key for key in old if key not in new)]:
        was, becomes = old.get((kind, name), []), new.get((kind, name), [])
        if was != becomes:
            change: Change = "changed" if was and becomes else "created" if becomes else "left behind"
            diff = tuple(difflib.unified_diff(was, becomes, n=CONTEXT, lineterm=""))[2:]
            found.append(ObjectDifference(kind, name, change, diff))
    return tuple(found)


def shaped_like(live: Any, wanted: Any) -> Any:
    """What a cluster has, in so far as we say anything of it: without what servers and others filled in."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {name: shaped_like(live[name], each) for name, each in wanted.items() if name in live}
    if isinstance(live, list) and isinstance(wanted, list | tuple):
        by_name = {each["name"]: each for each in live if isinstance(each, dict) and "name" in each}
        mine = [each.get("name") if isinstance(each, dict) else None for each in wanted]
        if all(name is not None for name in mine):
            ours = [
                shaped_like(by_name[name], each)
                for name, each in zip(mine, wanted, strict=True)
                if name in by_name
            ]
            return [*ours, *(each for name, each in by_name.items() if name not in mine)]
        pairs = zip(live, wanted, strict=False)
        return [*(shaped_like(*pair) for pair in pairs), *live[len(wanted) :]]
    return live


def _shown(value: Any, hidden: dict[str, int], key: str = "") -> Any:
    """A value without what every release writes anew, and without what nobody shall see."""
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and "value" in value:
            return {**value, "value": _hide(value["name"], value["value"], hidden)}
        kept = {name: each for name, each in value.items() if not _written_anew(key, name)}
        if key in ("data", "stringData"):
            return {name: _hide(name, each, hidden) for name, each in kept.items()}
        return {name: _shown(each, hidden, name) for name, each in kept.items()}
    if isinstance(value, list | tuple):
        return [_shown(each, hidden) for each in value]
    return value


def _written_anew(parent: str, name: str) -> bool:
    return (parent == "annotations" and name.startswith(_OURS)) or (parent == "labels" and name in _LABELS)


def _hide(name: str, value: Any, hidden: dict[str, int]) -> Any:
    if not _SECRET.search(name):
        return value
    return f"(not shown, {hidden.setdefault(json.dumps(value, sort_keys=True), len(hidden) + 1)})"


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """A value as YAML, a line each; scalars as JSON writes them where they would be read as something else."""
    if isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, dict | list) and each:
                yield f"{indent}{name}:"
                yield from _lines(each, f"{indent}  ")
            else:
                yield f"{indent}{name}: {_scalar(each)}"
    elif isinstance(value, list):
        for each in value:
            first, *rest = _lines(each, "") if isinstance(each, dict | list) and each else [_scalar(each)]
            yield f"{indent}- {first}"
            yield from (f"{indent}  {line}" for line in rest)


_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9 ._/@:=+*-]*[A-Za-z0-9/]|[A-Za-z/]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def _scalar(value: Any) -> str:
    if (
        isinstance(value, str)
        and _PLAIN.fullmatch(value)
        and ": " not in value
        and value.lower() not in _WORDS
    ):
        return value
    return json.dumps(value, ensure_ascii=False)
