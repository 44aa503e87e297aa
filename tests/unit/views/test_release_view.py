"""A release as people see it, walked through its plan by the real use cases."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Literal

import msgspec
import pytest

from candlefish.analysis import words
from candlefish.analysis.model import Arm, Breach, Ended, JudgeState
from candlefish.catalog.model import Budget, JudgePolicy
from candlefish.catalog.model.scalars import Duration
from candlefish.errors import Unavailable, UnknownService
from candlefish.release.decide_approval import ApprovalDecision, decide_approval
from candlefish.release.model import AskedFreeze, ReleaseEntry, SeenWindow, ServedCounts
from candlefish.release.payloads import watch_context
from candlefish.release.pods import Condition, ContainerState, ContainerStatus, Meta, Pod, PodStatus, Waiting
from candlefish.release.record import add_freeze
from candlefish.release.steer_release import SteerCommand, steer_release
from candlefish.release.watch_window import watch_window
from candlefish.requester import Asked, Requester, digest_of
from candlefish.service.model import Hold, RecordMark, RollbackRequest
from candlefish.service.record import add_hold, quarantine
from candlefish.views.entries import without_arithmetic
from candlefish.views.evidence import evidence_view, points_of
from candlefish.views.model import ActionView, ReleaseView
from candlefish.views.ports import SlotWorkload
from candlefish.views.see_fleet import see_fleet
from candlefish.views.see_release import see_release
from candlefish.views.see_releases import see_releases
from candlefish.views.see_service import see_service
from candlefish.views.see_timeline import see_timeline
from tests.support.analysis import FakeWindows
from tests.support.release_world import roll_back
from tests.support.seen_release import (
    DEVELOPER,
    DOWN,
    FAILING,
    HEALTHY,
    LEAD,
    QUIET,
    SILENT,
    VISITOR,
    Watched,
)
from tests.support.service import V1


def states(view: ReleaseView) -> str:
    signs = {"done": "+", "now": "*", "next": "-", "failed": "x", "skipped": "~"}
    return " ".join(f"{signs[step.state]}{step.title}" for step in view.steps)


def action(view: ReleaseView, name: str) -> ActionView:
    return next(each for each in view.actions if each.name == name)


def test_a_canary_is_shown_step_by_step() -> None:
    view = Watched().until("judge").view()
    assert states(view) == "+deploy +smoke +10% *judge -approve -50% -judge -100% -bake"
    assert (view.step, view.then) == (4, "approval by somebody else (2 people can), within 8 h")
    assert [(slot.role, slot.wanted, slot.real) for slot in view.slots] == [
        ("stable", 90, 90),
        ("candidate", 10, 10),
    ]
    assert view.says == "v2 has 10%, and is about to be judged"


def test_while_pods_come_up_the_sentence_counts_them_and_names_a_trouble() -> None:
    watched = Watched().until("ready")
    ready = Condition("Ready", "True")
    waiting = ContainerStatus(
        "api", restart_count=2, state=ContainerState(waiting=Waiting("ImagePullBackOff", "manifest unknown"))
    )
    pods = (
        Pod(Meta("api-1"), status=PodStatus("Running", conditions=(ready,))),
        Pod(Meta("api-2"), status=PodStatus("Pending", container_statuses=(waiting,))),
    )
    watched.slots.running["backend_api_blue"] = SlotWorkload(5, pods)
    view = watched.view()
    assert view.says.startswith(
        "v2 is being deployed: 1 of 5 Pods ready; container api of Pod api-2 is in ImagePullBackOff"
    )
    assert view.tone == "warning"
    candidate = next(slot for slot in view.slots if slot.role == "candidate")
    assert (candidate.pods.ready, candidate.pods.desired, candidate.pods.restarting) == (1, 5, 1)


def test_no_harm_is_said_with_both_versions_counts() -> None:
    view = Watched().until("judge").judge(HEALTHY, 6).view()
    assert view.says == "no sign of harm: 0 of 400 requests failed, 0.22% on v1 in the same minutes"
    assert (view.tone, view.evidence.state) == ("good", "no_harm")
    assert view.evidence.position is not None and 0 < view.evidence.position < 1
    assert view.evidence.odds == "3 to 1 that it is as good; 20 to 1 promotes"
    assert [left.what for left in view.left] == ["judge", "step"]
    assert [point.new.requests for point in view.points] == [100] * 4
    assert view.points[-1].position == view.evidence.position


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (QUIET, "cannot tell yet: 9 requests in 4 minutes, about 16 minutes more at this traffic"),
        (DOWN, "cannot tell: no numbers from CloudWatch for 5 minutes"),
        (SILENT, "cannot tell: v2 got no request in 4 minutes"),
    ],
    ids=["little traffic", "no store", "no traffic"],
)
def test_not_knowing_is_said_and_is_never_good(source: object, says: str) -> None:
    minutes = 6 if source is SILENT else 5
    view = Watched().until("judge").judge(source, minutes).view()  # type: ignore[arg-type]
    assert view.says == says
    assert (view.tone, view.evidence.state) == ("unknown", "cannot_tell")


def test_a_judge_that_stopped_looking_is_no_good_news() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    watched.world.clock.forward(1200)
    watched.world.records.update(
        "backend-api",
        lambda r: msgspec.structs.replace(
            r, holder=msgspec.structs.replace(r.holder, until=r.holder.until + 1e5)
        ),
    )
    view = watched.view()
    assert view.says == "cannot tell: the judge has not looked for 20 minutes"
    assert view.tone == "unknown"


def test_evidence_of_an_earlier_weight_is_not_said_of_this_one() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 20)
    watched.do_step()
    watched.until("judge")
    view = watched.view()
    assert view.says == "v2 has 50%, and is about to be judged"
    assert view.tone == "info"


def test_harm_is_said_with_its_counts_and_nothing_is_offered_that_would_promote_it() -> None:
    view = Watched().until("judge").judge(FAILING, 3).view()
    assert view.says == "harmed: 21 of 100 requests failed (21%), 1 of 900 on v1 in the same minutes"
    assert (view.tone, view.evidence.position) == ("bad", -1.0)
    assert "promote" not in [each.name for each in view.actions]


def test_a_rollback_names_its_cause_first_then_what_met_it() -> None:
    watched = Watched().until("judge").judge(FAILING, 3)
    restored = roll_back(
        watched.world,
        by="release",
        reason="JudgedBad: backend-api in slot blue: bad; evidence 9 to 1 that it is worse, 200 decides",
    )
    view = watched.view()
    assert view.status == "rolling_back"
    assert view.says == (
        "rolling back: harmed: 21 of 100 requests failed (21%), 1 of 900 on v1 in the same minutes; "
        "all traffic goes to v1, v2 is drained"
    )
    assert "x10%" not in states(view) and "xjudge" in states(view)
    watched.world.clock.forward(30)
    watched.world.finish(restored)
    view = watched.view()
    assert view.says == "rolled back after 3 minutes: 21% of requests failed; 21 requests met it"
    assert view.tone == "bad"
    assert view.ended_at == watched.world.clock.at
    assert view.actions == ()


def test_a_rollback_is_said_in_the_same_words_everywhere() -> None:
    watched = Watched().until("judge").judge(FakeWindows(always=(Arm(900, errors=1), Arm(100, errors=6))), 9)
    reason = f"JudgedBad: backend-api in slot blue: {watched.looks.seen['r2'].reason}"
    assert "95% interval" in reason
    restored = roll_back(watched.world, by="release", reason=reason)
    watched.world.finish(restored)
    fleet, service = (
        see_fleet(LEAD, looking=watched.looking),
        see_service("backend-api", LEAD, looking=watched.looking),
    )
    says = [
        watched.view().says,
        next(entry.says for entry in watched.view().timeline if entry.kind == "rolling_back"),
        service.releases[0].says,
        service.cell.says,
        next(cell.says for cell in fleet.cells if cell.service == "backend-api"),
        fleet.needs[0].says,
    ]
    assert [each for each in says if "6% of requests failed" not in each or "interval" in each] == []


@pytest.mark.parametrize(
    "by, reason, said",
    [
        (
            "developer",
            "the prices are wrong",
            "rolled back: developer took it back: the prices are wrong",
        ),
        ("release", "platform-lead said no: not today", "rolled back: platform-lead said no: not today"),
        (
            "release",
            "SmokeTestFailed: GET / answered 500",
            "rolled back: SmokeTestFailed: GET / answered 500",
        ),
    ],
)
def test_a_list_says_why_also_where_the_judge_was_not_the_reason(by: str, reason: str, said: str) -> None:
    watched = Watched().until("judge").judge(HEALTHY, 3)
    if by == "developer":
        request = RollbackRequest("rb", "production", "backend-api", reason, by)
        watched.world.requesters.keep("rollback", "rb", Asked(Requester(by), digest_of(request), 1.0))
    restored = roll_back(watched.world, by=by, reason=reason)
    watched.world.finish(restored)
    assert [line.says for line in see_releases("backend-api", looking=watched.looking).releases] == [said]
    assert said.removeprefix("rolled back: ") in watched.view().says


FOUND = {
    "metric": "errors", "since": 60.0, "stretch": 5, "baseline": {"requests": 900, "events": 2},
    "canary": {"requests": 1042, "events": 174}, "interval": [2.0, 9.0], "e_value": 900.0, "threshold": 200.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "rule, found, said",
    [
        ("odds", {}, "17% of requests failed"),
        (
            "odds",
            {"metric": "over:0.5", "quantiles": {"words": "p95 2 s"}},
            "17% of requests took longer than 0.5 s",
        ),
        ("odds", {"metric": "at:GET /a (b)"}, "17% of requests to GET /a (b) failed"),
        ("odds", {"metric": "use:oom"}, "17% of Pod-seconds ended out of memory"),
        ("budget 0", {}, "25% of requests were slow"),
        ("gross 0", {}, "90% of requests failed"),
    ],
)
def test_every_verdict_of_the_judge_is_said_briefly(rule: str, found: dict[str, object], said: str) -> None:
    """By its own words: whoever changes those sees it here."""
    policy = JudgePolicy(name="p", budgets=(Budget("slow", 0.1, Duration(300)),))
    state = JudgeState(
        since=0.0,
        mode="judge",
        metrics={},
        until=60.0,
        rolled_back=Ended(60.0, 1, rule),
        breaches=[Breach(60.0, [1000, 250, 9000, 1])],
        gross=[1000, 900],
    )
    reason = words.rolled_back(policy, state, {**FOUND, **found})
    for caught in (reason, f"JudgedBad: backend-api in slot green: {reason}"):
        assert without_arithmetic(caught) == said


def test_what_a_person_says_of_a_rollback_stands_as_it_was_said() -> None:
    for reason in (
        "21% of the users are angry",
        "7 of 42 (17%) of us want it back",
        "since 20:00:22Z all is slow",
    ):
        assert without_arithmetic(reason) == reason


def test_what_people_read_of_a_rollback_has_no_arithmetic_in_it() -> None:
    watched = Watched().until("judge").judge(FAILING, 3)
    roll_back(
        watched.world,
        by="release",
        reason="JudgedBad: backend-api in slot blue: 21% failed; evidence 9 to 1 that it is worse, 200 decides",
    )
    back = watched.view().timeline[0]
    assert (back.word, back.says) == ("rolling back", "21% failed")
    assert back.evidence["reason"].startswith("JudgedBad")


def test_a_question_says_what_each_answer_leads_to_and_who_may() -> None:
    view = Watched().until("judge").judge(HEALTHY, 20).until("approve").ask().view()
    question = view.question
    assert question is not None
    assert question.asks == "shall v2 of backend-api go on from 10% to 50%?"
    assert question.evidence.startswith("no sign of harm: ")
    assert question.if_yes == "50% to v2, then it is judged for at most 30 min"
    assert question.if_no == "100% to v1 within seconds; v2 may be released again"
    assert question.if_nobody == "it is rolled back"
    assert [who.name for who in question.may_answer] == ["platform-lead", "product-lead"]
    assert view.says.startswith("waits for an answer by platform-lead or product-lead: shall v2")
    assert [left.what for left in view.left] == ["approval"]
    assert view.command == f'candlefish approve r2 -e production --question {question.id} --reason "..."'


@pytest.mark.parametrize("kind", ["approve", "judge"])
def test_a_question_that_nobody_answered_in_time_says_so_and_what_happens_now(kind: str) -> None:
    """A plan's, and one of a step that does not know: nothing but the rollback comes after either."""
    watched = Watched().until("approve").ask()
    if kind == "judge":
        watched = Watched().until("judge")
        assert watched.last
        assert watched.last.step
        step = msgspec.structs.replace(watched.last.step, kind="approve", name="verdict", within=480)
        watched.last = msgspec.structs.replace(watched.last, step=step)
        watched.ask()
    world = watched.world
    world.clock.forward(world.approvals.read("r2").expires_at - world.clock() + 20)
    view = watched.view()
    assert view.question is None
    assert (view.says, view.tone) == (
        "nobody answered in time whether v2 may go on: the time was over 20 seconds ago; it is being rolled back",
        "warning",
    )


