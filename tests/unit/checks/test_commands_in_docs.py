"""What pages tell people to type exists: commands with their options, and targets of make."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cli.__main__ import candlefish
from tools.layers import ROOT

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/adopt.md",
    "docs/deploy.md",
    "docs/upgrade.md",
    "docs/runbook.md",
)
# In a block or between backticks; not in the middle of a path, a name or a sentence.
COMMAND = re.compile(r"(?:^ {4,}|^|`|\$\(|&& |[A-Z]=\S+ )candlefish ([a-z][^`\n|]*)", re.MULTILINE)
TARGET = re.compile(r"(?:^ {4,}|^|`)make ([a-z][a-z-]*)", re.MULTILINE)
GOALS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def wrong_with(words: list[str]) -> str:
    """What of a command line does not exist; empty where all does."""
    command: click.Command = candlefish
    options = {"-h", "--help"}
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            if found is None:
                # What a group does by itself takes no words.
                return f"no command {word}"
            command = found
        elif re.fullmatch(r"-[a-z]|--[a-z][a-z-]*", word):
            known = options.union(*(each.opts + each.secondary_opts for each in command.params))
            if word not in known:
                return f"no option {word}"
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_target_of_a_page_exists(page: str) -> None:
    text = Path(ROOT / page).read_text().replace("\\\n", " ")
    lines = [re.split(r" #|[;)&]", said)[0].rstrip(".,:") for said in COMMAND.findall(text)]
    assert lines or page == "CONTRIBUTING.md"
    wrong = {line: why for line in lines if (why := wrong_with(line.split()))}
    assert not wrong
    assert set(TARGET.findall(text)) <= GOALS


def test_the_readme_says_how_to_point_it_at_what_runs_before_anything_else() -> None:
    text = (ROOT / "README.md").read_text()
    front = text.splitlines()[:40]
    assert next(line for line in front if line.startswith("## ")) == "## Point it at what runs today"
    for said in ("pipx install", "candlefish init", "candlefish take-over", "candlefish give-back"):
        assert any(said in line for line in front), said


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("deploy shop IMAGE -e prod --reason x", ""),
        ("signals alarms --forget-old", ""),
        ("ship shop", "no command ship"),
        ("deploy shop --resaon x", "no option --resaon"),
        ("signals alarm", "no command alarm"),
    ],
)
def test_what_does_not_exist_is_found(line: str, why: str) -> None:
    assert wrong_with(line.split()) == why
