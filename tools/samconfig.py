"""The sections of samconfig.toml: what each stack is deployed with."""

from __future__ import annotations

import tomllib
from collections.abc import Container
from typing import Any

from lab import SAMCONFIG

# The section of an environment's stack in its recovery region is called after it.
RECOVERY = "-recovery"


def environment_of(name: str, environments: Container[str]) -> str:
    """The environment whose stack a section is: one may be called `...-recovery` itself."""
    return name if name in environments else name.removesuffix(RECOVERY)


def section(name: str) -> dict[str, Any]:
    """The deploy parameters of one section; empty when there is none."""
    config = tomllib.loads(SAMCONFIG.read_text())
    found: dict[str, Any] = config.get(name, {}).get("deploy", {}).get("parameters", {})
    return found