@pytest.mark.parametrize(
    ("status", "says", "tone"),
    [
        ("approved", "product-lead said yes to what was asked last; it goes on", "info"),
        ("denied", "product-lead said no; it is being rolled back", "warning"),
        ("", "waits for an answer, and no question of it can be found", "unknown"),
    ],
)
def test_an_approval_without_an_open_question_says_what_became_of_it(
    status: Literal["approved", "denied", ""], says: str, tone: str
) -> None:
    watched = Watched().until("approve")
    if status:
        asked = watched.ask().world.approvals.read("r2")
        answered = msgspec.structs.replace(asked, status=status, by="product-lead")
        assert watched.world.approvals.answer(asked, answered)
    assert (watched.view().says, watched.view().tone) == (says, tone)


@pytest.mark.parametrize(
    ("reader", "why"),
    [
        (LEAD, ""),
        (DEVELOPER, "developer is no approver"),
        (VISITOR, "the catalog knows nobody"),
        (msgspec.structs.replace(LEAD, roles=("reader",)), "platform-lead is no approver"),
    ],
    ids=["approver", "operator", "nobody", "approver who signed in as reader"],
)
def test_an_answer_is_offered_to_whom_the_server_would_let_give_it(reader: object, why: str) -> None:
    watched = Watched().until("approve").ask()
    approve = action(watched.view(reader), "approve")  # type: ignore[arg-type]
    assert approve.may == (not why)
    assert why in approve.why_not


