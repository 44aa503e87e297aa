"""What a failover refuses, and what it asks, each with a reason that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from candlefish.catalog.model import Catalog
from candlefish.errors import FailoverRefused, InvalidInput, Misconfigured, NotAllowed, UnknownService
from tests.support.failover.catalog import AWAY, HOME
from tests.support.failover.play import Play
from tests.support.failover.site import with_site
from tests.support.failover.world import World

CROSS = ("database/main", "database-cross-region")
ZONE = ("database/main", "database-in-region")


def away(world: World) -> Any:
    return world.instances[AWAY, "orders-away"]


def home(world: World) -> Any:
    return world.instances[HOME, "orders"]


def status(of: Callable[[World], Any], value: str) -> Callable[[World], None]:
    return lambda world: setattr(of(world), "status", value)


def no_replica(world: World) -> None:
    del world.instances[AWAY, "orders-away"]


def no_standby(world: World) -> None:
    home(world).standby = False


def promoted_before(world: World) -> None:
    away(world).role, away(world).follows = "primary", ""


def one_node(world: World) -> None:
    world.cache.primaries = {}
    world.cache.status = "creating"


def policy_on_its_endpoint(world: World) -> None:
    """Route 53 answers, and would refuse the change once clients are cut off."""

    class Refusing(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            raise Misconfigured(f"{name} has 2 CNAME records, by a routing policy")

    world.dns = Refusing()


# What is wrong, with what, how the world gets that way, what the refusal says.
REFUSALS: list[tuple[str, tuple[str, str], Callable[[World], None], str]] = [
    ("the replica is missing", CROSS, no_replica, "there is no orders-away in us-east-1"),
    (
        "the replica is backing up",
        CROSS,
        status(away, "backing-up"),
        "backing-up: PromoteReadReplica is refused",
    ),
    ("its endpoint cannot be moved", CROSS, policy_on_its_endpoint, "2 CNAME records, by a routing policy"),
    ("the replica was promoted before", CROSS, promoted_before, "is no replica: it has the role already"),
    (
        "the recovery region is unreadable",
        CROSS,
        lambda w: w.down.add(AWAY),
        "cannot be read: us-east-1 does not answer",
    ),
    ("Multi-AZ is off", ZONE, no_standby, "has no standby: Multi-AZ is off"),
    ("it is failing over already", ZONE, status(home, "failing-over"), "RDS is failing it over by itself"),
    ("it is backing up", ZONE, status(home, "backing-up"), "backing-up: a reboot with failover is refused"),
    ("it is storage-full", ZONE, status(home, "storage-full"), "RDS does not take it back by itself"),
    (
        "its region is unreadable",
        ZONE,
        lambda w: w.down.add(HOME),
        "cannot be read: us-west-2 does not answer",
    ),
    ("the cache is busy", ("cache/sessions", "cache-in-region"), one_node, "sessions is creating"),
    (
        "the cache does not say which node is primary",
        ("cache/sessions", "cache-in-region"),
        lambda w: setattr(w.cache, "primaries", {}),
        "does not say which node of sessions is primary",
    ),
    (
        "the datastore has the role there already",
        ("cache/sessions", "cache-cross-region"),
        lambda w: setattr(w.cache, "global_primary", AWAY),
        "takes writes in us-east-1",
    ),
]


@pytest.mark.parametrize(
    ("target", "spoil", "words"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS]
)
def test_refuses(target: tuple[str, str], spoil: Callable[[World], None], words: str) -> None:
    world = World()
    spoil(world)
    scene = Play(world)
    with pytest.raises(FailoverRefused, match=words):
        scene.request(*target)
    assert scene.store.runs == {}
    assert scene.machine.started == []


def test_refuses_an_application_without_a_recorded_version_or_a_place_to_run() -> None:
    world = World()
    site = with_site(world)
    del site.stable.known["api"]  # type: ignore[attr-defined]
    del world.site.records.stored["web"]
    with pytest.raises(FailoverRefused, match="no stable version of api is recorded; web is not onboarded"):
        Play(world).request("application")


def alone(catalog: Catalog) -> Catalog:
    """The catalog of an environment whose recovery region has no control plane."""
    env = catalog.environments["production"]
    env = msgspec.structs.replace(env, recovery=msgspec.structs.replace(env.recovery, standby=False))
    return msgspec.structs.replace(catalog, environments={"production": env})


@pytest.mark.parametrize("target", ["application", "region"])
def test_versions_that_nobody_keeps_up_to_date_are_not_brought_up(target: str) -> None:
    scene = Play(World())
    with_site(scene.world)
    scene.catalog = alone(scene.catalog)
    with pytest.raises(FailoverRefused, match="nothing tells us-east-1 which versions are stable; write"):
        scene.request(target)
    assert scene.store.runs == {}


def test_what_brings_up_no_version_needs_nobody_to_have_told_it() -> None:
    scene = Play(World())
    scene.catalog = alone(scene.catalog)
    assert scene.request(*CROSS).verdict == "ask"


def test_the_application_is_only_brought_up_by_the_control_plane_of_its_region() -> None:
    with pytest.raises(FailoverRefused, match="start the failover from the one in us-east-1"):
        Play(World()).request("application")


# What is asked beside "go", how the world gets that way, what the check says.
RISKS: list[tuple[str, Callable[[World], None], dict[str, Any], str, str]] = [
    (
        "lag over the RPO",
        lambda w: setattr(w, "lag", 900.0),
        {},
        "data-loss",
        "would lose 900 s of data, 300 s are allowed",
    ),
    (
        "lag unknown",
        lambda w: setattr(w, "no_metrics", True),
        {},
        "data-loss",
        "is unknown: it has no points",
    ),
    (
        "source unreachable",
        lambda w: w.down.add(HOME),
        {"failing_since": 999_940.0},
        "split-brain",
        "so it cannot be fenced",
    ),
    (
        "source broken",
        status(home, "storage-full"),
        {"failing_since": 999_940.0},
        "split-brain",
        "cannot be closed and",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "more", "question", "words"),
    [(r[1], r[2], r[3], r[4]) for r in RISKS],
    ids=[r[0] for r in RISKS],
)
def test_asks_for_each_risk_by_its_name(
    spoil: Callable[[World], None], more: dict[str, Any], question: Any, words: str
) -> None:
    world = World()
    world.clock.forward(120)
    world.beats()
    spoil(world)
    scene = Play(world)
    proposal = scene.request(*CROSS, **more)
    assert proposal.verdict == "ask"
    assert proposal.run.needs == ("go", question)
    assert any(words in check.reason for check in proposal.checks if check.asks == question)
    # "Go" alone is no yes to the risk.
    run = scene.approve("database/main")
    assert (run.status, run.open_questions) == ("awaiting_approval", (question,))
    assert scene.drive("database/main").status == "awaiting_approval"
    assert world.promotions == []
    scene.approve("database/main", question)
    world.no_metrics = False
    assert scene.drive("database/main").status == "done"
    assert world.promotions == ["orders-away"]


def test_a_source_that_answers_but_cannot_be_fenced_asks_when_that_shows() -> None:
    world = World()
    world.denied.add("orders")
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    run = scene.drive("database/main")
    assert run.status == "awaiting_approval"
    assert run.open_questions == ("split-brain",)
    assert "reachable but cannot be fenced: changing orders: the role may not do this" in run.why
    assert world.promotions == []
    scene.approve("database/main", "split-brain")
    assert scene.drive("database/main").status == "done"
    assert world.promotions == ["orders-away"]


def test_a_source_that_vanishes_after_it_was_fenced_stays_fenced() -> None:
    world = World()
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    world.kill_at = set()
    while not scene.store.current("database/main").reached("cut"):  # type: ignore[union-attr]
        world.clock.forward(15)
        world.beats()
        _one_move(scene)
    world.down.add(HOME)
    assert scene.drive("database/main").status == "done"
    assert world.violations == []


def test_a_fence_that_somebody_opens_again_is_closed_again_before_the_promotion() -> None:
    world = World()
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    away(world).status = "backing-up"
    while not scene.store.current("database/main").reached("cut"):  # type: ignore[union-attr]
        world.clock.forward(15)
        world.beats()
        _one_move(scene)
    home(world).groups, home(world).connected = ("sg-0a0a0a0a",), True
    away(world).status = "available"
    assert scene.drive("database/main").status == "done"
    assert world.violations == []
    assert home(world).groups == ("sg-0f0f0f0f",)


def _one_move(scene: Play) -> None:
    run = scene.store.current("database/main")
    assert run is not None
    scene.move(run)


# --- who may ------------------------------------------------------------------------------

APPROVERS: list[tuple[str, str, str, str]] = [
    ("the requester", "lead", "lead", "asked for failover .* and cannot approve it"),
    (
        "the requester by another name",
        "lead",
        "github:lead-hub",
        "cannot approve it",
    ),
    ("no approver", "lead", "developer", "is no approver"),
    ("a stranger", "lead", "mallory", "is nobody in catalog/people.yaml"),
]


@pytest.mark.parametrize(
    ("requester", "approver", "words"), [a[1:] for a in APPROVERS], ids=[a[0] for a in APPROVERS]
)
def test_refuses_an_approval_by(requester: str, approver: str, words: str) -> None:
    scene = Play(World())
    scene.request(*CROSS, by=requester)
    with pytest.raises(NotAllowed, match=words):
        scene.approve("database/main", by=approver)
    assert scene.drive("database/main").status == "awaiting_approval"
    assert scene.world.promotions == []


def test_refuses_an_approval_when_nobody_knows_who_asked() -> None:
    scene = Play(World())
    scene.request(*CROSS, by="somebody")
    with pytest.raises(NotAllowed, match=r"requested by somebody, who is nobody in catalog/people\.yaml"):
        scene.approve("database/main")


def test_an_approval_expires() -> None:
    scene = Play(World())
    scene.request(*CROSS)
    scene.world.clock.forward(4 * 3600 + 1)
    with pytest.raises(InvalidInput, match="the world has changed since"):
        scene.approve("database/main")


def test_nothing_happens_before_the_approval() -> None:
    scene = Play(World())
    scene.request(*CROSS)
    assert scene.machine.started == []
    assert scene.drive("database/main").status == "awaiting_approval"
    assert home(scene.world).groups == ("sg-0a0a0a0a",)


def test_a_signal_fails_over_alone_only_where_the_policy_says_so() -> None:
    scene = Play(World())
    proposal = scene.request(*ZONE, by="signal:database-down")
    assert proposal.run.needs == ("go",)
    assert scene.approve("database/main").status == "running"


def test_a_signal_never_leaves_the_region_alone() -> None:
    assert Play(World()).request(*CROSS, by="signal:region-down").run.needs == ("go",)


def test_a_person_may_fail_over_inside_the_region_alone_but_a_stranger_not() -> None:
    assert Play(World()).request(*ZONE).run.status == "running"
    with pytest.raises(NotAllowed, match="mallory is nobody"):
        Play(World()).request(*ZONE, by="mallory")


# --- one at a time -------------------------------------------------------------------------


def test_asking_again_is_asking_once() -> None:
    scene = Play(World())
    first = scene.request(*CROSS)
    again = scene.request(*CROSS)
    assert (again.verdict, again.run.epoch) == ("resume", first.run.epoch)
    assert len(scene.store.runs) == 1


def test_refuses_a_second_failover_of_the_same_thing_while_one_is_open() -> None:
    scene = Play(World())
    scene.request(*CROSS)
    with pytest.raises(
        FailoverRefused, match=r"failover production\.database\.main\.\d+ .* is awaiting_approval"
    ):
        scene.request(*ZONE)
    with_site(scene.world)
    with pytest.raises(
        FailoverRefused, match="finish it, or give it up with: candlefish failover database/main"
    ):
        scene.request("region")


def test_refuses_to_repeat_a_failover_within_its_cooldown() -> None:
    scene = Play(World())
    first = scene.request(*ZONE).run.epoch
    assert scene.drive("database/main").status == "done"
    with pytest.raises(
        FailoverRefused, match=r"did the same .* s ago; another one is allowed 3600 s after it"
    ):
        scene.request(*ZONE)
    scene.world.clock.forward(3600)
    assert scene.request(*ZONE).run.epoch > first
    assert scene.drive("database/main").status == "done"
    assert scene.world.failovers == ["orders", "orders"]


def test_a_plan_shows_everything_and_changes_nothing() -> None:
    scene = Play(World())
    proposal = scene.request(*CROSS, plan_only=True)
    assert [step.partition(":")[0] for step in proposal.steps] == [
        f"{kind}/main"
        for kind in ("close", "cut", "promote", "open", "secret", "endpoint", "verify", "protect")
    ]
    assert {check.name: check.passed for check in proposal.checks}["lag within the RPO"] is True
    assert (scene.store.runs, scene.machine.started) == ({}, [])


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"target": "database/main", "plan": "cache-in-region"}, InvalidInput, "does not fit target"),
        ({"target": "nonsense"}, InvalidInput, "is no target; a target is database/NAME"),
        ({"target": "database/other"}, UnknownService, "declares no database 'other'; it has main"),
        (
            {"target": "database/main", "to": "eu-west-1"},
            InvalidInput,
            "has us-west-2 and us-east-1",
        ),
        ({"target": "database/main", "environment": "staging"}, InvalidInput, "recovers production"),
        ({"target": "database/main", "failing_since": 2e9}, InvalidInput, "is in the future"),
    ],
)
def test_refuses_a_request_that_does_not_fit(
    request_: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Play(World()).request(**request_)


# --- stopping, giving up ------------------------------------------------------------------


def test_a_run_that_is_given_up_opens_again_what_it_closed() -> None:
    world = World()
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    away(world).status = "backing-up"
    while not scene.store.current("database/main").reached("cut"):  # type: ignore[union-attr]
        world.clock.forward(15)
        _one_move(scene)
    assert not home(world).takes_writes(world.fences())
    scene.abandon("database/main", "the replica is no good")
    run = scene.drive("database/main")
    assert (run.status, run.why) == ("abandoned", "given up by lead: the replica is no good")
    assert home(world).takes_writes(world.fences())
    assert world.promotions == []


def test_a_run_that_asked_for_its_promotion_can_only_go_forward() -> None:
    scene = Play(World())
    scene.request(*CROSS)
    scene.approve("database/main")
    scene.drive("database/main")
    scene.world.clock.forward(4000)
    with pytest.raises(InvalidInput, match="is done already"):
        scene.abandon("database/main", "x")


def test_a_promotion_that_never_comes_stops_and_can_be_started_again() -> None:
    world = World()
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    away(world).status = "backing-up"
    run = scene.drive("database/main")
    assert run.status == "stopped"
    assert "promote/main has not come about for" in run.why
    assert "start the same failover again: it goes on from here" in run.why
    away(world).status = "available"
    assert scene.request(*CROSS).verdict == "resume"
    assert scene.drive("database/main").status == "done"
    assert world.promotions == ["orders-away"]


def test_a_refusal_is_tried_three_times_and_again_after_a_person_looked() -> None:
    world = World()
    scene = Play(world)
    scene.request(*ZONE)
    world.denied.add("orders")
    run = scene.drive("database/main")
    assert run.status == "stopped"
    assert "zone-failover/main was refused 3 times" in run.why
    world.denied.clear()
    scene.request(*ZONE)
    assert scene.drive("database/main").status == "done"


def test_refuses_while_the_other_regions_control_plane_moves_the_same_thing() -> None:
    there = Play(World())
    there.request(*CROSS)
    here = Play(World())
    here.elsewhere = there.store.recent
    with pytest.raises(FailoverRefused, match=r"database-cross-region\) is awaiting_approval"):
        here.request(*ZONE)


def test_epochs_of_two_regions_that_cannot_see_each_other_still_grow() -> None:
    here, there = Play(World()), Play(World())
    first = here.request(*ZONE).run
    there.world.clock.forward(1)
    assert there.request(*CROSS).run.epoch > first.epoch


def test_a_load_balancer_that_does_not_answer_stops_no_database() -> None:
    from candlefish.errors import Unavailable

    def broken() -> Any:
        raise Unavailable("the load balancer does not answer")

    world = World()
    scene = Play(world)
    ports = world.ports
    world.ports = lambda *given: msgspec.structs.replace(ports(*given), site=broken)  # type: ignore[method-assign]
    scene.request(*ZONE)
    assert scene.drive("database/main").status == "done"
    with pytest.raises(FailoverRefused, match="the load balancer does not answer"):
        scene.request("application")


def test_an_answer_given_while_the_machine_still_ends_starts_another_one() -> None:
    world = World()
    world.denied.add("orders")
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    assert scene.drive("database/main").open_questions == ("split-brain",)
    scene.approve("database/main", "split-brain")
    scene.request(*CROSS)
    # Three names: Step Functions starts a name only once in 90 days.
    assert len({name for _, name, _ in scene.machine.started}) == 3


def test_giving_up_waits_for_a_closing_that_was_asked_for_and_opens_it() -> None:
    world = World(settle=50.0)
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    _one_move(scene)
    # Asked for, and not in effect yet.
    assert home(world).groups == ("sg-0a0a0a0a",)
    scene.abandon("database/main", "never mind")
    assert scene.drive("database/main").status == "abandoned"
    world.clock.forward(300)
    assert home(world).groups == ("sg-0a0a0a0a",)
    assert home(world).takes_writes(world.fences())


@pytest.mark.parametrize(
    "beside_the_fence", [True, False], ids=["added to the fence", "in place of the fence"]
)
def test_giving_up_leaves_the_groups_that_somebody_gave_it_meanwhile(beside_the_fence: bool) -> None:
    """Whoever lets an operator's machine in while the database is closed finds it let in afterwards too."""
    world = World(settle=0.0)
    scene = Play(world)
    scene.request(*CROSS)
    scene.approve("database/main")
    _one_move(scene)
    world.clock.forward(60)
    (fence,) = home(world).groups
    assert {fence} <= world.fences()
    theirs = "sg-0b0b0b0b"
    home(world).groups = (theirs, fence) if beside_the_fence else (theirs,)
    scene.abandon("database/main", "never mind")
    assert scene.drive("database/main").status == "abandoned"
    expected = {theirs, "sg-0a0a0a0a"} if beside_the_fence else {theirs}
    assert set(home(world).groups) == expected
