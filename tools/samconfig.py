"""The sections of samconfig.toml: what each stack is deployed with."""

from __future__ import annotations

import tomllib
from typing import Any

from lab import SAMCONFIG

# The section of an environment's stack in its recovery region is called after it.
RECOVERY = "-recovery"


def section(name: str) -> dict[str, Any]:
    """The deploy parameters of one section; empty when there is none."""
    config = tomllib.loads(SAMCONFIG.read_text())
    found: dict[str, Any] = config.get(name, {}).get("deploy", {}).get("parameters", {})
    return found
