"""A stack that is updated, and rolled back, in the middle of canaries finishes them with the code they began with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ROOT
from tests.support.stage import SERVICES, Stage, running, shorter_steps, under_load
from tests.support.waiting import eventually

pytestmark = pytest.mark.lab
MARK = "[new code] "
# Whoever answers a question is the newest code, whatever asked it.
BY_PEOPLE = {"approved", "denied"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with running(tmp_path / "lab", ("production",), SERVICES, catalog=shorter_steps) as world:
        yield Stage(world, "production")


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Another checkout, whose code marks what it writes into timelines; its template."""
    tree = tmp_path / "newer"
    for name in ("functions", "statemachines", "layers"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", tree)
    journal = tree / "layers/control_plane/candlefish/release/journal.py"
    written = "self._store.append(release, entry)"
    marked = f'self._store.append(release, msgspec.structs.replace(entry, reason="{MARK}" + entry.reason))'
    text = journal.read_text()
    assert text.count(written) == 1
    journal.write_text(text.replace(written, marked))
    return tree / "template.yaml"


def by_new_code(stage: Stage, release: str) -> dict[bool, set[str]]:
    """The kinds of a release's entries by whether the newer code wrote them, but for what people said."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for entry in stage.journal.entries(release):
        if entry.kind not in BY_PEOPLE:
            found[entry.reason.startswith(MARK)].add(entry.kind)
    return found


def asked(stage: Stage, release: str) -> None:
    eventually(lambda: stage.status(release) == "awaiting_approval")


def test_releases_end_with_the_code_that_they_began_with(stage: Stage, newer: Path) -> None:
    world = stage.world
    with under_load(stage, 60.0) as load:
        old = stage.start("website", "1.1.0")
        asked(stage, old)
        world.update("production", newer)
        # Approved over the update, promoted, and watched.
        ended = stage.approve_all(old)
        assert ended["status"] == "SUCCEEDED", ended.get("cause")

        new = stage.start("backend-api", "1.1.0")
        asked(stage, new)
        # The stack goes back in an incident. The canary of the newer code is denied: its rollback is newer code too.
        world.update("production", ROOT / "template.yaml")
        last = stage.start("api-gateway", "1.1.0")
        assert stage.answer(new, "denied", "platform-lead")[0] == 200
        assert stage.ends(new)["error"] == "ApprovalDenied"
        stage.follows(new, "rolled_back")
        assert by_new_code(stage, new)[False] == set()
        assert {"rolling_back", "retired", "rolled_back"} <= by_new_code(stage, new)[True]

        # What begins now is the older code's, from the first entry to the last.
        ended = stage.approve_all(last)
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        assert by_new_code(stage, last)[True] == set()

        # And what began before both updates was watched to its end by the code that it began with.
        stage.follows(old, "window_closed")
        eventually(lambda: "retired" in stage.kinds(old))
        assert by_new_code(stage, old)[True] == set()
        assert {"promoted", "window_closed", "retired"} <= by_new_code(stage, old)[False]
    assert [sample for sample in load.stop() if sample.failed] == []
