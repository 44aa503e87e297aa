"""The commands of a Markdown page: its `sh` blocks, in their order, with the heading that they stand under."""

from __future__ import annotations

import re

import msgspec

_HEADING = re.compile(r"#{1,6} +(.*)")
_FENCE = re.compile(r"```(\S*)")
_ASSIGNMENT = re.compile(r"(?:export )?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
# The first line of a block whose values are the reader's to fill in.
YOURS = "# yours"


class Block(msgspec.Struct, frozen=True):
    """A run of commands. `line` is where it begins in the page, from 1."""

    heading: str
    line: int
    text: str

    @property
    def to_fill_in(self) -> bool:
        """Whether the reader puts values of their own in."""
        return self.text.startswith(YOURS)


def blocks(page: str) -> list[Block]:
    """Every `sh` block of a page.

    Raises
    ------
    ValueError
        A block does not end.
    """
    found: list[Block] = []
    heading, kind, begun, lines = "", None, 0, [""]
    for number, line in enumerate(page.splitlines(), start=1):
        fence = _FENCE.fullmatch(line.strip())
        if kind is None and fence:
            kind, begun, lines = fence[1], number + 1, []
        elif kind is not None and line.strip() == "```":
            if kind == "sh":
                found.append(Block(heading, begun, "\n".join(lines) + "\n"))
            kind = None
        elif kind is not None:
            lines.append(line)
        elif match := _HEADING.fullmatch(line):
            heading = match[1]
    if kind is not None:
        raise ValueError(f"the block that begins in line {begun} has no end")
    return found


def fill_in(block: Block, values: dict[str, str]) -> str:
    """A block to fill in, with these values in the place of its examples.

    Raises
    ------
    ValueError
        The block asks for something that has no value, has a line that is no assignment, or a value is for
        nothing that it asks for.
    """
    lines, asked = [YOURS], set()
    for line in block.text.splitlines()[1:]:
        bare = line.split(" #")[0].strip()
        match = _ASSIGNMENT.fullmatch(bare)
        if match is None:
            raise ValueError(f"in the block at line {block.line}, {line!r} is not an assignment")
        if match[1] not in values:
            raise ValueError(
                f"the block at line {block.line} asks for {match[1]}, for which there is no value"
            )
        asked.add(match[1])
        lines.append(f"export {match[1]}='{values[match[1]]}'")
    if unasked := sorted(values.keys() - asked):
        raise ValueError(f"the block at line {block.line} does not ask for {', '.join(unasked)}")
    return "\n".join(lines) + "\n"


def table(page: str, header: str) -> list[str]:
    """The names in backticks in the first column of the table whose first header is `header`."""
    names: list[str] = []
    inside = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[0] == header:
            inside = True
        elif inside and not cells:
            return names
        elif inside:
            names += re.findall(r"`([^`]+)`", cells[0])
    return names
