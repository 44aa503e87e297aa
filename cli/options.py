"""Options that many commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from candlefish.catalog.load import load
from cli.stack import Stack


def _catalog_folder() -> Path:
    """The catalog of this checkout, or the one that CANDLEFISH_CATALOG names; as short as it can be written."""
    folder = Path(os.environ.get("CANDLEFISH_CATALOG") or Path(__file__).parents[1] / "catalog")
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


CATALOG = _catalog_folder()


def _stack(context: click.Context, parameter: click.Parameter, value: str) -> Stack:
    environments = load(CATALOG).environments
    if value not in environments:
        raise click.BadParameter(
            f"there is no environment {value!r}; there are {', '.join(sorted(environments))}"
        )
    return Stack(value, environments[value].region)


def in_environment(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-e ENV`, handed to the command as the stack of that environment."""
    return click.option(
        "-e",
        "--environment",
        "stack",
        required=True,
        callback=_stack,
        envvar="CANDLEFISH_ENVIRONMENT",
        help="Environment in catalog/environments/.",
    )(command)
