"""Writes docs/commands.md: every command of `candlefish`, its arguments and options, from the commands themselves.

python -m tools.commands_page [--check]
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import click

from cli.__main__ import candlefish
from tools.layers import ROOT
from tools.pages import write_or_check

PAGE = ROOT / "docs/commands.md"
INTRO = """# Commands

Made by `python -m tools.commands_page` from the commands' own help; `make check` compares. `candlefish COMMAND --help` says the
same of the version that you have.

`-e` is the environment; where it may be left out, and when a command asks before it changes production, is in
[the catalog](catalog.md) and in [security](security.md#production-that-nobody-named). Credentials are the AWS SDK's:
`AWS_PROFILE` says who you are.
"""


def commands(group: click.Group, above: str) -> Iterator[tuple[str, click.Command]]:
    """Every command of a group and of the groups in it, with its whole name, by the alphabet."""
    context = click.Context(group)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        whole = f"{above} {name}"
        yield whole, command
        if isinstance(command, click.Group):
            yield from commands(command, whole)


def section(name: str, command: click.Command) -> list[str]:
    """What the page says of one command."""
    depth = "##" if name.count(" ") == 1 else "###"
    context = click.Context(command, info_name=name)
    lines = [f"{depth} {name}", "", f"    {command.get_usage(context).removeprefix('Usage: ')}", ""]
    lines += [_paragraphs(command.help or ""), ""]
    rows = [_row(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        lines += ["| option | | default |", "|---|---|---|", *rows, ""]
    return lines


def _paragraphs(text: str) -> str:
    """Help as paragraphs; what it must not wrap stays as it is."""
    parts = inspect.cleandoc(text).replace("\f", "").split("\n\n")
    kept = (
        "\n".join(f"    {line}" for line in part.splitlines()[1:])
        if part.startswith("\b")
        else " ".join(part.split()).replace("<", "\\<")
        for part in parts
    )
    return "\n\n".join(kept)


def _row(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{each}`" for each in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag or option.count else f" {_kind(option)}"
    does = "The environment." if "--environment" in option.opts else " ".join((option.help or "").split())
    if option.multiple and "repeated" not in does:
        does = f"{does} May be said several times.".strip()
    cells = (f"{names}{kind}", does, _default(option, context))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "\\<") for cell in cells) + " |"


def _kind(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return " or ".join(f"`{each}`" for each in option.type.choices)
    return option.make_metavar(click.Context(candlefish)).strip("[]")


def _default(option: click.Option, context: click.Context) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    default = option.get_default(context, call=False)
    # Flags and lists are off and empty; what is worked out when it is asked for is in the help's words.
    if not isinstance(default, (str, int, float)) or isinstance(default, bool) or default == "":
        return ""
    text = str(default)
    # What depends on where the checkout is would be another one everywhere.
    return f"`{re.sub(re.escape(str(ROOT)) + '/?', '', text) or '.'}`"


def page() -> str:
    """The page as it should be."""
    found = [line for name, command in commands(candlefish, "candlefish") for line in section(name, command)]
    return "\n".join([INTRO, *found])


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), source="commands say", module="tools.commands_page"))
