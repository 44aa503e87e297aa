"""docs/adopt.md and what follows it name the same things; commands are printed so that a terminal takes them whole."""

from __future__ import annotations

from tools.document import blocks, fill_in
from tools.follow_adoption import CANARY, CRASHES, MOVED, PAGE, STEPS, YOURS
from tools.layers import ROOT
from tools.walk import WIDTH, Took, commands_of, printed, table

DIGEST = "sha256:" + "0123456789abcdef" * 4
MULTI = """\
# A remark.
one --with \\
    more
while asked; do
    answer
done
two
"""


def test_the_page_has_what_its_follower_goes_by() -> None:
    found = blocks((ROOT / PAGE).read_text())
    headings = [block.heading for block in found]
    assert {*STEPS, CANARY, CRASHES} <= set(headings)
    assert [STEPS[each] for each in headings if each in STEPS] == list(MOVED)
    # Every value that is the reader's, and no other.
    (yours,) = [block for block in found if block.to_fill_in]
    fill_in(yours, {**YOURS, "NEXT_IMAGE": "an image"})


def test_the_page_names_the_files_of_each_environment_and_init_writes_them() -> None:
    text = "".join(block.text for block in blocks((ROOT / PAGE).read_text()))
    for environment in MOVED:
        assert f"candlefish init -e {environment} " in text and f"adoption-{environment}.md" in text


def test_commands_are_run_one_by_one_and_a_loop_as_a_whole() -> None:
    one, loop, two = commands_of(MULTI)
    assert one.split() == ["one", "--with", "more"]
    assert loop.splitlines() == ["while asked; do", "    answer", "done"] and two == "two"


def test_a_command_is_printed_within_a_terminal_with_its_digest_cut() -> None:
    long = (
        f"candlefish deploy shop registry.acme.example/shop@{DIGEST} -e prod --reason 'what runs' # a remark"
    )
    lines = printed(long, 12.34)
    # Ten characters of time stand in front.
    assert all(len(line) + 10 <= WIDTH for line in lines) and lines[0].startswith("  12.3 s  $ candlefish")
    said = " ".join(line.strip() for line in lines)
    assert "sha256:01234567..." in said and "89abcdef0" not in said and "remark" not in said


def test_the_table_adds_up_what_each_part_took() -> None:
    took = [Took("look", "a", 1.0), Took("look", "b", 2.5), Took("canary", "c", 10.0)]
    assert [line.split() for line in table(took, 20.0, 600)] == [
        ["commands", "seconds"],
        ["look", "2", "3.5"],
        ["canary", "1", "10.0"],
        ["all", "commands", "3", "13.5"],
        ["the", "whole", "walk", "20.0,", "at", "most", "600", "wanted"],
    ]
