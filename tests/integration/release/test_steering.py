"""What people steer by command and by key in the lab: pause, promote, freeze, undo, roll back; and a question that nobody answers.

Every story goes on under users, and none of their requests fails. What follows from each: tests/scenarios/release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from cli.exits import Exit
from lab.traffic.load import Load
from lab.world import World
from tests.support.labs import Labs
from tests.support.stage import ROOT, Stage, nobody_is_failed, running, shorter_steps
from tests.support.waiting import eventually
from tools.captures import Window

STEERED, UNANSWERED, SERVICE = "production", "staging", "backend-api"
DEVELOPER, LEAD, OTHER_LEAD = "developer", "platform-lead", "product-lead"
# Waits nobody out: people end what waits for people.
DAY = "24h"
AT_KEYS = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux: apt-get install tmux")


def asking_catalog(folder: Path) -> Path:
    """Production asks before users meet a version and once more when some did; staging then, and not for long."""
    shorter_steps(folder)
    file, staging = folder / "strategies.yaml", folder / "environments/staging.yaml"
    strategies = yaml.safe_load(file.read_text())
    look = {"at_most": "2m", "unclear": "go_on"}
    smoke = {"smoke": {"within": "2m"}}
    strategies["canary"] |= {
        "hold_at_most": DAY,
        "steps": [
            *(smoke, {"approve": {"within": DAY}}, {"weight": 10}, {"judge": look}),
            *({"approve": {"within": DAY}}, {"weight": 50}, {"judge": look}, {"weight": 100}, {"bake": look}),
        ],
    }
    strategies["shortly"] = {
        **strategies["canary"],
        "steps": [smoke, {"weight": 10}, {"approve": {"within": "20m"}}, {"weight": 100}],
    }
    file.write_text(yaml.safe_dump(strategies, sort_keys=False))
    text = staging.read_text()
    assert "strategy: blue-green" in text
    staging.write_text(text.replace("strategy: blue-green", "strategy: shortly"))
    return folder


class Stages:
    """Where people steer; and where nobody answers, while they do."""

    def __init__(self, world: World) -> None:
        self.steered, self.unanswered = Stage(world, STEERED), Stage(world, UNANSWERED)
        host = world.host(UNANSWERED, SERVICE)
        self.users = Load(self.unanswered.site.port, [host], 40.0)
        self.users.start()
        self.before = self.unanswered.version(SERVICE)
        self.release = self.unanswered.start(SERVICE, "1.1.0")


@contextmanager
def both(folder: Path) -> Iterator[Stages]:
    with running(folder, (STEERED, UNANSWERED), (SERVICE,), catalog=asking_catalog) as world:
        made = Stages(world)
        yield made
        made.users.stop()


@pytest.fixture
def stages(labs: Labs) -> Stages:
    return labs.get(both)


@pytest.fixture
def stage(stages: Stages) -> Stage:
    return stages.steered


def command(stage: Stage, person: str, *words: str, ends: Exit = Exit.DONE) -> str:
    """What `candlefish` says to a person who runs it, and that it ends so."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words, "-e", stage.environment],
        cwd=ROOT,
        env={**os.environ, **stage.world.signed_in(person)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == ends, said
    return said.strip()


def asked(stage: Stage, release: str, times: int) -> None:
    """Wait until a release is in a question of its, the first or a later one."""
    eventually(
        lambda: (
            stage.kinds(release).count("approval_requested") == times
            and stage.status(release) == "awaiting_approval"
        )
    )


def met(stage: Stage, version: str, by: str = DEVELOPER) -> str:
    """A release that some users have met, and that waits in its second question."""
    release = stage.start(SERVICE, version, by=by)
    asked(stage, release, 1)
    assert stage.answer(release, "approved", OTHER_LEAD)[0] == 200
    asked(stage, release, 2)
    assert shifts(stage, release) == [10]
    return release


def shifts(stage: Stage, release: str) -> list[int]:
    """The weights that its version was given."""
    told = [entry.reason for entry in stage.journal.entries(release) if entry.kind == "shifted"]
    return [int(reason.partition("%")[0]) for reason in told]


def by(stage: Stage, release: str, *kinds: str) -> dict[str, str]:
    """Who did what, of some kinds of entries."""
    return {entry.kind: entry.by for entry in stage.journal.entries(release) if entry.kind in kinds}


@contextmanager
def window(stage: Stage, folder: Path, person: str, release: str) -> Iterator[Window]:
    """A terminal in which a person watches a release."""
    environ = {
        **stage.world.signed_in(person),
        "AWS_DEFAULT_REGION": stage.site.region,
        "PYTHONPATH": f"{ROOT}/layers/control_plane:{ROOT}",
        "LANG": "C.UTF-8",
    }
    words = (sys.executable, "-m", "cli", "watch", release, "-e", stage.environment)
    made = Window(folder / "tmux", person, (120, 40), environ, *words)
    try:
        yield made
    finally:
        made.close()


def press(shown: Window, key: str, title: str, reason: str, *says: str) -> None:
    """Do what a key is for: wait for it in the footer, say why, send it, and look until the screen says what came of it."""
    shown.until(f"{key} {title}")
    shown.press(key)
    shown.until(f"{title}? ", "Enter sends it")
    shown.type(reason)
    shown.until(f"{reason}_")
    shown.press("Enter")
    shown.until(*says)


def test_a_pause_outlasts_a_yes_and_a_resumed_release_goes_on_to_its_end(stage: Stage) -> None:
    with nobody_is_failed(stage, SERVICE):
        release = met(stage, "1.1.0")
        assert "10% of the traffic" in command(stage, DEVELOPER, "pause", release, "--reason", "odd lines")
        assert stage.answer(release, "approved", LEAD)[0] == 200
        # The machine came to its next step, and did not begin it.
        stage.comes_to(release, "held")
        assert (stage.status(release), shifts(stage, release)) == ("held", [10])
        assert command(stage, DEVELOPER, "resume", release).endswith("goes on")
        assert stage.approve_all(release)["status"] == "SUCCEEDED"
        stage.settled(SERVICE, "1.1.0")
    assert shifts(stage, release) == [10, 50, 100]
    assert by(stage, release, "paused", "resumed") == {"paused": DEVELOPER, "resumed": DEVELOPER}


@AT_KEYS
def test_a_promotion_skips_what_waits_but_no_second_person_and_is_undone(
    stage: Stage, tmp_path: Path
) -> None:
    before = stage.version(SERVICE)
    with nobody_is_failed(stage, SERVICE):
        release = met(stage, "1.2.0", by=LEAD)
        promote = ("promote", release, "--reason", "the mend is urgent")
        assert "no approver" in command(stage, DEVELOPER, *promote, ends=Exit.REFUSED)
        assert "requested" in command(stage, LEAD, *promote, ends=Exit.REFUSED)
        assert "promote_now" not in stage.kinds(release)
        command(stage, OTHER_LEAD, *promote)
        assert stage.ends(release)["status"] == "SUCCEEDED"
        stage.settled(SERVICE, "1.2.0")
        (now,) = (entry for entry in stage.journal.entries(release) if entry.kind == "promote_now")
        assert (now.by, now.evidence) == (OTHER_LEAD, {"skipped": ["approve", "50%", "judge", "bake"]})
        assert shifts(stage, release) == [10, 100]

        undo = ("undo", SERVICE, "--to", before, "--reason", "slow since Monday", "--no-follow")
        undone = command(stage, DEVELOPER, *undo).split()[-1]
        with window(stage, tmp_path, LEAD, undone) as shown:
            press(shown, "m", "promote now", "it is known", f"exit {int(Exit.DONE)}")
        stage.settled(SERVICE, before)
    assert by(stage, undone, "promote_now") == {"promote_now": LEAD}
    assert (shifts(stage, undone)[-1], stage.ends(undone)["status"]) == (100, "SUCCEEDED")
    assert stage.read(undone).version.image == stage.image(SERVICE, before)


@AT_KEYS
def test_a_freeze_ends_what_nobody_met_and_lets_nothing_begin_until_it_is_lifted(
    stage: Stage, tmp_path: Path
) -> None:
    before = stage.version(SERVICE)
    stage.publish(SERVICE, "3.0.0")
    with nobody_is_failed(stage, SERVICE):
        unseen = stage.start(SERVICE, "3.0.0")
        asked(stage, unseen, 1)
        freeze = ("freeze", SERVICE, "--until", "2h", "--reason", "an incident")
        assert unseen in command(stage, DEVELOPER, *freeze)
        assert stage.answer(unseen, "approved", LEAD)[0] == 200
        assert stage.ends(unseen)["error"] == "Frozen"
        refused = stage.start(SERVICE, "3.0.0")
        ended = stage.ends(refused)
        assert (ended["error"], "an incident" in ended["cause"]) == ("Frozen", True)
        assert stage.kinds(refused) == ["refused"]

        command(stage, DEVELOPER, "unfreeze", SERVICE, "--reason", "it is over")
        begun = stage.start(SERVICE, "3.0.0")
        with window(stage, tmp_path, DEVELOPER, begun) as shown:
            shown.until("a approve")
            press(shown, "p", "pause", "odd lines", "goes no further")
            press(shown, "p", "resume", "they are clean", "is paused no more")
            press(shown, "r", "roll back", "wrong image", f"exit {int(Exit.ROLLED_BACK)}")
        record = stage.settled(SERVICE, before)
    assert (shifts(stage, unseen), shifts(stage, begun), record.bad) == ([], [], ())
    did = ("paused", "resumed", "rolling_back")
    assert by(stage, begun, *did) == dict.fromkeys(did, DEVELOPER)


def test_what_nobody_answers_in_time_goes_back(stages: Stages) -> None:
    """It was asked for when the lab came up, and nobody looked after it."""
    stage, release = stages.unanswered, stages.release
    ended = stage.ends(release)
    assert (ended["error"], "nobody answered in time" in ended["cause"]) == ("ApprovalExpired", True)
    stage.follows(release, "rolled_back")
    record = stage.settled(SERVICE, stages.before)
    samples = stages.users.stop()
    assert "1.1.0" in {sample.version for sample in samples}, "users had met it"
    assert [sample for sample in samples if sample.failed] == []
    kinds = stage.kinds(release)
    assert (kinds.count("approval_requested"), kinds.count("approved"), shifts(stage, release)) == (
        1,
        0,
        [10],
    )
    assert stage.answer(release, "approved", LEAD)[0] == 400
    assert record.bad == ()
