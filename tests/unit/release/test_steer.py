"""Steering a release that runs: who may, what it changes, and what it never skips."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from candlefish.catalog.model import ROLES
from candlefish.catalog.roles import Caller
from candlefish.errors import (
    ApprovalDenied,
    ApprovalExpired,
    Held,
    InvalidInput,
    NotAllowed,
    NotAsked,
    RecordContested,
    ReleaseOver,
    StaleGeneration,
)
from candlefish.release.decide_approval import ApprovalDecision, decide_approval
from candlefish.release.model import PlanStep, Release, ReleaseEntry, answer_question
from candlefish.release.next_step import next_step
from candlefish.release.payloads import ApprovalRequest, Instruction, NextStepInput, ReleaseContext
from candlefish.release.plan import SKIPPED, past_skipped, with_promotion
from candlefish.release.promote_release import promote_release
from candlefish.release.request_approval import request_approval
from candlefish.release.shift_weights import shift_weights
from candlefish.release.steer_release import SteerCommand, Steered, steer_release
from candlefish.requester import Requester
from candlefish.service.model import Hold
from candlefish.service.record import MOST_HOLDS, add_hold, lift_pauses, pause_release
from tests.support.release_world import World, roll_back
from tests.support.service import V2, V3, fresh, take

PEOPLE = "arn:aws:iam::333333333333:user/{}"
LEAD, OTHER_LEAD, DEVELOPER = (PEOPLE.format(each) for each in ("platform-lead", "product-lead", "developer"))
ALERT = Hold("signal:down", "ServiceDown", 1.0, "guard")


def steer(
    world: World, action: str, who: str = LEAD, reason: str = "because", approves: bool = True
) -> Steered:
    return steer_release(
        msgspec.convert({"action": action, "release": "r2", "reason": reason}, SteerCommand),
        caller=Caller(who, ROLES if approves else ROLES[:2], ""),
        environment=world.environment,
        catalog=world.catalog,
        records=world.records,
        approvals=world.approvals,
        executions=world.executions,
        journal=world.journal,
        now=world.clock,
    )


def next_of(world: World, begun: ReleaseContext, index: int) -> Instruction:
    return next_step(
        NextStepInput(**msgspec.structs.asdict(begun), index=index),
        catalog=world.catalog,
        records=world.records,
        freezes=world.freezes,
        journal=world.journal,
        now=world.clock,
    )


def plan(world: World) -> tuple[PlanStep, ...]:
    return world.journal.read("r2").plan


def ask(world: World, asked: Instruction | None = None) -> ReleaseContext:
    """The release waits in a question: that of its plan, or the one that it was told to ask."""
    begun = world.begin()
    put(world, begun, asked)
    return begun


def put(world: World, begun: ReleaseContext, asked: Instruction | None = None, token: str = "token") -> None:
    step = asked.step if asked else world.step(begun, "approve", within=600.0).step
    assert step
    since = asked.since if asked else world.clock.at
    request_approval(
        ApprovalRequest(**msgspec.structs.asdict(begun), step=step, since=since, token=token),
        catalog=world.catalog,
        approvals=world.approvals,
        records=world.records,
        journal=world.journal,
        now=world.clock,
    )


def say_yes(world: World, who: str = LEAD) -> None:
    decide_approval(
        ApprovalDecision("r2", world.approvals.read("r2").question, "approved"),
        principal=who,
        catalog=world.catalog,
        approvals=world.approvals,
        records=world.records,
        executions=world.executions,
        journal=world.journal,
        now=world.clock,
    )


def place(world: World, kind: str) -> int:
    return next(at for at, step in enumerate(plan(world)) if step.kind == kind)


# --- pause and resume ----------------------------------------------------------------------------


def test_a_pause_holds_the_release_and_says_so_at_once(world: World) -> None:
    begun = world.begin()
    said = steer(world, "pause", DEVELOPER)
    assert "until somebody resumes it" in said.says
    assert world.journal.read("r2").status == "held"
    assert world.journal.timeline["r2"][-1].by == "developer"
    assert next_of(world, begun, 0).kind == "held"
    assert world.journal.kinds("r2").count("held") == 0, "it was told already"


def test_pausing_twice_is_one_pause(world: World) -> None:
    world.begin()
    steer(world, "pause")
    steer(world, "pause")
    assert [hold.key for hold in world.record.holds] == ["person:platform-lead"]
    assert world.journal.kinds("r2").count("paused") == 1


def test_who_paused_resumes_it(world: World) -> None:
    begun = world.begin()
    steer(world, "pause", DEVELOPER)
    assert steer(world, "resume", DEVELOPER).says == "r2 goes on"
    assert world.journal.read("r2").status == "running"
    assert next_of(world, begun, 0).kind == "deploy"


def test_only_an_approver_resumes_what_somebody_else_paused(world: World) -> None:
    world.begin()
    steer(world, "pause", LEAD)
    with pytest.raises(NotAllowed, match="paused by platform-lead"):
        steer(world, "resume", DEVELOPER)
    assert steer(world, "resume", OTHER_LEAD).says == "r2 goes on"


def test_nobody_resumes_what_an_alert_holds(world: World) -> None:
    world.begin()
    world.records.update("backend-api", lambda r: add_hold(r, ALERT))
    with pytest.raises(Held, match="nobody paused release r2"):
        steer(world, "resume")
    steer(world, "pause")
    assert "still held: ServiceDown" in steer(world, "resume").says
    assert world.record.holds == (ALERT,)


def test_resuming_what_runs_changes_nothing(world: World) -> None:
    world.begin()
    before = world.record
    assert "not paused" in steer(world, "resume").says
    assert world.record == before and world.journal.kinds("r2") == ["started"]


def test_a_pause_leaves_an_open_question_open(world: World) -> None:
    ask(world)
    steer(world, "pause")
    assert world.journal.read("r2").status == "awaiting_approval"
    say_yes(world)
    assert next_of(world, world.begin(), place(world, "approve") + 1).kind == "held"


def test_a_pause_since_the_question_about_holds_outlasts_a_yes_to_it(world: World) -> None:
    begun = world.begin()
    steer(world, "pause", DEVELOPER)
    world.clock.at += world.catalog.strategy("production").hold_at_most + 60
    held = next_of(world, begun, 3)
    assert (held.kind, held.index) == ("approve", 3)
    ask(world, held)
    world.clock.at += 5
    steer(world, "pause", OTHER_LEAD)
    say_yes(world)
    assert [hold.by for hold in world.record.holds] == ["product-lead"]


def test_resuming_answers_the_question_about_the_pause_where_the_person_may(world: World) -> None:
    begun = world.begin()
    steer(world, "pause", DEVELOPER)
    world.clock.at += world.catalog.strategy("production").hold_at_most + 60
    ask(world, next_of(world, begun, 3))
    assert "waits for an answer" in steer(world, "resume", DEVELOPER).says
    assert world.executions.answers == [], "who asked for it has no say about it"
    steer(world, "pause", DEVELOPER)
    assert steer(world, "resume", LEAD).says == "r2 goes on"
    assert world.executions.answers == [("token", "success")]


def test_a_pause_is_of_one_release(world: World) -> None:
    world.begin()
    roll_back(world)
    for action in ("pause", "resume", "promote"):
        with pytest.raises(ReleaseOver, match="being rolled back"):
            steer(world, action)
    record = take(fresh(), "r3", V3)
    said = "release r2 of backend-api in production is over"
    with pytest.raises(ReleaseOver, match=said):
        pause_release(record, release="r2", by="ada", reason="why", now=1.0)
    with pytest.raises(ReleaseOver, match=said):
        lift_pauses(record, release="r2", by="ada", of_others=True)


def test_a_pause_that_could_not_be_written_down_is_refused() -> None:
    record = take(fresh(), "r2", V2)
    for n in range(MOST_HOLDS):
        record = add_hold(record, Hold(f"signal:{n}", "why", 0.0, "guard"))
    with pytest.raises(Held, match="which is the most"):
        pause_release(record, release="r2", by="ada", reason="why", now=1.0)


# --- what a hold keeps from happening, however late it comes --------------------------------------


def test_no_weight_grows_once_a_pause_is_written(world: World) -> None:
    begun = world.begin()
    shifted = world.step(begun, "shift", weight=10)
    steer(world, "pause")
    before = dict(world.record.desired)
    with pytest.raises(Held):
        shift_weights(
            shifted, records=world.records, rules=world.rules, journal=world.journal, now=world.clock
        )
    assert world.record.desired == before
    back = world.step(begun, "shift", weight=0)
    shift_weights(back, records=world.records, rules=world.rules, journal=world.journal, now=world.clock)


def test_nothing_is_promoted_once_a_pause_is_written(world: World) -> None:
    begun = world.begin()
    step = world.step(begun, "shift", weight=100)
    shift_weights(step, records=world.records, rules=world.rules, journal=world.journal, now=world.clock)
    steer(world, "pause")
    with pytest.raises(Held):
        promote_release(
            begun, records=world.records, rules=world.rules, journal=world.journal, now=world.clock
        )
    assert world.record.holder and world.record.holds


# --- promote now ----------------------------------------------------------------------------------


def test_a_promotion_leaves_every_step_where_it_is_and_skips_what_waits(world: World) -> None:
    world.begin()
    before = plan(world)
    said = steer(world, "promote")
    after = plan(world)
    assert [step.kind for step in after] == [step.kind for step in before]
    assert {step.kind for step in after if step.skipped_by} >= SKIPPED & {step.kind for step in before}
    kept = [step for step in after if not step.skipped_by]
    assert {"judge", "bake", "approve"}.isdisjoint(step.kind for step in kept)
    assert [str(step) for step in kept if step.kind in ("scale", "shift")] == ["scale 100%", "shift 100%"]
    assert kept[-2].kind == "ready" and any(step.kind == "smoke" for step in kept)
    assert "approve" in said.skipped
    entry = world.journal.timeline["r2"][-1]
    assert (entry.kind, entry.by, entry.evidence["skipped"]) == (
        "promote_now",
        "platform-lead",
        list(said.skipped),
    )


def test_the_machine_goes_on_from_wherever_it_is(world: World) -> None:
    begun = world.begin()
    steer(world, "promote")
    after, index, seen = plan(world), place(world, "judge"), []
    while (instruction := next_of(world, begun, index)).kind != "promote":
        assert instruction.step and not instruction.step.skipped_by
        seen.append(str(instruction.step))
        index = instruction.index
    assert seen == ["scale 100%", "ready", "shift 100%"]
    assert past_skipped(after, len(after)) == len(after)


def test_what_tests_vetoes_or_runs_a_job_is_never_skipped() -> None:
    kinds = (
        "job",
        "deploy",
        "ready",
        "smoke",
        "scale",
        "ready",
        "shift",
        "hook",
        "judge",
        "scale",
        "ready",
        "shift",
        "job",
    )
    weights = iter((10, 10, 100, 100))
    steps = tuple(
        PlanStep(kind=kind, weight=next(weights) if kind in ("scale", "shift") else 0)  # type: ignore[arg-type]
        for kind in kinds
    )
    left = [step.kind for step in with_promotion(steps, "ada") if not step.skipped_by]
    assert left == ["job", "deploy", "ready", "smoke", "hook", "scale", "ready", "shift", "job"]
    assert with_promotion(with_promotion(steps, "ada"), "bob") == with_promotion(steps, "ada")


def test_an_experiment_is_skipped_with_both_of_its_shifts() -> None:
    kinds = [
        ("scale", 10),
        ("ready", 0),
        ("shift", 10),
        ("shift", 0),
        ("experiment", 0),
        ("shift", 10),
        ("judge", 0),
    ]
    kinds += [("scale", 100), ("ready", 0), ("shift", 100)]
    steps = tuple(PlanStep(kind=kind, weight=weight) for kind, weight in kinds)  # type: ignore[arg-type]
    left = [str(step) for step in with_promotion(steps, "ada") if not step.skipped_by]
    assert left == ["scale 100%", "ready", "shift 100%"]


@pytest.mark.parametrize(
    ("who", "requester", "said"),
    [
        (DEVELOPER, "platform-lead", "no approver"),
        (LEAD, "platform-lead", "cannot approve it"),
        (LEAD, "unknown", "two people must say"),
        (LEAD, "github:nobody", "two people must say"),
        (PEOPLE.format("mallory"), "developer", "nobody in catalog"),
    ],
)
def test_who_may_not_promote_in_production(world: World, who: str, requester: str, said: str) -> None:
    world.begin(requester=Requester(requester))
    before = plan(world)
    with pytest.raises(NotAllowed, match=said):
        steer(world, "promote", who)
    assert plan(world) == before and "promote_now" not in world.journal.kinds("r2")


def test_an_approver_who_signed_in_as_less_is_none(world: World) -> None:
    ask(world)
    with pytest.raises(NotAllowed, match="without that role"):
        steer(world, "promote", LEAD, approves=False)
    steer(world, "pause", DEVELOPER)
    with pytest.raises(NotAllowed, match="paused by developer"):
        steer(world, "resume", LEAD, approves=False)


def test_elsewhere_an_operator_may_unless_the_plan_asks_others(world: World) -> None:
    world.begin()
    staging = msgspec.structs.replace(world.catalog.environments["production"], production=False)
    world.catalog = msgspec.structs.replace(
        world.catalog, environments={**world.catalog.environments, "production": staging}
    )
    with pytest.raises(NotAllowed, match="no approver"):
        steer(world, "promote", DEVELOPER)
    release = world.journal.read("r2")
    without = tuple(step for step in release.plan if step.kind != "approve")
    world.journal.replan(release, without)
    assert "is promoted as soon as" in steer(world, "promote", DEVELOPER).says


def test_a_promotion_says_why(world: World) -> None:
    world.begin()
    with pytest.raises(InvalidInput, match="must say why"):
        steer(world, "promote", reason=" ")


def test_it_answers_the_question_that_the_release_waits_in(world: World) -> None:
    ask(world)
    steer(world, "promote")
    assert world.executions.answers == [("token", "success")]
    assert world.journal.kinds("r2")[-2:] == ["promote_now", "approved"]
    steer(world, "promote")
    assert world.journal.kinds("r2").count("promote_now") == 1


def test_a_yes_that_the_machine_did_not_hear_is_said_again(world: World) -> None:
    ask(world)
    asked = world.approvals.read("r2")
    world.approvals.stored["r2"] = answer_question(asked, "approved", "platform-lead")
    steer(world, "promote")
    assert world.executions.answers == [("token", "success")]


def test_somebody_elses_yes_at_the_same_moment_is_one_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(world)
    replan = world.journal.replan

    def slow(seen: Release, plan: tuple[PlanStep, ...]) -> None:
        replan(seen, plan)
        asked = world.approvals.read("r2")
        world.approvals.stored["r2"] = answer_question(asked, "approved", "product-lead")

    monkeypatch.setattr(world.journal, "replan", slow)
    assert "is promoted as soon as" in steer(world, "promote").says


def test_somebody_elses_no_at_the_same_moment_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(world)
    replan = world.journal.replan

    def slow(seen: Release, plan: tuple[PlanStep, ...]) -> None:
        replan(seen, plan)
        asked = world.approvals.read("r2")
        world.approvals.stored["r2"] = answer_question(asked, "denied", "product-lead")

    monkeypatch.setattr(world.journal, "replan", slow)
    with pytest.raises(InvalidInput, match="denied by product-lead before"):
        steer(world, "promote")


def test_a_question_that_the_machine_came_to_before_is_not_asked_any_more(world: World) -> None:
    """It was handed out and not asked yet: the release waited for hours, and was rolled back because nobody answered."""
    begun = world.begin()
    steer(world, "promote")
    with pytest.raises(NotAsked, match="platform-lead lets release r2 go on without this question"):
        put(world, begun)
    asked = world.approvals.read("r2")
    assert (asked.status, asked.by) == ("approved", "platform-lead")
    assert "approval_requested" not in world.journal.kinds("r2")


@pytest.mark.parametrize("name", ["hold", "job"])
def test_but_what_a_promotion_does_not_answer_is_asked(world: World, name: str) -> None:
    begun = world.begin()
    steer(world, "promote")
    step = PlanStep(kind="approve", name=name, within=600.0)
    put(world, begun, Instruction(kind="approve", index=1, since=world.clock.at, step=step))
    assert world.approvals.read("r2").status == "pending"


def slowed(world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """Something happens after a promotion has looked for a question, and before it writes the plan."""
    replan = world.journal.replan

    def slow(seen: Release, plan: tuple[PlanStep, ...]) -> None:
        meanwhile()
        replan(seen, plan)

    monkeypatch.setattr(world.journal, "replan", slow)


def test_a_question_that_is_asked_while_the_plan_is_written_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = world.begin()
    slowed(world, monkeypatch, lambda: put(world, begun))
    steer(world, "promote")
    assert world.executions.answers == [("token", "success")]


@pytest.mark.parametrize("name", ["hold", "job"])
def test_but_one_that_it_does_not_answer_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    begun = world.begin()
    step = PlanStep(kind="approve", name=name, within=600.0)
    asked = Instruction(kind="approve", index=1, since=world.clock.at, step=step)
    slowed(world, monkeypatch, lambda: put(world, begun, asked))
    said = steer(world, "promote").says
    question = world.approvals.read("r2")
    assert (question.status, world.executions.answers) == ("pending", [])
    assert f"It was asked its question {question.question} at the same moment" in said


def test_a_question_that_takes_the_place_of_the_one_that_was_seen_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else said yes to the first, and the machine came to its next one."""
    begun = ask(world)

    def go_on() -> None:
        say_yes(world, OTHER_LEAD)
        step = PlanStep(kind="approve", name="verdict", within=600.0)
        asked = Instruction(kind="approve", index=3, since=world.clock.at + 5, step=step)
        put(world, begun, asked, token="second")

    slowed(world, monkeypatch, go_on)
    steer(world, "promote")
    assert world.executions.answers == [("token", "success"), ("second", "success")]


