"""The `candlefish` command. What it needs of others is imported by the command that needs it."""

from __future__ import annotations

import os
import sys

import click

from candlefish import __version__
from candlefish.errors import ControlPlaneError
from cli.commands import LazyGroup
from cli.extras import how_to_get


def _use_catalog(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        # Before anybody asks cli.places where it is; child processes read the same one.
        os.environ["CANDLEFISH_CATALOG"] = value


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="candlefish")
@click.option(
    "--catalog",
    type=click.Path(exists=True, file_okay=False),
    expose_value=False,
    is_eager=True,
    callback=_use_catalog,
    help="Folder of the catalog; else CANDLEFISH_CATALOG, else the next folder called catalog/ from here upwards.",
)
def candlefish() -> None:
    """Progressive delivery and operations for services on EKS behind an ALB."""


def main() -> None:
    """Run the command; what the control plane or AWS refuses is one clear line, not a trace."""
    try:
        candlefish(prog_name="candlefish")
    except Exception as error:
        if (said := _said(error)) is None:
            raise
        from cli.terminal import echo

        echo(said, err=True)
        sys.exit(_exit(error))


def _exit(error: Exception) -> int:
    """With what a command ends that met an error."""
    from candlefish.errors import Unavailable
    from cli.exits import Exit

    # Whoever raises it has loaded its module.
    refused = getattr(sys.modules.get("cli.stack"), "Refused", None)
    if refused is not None and isinstance(error, refused):
        return Exit.REFUSED
    return Exit.UNKNOWN if isinstance(error, Unavailable) else Exit.FAILED


def _said(error: Exception) -> str | None:
    """The line for an error that an operator can meet; None for one that is a defect."""
    if isinstance(error, ModuleNotFoundError):
        return how_to_get(error.name or "")
    words = _words(error)
    return None if words is None else f"{type(error).__name__}: {words}"


def _words(error: Exception) -> str | None:
    ours = str(error) if isinstance(error, ControlPlaneError) else None
    # Loaded by every command that talks to AWS, and by no other.
    if "botocore.exceptions" not in sys.modules:
        return ours
    from botocore.exceptions import BotoCoreError, ClientError

    from cli.trouble import explain

    if isinstance(error.__cause__, BotoCoreError):
        # Nobody answered; ours speaks to a machine that tries again.
        return explain(error.__cause__)
    return explain(error) if isinstance(error, (BotoCoreError, ClientError)) else ours


if __name__ == "__main__":
    main()
