"""What is made anew between two marks leaves everything around them as it was, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.boards.__main__ import page_with, template_with
from tools.pages import between, write_or_check_all


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    assert (
        between("by hand\n<a>\nold\n<b>\nmore\n", "<a>\n", "<b>\n", "new\n")
        == "by hand\n<a>\nnew\n<b>\nmore\n"
    )


@pytest.mark.parametrize(
    "text", ["", "<a>\nold\nmore\n", "old\n<b>\n", "<b>\n<a>\n", "<a>\n<a>\n<b>\n", "<a>\n<b>\n<b>\n"]
)
def test_a_mark_that_is_missing_twice_or_in_the_wrong_order_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="do not stand there once each"):
        between(text, "<a>\n", "<b>\n", "new\n")


def test_a_dashboard_is_put_nowhere_where_its_place_is_not_marked() -> None:
    with pytest.raises(ValueError, match=r"made by python -m tools\.boards"):
        template_with("      # --- made by python -m tools.boards\n      DashboardBody: x\nOutputs: {}\n")
    with pytest.raises(ValueError, match=r"made by tools\.boards"):
        page_with("# Dashboards\n")


def test_files_are_told_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, old, new = tmp_path / "good.md", tmp_path / "old.md", tmp_path / "folder/new.md"
    good.write_text("good")
    old.write_text("was")
    wanted = {good: "good", old: "is", new: "new"}

    def run(check: bool) -> int:
        return write_or_check_all(wanted, source="keys say", module="tools.x", check=check, root=tmp_path)

    assert run(True) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{name} is not what the keys say; write it with: python -m tools.x"
        for name in ("old.md", "folder/new.md")
    ]
    assert not new.exists() and old.read_text() == "was"
    assert (run(False), run(True)) == (0, 0)
    assert (old.read_text(), new.read_text()) == ("is", "new")
