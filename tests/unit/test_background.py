"""Commands that go on in the background."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli.background import once_more


def test_two_that_share_a_log_take_no_line_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["candlefish", "--version", "--detach"])
    log = tmp_path / "load.log"
    log.write_text("12:00:00  480 requests, none failed\n")
    processes = [once_more(log) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    first, *others = log.read_text().splitlines()
    assert first == "12:00:00  480 requests, none failed"
    assert len(others) == 2
    assert all(line.startswith("candlefish, version") for line in others)
