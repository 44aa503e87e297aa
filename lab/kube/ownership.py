"""Server-side apply: who owns which field, conflicts, and merging an applied configuration.

A field is a path of elements as in `managedFields`: `f:name` for a map's field, `k:{...}` for a list's
item by its keys, `v:...` for a set's item, `.` for the existence of an item.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lab.kube.merge_keys import ATOMIC_MAPS, KEY_DEFAULTS, SETS, identity, keys_of
from lab.kube.problems import ApiError
from lab.kube.runtime import Object

Path = tuple[str, ...]
_NOT_OWNED = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
}


class Manager(msgspec.Struct, frozen=True):
    """Who writes and how: an entry of `managedFields`."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


Owners = dict[Manager, frozenset[Path]]


def owned_fields(value: Object) -> dict[Path, Any]:
    """Every field of an object that can have an owner, with its value."""
    made: dict[Path, Any] = {}
    for key, item in value.items():
        if key in ("apiVersion", "kind", "status"):
            continue
        if key == "metadata":
            item = {name: part for name, part in item.items() if name not in _NOT_OWNED}
            if not item:
                continue
        _flatten(item, (f"f:{key}",), (key,), made)
    return made


def _flatten(value: Any, path: Path, names: tuple[str, ...], made: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and names[-1] not in ATOMIC_MAPS:
        for key, item in value.items():
            _flatten(item, (*path, f"f:{key}"), (*names, key), made)
    elif isinstance(value, list) and value and (keys := keys_of(names)):
        for item in value:
            at = (*path, _item_key(item, keys))
            made[(*at, ".")] = True
            for key, part in item.items():
                _flatten(part, (*at, f"f:{key}"), (*names, key), made)
    elif isinstance(value, list) and value and names[-1] in SETS:
        for item in value:
            made[(*path, f"v:{json.dumps(item)}")] = item
    else:
        made[path] = value


def _item_key(item: dict[str, Any], keys: tuple[str, ...]) -> str:
    found = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in keys}
    return "k:" + json.dumps(found, separators=(",", ":"), sort_keys=True)


def applied(
    live: Object | None, config: Object, manager: Manager, owners: Owners, *, force: bool
) -> tuple[Object, Owners]:
    """A live object with a configuration applied to it, and who owns what then.

    Raises
    ------
    ApiError
        409, when another manager owns a field that the configuration would change.
    """
    wanted = owned_fields(config)
    have = owned_fields(live) if live else {}
    contested: dict[Manager, set[Path]] = {}
    for path, value in wanted.items():
        if have.get(path) == value and path in have:
            continue
        for other, fields in owners.items():
            if other != manager and path in fields:
                contested.setdefault(other, set()).add(path)
    if contested and not force:
        raise _conflict(contested)
    kept = {
        other: fields - contested.get(other, set()) for other, fields in owners.items() if other != manager
    }
    merged = _merge(live or {}, config, ())
    elsewhere = frozenset[Path]().union(*kept.values()) if kept else frozenset[Path]()
    gone = owners.get(manager, frozenset()) - wanted.keys() - elsewhere
    # Whole items first: without its key an item could not be found any more.
    for path in sorted(gone, key=lambda path: (path[-1] != ".", path)):
        if not _is_needed(path, elsewhere):
            _drop(merged, path)
    made = {other: fields for other, fields in kept.items() if fields}
    made[manager] = frozenset(wanted)
    return merged, made


def _is_needed(path: Path, elsewhere: frozenset[Path]) -> bool:
    """Whether a field must stay because others have something in its list item."""
    item = path[:-1]
    if not item or not item[-1].startswith("k:"):
        return False
    is_key = path[-1] == "." or path[-1].removeprefix("f:") in json.loads(item[-1][2:])
    return is_key and any(other[: len(item)] == item for other in elsewhere)


def updated(before: Object | None, after: Object, manager: Manager, owners: Owners) -> Owners:
    """Who owns what after a plain write: the writer owns what it changed, others lose it."""
    old = owned_fields(before) if before else {}
    new = owned_fields(after)
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    gone = old.keys() - new.keys()
    if not changed and not gone:
        return owners
    made = {other: fields - changed - gone for other, fields in owners.items()}
    made[manager] = made.get(manager, frozenset()) | changed
    return {other: fields for other, fields in made.items() if fields}


