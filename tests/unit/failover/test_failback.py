"""There and back: a database that left its region is rebuilt, and goes home without losing anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candlefish.errors import FailoverRefused
from candlefish.failover.evidence import measure_run
from tests.support.failover.catalog import AWAY, FENCE, HOME, OPEN
from tests.support.failover.play import Play
from tests.support.failover.world import World

DATABASE = "database/main"


def moved_away(world: World) -> Play:
    world.beats()
    scene = Play(world)
    scene.request(DATABASE, "database-cross-region", failing_since=world.clock.at - 60)
    scene.approve(DATABASE)
    kills, world.kill_at = world.kill_at, set()
    assert scene.drive(DATABASE).status == "done"
    world.kill_at, world.calls = kills, 0
    world.clock.forward(3600)
    return scene


def epoch(scene: Play) -> int:
    run = scene.store.current(DATABASE)
    assert run is not None
    return run.epoch


def come_home(scene: Play) -> None:
    kills, scene.world.kill_at = scene.world.kill_at, set()
    scene.request(DATABASE, "database-failback")
    scene.approve(DATABASE)
    scene.world.kill_at = kills
    run = scene.drive(DATABASE)
    assert run.status == "done", run.why


def test_goes_home_with_everything_and_keeps_the_old_primary() -> None:
    world = World()
    scene = moved_away(world)
    come_home(scene)
    home = world.instances[HOME, "orders"]
    assert (home.role, home.groups, home.standby, home.retention) == ("primary", (OPEN,), True, 30)
    kept = world.instances[HOME, f"orders-fenced-{epoch(scene)}"]
    assert (kept.role, kept.groups) == ("primary", (FENCE,))
    assert not world.instances[AWAY, "orders-away"].takes_writes(world.fences())
    assert world.dns["db.internal.example"] == home.address
    assert world.promotions == ["orders-away", "orders"]
    assert world.violations == []
    run = scene.store.current(DATABASE)
    assert run is not None and run.planned
    # Nothing that was committed before the fence is missing.
    cut = run.progress["cut/main"].evidence["cut_at"]
    assert run.progress["caught-up/main"].evidence["replayed_to"] >= cut
    assert (measure_run(run).rpo, measure_run(run).rpo_source) == (0.0, "caught up")


def test_a_rebuild_gives_the_new_primary_a_replica_again() -> None:
    world = World()
    scene = moved_away(world)
    scene.request(DATABASE, "database-rebuild", to=HOME)
    assert scene.drive(DATABASE).status == "done"
    assert world.instances[HOME, "orders"].follows == "orders-away"
    assert world.instances[HOME, f"orders-fenced-{epoch(scene)}"].role == "primary"
    assert world.promotions == ["orders-away"]


def test_refuses_to_go_home_when_it_is_home() -> None:
    with pytest.raises(FailoverRefused, match="us-west-2 has the role already"):
        Play(World()).request(DATABASE, "database-failback")


def test_never_renames_an_old_primary_that_is_still_open() -> None:
    world = World()
    scene = moved_away(world)
    world.instances[HOME, "orders"].groups = (OPEN,)
    world.split_brain_accepted = True
    scene.request(DATABASE, "database-failback")
    scene.approve(DATABASE)
    run = scene.drive(DATABASE)
    assert run.status == "stopped"
    assert "it may hold writes that exist nowhere else" in run.why
    assert (HOME, "orders") in world.instances


@settings(max_examples=25)
@given(kills=st.sets(st.integers(1, 500), max_size=30), work=st.sampled_from([1.0, 60.0, 200.0]))
def test_killed_anywhere_on_the_way_home_it_arrives_once(kills: set[int], work: float) -> None:
    world = World(work=work)
    scene = moved_away(world)
    world.kill_at = kills
    come_home(scene)
    assert world.promotions == ["orders-away", "orders"]
    assert world.violations == []
    kept = (HOME, f"orders-fenced-{epoch(scene)}")
    assert sorted(world.instances) == [(AWAY, "orders-away"), (HOME, "orders"), kept]
