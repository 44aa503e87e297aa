"""Options that many commands share."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from cli.completion import complete_environment
from cli.places import catalog_folder, environments_of, may_be_production, region_of, usual_environment
from cli.stack import Stack
from cli.terminal import at_terminal, echo

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


def in_environment_to_change(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-e ENV` of a command that changes something there: what nobody named is said, and asked for in production."""
    return in_environment(_first(require_meant, command))


def in_environment_at_once(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-e ENV` of a command of the first minutes of an incident: it is said, and nobody is asked."""
    return in_environment(_first(say_environment, command))


def _first(check: Callable[[Stack], object], command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def checked(*arguments: Any, stack: Stack, **options: Any) -> Any:
        check(stack)
        return command(*arguments, stack=stack, **options)

    return checked


def say_environment(stack: Stack) -> None:
    """Say on the error stream where something is about to be changed, and what named that environment."""
    how = {ParameterSource.COMMANDLINE: "", ParameterSource.ENVIRONMENT: ", by CANDLEFISH_ENVIRONMENT"}
    source, _ = _source()
    named = how.get(source, ", which nobody named") if source else ""
    echo(f"environment: {stack.environment} ({stack.region}){named}", err=True)


def require_meant(stack: Stack) -> None:
    """Say where nobody named it, and let nothing be changed in a production environment that is only the usual one.

    At a terminal a person is asked, also where a variable of their shell named it: that may be an hour old. Without one
    the variable stands beside the command, in a workflow or script, and counts.

    Raises
    ------
    click.UsageError
        Nobody named it, and there is no terminal to ask at.
    click.Abort
        The person did not mean it.
    """
    source, _ = _source()
    if source == ParameterSource.COMMANDLINE:
        return
    say_environment(stack)
    if not may_be_production(CATALOG, stack.environment):
        return
    if at_terminal():
        click.confirm(f"Environment {stack.environment} counts as production. Go on?", abort=True, err=True)
    elif source != ParameterSource.ENVIRONMENT:
        raise click.UsageError(
            f"environment {stack.environment} counts as production, and nobody named it; nothing was sent. If it is meant: {_naming(stack)}"
        )


def _source() -> tuple[ParameterSource | None, list[str]]:
    """What named the environment, and the words of the command that has the option."""
    context: click.Context | None = click.get_current_context()
    while context:
        if source := context.get_parameter_source("stack"):
            return source, context.command_path.split()[1:]
        context = context.parent
    return None, []


def _naming(stack: Stack) -> str:
    """The command that this process was called with, and the environment named in it."""
    _, words = _source()
    given, at = sys.argv[1:], 0
    for word in words:
        at = given.index(word, at) + 1 if word in given[at:] else at
    return shlex.join(["candlefish", *given[:at], "-e", stack.environment, *given[at:]])
