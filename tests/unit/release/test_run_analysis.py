"""Watching: what a verdict makes the machine do, and that not knowing never looks like health."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest

from candlefish.analysis.model import Arm
from candlefish.errors import JudgedBad, StaleGeneration
from candlefish.release.model import Judgement, ReleaseEntry
from candlefish.release.payloads import AnalysisResult, WatchContext, watch_context
from candlefish.release.plan import with_promotion
from candlefish.release.run_analysis import run_analysis
from candlefish.release.watch_window import watch_window
from candlefish.service.record import ServiceRecord, pause_release
from lab.memory.release import MemoryJudgements
from tests.support.analysis import FakeWindows
from tests.support.release_world import World
from tests.support.service import V2, released, rollback

HEALTHY = FakeWindows(always=(Arm(900, errors=1), Arm(100)))
FAILING = FakeWindows(always=(Arm(900, errors=1), Arm(100, errors=20)))
SILENT = FakeWindows(always=(Arm(0), Arm(0)))
DOWN = FakeWindows(down=True)


def canary(record: ServiceRecord) -> ServiceRecord:
    """The record once the candidate has a tenth of the traffic, whatever holds it."""
    return msgspec.structs.replace(record, desired={"blue": 10, "green": 90})


def run(
    world: World, source: FakeWindows, *, kind: str = "judge", unclear: str = "ask", minutes: int = 40
) -> AnalysisResult:
    """Look once a minute until the machine would leave the step; the last look."""
    begun = world.begin()
    world.records.update("backend-api", canary)
    step = world.analysis(begun, kind, within=1800.0, poll=60, policy="default", unclear=unclear)
    judgements = MemoryJudgements()
    for _ in range(minutes):
        world.clock.forward(60)
        look = run_analysis(
            step,
            catalog=world.catalog,
            records=world.records,
            sources={"cloudwatch": source},
            judgements=judgements,
            journal=world.journal,
            now=world.clock,
        )
        if look.action != "again":
            return look
    raise AssertionError(f"the step never ended: {look.reason}")


def test_evidence_against_the_version_ends_the_release(world: World) -> None:
    with pytest.raises(JudgedBad, match="backend-api in slot blue"):
        run(world, FAILING)
    judged = [entry for entry in world.journal.timeline["r2"] if entry.kind == "judged"]
    assert judged[-1].evidence["action"] == "rollback"


def test_a_healthy_canary_goes_on_before_its_time_is_up(world: World) -> None:
    began = world.clock.at
    assert run(world, HEALTHY).action == "go_on"
    assert world.clock.at - began < 1800


@pytest.mark.parametrize("source", [SILENT, DOWN], ids=["no traffic", "no metrics"])
@pytest.mark.parametrize("kind", ["judge", "bake"])
def test_not_knowing_asks_a_person_when_the_time_is_up(world: World, source: FakeWindows, kind: str) -> None:
    began = world.clock.at
    look = run(world, source, kind=kind)
    assert look.action == "ask"
    assert look.ask is not None
    assert look.ask.step is not None
    assert (look.ask.kind, look.ask.step.name) == ("approve", "verdict")
    assert world.clock.at - began >= 1800


def test_where_the_strategy_says_so_not_knowing_goes_on(world: World) -> None:
    assert run(world, SILENT, kind="bake", unclear="go_on").action == "go_on"


def test_going_on_when_unclear_is_no_excuse_for_a_bad_version(world: World) -> None:
    with pytest.raises(JudgedBad):
        run(world, FAILING, kind="bake", unclear="go_on")


def test_while_a_release_is_paused_its_judge_looks_on_until_its_time_is_up(world: World) -> None:
    began = world.clock.at
    world.begin()
    world.records.update(
        "backend-api", lambda r: pause_release(r, release="r2", by="ada", reason="why", now=began)
    )
    assert run(world, HEALTHY).action == "go_on"
    assert world.clock.at - began == 1800
    with pytest.raises(JudgedBad):
        run(world, FAILING)


def test_a_judge_that_a_person_skipped_goes_on_at_its_next_look(world: World) -> None:
    world.begin()
    release = world.journal.read("r2")
    world.journal.replan(release, with_promotion(release.plan, "ada"))
    began = world.clock.at
    look = run(world, FAILING)
    assert (look.action, look.reason) == ("go_on", "ada promotes the release without it")
    assert world.clock.at - began == 60


def test_what_a_look_that_died_judged_bad_is_not_skipped(world: World) -> None:
    world.begin()
    release = world.journal.read("r2")
    verdict = ReleaseEntry(
        world.clock.at, "judged", "21% failed", by="judge", evidence={"action": "rollback"}
    )
    world.journal.append("r2", verdict)
    world.journal.replan(release, with_promotion(release.plan, "ada"))
    with pytest.raises(JudgedBad, match="21% failed"):
        run(world, HEALTHY)


def test_a_verdict_is_written_down_when_it_changes_not_at_every_look(world: World) -> None:
    run(world, HEALTHY)
    actions = [e.evidence["action"] for e in world.journal.timeline["r2"] if e.kind == "judged"]
    assert len(actions) <= 4
    assert actions[-1] == "promote"


def watched(record: ServiceRecord) -> WatchContext:
    """What the watch machine is started with."""
    return msgspec.convert(msgspec.to_builtins(watch_context(record)), WatchContext)


def look_after_promotion(world: World, source: FakeWindows) -> AnalysisResult:
    record = released(world.record, "r2", V2, now=world.clock.at, window=3600)
    world.records.stored["backend-api"] = record
    request, judgements = watched(record), MemoryJudgements()
    while True:
        world.clock.forward(60)
        look = watch_window(
            request,
            catalog=world.catalog,
            records=world.records,
            sources={"cloudwatch": source},
            judgements=judgements,
            journal=world.journal,
            now=world.clock,
        )
        if look.action != "again":
            return look


def test_the_window_closes_on_time_even_without_metrics(world: World) -> None:
    began = world.clock.at
    assert look_after_promotion(world, DOWN).action == "go_on"
    assert 3600 <= world.clock.at - began < 3720
    last = world.journal.timeline["r2"][-1]
    assert last.kind == "window_closed" and "no metrics store showed a request" in last.reason


def test_the_last_word_on_a_version_says_how_it_did(world: World) -> None:
    look_after_promotion(world, FakeWindows(always=(Arm(0), Arm(600, 3))))
    last = world.journal.timeline["r2"][-1]
    assert last.kind == "window_closed" and "requests since its promotion 0.5% failed" in last.reason


def test_a_version_that_fails_after_its_promotion_is_found(world: World) -> None:
    with pytest.raises(JudgedBad):
        look_after_promotion(world, FakeWindows(always=(Arm(0), Arm(1000, errors=400))))


def test_a_watch_that_was_superseded_ends(world: World) -> None:
    record = released(world.record, "r2", V2, now=world.clock.at, window=3600)
    world.records.stored["backend-api"] = record
    world.records.update("backend-api", lambda r: rollback(r, now=world.clock.at))
    request = watched(record)
    with pytest.raises(StaleGeneration):
        watch_window(
            request,
            catalog=world.catalog,
            records=world.records,
            sources={"cloudwatch": HEALTHY},
            judgements=MemoryJudgements(),
            journal=world.journal,
            now=world.clock,
        )


class Dying(MemoryJudgements):
    """The function is stopped right after what it wrote was written, so often."""

    def __init__(self, deaths: int) -> None:
        super().__init__()
        self.deaths = deaths

    def write(self, release: str, judgement: Judgement, at: float) -> None:
        super().write(release, judgement, at)
        if self.deaths:
            self.deaths -= 1
            raise TimeoutError("stopped")


def test_a_look_that_died_after_it_wrote_counts_no_window_twice(world: World) -> None:
    begun = world.begin()
    world.records.update("backend-api", canary)
    step = world.analysis(begun, "judge", within=1800.0, poll=60, policy="default", unclear="ask")
    began, steady, dying = world.clock.at, MemoryJudgements(), Dying(3)
    for judgements in (steady, dying):
        world.clock.at = began
        for _ in range(6):
            world.clock.forward(60)
            # As the machine does: what died is called again, at once.
            while True:
                with suppress(TimeoutError):
                    run_analysis(
                        step,
                        catalog=world.catalog,
                        records=world.records,
                        sources={"cloudwatch": HEALTHY},
                        judgements=judgements,
                        journal=world.journal,
                        now=world.clock,
                    )
                    break
    assert dying.deaths == 0
    assert dying.read("r2").states == steady.read("r2").states


def test_a_promotion_is_looked_at_often_and_then_rarely(world: World) -> None:
    record = released(world.record, "r2", V2, now=world.clock.at, window=3600)
    world.records.stored["backend-api"] = record
    pauses = []
    for minute in (1, 14, 16, 50, 59.5):
        world.clock.at = record.generation_at + minute * 60
        look = watch_window(
            watched(record),
            catalog=world.catalog,
            records=world.records,
            sources={"cloudwatch": HEALTHY},
            judgements=MemoryJudgements(),
            journal=world.journal,
            now=world.clock,
        )
        pauses.append(look.look_again)
    assert pauses == [60, 60, 300, 300, 60], "no shorter and shorter ones at its end"
