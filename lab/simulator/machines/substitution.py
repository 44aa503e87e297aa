"""A definition's text with its substitutions, as SAM deploys it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from lab.simulator.machines.errors import InvalidDefinition


def substituted(text: str, substitutions: dict[str, str]) -> dict[str, Any]:
    """The definition in an .asl.yaml, with ${Name} replaced as CloudFormation does.

    Raises
    ------
    InvalidDefinition
        A name in the text has no substitution.
    """

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: put(item) for name, item in value.items()}
        if isinstance(value, list):
            return [put(item) for item in value]
        return (
            re.sub(r"\$\{(\w+)\}", lambda found: known(found[1]), value) if isinstance(value, str) else value
        )

    def known(name: str) -> str:
        if name not in substitutions:
            raise InvalidDefinition(f"nothing to put for ${{{name}}}")
        return substitutions[name]

    made: dict[str, Any] = put(yaml.safe_load(text))
    return made
