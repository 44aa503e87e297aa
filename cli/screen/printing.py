"""Lines printed below each other: with styles at a terminal, as plain text elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

from cli.screen.cells import Line, painted, plain
from cli.terminal import takes_escapes

# How wide lines are where nobody has a window: wide enough for a log.
LOG = 120


def colours() -> bool:
    """Whether there may be colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"


def width() -> int:
    """Cells of a line."""
    return max(shutil.get_terminal_size((LOG, 24)).columns, 20)


def show(lines: Iterable[Line]) -> None:
    """Print lines; what is wider than the window is a thing to be copied, and is broken by the terminal."""
    styled = takes_escapes(sys.stdout)
    for line in lines:
        sys.stdout.write((painted(line, colour=colours()) if styled else plain(line)) + "\n")
    sys.stdout.flush()
