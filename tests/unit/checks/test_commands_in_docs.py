"""What pages tell people to type exists: commands with their options, and targets of make."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cli.__main__ import candlefish
from tools.layers import ROOT

# Made from the commands themselves, with their usage.
MADE = ROOT / "docs/commands.md"
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md") if page != MADE),
]
# In a block or between backticks; not in the middle of a path, a name or a sentence.
COMMAND = re.compile(r"(?:^ {4,}|^|`|\$\(|&& |[A-Z]=\S+ )candlefish ([a-z][^`\n|]*)", re.MULTILINE)
TARGET = re.compile(r"(?:^ {4,}|^|`)make ([a-z][a-z-]*)", re.MULTILINE)
GOALS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def wrong_with(words: list[str]) -> str:
    """What of a command line does not exist; empty where all does."""
    command: click.Command = candlefish
    rest = iter(words)
    for word in rest:
        if re.fullmatch(r"-[a-z]|--[a-z][a-z-]*", word):
            if word in ("-h", "--help"):
                continue
            options = [each for each in command.params if isinstance(each, click.Option)]
            meant = [each for each in options if word in (*each.opts, *each.secondary_opts)]
            if not meant:
                return f"no option {word}"
            if not meant[0].is_flag:
                next(rest, None)
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                # What a group does by itself takes no words.
                return f"no command {word}"
            command = found
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_target_of_a_page_exists(page: str) -> None:
    text = Path(ROOT / page).read_text().replace("\\\n", " ")
    lines = [re.split(r" #|[;)&]|\"?\$\(", said)[0].rstrip(".,:") for said in COMMAND.findall(text)]
    wrong = {line: why for line in lines if (why := wrong_with(line.split()))}
    assert not wrong
    assert set(TARGET.findall(text)) <= GOALS


def test_commands_are_found_in_pages() -> None:
    found = {
        page: len(COMMAND.findall((ROOT / page).read_text())) for page in ("README.md", "docs/runbook.md")
    }
    assert all(found.values()), "does the pattern still find what pages tell people to type?"


def test_the_readme_says_how_to_point_it_at_what_runs_before_anything_else() -> None:
    text = (ROOT / "README.md").read_text()
    _, first, *_ = re.split(r"^## ", text, flags=re.MULTILINE)
    assert first.startswith("Point it at what runs today\n")
    for said in ("pipx install", "candlefish init", "candlefish take-over", "candlefish give-back"):
        assert said in first, said


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("deploy shop IMAGE -e prod --reason x", ""),
        ("signals alarms --forget-old", ""),
        ("ship shop", "no command ship"),
        ("deploy shop --resaon x", "no option --resaon"),
        ("signals alarm", "no command alarm"),
        ("signals -e ENV alarms", ""),
        ("signals -e ENV alarm", "no command alarm"),
        ("signals --acted alarm", "no command alarm"),
    ],
)
def test_what_does_not_exist_is_found(line: str, why: str) -> None:
    assert wrong_with(line.split()) == why
