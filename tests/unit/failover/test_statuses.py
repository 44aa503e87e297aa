"""A failover waits for every word with which RDS says that it is at work, and for those that RDS may add."""

from __future__ import annotations

import msgspec
import pytest

from candlefish import statuses
from candlefish.errors import FailoverRefused
from candlefish.failover.facts import Copy, DatabaseFacts, FailoverWorld, Lag, NodeGroup, SiteFacts
from candlefish.failover.model import Baseline, FailoverStep, Run
from candlefish.failover.preconditions import expected_loss
from candlefish.failover.steps.kinds import KINDS
from candlefish.failover.steps.step import Scene, StepProgress
from tests.support.failover.catalog import AWAY, ENVIRONMENT, FENCE, HOME, OPEN
from tests.support.failover.play import Play
from tests.support.failover.world import World

CROSS = ("database/main", "database-cross-region")
# Whatever RDS may call it next year.
NEW = "rearranging-electrons"
PASSING = sorted(
    statuses.AT_WORK | statuses.COMING | statuses.SETTLED | statuses.STOPPING | {"deleting", NEW}
)
BEFORE = Baseline(
    source="orders",
    target="orders-away",
    source_region=HOME,
    target_region=AWAY,
    groups=(OPEN,),
)


def a_run() -> Run:
    return Run(
        environment="production",
        target="database/main",
        plan="database-cross-region",
        epoch=1,
        steps=(),
        requested_by="lead",
        reason="a test",
        requested_at=0.0,
        to=AWAY,
        before={"database/main": BEFORE},
    )


def judged(kind: str, status: str, groups: tuple[str, ...] = (FENCE,)) -> StepProgress:
    """What a step says of two copies that RDS describes so."""
    source = Copy("orders", HOME, status, "primary", groups=groups)
    target = Copy("orders-away", AWAY, status, "replica", follows="orders", groups=groups)
    facts = DatabaseFacts("main", copies={HOME: source, AWAY: target})
    world = FailoverWorld(100.0, databases={"main": facts})
    return KINDS[kind].judge(Scene(FailoverStep(kind, "main"), a_run(), world, ENVIRONMENT))


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("kind", ["close", "cut", "promote", "protect", "unfence"])
def test_no_passing_word_stops_a_failover_or_asks_for_two_writers(kind: str, status: str) -> None:
    # What is being deleted takes no role.
    refused = (kind, status) == ("promote", "deleting")
    assert (judged(kind, status).state == "blocked") == refused


@pytest.mark.parametrize("status", sorted(statuses.FINAL))
def test_what_does_not_come_back_is_said_at_once(status: str) -> None:
    assert judged("cut", status).asks == "split-brain"
    promotion = judged("promote", status)
    assert (promotion.state, promotion.asks) == ("blocked", None)


@pytest.mark.parametrize("status", ["storage-optimization", "storage-initialization"])
def test_an_instance_whose_storage_is_worked_on_serves_and_is_changed(status: str) -> None:
    """RDS may be at it for longer than a day."""
    assert judged("promote", status).state == "todo"
    assert judged("cut", status).state == "todo"
    assert judged("close", status, groups=(OPEN,)).state == "todo"


def test_what_runs_nowhere_has_no_connections_to_cut() -> None:
    assert judged("cut", "stopped").state == "done"
    assert judged("cut", "stopping").state == "waiting"


@pytest.mark.parametrize(
    "aftermath",
    [("storage-optimization",), ("storage-initialization", "configuring-log-exports", "backing-up"), (NEW,)],
)
def test_a_failover_between_regions_passes_whatever_rds_does_after_each_act(
    aftermath: tuple[str, ...],
) -> None:
    world = World()
    world.aftermath = aftermath
    scene = Play(world)
    assert scene.request(*CROSS).verdict == "ask"
    scene.approve("database/main")
    run = scene.drive("database/main")
    assert run.status == "done", run.why
    assert (run.needs, world.promotions, world.violations) == (("go",), ["orders-away"], [])


def test_a_cluster_without_an_instance_is_refused_before_anything_is_cut_off() -> None:
    world = World()
    world.instances[AWAY, "orders-away"].members = 0
    with pytest.raises(FailoverRefused, match="orders-away in us-east-1 has no instance"):
        Play(world).request(*CROSS)


def test_a_password_that_rds_manages_keeps_a_replica_from_being_made() -> None:
    world = World()
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    assert scene.drive("database/main").status == "done"
    world.instances[AWAY, "orders-away"].managed_password = True
    world.clock.forward(100_000)
    world.beats()
    with pytest.raises(FailoverRefused, match="orders-away --no-manage-master-user-password"):
        scene.request("database/main", "database-failback")


def test_a_loss_is_at_least_what_was_not_replayed_since_replication_stopped() -> None:
    """The source is up; the replica replays nothing since four minutes."""
    stopped = (Lag(700.0, 1.0), Lag(760.0, 61.0, stopped=True), Lag(940.0, 241.0, stopped=True))
    assert expected_loss(stopped, failing_since=0.0, source_up=True, now=950.0) == 251.0
    assert expected_loss(stopped, failing_since=930.0, source_up=False, now=950.0) == 231.0


@pytest.mark.parametrize(
    ("status", "desired", "state"),
    [
        ("ACTIVE", 3, "done"),
        ("ACTIVE", 1, "todo"),
        # One of its subnets is gone, say: it scales in the others.
        ("DEGRADED", 3, "done"),
        ("DEGRADED", 1, "todo"),
        ("UPDATING", 3, "waiting"),
        ("REARRANGING", 3, "waiting"),
        ("CREATE_FAILED", 3, "blocked"),
    ],
)
def test_a_node_group_by_its_status(status: str, desired: int, state: str) -> None:
    site = SiteFacts(AWAY, "balancer", nodes={"general": NodeGroup("general", desired, 3, status)})
    run = msgspec.structs.replace(a_run(), plan="application", target="application")
    scene = Scene(FailoverStep("nodes", ""), run, FailoverWorld(100.0, site=site), ENVIRONMENT)
    assert KINDS["nodes"].judge(scene).state == state
