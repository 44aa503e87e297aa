"""The ways in: people, signals, schedules; and what the probe answers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.backups.drilling import Bench, DrillStep, drill_step
from candlefish.backups.probing import Question, Target, answer
from candlefish.errors import FailoverRefused, InvalidInput, NotAllowed, Unavailable
from candlefish.failover.desk import Asked, Desk, SignalRequest, ask, begin_by_signal
from candlefish.failover.evidence import measured
from tests.support.drills import BackupUnusable, Region
from tests.support.failover import CATALOG, ENVIRONMENT, HOME, Play, World

EVENTS = Path(__file__).parents[3] / "events"


def desk(scene: Play) -> Desk:
    return Desk(
        environment="production",
        catalog=CATALOG,
        runs=scene.store,
        stage=scene.world.stage(),
        executions=scene.machine,
        now=scene.world.clock,
    )


def post(scene: Play, principal: str, **body: Any) -> dict[str, Any]:
    return ask(msgspec.convert(body, Asked), principal=principal, desk=desk(scene))


def test_a_person_sees_starts_and_approves() -> None:
    scene = Play(World())
    target: dict[str, Any] = {"target": "database/main", "plan": "database-cross-region"}
    shown = post(scene, "lead", do="plan", **target)
    assert (shown["verdict"], shown["asks"], scene.store.runs) == ("ask", ["go"], {})
    started = post(scene, "lead", do="start", reason="the region is gone", **target)
    assert (started["status"], started["asks"]) == ("awaiting_approval", ["go"])
    approved = post(scene, "second", do="approve", target="database/main", accept=["go"])
    assert (approved["status"], approved["asks"]) == ("running", [])
    assert len(scene.machine.started) == 1


def test_a_person_gives_up() -> None:
    scene = Play(World())
    post(scene, "lead", do="start", target="database/main", plan="database-cross-region", reason="x")
    gone = post(scene, "second", do="abandon", target="database/main", reason="false alarm")
    assert (gone["status"], gone["why"]) == ("abandoned", "given up by second: false alarm")


@pytest.mark.parametrize("name", ["failover.json"])
def test_the_sample_is_what_the_desk_takes(name: str) -> None:
    asked = msgspec.convert(json.loads((EVENTS / name).read_text()), Asked)
    assert asked.do == "start"


def test_the_signals_sample_is_what_the_machine_takes() -> None:
    request = msgspec.convert(json.loads((EVENTS / "failover-signal.json").read_text()), SignalRequest)
    assert request.requested_by.startswith("signal:")


def by_signal(scene: Play, **changes: Any) -> Any:
    body = {"target": "database/main", "requested_by": "signal:4f1c", "reason": "down", **changes}
    return begin_by_signal(
        msgspec.convert(body, SignalRequest),
        environment="production",
        catalog=scene.catalog,
        runs=scene.store,
        stage=scene.world.stage(),
        now=scene.world.clock,
    )


def test_a_signal_begins_what_the_policy_allows_and_its_machine_moves_it() -> None:
    scene = Play(World())
    allowed = msgspec.structs.replace(ENVIRONMENT.recovery, automatic=("database",))
    env = msgspec.structs.replace(ENVIRONMENT, recovery=allowed)
    scene.catalog = msgspec.structs.replace(CATALOG, environments={"production": env})
    begun = by_signal(scene)
    assert (begun.status, scene.machine.started) == ("running", [])
    assert scene.drive("database/main").status == "done"
    # The same signal again goes on with nothing, and within the cooldown begins nothing.
    with pytest.raises(FailoverRefused, match="did the same"):
        by_signal(scene)


def test_a_signal_waits_for_a_person_where_the_policy_does_not_allow_it() -> None:
    begun = by_signal(Play(World()))
    assert (begun.status, begun.why) == ("awaiting_approval", "asks for: go")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"requested_by": "lead"}, NotAllowed, "'lead' is no signal"),
        ({"requested_by": "arn:aws:iam::1:user/lead"}, NotAllowed, "is no signal"),
        ({"target": "application"}, InvalidInput, "a signal fails over a database or a cache"),
        ({"environment": "staging"}, InvalidInput, "recovers production"),
    ],
)
def test_nobody_poses_as_a_signal(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    scene = Play(World())
    with pytest.raises(error, match=words):
        by_signal(scene, **changes)
    assert scene.store.runs == {}


# --- telling people ---------------------------------------------------------------------------


def test_people_are_told_what_to_type_next() -> None:
    from candlefish.failover.model import Entry
    from candlefish.failover.telling import event
    from candlefish.signals.news import ConsoleLinks, notification_of

    world = World()
    world.no_metrics = True
    scene = Play(world)
    run = scene.request("database/main", "database-cross-region").run
    told = event(run, Entry(1.0, "requested", "the region is gone", by="lead"))
    assert told is not None
    text = notification_of(*told, ConsoleLinks("production"))
    assert text is not None
    assert text.title == "Failover of database/main in production was asked for and waits for approval"
    assert text.command == "candlefish failover database/main -e production --approve --accept data-loss"
    assert event(run, Entry(1.0, "acted", "x")) is None
    stopped = event(
        msgspec.structs.replace(run, status="stopped"), Entry(1.0, "stopped", "it does not come up")
    )
    assert stopped is not None
    assert stopped[1]["command"].startswith(
        "candlefish failover database/main -e production --kind database-cross-region --to us-east-1"
    )


# --- measuring ----------------------------------------------------------------------------------


def test_what_is_measured_adds_up() -> None:
    world = World()
    world.beats()
    scene = Play(world)
    scene.request("database/main", "database-cross-region", failing_since=world.clock.now - 300)
    world.clock.pass_(120)
    scene.approve("database/main")
    run = scene.drive("database/main")
    numbers = measured(run)
    assert (numbers.detect, numbers.decide) == (300, 120)
    assert numbers.rto is not None and numbers.execute is not None
    assert numbers.rto == pytest.approx(numbers.detect + numbers.decide + numbers.execute)
    # Clients wrote until they were cut off; the replica was 4 s behind at most.
    assert numbers.rpo_source == "sentinel"
    assert numbers.rpo is not None and 0 <= numbers.rpo <= 4 + 60 + world.settle + world.work
    assert sum(numbers.steps.values()) == pytest.approx(
        max(s.done_at for s in run.progress.values()) - 1_000_120
    )


def test_a_planned_move_counts_from_when_it_cuts_users_off() -> None:
    world = World()
    world.beats()
    scene = Play(world)
    scene.request("database/main", "database-cross-region")
    world.clock.pass_(3000)
    scene.approve("database/main")
    run = scene.drive("database/main")
    numbers = measured(run)
    closed = run.progress["close/main"].intended_at
    assert numbers.rto == run.progress["verify/main"].done_at - closed
    assert numbers.rto < 600 < numbers.decide


def test_nothing_is_measured_of_what_did_not_come_about() -> None:
    scene = Play(World())
    numbers = measured(scene.request("database/main", "database-cross-region").run)
    assert (numbers.rto, numbers.execute) == (None, None)
    assert (numbers.rpo, numbers.rpo_source) == (4.0, "replica lag")


# --- the probe ------------------------------------------------------------------------------------


class Recording:
    """A connection that says what it was asked."""

    def __init__(self, fails: bool = False) -> None:
        self.targets: list[Target] = []
        self.asked: list[str] = []
        self.fails = fails

    @contextmanager
    def connect(self, target: Target) -> Any:
        self.targets.append(target)
        if self.fails:
            raise Unavailable("the database does not answer")
        yield self

    def execute(self, sql: str) -> Any:
        self.asked.append(sql)
        if "regclass" in sql:
            return [("t",)]
        if "sentinel" in sql and sql.startswith("select"):
            return [("1000.5", "7")]
        if "pg_class" in sql:
            return [("public.orders",), ("public.users",)]
        if "count(*)" in sql:
            return [("21",)]
        return [("5", "1001.5", None)]


def ask_probe(recording: Recording, **question: Any) -> Any:
    return answer(
        msgspec.convert(question, Question), environment=ENVIRONMENT, region=HOME, connect=recording.connect
    )


def test_an_inspection_reads_the_sentinel_and_every_table() -> None:
    recording = Recording()
    found = ask_probe(recording, do="inspect", database="main", host="scratch", secret="arn:secret")
    assert found == {"beat_at": 1000.5, "beats": 7, "tables": 2, "rows": 42}
    assert recording.targets == [Target("app/database", "scratch", "arn:secret")]


def test_an_epoch_is_written_at_the_host_it_is_asked_of() -> None:
    recording = Recording()
    found = ask_probe(recording, do="begin-epoch", database="main", host="new-primary", epoch=5)
    assert found == {"epoch": 5, "written_at": 1001.5, "last_beat": None}
    assert recording.targets[0].host == "new-primary"


def test_a_heartbeat_that_is_missed_is_said() -> None:
    assert ask_probe(Recording(fails=True), do="beat") == {"main": {"missed": "the database does not answer"}}


def test_the_probe_knows_the_catalogs_databases_only() -> None:
    with pytest.raises(InvalidInput, match="has no database 'other' with a secret"):
        ask_probe(Recording(), do="inspect", database="other")


# --- drills as the machine asks for them ------------------------------------------------------------


class Bus:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, signals: list[Any]) -> None:
        self.told += signals


def bench(region: Region) -> tuple[Bench, Bus]:
    bus = Bus()
    return Bench(region.environment, region, region, region, bus, region.clock, 15.0), bus


def drilled(region: Region) -> tuple[Any, Bus]:
    made, bus = bench(region)
    assert drill_step(DrillStep("list"), bench=made) == ["main"]
    drill_step(DrillStep("begin", "q4-main", "main"), bench=made)
    for _ in range(200):
        moved = drill_step(DrillStep("move", "q4-main"), bench=made)
        if moved.done:
            return moved, bus
        region.clock.pass_(max(1.0, moved.wait))
    raise AssertionError(moved)


def test_a_drill_that_passed_resolves_its_signal() -> None:
    moved, bus = drilled(Region())
    assert moved.outcome == "passed"
    assert [(s.name, s.status, s.labels["about"]) for s in bus.told] == [
        ("backup-drill", "resolved", "database/main")
    ]


def test_a_drill_that_failed_is_a_signal() -> None:
    region = Region()

    def broken() -> dict[str, Any]:
        raise BackupUnusable("invalid page in block 3")

    region.finding = broken
    moved, bus = drilled(region)
    assert moved.outcome == "failed"
    assert (bus.told[0].status, "invalid page in block 3" in bus.told[0].summary) == ("firing", True)


def test_the_sweep_deletes_what_a_crash_left_and_no_drill_of_today() -> None:
    region = Region()
    made, _ = bench(region)
    drill_step(DrillStep("begin", "q4-main", "main"), bench=made)
    drill_step(DrillStep("move", "q4-main"), bench=made)
    region.clock.pass_(900)
    assert drill_step(DrillStep("sweep"), bench=made) == []
    # The drill's record is gone, its instance is not: nobody will delete it any more.
    region.drills.clear()
    (left,) = drill_step(DrillStep("sweep"), bench=made)
    assert left.startswith("candlefish-drill-")
    region.clock.pass_(100)
    assert set(region.instances) == {"orders"}


def test_an_environment_without_a_place_for_drills_says_so() -> None:
    region = Region()
    region.environment = ENVIRONMENT
    made, _ = bench(region)
    with pytest.raises(InvalidInput, match="no database of production has a scratch place"):
        drill_step(DrillStep("list"), bench=made)
