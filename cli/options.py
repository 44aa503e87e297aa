"""Options that many commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from cli.completion import complete_environment
from cli.places import catalog_folder, environments_of, region_of, usual_environment
from cli.stack import Stack

CATALOG = catalog_folder()


def _stack(context: click.Context, parameter: click.Parameter, value: str | None) -> Stack:
    environment = named(context, parameter, value)
    return Stack(environment, _region(environment))


def named(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """The environment that is named, or the one that is meant where the catalog leaves no doubt.

    Raises
    ------
    click.MissingParameter
        None is named, and it has several that are production, or several and none that is.
    """
    if found := value or usual_environment(CATALOG):
        return found
    known = ", ".join(environments_of(CATALOG))
    which = f"there are {known}" if known else f"there is no catalog here or above ({CATALOG})"
    raise click.MissingParameter(
        f"Say which environment is meant: {which}. CANDLEFISH_ENVIRONMENT says it for a whole shell.",
        ctx=context,
        param=parameter,
    )


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
        callback=_stack,
        envvar="CANDLEFISH_ENVIRONMENT",
        shell_complete=complete_environment,
        help="Environment in catalog/environments/; by default the only one, or the only one that is production. Without a "
        "catalog, the one whose stack AWS_REGION has.",
    )(command)
