"""The commands of a page one by one, each with its time, and what all of it took. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

# Of a terminal; in front of each line stand ten characters of time.
WIDTH, MARGIN = 80, 10
_DIGEST = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}")
_REMARK = re.compile(r"\s+# .*$", re.MULTILINE)
_LOOP = re.compile(r"(?:while|until|for|if)\b")
_END = re.compile(r"(?:done|fi)\b")


class Took(NamedTuple):
    """A command of a part of the walk, and its seconds."""

    part: str
    command: str
    seconds: float


def commands_of(text: str) -> list[str]:
    """The commands of a block, in their order: a line each, with those that it goes on in, or a loop as a whole."""
    found: list[str] = []
    loop = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if loop or _LOOP.match(line):
            loop += f"{line}\n"
            if _END.match(line):
                found.append(loop.rstrip())
                loop = ""
        else:
            found.append(line)
    return found


def printed(command: str, seconds: float) -> list[str]:
    """A command and its time as lines that a terminal takes whole; digests are cut, remarks left out."""
    head = f"{seconds:6.1f} s  $ "
    said = " ".join(_REMARK.sub("", _DIGEST.sub(r"\1...", command)).split())
    return textwrap.wrap(
        said,
        WIDTH - MARGIN,
        initial_indent=head,
        subsequent_indent=" " * (len(head) + 2),
        break_long_words=True,
        break_on_hyphens=False,
    )


def table(took: Sequence[Took], whole: float, at_most: float) -> list[str]:
    """What each part took, and the walk as a whole, with what was waited for between commands."""
    parts = list(dict.fromkeys(each.part for each in took))
    lines = [f"{'':44}{'commands':>8} {'seconds':>8}"]
    for part in parts:
        mine = [each for each in took if each.part == part]
        lines.append(f"{part[:44]:44}{len(mine):8} {sum(each.seconds for each in mine):8.1f}")
    lines.append(f"{'all commands':44}{len(took):8} {sum(each.seconds for each in took):8.1f}")
    lines.append(f"{'the whole walk':44}{'':8} {whole:8.1f}, at most {at_most:.0f} wanted")
    return lines
