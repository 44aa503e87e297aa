"""docs/commands.md: commands in groups, and of options what a reader has to know."""

from __future__ import annotations

import click

from cli.commands import COMMANDS
from tools.commands_page import commands, page, section


@click.group()
def top() -> None:
    """Everything."""


@top.group()
def inner() -> None:
    """A group."""


@inner.command()
@click.argument("thing")
@click.option("-e", "--environment", help="Long words that stand once above.")
@click.option("--kind", type=click.Choice(["a", "b"]), default="a", help="Which | one.")
@click.option("--tag", multiple=True, help="A tag.")
@click.option("--reason", required=True, help="Why.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def act(**_: object) -> None:
    """Act on THING.

    In a second
    paragraph, too.
    """


@top.command(hidden=True)
def secret() -> None:
    """Nobody sees it."""


def test_commands_of_groups_follow_them_and_hidden_ones_are_left_out() -> None:
    assert [name for name, _ in commands(top, "top")] == ["top inner", "top inner act"]


def test_a_section_has_usage_help_and_options() -> None:
    assert section("top inner act", act) == [
        "### top inner act",
        "",
        "    top inner act [OPTIONS] THING",
        "",
        "Act on THING.\n\nIn a second paragraph, too.",
        "",
        "| option | | default |",
        "|---|---|---|",
        "| `-e`, `--environment` TEXT | The environment. |  |",
        "| `--kind` `a` or `b` | Which \\| one. | `a` |",
        "| `--tag` TEXT | A tag. May be said several times. |  |",
        "| `--reason` TEXT | Why. | required |",
        "| `--yes` | Do not ask. |  |",
        "",
    ]


def test_every_command_of_the_table_is_on_the_page() -> None:
    lines = set(page().splitlines())
    assert [name for name in COMMANDS if f"## candlefish {name}" not in lines] == []