def test_whoever_asked_for_a_release_is_not_offered_to_answer_it_and_the_server_agrees() -> None:
    from candlefish.errors import NotAllowed
    from candlefish.requester import Requester

    watched = Watched(requester=Requester("platform-lead")).until("approve").ask()
    view = watched.view(LEAD)
    assert not action(view, "approve").may
    assert "asked for release r2" in action(view, "approve").why_not
    assert not action(view, "promote").may
    assert view.question is not None
    assert [who.name for who in view.question.may_answer] == ["product-lead"]
    world = watched.world
    with pytest.raises(NotAllowed):
        decide_approval(
            ApprovalDecision("r2", view.question.id, "approved"),
            principal=LEAD.principal,
            catalog=world.catalog,
            approvals=world.approvals,
            records=world.records,
            executions=world.executions,
            journal=world.journal,
            now=world.clock,
        )


def test_a_question_that_expired_is_not_open_any_more() -> None:
    watched = Watched().until("approve").ask()
    watched.world.clock.forward(8 * 3600 + 1)
    view = watched.view()
    assert view.question is None
    assert "approve" not in [each.name for each in view.actions]
    assert view.tone != "good"


def steer(
    watched: Watched, what: str, reason: str = "look at the graphs", name: str = "platform-lead"
) -> None:
    from candlefish.catalog.roles import Caller

    world = watched.world
    principal = f"arn:aws:iam::333333333333:user/{name}"
    steer_release(
        SteerCommand(what, "r2", reason),  # type: ignore[arg-type]
        **{"caller": Caller(principal, ("reader", "operator", "approver"), name)},  # type: ignore[arg-type]
        environment="production",
        catalog=world.catalog,
        records=world.records,
        approvals=world.approvals,
        executions=world.executions,
        journal=world.journal,
        now=world.clock,
    )


