"""A step is one row: what it lacks is missed when the table is made, and the rows say what the safety rests on."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest

from candlefish.failover.facts import DatabaseFacts, FailoverWorld
from candlefish.failover.model import Baseline, FailoverStep, PlanKind, Run
from candlefish.failover.plans import STEPS, compile_failover
from candlefish.failover.steps import application, cache, database
from candlefish.failover.steps.kinds import KINDS, rows_of
from candlefish.failover.steps.step import Scene, StepKind, by_kind, done, wait_only
from lab.memory.failover.runs import MemoryRuns
from tests.support.failover.catalog import AWAY, CATALOG, ENVIRONMENT, HOME
from tests.support.failover.play import Play
from tests.support.failover.world import World

ROW: dict[str, Any] = {
    "kind": "new",
    "words": "do something new",
    "part": "databases",
    "judge": lambda scene: done("it is"),
    "act": wait_only,
}


@pytest.mark.parametrize("part", sorted(ROW))
def test_a_row_without_one_of_its_parts_cannot_be_made(part: str) -> None:
    with pytest.raises(TypeError, match=part):
        StepKind(**{name: value for name, value in ROW.items() if name != part})


def test_a_row_that_names_no_row_or_comes_twice_is_refused() -> None:
    assert list(by_kind(StepKind(**ROW))) == ["new"]
    with pytest.raises(ValueError, match="two rows of one kind"):
        by_kind(StepKind(**ROW), StepKind(**ROW))
    for name in ("holds_until", "undone_by"):
        with pytest.raises(ValueError, match="new names the step promotion, which has no row"):
            by_kind(StepKind(**ROW, **{name: "promotion"}))


def test_every_row_that_is_written_is_in_the_table() -> None:
    assert [*KINDS.values()] == [*rows_of(database), *rows_of(cache), *rows_of(application)]
    assert {"close", "cut", "promote", "verify", "node-failover", "cache-promote", "route"} <= KINDS.keys()


def plans() -> dict[PlanKind, tuple[FailoverStep, ...]]:
    targets = {"database": "database/main", "cache": "cache/sessions"}
    found: dict[PlanKind, tuple[FailoverStep, ...]] = {}
    for plan in typing.get_args(PlanKind):
        target = targets.get(plan.partition("-")[0], plan)
        found[plan] = compile_failover(plan, target, ENVIRONMENT, CATALOG)
    return found


def test_every_plan_consists_of_rows_and_every_row_is_in_a_plan() -> None:
    used = {step.kind for steps in plans().values() for step in steps}
    assert used == KINDS.keys()
    assert set(STEPS) | {"application", "region"} == set(typing.get_args(PlanKind))


@pytest.mark.parametrize("plan", typing.get_args(PlanKind))
def test_a_plan_that_users_wait_for_has_a_step_that_serves_them(plan: PlanKind) -> None:
    serving = [step.kind for step in plans()[plan] if plan in KINDS[step.kind].serves]
    assert bool(serving) == (plan not in ("database-rebuild", "database-unfence"))


def test_what_is_fenced_holds_until_the_promotion_and_is_given_back() -> None:
    assert {kind for kind, row in KINDS.items() if row.holds_until} == {"close", "cut"}
    assert {row.holds_until for row in KINDS.values() if row.holds_until} == {"promote"}
    assert {kind: row.undone_by for kind, row in KINDS.items() if row.undone_by} == {"close": "unfence"}
    assert {kind for kind, row in KINDS.items() if row.final} == {"promote", "cache-promote"}
    for steps in plans().values():
        kinds = [step.kind for step in steps]
        if "promote" in kinds:
            assert kinds.index("close") < kinds.index("cut") < kinds.index("promote")


# --- the timeline -------------------------------------------------------------------------------


def test_the_timeline_keeps_every_entry_and_the_bus_gets_those_that_are_news() -> None:
    scene = Play(World())
    scene.request("database/main", "database-cross-region")
    scene.approve("database/main")
    run = scene.drive("database/main")
    kept = [entry.kind for entry in scene.store.entries(run)]
    assert {"requested", "approved", "acted", "reached", "done"} == set(kept)
    published = scene.world.events.published
    assert [kind for kind, _ in published] == ["failover.requested", "failover.approved", "failover.done"]
    assert {(detail["failover"], detail["to"]) for _, detail in published} == {(run.id, AWAY)}
    assert published[-1][1]["evidence"] == msgspec.to_builtins(scene.store.entries(run)[-1].evidence)


BLIND = {HOME: "throttled", AWAY: "throttled"}


@pytest.mark.parametrize("row", rows_of(database), ids=lambda row: row.kind)
@pytest.mark.parametrize(
    "unreadable", [BLIND, {HOME: "throttled"}, {AWAY: "throttled"}], ids=["both", "home", "away"]
)
def test_no_step_acts_on_a_database_that_it_cannot_see(row: StepKind, unreadable: dict[str, str]) -> None:
    """Found by a simulated day: a row was written through an address that nobody could read."""
    step = row.of("main")
    before = Baseline(source="main", source_region=HOME, target="main-copy", target_region=AWAY)
    run = Run(
        ENVIRONMENT.name,
        "database/main",
        "database-cross-region",
        1,
        (step,),
        "lead",
        "a test",
        0.0,
        AWAY,
        before={"database/main": before},
    )
    world = FailoverWorld(1000.0, databases={"main": DatabaseFacts("main", unreadable=unreadable)})
    progress = row.judge(Scene(step, run, world, ENVIRONMENT))
    if progress.state == "todo":
        # What is done blindly looks at no copy: it must not fail for want of one.
        row.act(Scene(step, run, world, ENVIRONMENT), World().ports(MemoryRuns(lambda *_: None), CATALOG))