def _conflict(contested: dict[Manager, set[Path]]) -> ApiError:
    causes = []
    for other, paths in contested.items():
        where = f' with subresource "{other.subresource}"' if other.subresource else ""
        using = f" using {other.api_version}" if other.operation == "Update" else ""
        who = f'conflict with "{other.name}"{where}{using}'
        causes += [
            {"reason": "FieldManagerConflict", "message": who, "field": _dotted(path)}
            for path in sorted(paths)
        ]
    listed = "\n".join(f"- {cause['message']}: {cause['field']}" for cause in causes)
    number = f"{len(causes)} conflict{'s' * (len(causes) != 1)}"
    return ApiError(409, "Conflict", f"Apply failed with {number}: {listed}", causes=causes)


def _dotted(path: Path) -> str:
    made = ""
    for element in path:
        kind, _, text = element.partition(":")
        made += f".{text}" if kind == "f" else f"[{_item_text(text)}]" if kind == "k" else ""
    return made


def _item_text(text: str) -> str:
    return ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(text).items())


def _merge(live: Any, config: Any, names: tuple[str, ...]) -> Any:
    if isinstance(config, dict) and isinstance(live, dict) and (not names or names[-1] not in ATOMIC_MAPS):
        made = dict(live)
        for key, item in config.items():
            made[key] = _merge(live.get(key), item, (*names, key))
        return made
    if isinstance(config, list) and isinstance(live, list) and (keys := keys_of(names)):
        known = {identity(item, keys): item for item in live}
        wanted = {identity(item, keys): item for item in config}
        kept = [item for item in live if identity(item, keys) not in wanted]
        return [_merge(known.get(each), item, names) for each, item in wanted.items()] + kept
    if isinstance(config, list) and isinstance(live, list) and names[-1] in SETS:
        return live + [item for item in config if item not in live]
    return config


def _drop(value: Object, path: Path) -> None:
    """Take a field out of a value, and the maps and lists that are empty then; all are copied first."""
    path = path[:-1] if path[-1] == "." else path
    way: list[Any] = [value]
    for element in path[:-1]:
        node = _step_into(way[-1], element)
        if node is None:
            return
        way.append(node)
    for node, element in zip(reversed(way), reversed(path), strict=True):
        _take_out(node, element)
        if node:
            return


def _take_out(node: Any, element: str) -> None:
    kind, _, text = element.partition(":")
    if kind == "f" and isinstance(node, dict):
        node.pop(text, None)
    elif isinstance(node, list):
        wanted = json.loads(text)
        node[:] = [item for item in node if not (item == wanted if kind == "v" else _is_item(item, wanted))]


def _step_into(node: Any, element: str) -> Any:
    kind, _, text = element.partition(":")
    if kind == "f" and isinstance(node, dict) and text in node:
        node[text] = node[text].copy() if isinstance(node[text], (dict, list)) else node[text]
        return node[text]
    if kind == "k" and isinstance(node, list):
        for index, item in enumerate(node):
            if _is_item(item, json.loads(text)):
                node[index] = dict(item)
                return node[index]
    return None


def _is_item(item: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(item.get(key, KEY_DEFAULTS.get(key)) == value for key, value in wanted.items())


def read_owners(value: Object | None) -> Owners:
    """Owners as an object's `managedFields` say."""
    made: Owners = {}
    for entry in (value or {"metadata": {}})["metadata"].get("managedFields") or []:
        manager = Manager(
            entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", "")
        )
        made[manager] = frozenset(_paths(entry["fieldsV1"], ()))
    return made


def write_owners(owners: Owners, before: Object | None, time: str) -> list[dict[str, Any]]:
    """`managedFields` of the owners; an entry that did not change keeps its time."""
    known = {
        (each["manager"], each["operation"], each["apiVersion"], each.get("subresource", "")): each
        for each in (before or {"metadata": {}})["metadata"].get("managedFields") or []
    }
    made = []
    for manager, fields in owners.items():
        tree = _tree(fields)
        old = known.get((manager.name, manager.operation, manager.api_version, manager.subresource))
        if old and old["fieldsV1"] == tree:
            made.append(old)
            continue
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        made.append({**entry, "subresource": manager.subresource} if manager.subresource else entry)
    return made


def _tree(fields: frozenset[Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in sorted(fields):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    return root


def _paths(tree: dict[str, Any], path: Path) -> list[Path]:
    if not tree:
        return [path] if path else []
    return [found for key, node in tree.items() for found in _paths(node, (*path, key))]