def test_a_pause_is_said_with_who_and_why_and_who_may_end_it() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 4)
    steer(watched, "pause")
    view = watched.view(DEVELOPER)
    assert view.status == "held"
    assert (
        view.says == "paused by platform-lead: look at the graphs; it stays at 10% until somebody resumes it"
    )
    assert not action(view, "resume").may
    assert [who.name for who in action(view, "resume").who] == ["platform-lead", "product-lead"]
    assert action(watched.view(LEAD), "resume").may
    assert "it is held" in action(watched.view(LEAD), "promote").why_not


def test_a_hold_of_a_signal_is_said_with_its_cause_and_when_people_are_asked() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 4)
    at = watched.world.clock.at
    hold = Hold("signal:x", "the alarm slow of backend-api fires", at, "signal:x")
    watched.world.records.update("backend-api", lambda r: add_hold(r, hold))
    watched.do_step()
    assert watched.begin_step().kind == "held"
    view = watched.view()
    assert view.says == "held at 10%: the alarm slow of backend-api fires; it goes on when that is over"
    assert [(left.what, left.until) for left in view.left] == [("hold", at + 3600)]
    assert "*approve" in states(view)
    assert "resume" not in [each.name for each in view.actions]


def test_what_a_person_skipped_is_shown_as_skipped_and_what_was_done_as_done() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 4)
    steer(watched, "promote")
    view = watched.view()
    assert states(view) == "+deploy +smoke +10% *judge ~approve ~50% ~judge -100% ~bake"


