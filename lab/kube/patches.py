"""JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386) and strategic merge. All return new values."""

from __future__ import annotations

import copy
from typing import Any

from lab.kube.merge_keys import identity, keys_of, patch_key
from lab.kube.problems import ApiError, bad_request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def patched(value: Any, patch: Any, content_type: str, *, builtin: bool) -> Any:
    """A value with a patch of the given content type applied to it."""
    if content_type == JSON_PATCH:
        if not isinstance(patch, list):
            raise bad_request("a JSON patch is a list of operations")
        for operation in patch:
            value = _operate(copy.deepcopy(value), operation)
        return value
    if content_type == MERGE_PATCH:
        return merge(value, patch)
    if content_type == STRATEGIC:
        if not builtin:
            raise ApiError(
                415, "UnsupportedMediaType", "strategic merge patch is not supported for custom resources"
            )
        return strategic(value, patch, ())
    raise ApiError(
        415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}"
    )


def merge(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            made.pop(key, None)
        else:
            made[key] = merge(made.get(key), item)
    return made


def strategic(value: Any, patch: Any, path: tuple[str, ...]) -> Any:
    """Kubernetes' own: lists with a key merge item by item, and `$patch` directives."""
    if isinstance(patch, list):
        key = patch_key(path)
        return _merge_items(value or [], patch, key, path) if key else patch
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    if directive == "replace" or not isinstance(value, dict):
        value = {}
    if directive == "delete":
        return {}
    made = dict(value)
    for key, item in patch.items():
        if key == "$patch" or key.startswith("$setElementOrder/"):
            continue
        if key == "$retainKeys":
            made = {name: part for name, part in made.items() if name in item}
        elif key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            made[name] = [each for each in made.get(name) or [] if each not in item]
        elif item is None:
            made.pop(key, None)
        else:
            made[key] = strategic(made.get(key), item, (*path, key))
    return made


def _merge_items(value: list[Any], patch: list[Any], key: str, path: tuple[str, ...]) -> list[Any]:
    made = list(value)
    for item in patch:
        if item.get("$patch") == "replace":
            made = []
            continue
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        keys = keys_of(path) if all(each in item for each in keys_of(path)) else (key,)
        at = next((i for i, old in enumerate(made) if identity(old, keys) == identity(item, keys)), None)
        if item.get("$patch") == "delete":
            made = [old for old in made if old.get(key) != item[key]]
        elif at is None:
            made.append(strategic({}, item, path))
        else:
            made[at] = strategic(made[at], item, path)
    return made


def _operate(root: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation.get("op"), _pointer(operation.get("path", ""))
    if kind in ("move", "copy"):
        source = _pointer(operation["from"])
        taken = copy.deepcopy(_at(root, source))
        root = _remove(root, source) if kind == "move" else root
        return _add(root, path, taken)
    if kind == "test":
        if _at(root, path) != operation.get("value"):
            raise ApiError(422, "Invalid", f"testing value {operation['path']} failed")
        return root
    if kind == "remove":
        return _remove(root, path)
    if kind == "replace":
        _at(root, path)
        return _add(_remove(root, path), path, operation.get("value")) if path else operation.get("value")
    if kind == "add":
        return _add(root, path, operation.get("value"))
    raise bad_request(f"unknown JSON patch operation {kind!r}")


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(node: Any, path: list[str]) -> Any:
    try:
        for step in path:
            node = node[int(step)] if isinstance(node, list) else node[step]
    except (KeyError, IndexError, ValueError, TypeError):
        raise ApiError(422, "Invalid", f"the server rejected our request: no /{'/'.join(path)}") from None
    return node


def _add(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _at(root, path[:-1])
    if isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else int(path[-1]), value)
    else:
        parent[path[-1]] = value
    return root


def _remove(root: Any, path: list[str]) -> Any:
    _at(root, path)
    parent = _at(root, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return root