def test_one_that_nobody_answered_in_time_is_not_promoted_over(world: World) -> None:
    """The machine is about to take the release back; who promoted it was told that it goes to 100%."""
    ask(world)
    before = plan(world)
    world.clock.forward(601)
    with pytest.raises(ReleaseOver, match="nobody answered question"):
        steer(world, "promote")
    assert plan(world) == before


def test_who_promoted_it_and_died_before_the_answer_is_heard_when_the_time_is_over(world: World) -> None:
    """The machine asks again then; with the plan of a promoted release it goes on."""
    begun, since = ask(world), world.clock.at
    release = world.journal.read("r2")
    world.journal.replan(release, with_promotion(release.plan, "platform-lead"))
    world.clock.forward(601)
    step = PlanStep(kind="approve", within=600.0)
    with pytest.raises(NotAsked, match="platform-lead lets release r2 go on"):
        put(world, begun, Instruction(kind="approve", index=1, since=since, step=step))
    assert "is promoted as soon as" in steer(world, "promote").says


def test_but_not_where_somebody_else_has_to_say_yes(world: World) -> None:
    begun, since = world.begin(), world.clock.at
    steer(world, "promote")
    release = world.journal.read("r2")
    world.journal.store.releases["r2"] = msgspec.structs.replace(release, requested_by="platform-lead")
    world.clock.forward(601)
    step = PlanStep(kind="approve", within=600.0)
    with pytest.raises(ApprovalExpired, match="nobody answered in time"):
        put(world, begun, Instruction(kind="approve", index=1, since=since, step=step))
    assert "approval_requested" not in world.journal.kinds("r2")


