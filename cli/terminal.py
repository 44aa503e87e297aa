"""What is printed: text from elsewhere is shown as text. It is no markup, moves no cursor and is no command of GitHub's.

Reasons, labels and names are written by whoever may ask for a release, send an alert or name a workload. Everything that
the command prints goes through here (tests/unit/house/test_terminal.py).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import click
import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from candlefish.bounds import legible


class PlainConsole(Console):
    """A console that takes strings as they are; what has a style is a `Text`, and says so itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is drawn: Rich's own control codes as they are, all text as it is shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(legible(segment.text), segment.style)


def mark(passed: bool | None) -> Text:
    """Whether something is as it should be; None where nobody can tell."""
    word, style = {True: ("ok", "green"), False: ("no", "red"), None: ("?", "yellow")}[passed]
    return Text(word, style=style)


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text."""
    click.echo(legible(str(text)), err=err, nl=nl)


def document(value: Any, *, indent: bool = True) -> None:
    """Print a value as JSON. Its texts stay as they are: JSON in ASCII moves no cursor and is no command either."""
    plain = msgspec.to_builtins(value)
    said = json.dumps(plain, indent=2 if indent else None, ensure_ascii=True)
    click.echo(said.replace("\x7f", "\\u007f"))


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def takes_escapes(stream: TextIO) -> bool:
    """Whether what is written there is a terminal's that understands escapes."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def at_terminal() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty()


def failure(text: str) -> click.ClickException:
    """What ends a command with status 1 and one message."""
    return click.ClickException(legible(text))
