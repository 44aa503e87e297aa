"""Fields and types of built-in kinds, as the `kubernetes` package's generated models list them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_INNER = re.compile(r"(List|Dict)\[(?:str, )?(.+)\]")
_SCALARS = {"str": str, "int": int, "bool": bool, "datetime": str, "bytes": str}
# Quantities are written as text or as a number.
_QUANTITY_MAPS = ("limits", "requests", "hard", "used", "capacity", "allocatable")


def check(value: Any, model: str) -> tuple[list[str], list[str]]:
    """Unknown fields, and wrong types, of an object against a model; each names its field."""
    unknown: list[str] = []
    wrong: list[str] = []
    if model:
        _walk(value, model, "", unknown, wrong)
    return unknown, wrong


def warm() -> None:
    """Load the models that a release needs, which takes half a second the first time."""
    for model in ("V1Deployment", "V1Service", "V2HorizontalPodAutoscaler", "V1PodDisruptionBudget"):
        fields_of(model)


@cache
def fields_of(model: str) -> dict[str, str]:
    """Field name as written in JSON -> type, of one model."""
    import kubernetes.client.models as models

    found = getattr(models, model)
    return {found.attribute_map[name]: kind for name, kind in found.openapi_types.items()}


def _walk(value: Any, kind: str, path: str, unknown: list[str], wrong: list[str]) -> None:
    if value is None or kind in ("object", "float"):
        return
    if match := _INNER.fullmatch(kind):
        _walk_many(value, match[1], match[2], path, unknown, wrong)
    elif kind in _SCALARS:
        fits = isinstance(value, _SCALARS[kind]) and (kind != "int" or not isinstance(value, bool))
        if not fits and not (kind == "str" and _is_quantity(path)):
            wrong.append(f"{path}: expected {kind}, got {type(value).__name__}")
    elif not isinstance(value, dict):
        wrong.append(f"{path}: expected an object, got {type(value).__name__}")
    else:
        known = fields_of(kind)
        for name, item in value.items():
            where = f"{path}.{name}".lstrip(".")
            if name not in known:
                unknown.append(where)
            else:
                _walk(item, known[name], where, unknown, wrong)


def _walk_many(value: Any, shape: str, inner: str, path: str, unknown: list[str], wrong: list[str]) -> None:
    if shape == "List":
        if not isinstance(value, list):
            wrong.append(f"{path}: expected a list, got {type(value).__name__}")
            return
        for index, item in enumerate(value):
            _walk(item, inner, f"{path}[{index}]", unknown, wrong)
    elif not isinstance(value, dict):
        wrong.append(f"{path}: expected a map, got {type(value).__name__}")
    else:
        for name, item in value.items():
            _walk(item, inner, f"{path}.{name}", unknown, wrong)


def _is_quantity(path: str) -> bool:
    parts = path.split(".")
    return parts[-1] == "sizeLimit" or (len(parts) > 1 and parts[-2] in _QUANTITY_MAPS)
