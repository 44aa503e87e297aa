"""Kubernetes label selectors, whole: matchLabels and matchExpressions.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects what has these labels: an empty one everything, none at all nothing."""
    if selector is None:
        return False
    exact: Mapping[str, str] = selector.get("matchLabels") or {}
    expressions: Sequence[Mapping[str, Any]] = selector.get("matchExpressions") or ()
    return exact.items() <= labels.items() and all(_holds(each, labels) for each in expressions)


def names_labels(selector: Mapping[str, Any] | None) -> bool:
    """Whether a selector names any label. A Service without one selects nothing, and a budget's empty one everything,
    which is what whoever wrote it for the namespace's every Pod meant."""
    return bool(selector and (selector.get("matchLabels") or selector.get("matchExpressions")))


def selector_words(selector: Mapping[str, Any] | None) -> str:
    """A selector as people read it."""
    exact = (selector or {}).get("matchLabels") or {}
    more = [f"{each['key']} {each['operator']}" for each in (selector or {}).get("matchExpressions") or ()]
    return ", ".join([f"{key}={value}" for key, value in exact.items()] + more)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]
