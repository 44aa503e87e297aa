"""The commands of a page are found as a reader finds them, and its blanks are filled in or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.document import blocks, fill_in, table

PAGE = """# Title
```sh
# yours: change each
export NAME=example   # what it is called
PLACE=west
```
Text `with code`.
## Next
```
not run
```
   ```sh
one \\
  two
   ```
| parameter | what |
|---|---|
| `First`, `Second` | a `value` |
| `Third` | b |

| other | what |
|---|---|
| `Fourth` | c |
"""


def test_only_shell_blocks_are_commands_and_know_where_they_stand() -> None:
    first, second = blocks(PAGE)
    assert (first.heading, first.line, first.to_fill_in) == ("Title", 3, True)
    assert (second.heading, second.text, second.to_fill_in) == ("Next", "one \\\n  two\n", False)


def test_a_block_without_an_end_is_no_page() -> None:
    with pytest.raises(ValueError, match="line 2 has no end"):
        blocks("```sh\nls\n")


def test_examples_are_replaced_and_nothing_else_is_left_of_them() -> None:
    block = blocks(PAGE)[0]
    assert fill_in(block, {"NAME": "me", "PLACE": "a b"}) == "# yours\nexport NAME='me'\nexport PLACE='a b'\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"NAME": "me"}, "asks for PLACE"),
        ({"NAME": "me", "PLACE": "x", "MORE": "y"}, "does not ask for MORE"),
    ],
)
def test_what_is_asked_for_and_what_is_given_must_be_the_same(values: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fill_in(blocks(PAGE)[0], values)


def test_a_block_to_fill_in_holds_assignments_only() -> None:
    (block,) = blocks("```sh\n# yours\nrm -rf x\n```\n")
    with pytest.raises(ValueError, match="not an assignment"):
        fill_in(block, {})


def test_a_table_is_read_by_its_first_header() -> None:
    assert table(PAGE, "parameter") == ["First", "Second", "Third"]
    assert table(PAGE, "nothing") == []


def test_no_command_of_the_deployment_page_hides_in_an_indented_block() -> None:
    page = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text()
    assert not [
        line
        for line in page.splitlines()
        if line.startswith("    ")
        and "```" not in line
        and not any(line + "\n" in block.text for block in blocks(page))
    ]
