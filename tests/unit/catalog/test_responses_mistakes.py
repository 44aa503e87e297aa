"""Mistakes in catalog/responses.yaml: each is found, at its path, with its fix."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from candlefish.catalog.defaults import RESPONSES
from candlefish.catalog.load import examine
from tests.support.catalogs import FIXTURES

from .conftest import TODAY

CASES = [
    (
        "broken clue",
        '"(.+?)(?:-(?:blue|green))?"',
        '"(.+"',
        "clues.service[2].pattern",
        "no regular expression",
    ),
    (
        "clue that divides again and again",
        '"(.+?)(?:-(?:blue|green))?"',
        '"((.+)+)-blue"',
        "clues.service[2].pattern",
        "repeats what repeats",
    ),
    ("clue without a group", '".+-(blue|green)"}', '".+-blue"}', "clues.slot[1].pattern", "has no group"),
    (
        "broken match",
        "{category: security,",
        '{category: "[",',
        "rules.security-breach.match.category",
        "no regular",
    ),
    (
        "no patterns",
        '{category: security, severity: "critical|page|P0"}',
        "{}",
        "security-breach.match",
        "every",
    ),
    (
        "unknown subject",
        "subject: database}",
        "subject: databse}",
        "database-unavailable.match.subject",
        "no subject",
    ),
    (
        "unknown source",
        "{category: security, ",
        "{source: cloudwach, category: security, ",
        "security-breach.match.source",
        "no source",
    ),
    (
        "action that does not fit",
        "P1: {service: hold}",
        "P1: {database: hold}",
        "actions.P1.database",
        "cannot be done",
    ),
    (
        "rule whose action does not fit",
        "severity: P1\n    do: notify",
        "severity: P1\n    do: rollback",
        "rules.security-finding-high.do",
        "matches any subject",
    ),
    ("no cooldown", "rollback: 15m,", "rollback: 0s,", "guard.cooldown.rollback", "any number"),
    (
        "unknown action",
        "P1: {service: hold}",
        "P1: {service: hodl}",
        "actions.P1.service",
        "not one of the choices",
    ),
    (
        "unknown severity",
        "levels: {critical: P0,",
        "levels: {critical: P9,",
        "levels.critical",
        "not one of the choices",
    ),
]


@pytest.mark.parametrize(("old", "new", "path", "what"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_is_found(tmp_path: Path, old: str, new: str, path: str, what: str) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(FIXTURES, folder)
    file = folder / "responses.yaml"
    # What ships, as if a company had written all of it itself.
    text = f"defaults: false\n{RESPONSES.read_text()}\n{file.read_text()}"
    assert old in text
    file.write_text(text.replace(old, new, 1))
    _, problems = examine(folder, TODAY)
    assert len(problems) == 1, problems
    assert problems[0].path.endswith(path) and what in problems[0].what
    assert problems[0].fix and problems[0].line > 0


def test_the_shipped_responses_are_sound() -> None:
    assert examine(FIXTURES, TODAY)[1] == []
