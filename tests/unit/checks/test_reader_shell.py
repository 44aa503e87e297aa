"""The shell that follows a page: what it hands on, what it does not know, and how it says what went wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools.reader_shell import NOT_THE_READERS, run_block


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs blocks one after the other, as a page's reader; how each ended and what it said."""
    for name in (*NOT_THE_READERS, "AWS_PROFILE"):
        monkeypatch.setenv(name, "ours")
    world: Any = SimpleNamespace(directory=tmp_path, aws=SimpleNamespace(endpoint="http://127.0.0.1:1"))

    def ran(text: str, *, seconds: float = 60.0, **more: str) -> tuple[str, str]:
        return run_block(
            world, text, "line 7", tree=tmp_path, log=tmp_path / "build" / "log", more=more, seconds=seconds
        )

    return ran


def test_what_a_block_exports_is_there_in_the_next_one(run: Any) -> None:
    assert run("export NAME=value") == ("", "")
    assert run('echo "$NAME at $(pwd -P | xargs basename)"')[1].startswith("value at ")


def test_it_stops_at_the_first_command_that_fails_and_says_how(run: Any) -> None:
    assert run("echo before\nbash -c 'exit 3'\necho after") == ("ended with 3", "before\n")


def test_it_does_not_know_what_this_process_was_called_with(run: Any) -> None:
    assert run("env")[0] == ""
    names = {line.partition("=")[0] for line in run("env")[1].splitlines()}
    assert not names & {*NOT_THE_READERS, "AWS_PROFILE"}
    assert {"AWS_ENDPOINT_URL", "KUBECONFIG", "CHECKED", "BUILT"} <= {
        line.partition("=")[0] for line in run("env", BUILT="yes")[1].splitlines()
    }


def test_what_make_was_called_with_is_not_said_to_the_readers_make(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", "k -- CATALOG=theirs/catalog DEPLOY=no")
    monkeypatch.setenv("CATALOG", "theirs/catalog")
    assert run('echo "${CATALOG:-the tree has its own}"') == ("", "the tree has its own\n")


def test_a_question_is_answered_once_and_a_command_that_hangs_is_ended(run: Any) -> None:
    assert run("read -r said; echo $said; read -r more || echo none") == ("", "y\nnone\n")
    assert run("exec sleep 600", seconds=1.0)[0] == "still ran after 1 s"


def test_the_log_has_each_block_and_what_it_said(run: Any, tmp_path: Path) -> None:
    run("echo one")
    run("echo two")
    assert (tmp_path / "build" / "log").read_text() == (
        "\n=== line 7\necho one\n---\none\n\n=== line 7\necho two\n---\ntwo\n"
    )