def test_a_promotion_now_says_what_it_leaves_out() -> None:
    view = Watched().until("judge").judge(HEALTHY, 4).view()
    assert action(view, "promote").does == (
        "100% to v2 as soon as its Pods are ready, without judge, approve, 50%, judge and bake; smoke tests, readiness "
        "and the watch afterwards stay"
    )


def test_after_promotion_it_is_live_and_what_was_before_is_kept_for_a_while() -> None:
    watched = Watched().promote()
    view = watched.view()
    assert (
        view.says
        == "v2 is live for all users; it is watched for 60 min more, and v1 is kept ready to go back to"
    )
    assert (view.tone, view.status, view.step) == ("good", "promoted", 9)
    assert [(left.what, left.until - view.now) for left in view.left] == [("window", 3600)]
    assert action(view, "rollback").does.startswith("100% to v1 within seconds; v2 is remembered as bad")
    assert view.command == 'candlefish rollback backend-api -e production --reason "..."'
    watched.world.clock.forward(3601)
    view = watched.view()
    assert view.says == "v2 is live for all users"
    assert view.actions == ()


def test_the_last_words_after_promotion_are_not_that_its_state_is_unknown() -> None:
    """Finding 23: a watch that has seen seconds said `the canary's state is unknown` last."""
    watched = Watched().promote()
    reason = "only 12s of 1m57s were reported: the canary's state is unknown"
    entry = ReleaseEntry(watched.world.clock(), "judged", reason, "judge", {"action": "hold"})
    watched.world.journal.append("r2", entry)
    view = watched.view()
    assert view.says.startswith("v2 is live for all users")
    assert view.timeline[0].says == "cannot tell: only 12s of 1m57s were reported"


def test_odds_and_e_values_stand_only_under_how_it_was_decided() -> None:
    """Finding 22: `odds ratio 9.06 (0.177 to 464)` tells a person that 9 times worse is fine."""
    watched = Watched().until("judge").judge(HEALTHY, 20)
    view = watched.view()
    shown = msgspec.to_builtins(view)
    decided = shown["evidence"].pop("decided")
    for entry in shown["timeline"]:
        entry.pop("evidence")
    assert "odds_ratio" in decided and "e_value" in decided
    for word in ("e_value", "odds ratio", "interval", "evidence 1"):
        assert word not in json.dumps(shown)


def test_a_cluster_that_does_not_answer_is_unknown_and_harms_nothing_else() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    watched.slots.broken = Unavailable("the cluster's API did not answer")
    view = watched.view()
    assert {slot.pods.unknown for slot in view.slots} == {"the cluster's API did not answer"}
    assert len(view.unknown) == 2
    assert view.tone == "good"


