"""Pages that are run in the lab: what of them is run, how a command ends that shall not end well, and what the README shows."""

from __future__ import annotations

import subprocess

import pytest

from tools.document import blocks
from tools.follow_lab import ADOPT, OUTAGE, README, RUN, TUTORIAL, as_said, shown, to_run, unwritten, yours
from tools.layers import ROOT
from tools.reader_shell import Failed


@pytest.mark.parametrize("page", [README, TUTORIAL, OUTAGE])
def test_a_page_has_blocks_to_run_and_all_that_is_to_fill_in_is_known(page: str) -> None:
    found = to_run(page, (ROOT / page).read_text())
    for block in found:
        if block.to_fill_in:
            assert {
                line.split("=")[0].removeprefix("export ") for line in block.text.splitlines()[1:]
            } == set(yours(page))
    ends = [each for each in found if "candlefish lab down" in each.text]
    assert page == OUTAGE or ends == [found[-1]], "what a page starts it ends"


def test_every_block_of_the_readme_is_run_somewhere() -> None:
    text = (ROOT / README).read_text()
    ci = (ROOT / ".ci/run").read_text()
    for block in blocks(text):
        if block.heading in (*RUN[README], ADOPT):
            continue
        commands = [line.split("  #")[0].strip() for line in block.text.splitlines()]
        assert [each for each in commands if f"\n{each}" not in ci] == [], (
            f"line {block.line} is run by nobody"
        )
    # What stands indented was a block once: nobody would run it.
    assert [line for line in text.splitlines() if line.startswith("    ")] == []


def test_there_is_nothing_to_run_under_a_heading_that_is_gone() -> None:
    with pytest.raises(Failed, match="nothing to run under"):
        to_run(README, "## Another heading\n```sh\nls\n```\n")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("false    # exits 1: it is false", 0),
        ("true     # exits 1: it is not", 97),
        ("(exit 3) # exits 5: another one", 1),
        ("true     # a remark", 0),
        ("false    # a remark", 1),
    ],
)
def test_a_command_ends_as_the_page_says_or_the_page_is_wrong(command: str, status: int) -> None:
    done = subprocess.run(["bash", "-ec", as_said(f"{command}\n")], check=False)
    assert done.returncode == status


def test_steps_that_are_shown_are_looked_for_as_they_stand() -> None:
    page = "```text\ncandlefish deploy shop IMAGE_OF_TODAY -e prod    # a remark\ncandlefish fly shop\n```\n"
    written = "    candlefish deploy shop registry.example/shop@sha256:1 -e prod\n"
    assert shown(page) == ["candlefish deploy shop IMAGE_OF_TODAY -e prod", "candlefish fly shop"]
    assert unwritten(shown(page), written) == ["candlefish fly shop"]


def test_the_readme_shows_steps() -> None:
    assert any("take-over" in each for each in shown((ROOT / README).read_text()))
