"""Options that many commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from cli.completion import complete_environment
from cli.places import catalog_folder, environments_of, region_of
from cli.stack import Stack

CATALOG = catalog_folder()


def _stack(context: click.Context, parameter: click.Parameter, value: str) -> Stack:
    return Stack(value, _region(value))


def _region(environment: str) -> str:
    """The region of an environment: the catalog's, or AWS's own setting where there is no catalog."""
    known = environments_of(CATALOG)
    if environment in known:
        if region := region_of(CATALOG, environment):
            return region
        from candlefish.catalog.load import load

        return load(CATALOG).environments[environment].region
    if known:
        raise click.BadParameter(f"there is no environment {environment!r}; there are {', '.join(known)}")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _configured_region()
    if not region:
        raise click.BadParameter(
            f"there is no catalog here or above ({CATALOG}) that says where {environment!r} is; set AWS_REGION, "
            "or name the catalog's folder with --catalog"
        )
    return region


def _configured_region() -> str:
    from botocore.session import Session

    return Session().get_config_variable("region") or ""


def in_environment(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-e ENV`, handed to the command as the stack of that environment."""
    return click.option(
        "-e",
        "--environment",
        "stack",
        required=True,
        callback=_stack,
        envvar="CANDLEFISH_ENVIRONMENT",
        shell_complete=complete_environment,
        help="Environment in catalog/environments/; without a catalog, the one whose stack AWS_REGION has.",
    )(command)
