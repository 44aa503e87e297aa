"""What is wrong with a catalog: every problem at once, each with its place and its fix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from candlefish.bounds import fit_line
from candlefish.catalog.model import suggest
from candlefish.errors import Misconfigured

# How many problems of a catalog are listed, and how long each may be in characters; the rest is counted.
MOST_LISTED = 45
LONGEST_PROBLEM = 400
# Where a value sits, from the catalog's root: ("services", "website", "smoke_paths", 0).
Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """A path as people write it: `services.website.smoke_paths[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class LocatedProblem(msgspec.Struct, frozen=True):
    """One mistake: where it is (`line` from 1; 0 is the file as a whole), what it is, how to mend it."""

    file: str
    line: int
    path: str
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = ": ".join(part for part in (place, self.path, f"{self.what}; {self.fix}") if part)
        return fit_line(text, LONGEST_PROBLEM)


class CatalogProblem(NamedTuple):
    """Something wrong at a path of a catalog that has been read, and how to mend it."""

    path: Path
    what: str
    fix: str
    # What else was looked at: where that could not be read, the finding means nothing.
    rests_on: Path = ()


class CatalogError(Misconfigured):
    """The catalog cannot be used. Its text has one line a problem; `problems` has them as values."""

    def __init__(self, problems: Iterable[LocatedProblem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems[:MOST_LISTED])
        if count > MOST_LISTED:
            lines += f"\n  and {count - MOST_LISTED} more, once these are mended"
        super().__init__(
            f"the catalog has {count} problem{'s' if count != 1 else ''}; nothing was compiled\n{lines}"
        )


def unknown(path: Path, kind: str, name: str, known: Iterable[str]) -> CatalogProblem:
    return CatalogProblem(path, f"there is no {kind} {name!r}", suggest(name, known))