def test_a_question_that_is_asked_again_was_told_so_its_end_is_told(world: World) -> None:
    """The function that asked died, and its machine tries again: the release would be shown as waiting."""
    begun = ask(world)
    release = world.journal.read("r2")
    world.journal.replan(release, with_promotion(release.plan, "platform-lead"))
    with pytest.raises(NotAsked):
        put(world, begun)
    assert world.journal.read("r2").status == "running"
    assert world.journal.kinds("r2")[-2:] == ["approval_requested", "approved"]


def test_a_no_before_it_is_asked_again_outlives_a_promotion(world: World) -> None:
    begun = ask(world)
    answered = answer_question(world.approvals.read("r2"), "denied", "product-lead")
    world.approvals.stored["r2"] = answered
    release = world.journal.read("r2")
    world.journal.replan(release, with_promotion(release.plan, "platform-lead"))
    with pytest.raises(ApprovalDenied, match="product-lead said no"):
        put(world, begun)
    assert world.approvals.read("r2") == answered


def test_a_yes_before_it_is_asked_again_lets_the_release_go_on(world: World) -> None:
    begun = ask(world)
    world.approvals.stored["r2"] = answer_question(world.approvals.read("r2"), "approved", "product-lead")
    with pytest.raises(NotAsked, match="product-lead lets release r2 go on"):
        put(world, begun)


