"""Templates and definitions as plain data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms (`!Ref`, `!GetAtt`, `!Sub`, ...)."""


def _short_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def parse(text: str) -> dict[str, Any]:
    """A template or a definition, JSON or YAML, as plain data."""
    found: dict[str, Any] = json.loads(text) if text.lstrip()[:1] == "{" else yaml.load(text, Loader=_Loader)
    return found


def read_template(path: Path) -> dict[str, Any]:
    """A SAM template as plain data."""
    return parse(path.read_text())
