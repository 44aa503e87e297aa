"""What a log says while a release is followed: each entry once, when it is there."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import msgspec
import pytest
from rich.console import Console

import cli.release
from candlefish.release.model import Release, ReleaseEntry
from candlefish.service.model import Version
from cli.view import release_view

RELEASE = Release(
    id="r-1",
    environment="production",
    service="website",
    version=Version(image="x@sha256:" + "a" * 64),
    requested_by="me",
    reason="why",
    started_at=100.0,
)
# Status at each look, and the entries that are there by then.
LOOKS = [("running", 1), ("running", 1), ("awaiting_approval", 3), ("promoted", 4)]
ENTRIES = [
    ReleaseEntry(at=100.0 + at, kind=kind, reason=reason, by="control-plane")
    for at, kind, reason in (
        (0, "started", "first"),
        (2, "shifted", "10%"),
        (3, "approval_requested", "go on?"),
        (9, "promoted", "done"),
    )
]


class Stack:
    """A stack whose one release moves on at each look."""

    def __init__(self) -> None:
        self._looks: Iterator[tuple[str, int]] = iter(LOOKS)
        self._there = 0

    def journal(self) -> Stack:
        return self

    def records(self) -> None:
        return None

    def read(self, name: str) -> Release:
        status, self._there = next(self._looks)
        return msgspec.structs.replace(RELEASE, id=name, status=status)

    def entries(self, name: str) -> list[ReleaseEntry]:
        return ENTRIES[: self._there]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.release.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("good", "lines"),
    [
        (("promoted",), ["started: first", "shifted: 10%", "approval_requested: go on?", "promoted: done"]),
        (("promoted", "awaiting_approval"), ["started: first", "shifted: 10%", "approval_requested: go on?"]),
    ],
)
def test_a_log_gets_each_entry_once_and_ends_where_it_was_asked_to(
    capsys: pytest.CaptureFixture[str], good: tuple[str, ...], lines: list[str]
) -> None:
    assert cli.release._follow(Stack(), "r-1", good)  # type: ignore[arg-type]
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == lines


def test_a_release_that_was_rolled_back_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.release.test_follow.LOOKS", [("rolled_back", 1)])
    assert not cli.release._follow(Stack(), "r-1", ("promoted", "awaiting_approval"))  # type: ignore[arg-type]


def test_a_timeline_says_what_a_deploy_changed_word_for_word() -> None:
    lines = ["Service web-blue: created", "Deployment web-blue: spec.containers[api].image: [red]a -> b"]
    entry = ReleaseEntry(104.0, "deployed", "v2 was applied", evidence={"changed": lines})
    console = Console(width=200, record=True, file=StringIO())
    console.print(release_view(RELEASE, [entry]))
    shown = console.export_text()
    assert all(line in shown for line in ("v2 was applied", *lines))