def test_but_the_machine_of_an_older_release_knows_no_such_end(world: World) -> None:
    begun = ask(world)
    release = world.journal.read("r2")
    world.journal.store.releases["r2"] = msgspec.structs.replace(release, passes_skipped=False)
    world.approvals.stored["r2"] = answer_question(world.approvals.read("r2"), "approved", "platform-lead")
    put(world, begun, token="second")
    say_yes(world)
    assert world.executions.answers == [("second", "success")]


@pytest.mark.parametrize("known", [True, False])
def test_who_may_not_say_yes_any_more_does_not_by_a_promotion(world: World, known: bool) -> None:
    """The catalog changed since: four eyes hold for the question that is asked now."""
    begun = world.begin()
    steer(world, "promote")
    if known:
        release = world.journal.read("r2")
        world.journal.store.releases["r2"] = msgspec.structs.replace(release, requested_by="platform-lead")
    else:
        people = {name: each for name, each in world.catalog.people.items() if name != "developer"}
        world.catalog = msgspec.structs.replace(world.catalog, people=people)
    put(world, begun)
    assert world.approvals.read("r2").status == "pending"
    assert world.journal.read("r2").status == "awaiting_approval"


def test_an_operator_outside_production_is_told_of_a_question_that_takes_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = world.begin()
    staging = msgspec.structs.replace(world.catalog.environments["production"], production=False)
    world.catalog = msgspec.structs.replace(
        world.catalog, environments={**world.catalog.environments, "production": staging}
    )
    release = world.journal.read("r2")
    world.journal.replan(release, tuple(step for step in release.plan if step.kind != "approve"))
    step = PlanStep(kind="approve", name="verdict", within=600.0)
    asked = Instruction(kind="approve", index=3, since=world.clock.at, step=step)
    slowed(world, monkeypatch, lambda: put(world, begun, asked))
    assert "at the same moment, which this does not answer" in steer(world, "promote", DEVELOPER).says
    assert world.approvals.read("r2").status == "pending"