def test_a_load_balancer_that_does_not_answer_leaves_the_real_weights_unknown() -> None:
    watched = Watched().until("judge")
    watched.world.rules.listed = lambda listener: (_ for _ in ()).throw(Unavailable("throttled"))  # type: ignore[method-assign]
    view = watched.view()
    assert [slot.real for slot in view.slots] == [None, None]
    assert [slot.wanted for slot in view.slots] == [90, 10]
    assert "throttled" in view.unknown[0]


def test_a_rule_that_differs_shows_in_the_real_weights() -> None:
    watched = Watched().until("judge")
    record = watched.world.record
    watched.world.rules.weights[record.rule] = {
        record.slots["green"].target_group: 60,
        record.slots["blue"].target_group: 40,
    }
    assert [(slot.wanted, slot.real) for slot in watched.view().slots] == [(90, 60), (10, 40)]


def test_a_record_in_quarantine_is_never_shown_as_well() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 6)
    watched.world.records.update(
        "backend-api", lambda r: quarantine(r, newer=RecordMark(999, 9), where="the rule", now=1.0)
    )
    view = watched.view()
    assert view.says.startswith("in quarantine: the rule was written at generation 9")
    assert view.tone == "bad"


def test_a_release_that_nobody_holds_any_more_is_said_to_have_stopped() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 2)
    watched.world.clock.forward(86400)
    view = watched.view()
    assert view.says.startswith("stopped: whoever released it has been gone for")
    assert [left.what for left in view.left] == ["lease"]


def test_a_freeze_is_shown_beside_a_release_that_no_user_sees_yet() -> None:
    watched = Watched().until("smoke")
    now = watched.world.clock.at
    freeze = AskedFreeze("", "sale", "product-lead", now, now + 600)
    watched.freezes.update(lambda record: add_freeze(record, freeze))
    view = watched.view()
    assert ("freeze", now + 600) in [(left.what, left.until) for left in view.left]


def test_a_release_of_another_environment_or_none_is_refused_with_what_to_do() -> None:
    watched = Watched()
    with pytest.raises(UnknownService, match="list them with: candlefish status"):
        see_release("r9", LEAD, looking=watched.looking)
    with pytest.raises(UnknownService, match="in staging"):
        see_release("r2", LEAD, looking=watched.looking._replace(environment="staging"))


def test_without_live_nothing_but_the_table_is_asked() -> None:
    watched = Watched().until("judge")
    watched.slots.broken = AssertionError("nobody asked")  # type: ignore[assignment]
    before = len(watched.world.rules.calls)
    view = see_release("r2", LEAD, looking=watched.looking, live=False)
    assert [slot.real for slot in view.slots] == [None, None]
    assert {slot.pods.unknown for slot in view.slots} == {"not asked"}
    assert len(watched.world.rules.calls) == before


def test_a_timeline_goes_on_where_the_view_ended() -> None:
    watched = Watched()
    for n in range(120):
        watched.world.clock.forward(1)
        watched.world.journal.append("r2", ReleaseEntry(watched.world.clock(), "scaled", f"{n}"))
    view = watched.view()
    told = [entry.says for entry in view.timeline]
    older = view.older
    while older:
        page = see_timeline("r2", older, looking=watched.looking)
        told += [entry.says for entry in page.entries]
        older = page.older
    assert told[:3] == ["119", "118", "117"]
    assert len(told) == len(set(told)) == 121


def watching(watched: Watched, source: FakeWindows, minutes: int) -> ReleaseView:
    """Watch over a promoted version as the watch machine does."""
    world = watched.world
    watch = msgspec.structs.replace(watch_context(world.record))
    for _ in range(minutes):
        world.clock.forward(60)
        watch_window(
            watch,
            catalog=world.catalog,
            records=world.records,
            sources={"cloudwatch": source},
            judgements=watched.judgements,
            journal=world.journal,
            now=world.clock,
            looks=watched.looks,
        )
    return watched.view()


