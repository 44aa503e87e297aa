"""A failover that is killed at any call, and started again, comes to the same end: one promotion, no
second writer. The world takes time, shows acts late, and leaves open connections open.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.failover.catalog import AWAY, HOME
from tests.support.failover.play import Play
from tests.support.failover.site import BALANCER, site_end, version, with_site
from tests.support.failover.world import World

FAILING: dict[str, Any] = {"failing_since": 1_000_000.0 - 120}
PLANS: dict[str, tuple[str, dict[str, Any]]] = {
    "database-in-region": ("database/main", {}),
    "database-cross-region": ("database/main", {}),
    "cache-in-region": ("cache/sessions", {}),
    "cache-cross-region": ("cache/sessions", {}),
    "application": ("application", {}),
    "region": ("region", {}),
}


def play(plan: str, world: World) -> Play:
    """Request, approve and drive one failover to its end."""
    target, more = PLANS[plan]
    site = with_site(world)
    world.beats()
    scene = Play(world)
    # A person whose own call dies asks again; the executor is what the kills are for.
    kills, world.kill_at = world.kill_at, set()
    proposal = scene.request(target, plan, **more)
    if proposal.run.open_questions:
        scene.approve(target)
    world.calls, world.kill_at = 0, kills
    run = scene.drive(target)
    assert run.status == "done", (run.status, run.why)
    world.outcome = site_end(site)
    return scene


def end(scene: Play) -> dict[str, Any]:
    """Everything that must be the same however often the executor died."""
    world = scene.world
    return {
        "roles": {
            key: (i.role, i.groups, i.connected, i.standby, i.retention) for key, i in world.instances.items()
        },
        "dns": world.dns,
        "secret": world.secrets,
        "promotions": world.promotions,
        "failovers": world.failovers,
        "cache": (world.cache.primaries, world.cache.global_primary, sorted(world.cache_failovers)),
        "violations": world.violations,
        "site": world.outcome,
    }


def expected(plan: str) -> tuple[dict[str, Any], int]:
    world = World()
    scene = play(plan, world)
    return end(scene), world.calls


@pytest.mark.parametrize("plan", PLANS)
def test_a_failover_does_what_its_plan_says(plan: str) -> None:
    outcome, calls = expected(plan)
    assert calls > 20
    assert outcome["violations"] == []
    if plan == "database-in-region":
        assert outcome["failovers"] == ["orders"]
    if plan == "database-cross-region":
        assert outcome["promotions"] == ["orders-away"]
        assert outcome["roles"][HOME, "orders"][1:3] == (("sg-0f0f0f0f",), False)
        assert outcome["dns"]["db.internal.example"] == "orders-away.us-east-1.rds.example"
        assert outcome["secret"][AWAY, "app/database"].host == "db.internal.example"
    if plan == "cache-in-region":
        assert outcome["cache"][2] == ["0001", "0002"]
    if plan in ("cache-cross-region", "region"):
        assert outcome["cache"][1] == AWAY
    if plan in ("application", "region"):
        site = outcome["site"]
        assert site["routes"] == dict.fromkeys(("api.example.com", "web.example.com"), BALANCER)
        for name in ("api", "web"):
            assert site["records"][name] == ("green", None, {"blue": 0, "green": 100}, version(name))
            assert site["rules"][f"rule/{name}"] == {f"tg/{name}-blue": 0, f"tg/{name}-green": 100}
            assert site["asked"][f"{name}-green"] == 2
            assert site["deployed_by"][f"{name}-green"] == str(site["generations"][name])
        assert site["nodes"] == {"general": (3, "ACTIVE")}


@pytest.mark.parametrize("plan", PLANS)
def test_killed_at_any_single_call_it_comes_to_the_same_end(plan: str) -> None:
    outcome, calls = expected(plan)
    for call in range(1, calls + 1):
        world = World()
        world.kill_at = {call}
        assert end(play(plan, world)) == outcome, f"killed at call {call} of {calls}"


@settings(max_examples=60)
@given(
    plan=st.sampled_from(sorted(PLANS)),
    kills=st.sets(st.integers(1, 400), max_size=25),
    settle=st.sampled_from([0.0, 1.0, 20.0, 50.0]),
    work=st.sampled_from([1.0, 60.0, 300.0]),
)
def test_killed_again_and_again_in_a_slow_world_it_comes_to_the_same_end(
    plan: str, kills: set[int], settle: float, work: float
) -> None:
    world = World(settle=settle, work=work)
    world.kill_at = kills
    outcome = end(play(plan, world))
    assert outcome == expected(plan)[0]
