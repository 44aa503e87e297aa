"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lab.kube.problems import bad_request
from lab.kube.runtime import Object

_SET = re.compile(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)")
Test = Callable[[Object], bool]


def by_labels(text: str) -> Test:
    """The test that a `labelSelector` parameter asks for."""
    tests = [_label_test(part) for part in _split(text)]
    return lambda value: all(test(value["metadata"].get("labels") or {}) for test in tests)


def by_fields(text: str) -> Test:
    """The test that a `fieldSelector` parameter asks for."""
    wanted = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", part)
        if match is None:
            raise bad_request(f'invalid field selector "{part}"')
        wanted.append((match[1].split("."), match[2] != "!=", match[3]))
    return lambda value: all((_text_at(value, path) == text) == equal for path, equal, text in wanted)


def matches(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector object matches; None matches nothing, an empty one everything."""
    if selector is None:
        return False
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    tests = {
        "In": lambda: labels.get(key) in values,
        "NotIn": lambda: labels.get(key) not in values,
        "Exists": lambda: key in labels,
        "DoesNotExist": lambda: key not in labels,
    }
    return tests[expression["operator"]]()


def _label_test(part: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET.fullmatch(part):
        key, values = match[1], {value.strip() for value in match[3].split(",")}
        inside = match[2] == "in"
        return lambda labels: (labels.get(key) in values) == inside
    if "!=" in part:
        key, _, value = part.partition("!=")
        return lambda labels: labels.get(key.strip()) != value.strip()
    if "=" in part:
        key, _, value = part.partition("=")
        return lambda labels: labels.get(key.strip()) == value.removeprefix("=").strip()
    if part.startswith("!"):
        return lambda labels: part[1:].strip() not in labels
    return lambda labels: part in labels


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _text_at(value: Any, path: list[str]) -> str:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
