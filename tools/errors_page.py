"""Writes what docs/troubleshooting.md says of each error class: its docstring, whether it is repeated, and its messages.

    python -m tools.errors_page [--check]

What to do about it is written there by hand, below each heading (tests/unit/checks/test_errors_page.py wants some).
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from candlefish import errors
from candlefish.catalog.problems import CatalogError
from tools.layers import ROOT
from tools.pages import write_or_check

PAGE = ROOT / "docs/troubleshooting.md"
# Where errors are raised that reach a person.
CODE = (ROOT / "layers/control_plane/candlefish", ROOT / "cli")
PART = re.compile(r"<!-- said: (\w+) -->\n.*?<!-- end of said -->", re.DOTALL)
# Classes that say how to go on with another one, or only how long a machine pauses.
BASES = ("ControlPlaneError", "Retryable", "Permanent")
# A message whose words are all filled in says nothing that one could look for.
WORDS = 2


def classes() -> dict[str, type[errors.ControlPlaneError]]:
    """The errors that an operator can meet, by name, in the order in which they are written down."""
    found = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.ControlPlaneError)
    }
    met = {n: k for n, k in found.items() if n not in BASES and not issubclass(k, errors.NotYet)}
    return {**met, CatalogError.__name__: CatalogError}


def messages(sources: Iterator[str], names: set[str]) -> dict[str, set[str]]:
    """What the code says with each of these classes; what is filled in is an ellipsis."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            said = _said(node.args[0])
            if name in names and len(re.findall(r"[a-zA-Z]{2,}", said)) >= WORDS:
                found[name].add(said)
    return found


def _said(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    if isinstance(node, ast.JoinedStr):
        parts = (each.value if isinstance(each, ast.Constant) else "…" for each in node.values)
        return " ".join("".join(map(str, parts)).split())
    return ""


def part(name: str, kind: type[errors.ControlPlaneError], said: set[str]) -> str:
    """What is generated of a class."""
    again = (
        "The machines try again by themselves."
        if issubclass(kind, errors.Retryable)
        else "Nothing tries it again by itself."
    )
    means = " ".join((kind.__doc__ or "").split())
    lines = [f"<!-- said: {name} -->", f"*{means}* {again}"]
    if said:
        count = f"{len(said)} messages" if len(said) > 1 else "1 message"
        lines += ["", f'<details markdown="1"><summary>{count}</summary>', ""]
        lines += [f"- {_code(each)}" for each in sorted(said, key=str.casefold)]
        lines += ["", "</details>"]
    return "\n".join([*lines, "<!-- end of said -->"])


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def page(before: str, said: Mapping[str, set[str]]) -> str:
    """The page with its generated parts made anew.

    Raises
    ------
    ValueError
        A part is of a class that does not exist.
    """
    known = classes()

    def anew(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise ValueError(f"{PAGE.name} has a part of {found[1]}, which is no error any more; take it out")
        return part(found[1], known[found[1]], said.get(found[1], set()))

    return PART.sub(anew, before)


def sources() -> Iterator[str]:
    """The code in which errors are raised."""
    return (path.read_text() for folder in CODE for path in sorted(Path(folder).rglob("*.py")))


if __name__ == "__main__":
    wanted = page(PAGE.read_text(), messages(sources(), set(classes())))
    sys.exit(write_or_check(PAGE, wanted, source="errors say", module="tools.errors_page"))