def test_a_watch_that_knows_nothing_says_so_and_one_that_has_just_begun_does_not_alarm() -> None:
    begun = watching(Watched().promote(), DOWN, 0)
    assert begun.tone == "good"
    silent = watching(Watched().promote(), DOWN, 12)
    assert silent.says.endswith("; cannot tell: no numbers from CloudWatch for 13 minutes")
    assert silent.tone == "unknown"
    well = watching(Watched().promote(), HEALTHY, 12)
    assert well.says.startswith("v2 is live for all users; it is watched for 48 min more")
    assert well.tone == "good"
    assert well.points[-1].new.requests == 100


def test_where_both_versions_are_in_trouble_nothing_reads_as_no_harm() -> None:
    both = FakeWindows(always=(Arm(900, errors=90), Arm(100, errors=10)))
    view = Watched().until("judge").judge(both, 6).view()
    assert view.evidence.state != "no_harm"
    assert view.tone != "good"
    seen = msgspec.structs.replace(
        Watched().until("judge").judge(HEALTHY, 6).looks.seen["r2"], action="experiment"
    )
    assert evidence_view(seen, old="v1", new="v2", now=seen.at, judging=True).state == "cannot_tell"


def test_many_windows_are_drawn_as_about_sixty_points_that_lose_no_request() -> None:
    made = [
        SeenWindow(
            float(n),
            n + 1.0,
            10 if n < 95 else 50,
            ServedCounts(90, 1),
            ServedCounts(10, n % 2, p95=0.1),
            position=n / 400,
        )
        for n in range(200)
    ]
    points = points_of(made)
    assert len(points) <= 62
    assert (points[0].start, points[-1].end) == (0.0, 200.0)
    assert all(before.end == after.start for before, after in pairwise(points))
    assert sum(point.new.requests for point in points) == 2000
    assert sum(point.new.errors for point in points) == 100
    assert {point.weight for point in points} == {10, 50}
    assert points[-1].position == made[-1].position
    assert points[0].new.p95 == pytest.approx(0.1)
    low, high = points[0].new.low, points[0].new.high
    assert low is not None and high is not None and high - low < 0.4
    assert points_of(made[:30]) == points_of(made[:30], most=30)


def test_windows_without_requests_make_points_without_an_interval() -> None:
    (point,) = points_of([SeenWindow(0.0, 1.0, 0, ServedCounts(0), ServedCounts(0))])
    assert (point.new.low, point.new.high, point.new.p95) == (None, None, None)
    assert points_of([]) == ()


def test_a_yes_to_a_long_hold_says_what_comes_and_counts_nobody() -> None:
    watched = Watched().until("judge").judge(HEALTHY, 4)
    hold = Hold("signal:x", "the alarm slow fires", watched.world.clock.at, "signal:x")
    watched.world.records.update("backend-api", lambda r: add_hold(r, hold))
    watched.do_step()
    assert watched.begin_step().kind == "held"
    watched.world.clock.forward(3700)
    assert watched.begin_step().kind == "approve"
    view = watched.ask().view()
    assert view.question is not None
    assert view.question.asks == "v2 of backend-api: it has been held for long, shall it go on all the same?"
    assert view.question.if_yes == "approval by somebody else, within 8 h"


def test_a_timeline_of_nothing_is_refused_like_the_release() -> None:
    with pytest.raises(UnknownService, match="there is no release 'r9' in production"):
        see_timeline("r9", looking=Watched().looking)


def test_what_is_live_stays_so_while_a_release_after_it_is_under_way_or_taken_back() -> None:
    watched = Watched()
    journal = watched.world.journal
    first = msgspec.structs.replace(
        journal.releases["r2"], id="r1", version=V1, status="promoted", replaces=None, started_at=1.0
    )
    journal.memory.open(first)
    assert see_release("r1", LEAD, looking=watched.looking).says == "v1 is live for all users"
    watched.until("judge")
    assert (
        see_release("r1", LEAD, looking=watched.looking).says
        == "v1 is live for 90% of the users; v2 takes over"
    )
    watched.judge(FAILING, 3)
    roll_back(
        watched.world, by="release", reason="backend-api in slot blue: 8 of 26 requests failed in one window"
    )
    assert see_release("r1", LEAD, looking=watched.looking).says == "v1 is live for all users"
    assert watched.view().timeline[0].says == "8 of 26 requests failed in one window"
