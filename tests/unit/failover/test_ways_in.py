"""The ways in: people and signals; what people are told, and what is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from candlefish.errors import FailoverRefused, InvalidInput, NotAllowed
from candlefish.failover.begin_failover import SignalledFailover, begin_failover
from candlefish.failover.evidence import measure_run
from candlefish.failover.request_failover import FailoverCommand, request_failover
from tests.support.failover.catalog import CATALOG, ENVIRONMENT
from tests.support.failover.play import Play
from tests.support.failover.world import World

EVENTS = Path(__file__).parents[3] / "events"


def post(scene: Play, principal: str, **body: Any) -> dict[str, Any]:
    return request_failover(
        msgspec.convert(body, FailoverCommand),
        principal=principal,
        ports=scene.ports(),
        executions=scene.machine,
    )


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
def test_the_sample_is_what_a_person_posts(name: str) -> None:
    asked = msgspec.convert(json.loads((EVENTS / name).read_text()), FailoverCommand)
    assert asked.do == "start"


def test_the_signals_sample_is_what_the_machine_takes() -> None:
    request = msgspec.convert(json.loads((EVENTS / "failover-signal.json").read_text()), SignalledFailover)
    assert request.requested_by.startswith("signal:")


def by_signal(scene: Play, **changes: Any) -> Any:
    body = {"target": "database/main", "requested_by": "signal:4f1c", "reason": "down", **changes}
    return begin_failover(msgspec.convert(body, SignalledFailover), ports=scene.ports())


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
    assert (begun.status, begun.reason) == ("awaiting_approval", "asks for: go")


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
    from candlefish.failover.model import FailoverEntry
    from candlefish.failover.news import failover_event
    from candlefish.signals.news import notification_of
    from candlefish.signals.notification import ConsoleLinks

    world = World()
    world.no_metrics = True
    scene = Play(world)
    run = scene.request("database/main", "database-cross-region").run
    told = failover_event(run, FailoverEntry(1.0, "requested", "the region is gone", by="lead"))
    assert told is not None
    text = notification_of(*told, ConsoleLinks("production"))
    assert text is not None
    assert text.title == "Failover of database/main in production was asked for and waits for approval"
    assert text.command == "candlefish failover database/main -e production --approve --accept data-loss"
    assert failover_event(run, FailoverEntry(1.0, "acted", "x")) is None
    stopped = failover_event(
        msgspec.structs.replace(run, status="stopped"), FailoverEntry(1.0, "stopped", "it does not come up")
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
    scene.request("database/main", "database-cross-region", failing_since=world.clock.at - 300)
    world.clock.forward(120)
    scene.approve("database/main")
    run = scene.drive("database/main")
    numbers = measure_run(run)
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
    world.clock.forward(3000)
    scene.approve("database/main")
    run = scene.drive("database/main")
    numbers = measure_run(run)
    closed = run.progress["close/main"].intended_at
    assert numbers.rto == run.progress["verify/main"].done_at - closed
    assert numbers.rto < 600 < numbers.decide


def test_nothing_is_measured_of_what_did_not_come_about() -> None:
    scene = Play(World())
    numbers = measure_run(scene.request("database/main", "database-cross-region").run)
    assert (numbers.rto, numbers.execute) == (None, None)
    assert (numbers.rpo, numbers.rpo_source) == (4.0, "replica lag")