def test_it_does_not_answer_what_became_of_a_job(world: World) -> None:
    ask(world)
    asked = world.approvals.read("r2")
    world.approvals.stored["r2"] = msgspec.structs.replace(asked, name="job")
    with pytest.raises(Held, match="how a Job of it ended is not known"):
        steer(world, "promote")
    assert world.executions.answers == []


def test_what_is_held_is_not_promoted(world: World) -> None:
    world.begin()
    world.records.update("backend-api", lambda r: add_hold(r, ALERT))
    with pytest.raises(Held, match="ServiceDown"):
        steer(world, "promote")


def test_what_was_judged_bad_is_not_promoted(world: World) -> None:
    world.begin()
    verdict = ReleaseEntry(1.0, "judged", "21% failed", by="judge", evidence={"action": "rollback"})
    world.journal.append("r2", verdict)
    with pytest.raises(ReleaseOver, match="judged bad"):
        steer(world, "promote")


def test_a_release_of_older_code_goes_through_all_its_steps(world: World) -> None:
    world.begin()
    release = world.journal.releases["r2"]
    world.journal.releases["r2"] = msgspec.structs.replace(release, passes_skipped=False)
    with pytest.raises(ReleaseOver, match="older version of the control plane"):
        steer(world, "promote")


def test_who_changes_the_plan_at_the_same_moment_is_not_overwritten(world: World) -> None:
    world.begin()
    seen = world.journal.read("r2")
    steer(world, "promote")
    with pytest.raises(RecordContested):
        world.journal.replan(seen, seen.plan[1:])


def test_another_environments_release_is_refused(world: World) -> None:
    world.begin()
    world.journal.releases["r2"] = msgspec.structs.replace(
        world.journal.releases["r2"], environment="staging"
    )
    with pytest.raises(InvalidInput, match="is of staging"):
        steer(world, "pause")


def test_an_answer_to_a_release_that_was_promoted_is_refused(world: World) -> None:
    """It said "approved" once, of a release that was live for an hour."""
    begun = ask(world)
    step = world.step(begun, "shift", weight=100)
    shift_weights(step, records=world.records, rules=world.rules, journal=world.journal, now=world.clock)
    promote_release(begun, records=world.records, rules=world.rules, journal=world.journal, now=world.clock)
    with pytest.raises(InvalidInput, match="waits for no answer any more, it is promoted"):
        say_yes(world)
    with pytest.raises(ReleaseOver, match="it was promoted"):
        steer(world, "pause")
    with pytest.raises((ReleaseOver, StaleGeneration)):
        steer(world, "promote")
