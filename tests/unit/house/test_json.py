"""Every command that prints something to read prints it as JSON, too."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest

from cli.__main__ import candlefish
from cli.commands import COMMANDS
from cli.terminal import document

# Commands that print nothing to read, or JSON anyway; each with why.
WITHOUT = {
    "catalog compile": "writes a file",
    "catalog roles": "prints a template, which is JSON",
    "catalog samconfig": "prints or writes TOML",
    "catalog schema": "writes files",
    "ci detect": "prints JSON",
    "ci live": "prints JSON",
    "ci train": "prints JSON",
    "completion": "prints what a shell reads",
    "init": "writes files; its facts are JSON with --save",
    "judge": "prints lines of JSON",
    "lab demo": "plays for people, and writes a report",
    "lab down": "ends a lab",
    "lab move-in": "plays for people",
    "lab recovery": "writes a report with --report",
    "lab scene": "plays for people, and draws",
    "lab simulate": "plays for people",
    "lab up": "stays; lab status --json says where it listens",
    "lab week": "plays for people",
}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    for name in sorted(COMMANDS):
        found = candlefish.get_command(click.Context(candlefish), name)
        assert found is not None
        if isinstance(found, click.Group):
            context = click.Context(found)
            for part in found.list_commands(context):
                inner = found.get_command(context, part)
                assert inner is not None
                yield f"{name} {part}", inner
            if not found.invoke_without_command:
                continue
        yield name, found


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_a_command_has_json_or_a_reason_why_not(name: str, command: click.Command) -> None:
    has = [each for each in command.params if "--json" in each.opts]
    assert bool(has) is (name not in WITHOUT)
    for each in has:
        assert isinstance(each, click.Option)
        assert each.is_flag


def test_reasons_are_of_commands_that_there_are() -> None:
    assert set(WITHOUT) <= {name for name, _ in commands()}


NASTY = "\x1b[31m\u202e\x9b \x7f ::error::x\n</script> 日本"


def test_a_document_is_json_in_ascii_and_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    document({"says": NASTY, NASTY: [1, None]})
    out = capsys.readouterr().out
    assert json.loads(out) == {"says": NASTY, NASTY: [1, None]}
    assert out.isascii()
    assert not {"\x1b", "\x7f", "\x9b"} & set(out)
    assert not any(line.lstrip().startswith("::") for line in out.splitlines())
