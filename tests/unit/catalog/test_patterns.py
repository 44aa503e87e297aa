"""Patterns are quick on every text: those that the catalog may have, and our own."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import msgspec
import pytest

import candlefish
from candlefish.catalog.checks.patterns import why_slow
from candlefish.catalog.load import load
from candlefish.signals.sources import described_labels
from tests.support.catalogs import FIXTURES

ROOT = Path(__file__).parents[3]
SLOW = [
    "(a+)+",
    "(a*)*b",
    "(?:a|ab)*c",
    "([a-z]+-)*x",
    r"\s*\[((?:[A-Za-z_]\w*=[^\s\]]+\s*)+)\]\s*$",
    "(?:x{1,50}){1,50}",
    "(.*?,){11}x",
    ".*.*.*.*x",
    "(?=(a+)+b).*",
]
QUICK = [
    "abc",
    ".*(a|b).*",
    "(.+)-blue",
    "(?:https?://)?([^:/]+).*",
    "(?:ab){0,50}",
    "(a{1,3}){1,3}",
    "((a|b)+)?c",
    "[0-9a-f]{64}",
]
# Slow by their look alone: what they repeat ends in one place, at its dot, its slash, its hyphen or its
# unit; an identifier's alternatives differ in their first character, a verdict's counts end in a word.
QUICK_ALL_THE_SAME = {
    "_BEYOND",
    "_COMPARED",
    "Host",
    "Identifier",
    "Image",
    "Region",
    "MaybeRegion",
    "_DURATION",
    "_ISSUER",
    "Principal",
    "SourcePath",
    "_DNS_NAME",
    "Zone",
    "_PINNED",
}


@pytest.mark.parametrize("pattern", SLOW)
def test_what_divides_again_and_again_is_slow(pattern: str) -> None:
    assert why_slow(pattern)


@pytest.mark.parametrize("pattern", QUICK)
def test_what_divides_a_few_times_is_quick(pattern: str) -> None:
    assert why_slow(pattern) == ""


def test_every_pattern_of_the_shipped_catalog_is_quick() -> None:
    responses = load(FIXTURES).responses
    clues = [
        clue.pattern
        for field in responses.clues.__struct_fields__
        for clue in getattr(responses.clues, field)
    ]
    rules = [pattern for rule in responses.rules.values() for pattern in rule.match.values()]
    assert len(clues) > 10 and len(rules) > 10
    assert [each for each in clues + rules if why_slow(each)] == []


def test_every_pattern_of_ours_is_quick() -> None:
    """Compiled ones of every module; what the catalog's scalars look like; what payloads may be made of."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(candlefish.__path__, "candlefish."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[value.pattern] = name
            for meta in getattr(value, "__metadata__", ()):
                if isinstance(meta, msgspec.Meta):
                    found[meta.pattern or (meta.extra or {}).get("pattern") or ""] = name
    assert len(found) > 40 and {"Id", "Label", "IMAGE"} <= set(found.values())
    assert {name for pattern, name in found.items() if why_slow(pattern)} == QUICK_ALL_THE_SAME


def test_labels_of_a_description_are_read_by_hand() -> None:
    """There is no pattern over the whole of a description; long ones are read, and what is none stays text."""
    assert described_labels("Down for 2 minutes. [service=website severity=P0]") == (
        "Down for 2 minutes.",
        {"service": "website", "severity": "P0"},
    )
    assert described_labels("d [a=b]  ") == ("d", {"a": "b"})
    assert described_labels("[a=b c=d=e]") == ("", {"a": "b", "c": "d=e"})
    for text in (
        "d [" + "a=" * 100_000 + "x",
        "d [" + "a=b " * 100_000 + "]x",
        " " * 100_000 + "x",
        "[" * 100_000 + "]",
        "d []",
        "d [a]",
        "d [a=]",
        "d [=b]",
        "d [1=b]",
        "a=b]",
    ):
        assert described_labels(text) == (text, {})
