"""The first user's names stand in its own configuration, catalog/ and samconfig.toml: nowhere else.

The product's are not meant: `candlefish`, stacks `candlefish-<environment>`, labels and annotations `candlefish.ai/...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.layers import ROOT

ROOMS = (".ci", ".github", "cli", "deploy", "docs", "events", "functions", "lab", "layers", "monitoring")
ROOMS += ("statemachines", "tests", "tools")
TOP = ("Makefile", "README.md", "CONTRIBUTING.md", "SECURITY.md", "pyproject.toml", "template.yaml")

COMPANY = {
    "a host or mail domain": r"\bcandlefish\.ai\b(?![/_])|(?<!\blab)\.candlefish\.ai/|//candlefish\.ai\b",
    "the organisation": r"\bcandlefish-ai\b",
    "a person": r"\bcandlefish-(?:platform-lead|product-lead|developer)\b",
    "a service": r"\bpaintbox\b|\bbrand-portal\b",
    "what it has in its account": r"\bcandlefish-sessions\b|\bcandlefish/\w+/database\b"
    r"|(?:cluster|namespace|identifier|replication_group)\b\W{1,4}candlefish-(?!drill-)|\bapp/candlefish-",
}
# File, or folder with a slash at its end -> why it may name the company.
ALLOWED = {
    "tests/contract/stored/": "records, as older code wrote them: they are read as they are",
    "tests/unit/checks/test_neighbours.py": "things called like the stack, as badly as they can be",
    "tests/unit/checks/test_people.py": "a secret beside the product's own, which nobody may read for its name",
    "tests/unit/house/test_company.py": "says which names are meant",
}


def files() -> Iterator[Path]:
    """Whatever is text in the product."""
    for room in ROOMS:
        yield from (path for path in sorted((ROOT / room).rglob("*")) if path.is_file())
    yield from (ROOT / name for name in TOP)


def lines() -> Iterator[tuple[str, int, str]]:
    for path in files():
        if "__pycache__" in path.parts or path.suffix == ".pyc":
            continue
        name = path.relative_to(ROOT).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if "andlefish" in text or "paintbox" in text or "brand-portal" in text:
            yield from ((name, number, line) for number, line in enumerate(text.splitlines(), 1))


def allowed(name: str) -> str | None:
    """The entry of the list that lets a file name the company."""
    return next(
        (entry for entry in ALLOWED if name == entry or (entry[-1] == "/" and name.startswith(entry))), None
    )


def named() -> Iterator[tuple[str, str]]:
    """(file, what was said where) of each line that names the company."""
    patterns = {what: re.compile(text, re.IGNORECASE) for what, text in COMPANY.items()}
    for name, number, line in lines():
        for what, pattern in patterns.items():
            if found := pattern.search(line):
                yield name, f"{name}:{number}: {found[0]!r} is {what} of the first user"


def test_nobody_elses_code_names_the_first_user() -> None:
    found = [said for name, said in named() if not allowed(name)]
    assert found == [], "take it from the catalog; a sample is example-org's at example.org"


def test_nothing_is_allowed_that_names_nobody() -> None:
    used = {allowed(name) for name, _ in named()}
    assert sorted(set(ALLOWED) - used) == [], "it names the company no more: take it off the list"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("host: candlefish.ai", "a host or mail domain"),
        ("mail to oncall@candlefish.ai.", "a host or mail domain"),
        ("curl https://api.candlefish.ai/health", "a host or mail domain"),
        ("image: ghcr.io/candlefish-ai/website", "the organisation"),
        ("cluster: candlefish-production", "what it has in its account"),
        ('"namespace": "candlefish-prod"', "what it has in its account"),
        ("candlefish.ai/slot: blue", ""),
        ("lab.candlefish.ai/mode", ""),
        ("stack_name = candlefish-production", ""),
        ("candlefish status -e production", ""),
    ],
)
def test_what_is_the_companys_and_what_the_products(line: str, what: str) -> None:
    assert [each for each, text in COMPANY.items() if re.search(text, line)] == ([what] if what else [])
