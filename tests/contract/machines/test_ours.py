"""Our own machines, with functions that answer by a script: both engines take the same way.

What is held: how every execution ends, with output, error and cause; every call of a function with its
payload, in order; every change of status that is announced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.simulator.machines import substituted
from tests.support.engines.both import Play, on_both
from tests.support.engines.script import Ended, Engine, Fails, Summary, in_any_order

ROOT = Path(__file__).parents[3]
NAMES = ("capacity", "drill", "failover", "release", "respond", "rollback", "train", "watch")
ARNS = {
    f"{name.capitalize()}Machine": f"arn:aws:states:us-west-2:123456789012:stateMachine:{name}"
    for name in NAMES
}
RUN = {"release": "r1", "environment": "production", "service": "website", "generation": 3}
ROLLED_BACK = {**RUN, "stop": "", "slot": "green", "since": 1, "settle_in": 1, "reason": "it was bad"}
NOT_YET = Fails("NotYet15s", "not there yet")
WATCH = {**RUN, "name": "r1-watch", "window_until": 9, "retiring": "blue", "since": 1}


class Named(dict[str, str]):
    """A function is called what the definition calls it."""

    def __missing__(self, name: str) -> str:
        return name

    def __contains__(self, name: object) -> bool:
        return True


# What the gate says of a release that it lets through.
GATED = {"requester": {"by": "developer"}, "looked": []}


def played(answers: dict[str, list[Any]], play: Play) -> Summary:
    def on(engine: Engine) -> None:
        for name in NAMES:
            text = (ROOT / f"statemachines/{name}.asl.yaml").read_text()
            engine.define(name, substituted(text, Named(ARNS, Environment="production")))
        play(engine)

    return on_both(answers, on)


def run(machine: str, value: dict[str, Any], answers: dict[str, list[Any]], name: str = "r1") -> Summary:
    """One execution from its start to its end."""
    return played(
        answers, lambda engine: engine.end(engine.start(ARNS[f"{machine.capitalize()}Machine"], name, value))
    )


def steps(*kinds: str, within: int = 60) -> list[Any]:
    """What NextStep hands out, one after the other."""
    step = {"poll": 10, "within": within}
    return [
        {"kind": kind, "index": at + 1, "step": step, "since": 5, "wait": 30} for at, kind in enumerate(kinds)
    ]


def release(*kinds: str, **answers: list[Any]) -> dict[str, list[Any]]:
    """Answers for a release whose plan has these steps and goes well, but for what is given."""
    return {
        "CheckImage": [GATED],
        "BeginRelease": [RUN],
        "NextStep": steps(*kinds),
        "DeploySlot": [{}],
        "CheckReady": [NOT_YET, {"overwritten": True}, {"ready": True}],
        "ScaleSlot": [2],
        "ShiftWeights": [{}],
        "SmokeTest": [NOT_YET, {}],
        "RunHook": [{}],
        "RunJob": [NOT_YET, {"action": "go_on", "index": 1}],
        "RunAnalysis": [NOT_YET, {"action": "go_on", "index": 1}],
        "RequestApproval": [{}],
        "PromoteRelease": [WATCH],
        "KeepCron": [{"differed": []}],
        "WatchWindow": [NOT_YET, {"action": "go_on"}],
        "RetireSlot": [NOT_YET, {"done": True}],
        "RestoreTraffic": [ROLLED_BACK],
        "FinishRollback": [{}],
        **answers,
    }


CANARY = ("job", "deploy", "ready", "scale", "shift", "smoke", "hook", "judge", "bake", "promote")


def test_a_good_canary_is_promoted_and_watched() -> None:
    done = run("release", {"service": "website"}, release(*CANARY))
    promoted = {"release": "r1", "status": "promoted", "window_until": 9}
    assert done.ended == {"r1": Ended("SUCCEEDED", promoted), "r1-watch": done.ended["r1-watch"]}
    assert done.ended["r1-watch"].status == "SUCCEEDED"
    payloads = dict(done.calls)
    assert payloads["RunAnalysis"]["required"] == 2
    assert payloads["RetireSlot"]["slot"] == "blue"


def test_a_job_whose_end_nobody_knows_is_asked_about_and_not_run_again() -> None:
    question = {"kind": "approve", "index": 1, "since": 5, "step": {"name": "job", "within": 60, "poll": 0}}
    gone = {"action": "ask", "reason": "it is gone", "index": 1, "ask": question}
    nobody = Fails("ApprovalExpired", "nobody answered")
    answers = release("job", "promote", RunJob=[gone], RequestApproval=[nobody])
    done = run("release", {"service": "website"}, answers)
    names = [name for name, _ in done.calls]
    assert (names.count("RunJob"), "RequestApproval" in names, "RestoreTraffic" in names) == (1, True, True)


def test_a_job_that_fails_is_no_evidence_against_the_version() -> None:
    failed = release("job", "deploy", RunJob=[Fails("JobFailed", "exit code 1")])
    done = run("release", {"service": "website"}, failed)
    assert done.ended["r1"] == Ended("FAILED", None, "JobFailed", "rolled back: it was bad")
    assert dict(done.calls)["RestoreTraffic"]["request"]["disposition"] == "rejected"
    assert "DeploySlot" not in dict(done.calls)


@pytest.mark.parametrize("moved", [{"differed": ["CronJob a is missing"]}, Fails("ClusterRefused", "no")])
def test_what_becomes_of_its_cron_jobs_is_no_matter_of_the_release(moved: Any) -> None:
    """It is promoted; where they cannot be moved, the cluster's reconciler does it."""
    has = {**WATCH, "cron": True}
    done = run("release", {"service": "website"}, release(*CANARY, PromoteRelease=[has], KeepCron=[moved]))
    names = [name for name, _ in done.calls]
    assert (done.ended["r1"].status, done.ended["r1-watch"].status) == ("SUCCEEDED", "SUCCEEDED")
    assert names.index("KeepCron") == names.index("PromoteRelease") + 1
    none = run("release", {"service": "website"}, release(*CANARY))
    assert "KeepCron" not in dict(none.calls)


def test_a_release_that_is_refused_changes_nothing() -> None:
    done = run("release", {"service": "website"}, release(BeginRelease=[Fails("Frozen", "until Monday")]))
    assert done.ended == {
        "r1": Ended("FAILED", None, "Frozen", {"errorMessage": "until Monday", "errorType": "Frozen"})
    }
    assert [name for name, _ in done.calls] == ["CheckImage", "BeginRelease"]
    unsigned = run("release", {}, release(CheckImage=[Fails("NotSigned")]))
    assert [name for name, _ in unsigned.calls] == ["CheckImage"]


def test_a_step_that_fails_is_rolled_back_by_a_nested_execution() -> None:
    answers = release("deploy", "ready", CheckReady=[Fails("RolloutFailed", "crash loop")])
    done = run("release", {"service": "website"}, answers)
    assert done.ended["r1"] == Ended("FAILED", None, "RolloutFailed", "rolled back: it was bad")
    assert done.ended["r1-rollback"].status == "SUCCEEDED"
    asked = dict(done.calls)["RestoreTraffic"]["request"]
    assert (asked["disposition"], asked["by"], asked["environment"]) == ("bad", "release", "production")


def test_a_rollback_that_does_not_complete_is_told_with_why() -> None:
    answers = release("deploy", DeploySlot=[Fails("SlotBusy")], FinishRollback=[Fails("Broken", "no table")])
    done = run("release", {"service": "website"}, answers)
    assert (done.ended["r1"].error, done.ended["r1-rollback"].error) == ("RollbackIncomplete", "Broken")
    assert done.ended["r1"].cause.startswith("SlotBusy: ")
    assert "the rollback did not complete" in done.ended["r1"].cause
    assert done.ended["r1-rollback"].cause["errorMessage"] == "no table"


def test_a_step_that_nobody_knows_is_rolled_back() -> None:
    done = run("release", {"service": "website"}, release("dance"))
    assert done.ended["r1"] == Ended("FAILED", None, "UnknownStep", "rolled back: it was bad")


def test_a_release_that_somebody_took_over_just_ends() -> None:
    done = run(
        "release", {"service": "website"}, release("deploy", "shift", ShiftWeights=[Fails("StaleGeneration")])
    )
    assert (done.ended["r1"].error, list(done.ended)) == ("Superseded", ["r1"])


def test_what_is_throttled_is_tried_again() -> None:
    deploys = [Fails("Throttled"), Fails("TooManyRequestsException", by_service=True), {}]
    done = run("release", {"service": "website"}, release("deploy", "promote", DeploySlot=deploys))
    assert done.ended["r1"].status == "SUCCEEDED"
    assert [name for name, _ in done.calls].count("DeploySlot") == 3


def test_an_experiment_is_gone_back_to_and_its_step_comes_again() -> None:
    looks = [
        {"action": "experiment", "index": 0},
        NOT_YET,
        *[{"action": "go_on", "index": at} for at in (2, 4)],
    ]
    answers = release(
        RunAnalysis=looks,
        NextStep=[
            {"kind": kind, "index": at, "step": {"poll": 10, "within": 60}, "since": 5}
            for kind, at in (
                ("judge", 1),
                ("shift", 1),
                ("experiment", 2),
                ("shift", 3),
                ("judge", 4),
                ("promote", 5),
            )
        ],
    )
    done = run("release", {"service": "website"}, answers)
    assert done.ended["r1"].status == "SUCCEEDED"
    asked = [payload["index"] for name, payload in done.calls if name == "NextStep"]
    assert asked == [0, 0, 1, 2, 3, 4]
    assert [payload["index"] for name, payload in done.calls if name == "RunAnalysis"] == [1, 2, 2, 4]


ASKED = {"action": "ask", "index": 1, "ask": {"kind": "approve", "step": {"within": 60}, "since": 7}}


def asked(answer: str) -> Summary:
    """The judge asks, and a person answers."""

    def play(engine: Engine) -> None:
        arn = engine.start(ARNS["ReleaseMachine"], "r1", {"service": "website"})
        token = engine.called("RequestApproval")["token"]
        if answer == "approved":
            engine.succeed(token, {"by": "Ada"})
        else:
            engine.fail(token, "ApprovalDenied", "not today")
        engine.end(arn)

    return played(release("judge", "promote", RunAnalysis=[ASKED]), play)


def test_a_person_approves_what_the_judge_cannot_tell() -> None:
    done = asked("approved")
    assert done.ended["r1"].status == "SUCCEEDED"
    assert dict(done.calls)["RequestApproval"]["since"] == 7


@pytest.mark.parametrize("error", ["ValueError", "Runtime.ImportModuleError", "Misconfigured"])
def test_a_judge_that_fails_itself_is_no_evidence_and_a_person_decides(error: str) -> None:
    def play(engine: Engine) -> None:
        arn = engine.start(ARNS["ReleaseMachine"], "r1", {"service": "website"})
        token = engine.called("RequestApproval")["token"]
        engine.succeed(token, {"by": "Ada"})
        engine.end(arn)

    done = played(release("judge", "promote", RunAnalysis=[Fails(error, "a bug")]), play)
    assert done.ended["r1"].status == "SUCCEEDED"
    calls = [name for name, _ in done.calls]
    assert calls.count("RunAnalysis") > 5 and "RestoreTraffic" not in calls
    asked_for = dict(done.calls)["RequestApproval"]
    assert asked_for["step"]["name"] == "not_judged" and asked_for["step"]["within"] == 28860


def test_evidence_against_a_version_is_an_answer_and_not_tried_again() -> None:
    answers = release("judge", "promote", RunAnalysis=[NOT_YET, Fails("JudgedBad", "errors over 10%")])
    done = run("release", {"service": "website"}, answers)
    assert [name for name, _ in done.calls].count("RunAnalysis") == 2
    assert dict(done.calls)["RestoreTraffic"]["request"]["disposition"] == "bad"


def test_a_watch_that_fails_itself_goes_on_looking() -> None:
    bug = Fails("ValueError", "a bug")
    answers = release(WatchWindow=[NOT_YET, *[bug] * 30, {"action": "go_on"}])
    done = run("watch", WATCH, answers, "w")
    assert done.ended["w"].status == "SUCCEEDED"
    assert [name for name, _ in done.calls].count("WatchWindow") == 32


def test_a_person_denies() -> None:
    done = asked("denied")
    assert done.ended["r1"] == Ended("FAILED", None, "ApprovalDenied", "rolled back: it was bad")
    assert dict(done.calls)["RestoreTraffic"]["request"]["disposition"] == "rejected"


def test_nobody_answers_in_time() -> None:
    expired = Fails("ApprovalExpired", "nobody answered in time")
    answers = release(NextStep=steps("approve", "promote", within=1), RequestApproval=[{}, expired])
    done = run("release", {"service": "website"}, answers)
    assert done.ended["r1"].error == "ApprovalExpired"
    assert "nobody answered in time" in dict(done.calls)["RestoreTraffic"]["request"]["reason"]


def test_what_a_promotion_answers_is_not_asked_and_the_release_goes_on() -> None:
    promoted = Fails("NotAsked", "platform-lead promotes release r1 without this question")
    answers = release("approve", "promote", RequestApproval=[promoted])
    done = run("release", {"service": "website"}, answers)
    assert done.ended["r1"].status == "SUCCEEDED"
    assert "RestoreTraffic" not in dict(done.calls)


def test_a_process_that_dies_while_it_asks_takes_nothing_back() -> None:
    def play(engine: Engine) -> None:
        arn = engine.start(ARNS["ReleaseMachine"], "r1", {"service": "website"})
        token = engine.called("RequestApproval", 2)["token"]
        engine.succeed(token, {"by": "Ada"})
        engine.end(arn)

    dies = Fails("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed")
    done = played(release("approve", "promote", RequestApproval=[dies, {}]), play)
    assert done.ended["r1"].status == "SUCCEEDED"


def test_a_rollback_stops_the_release_that_it_undoes() -> None:
    def play(engine: Engine) -> None:
        victim = engine.start(ARNS["ReleaseMachine"], "r1", {"service": "website"})
        engine.called("RequestApproval")
        engine.end(engine.start(ARNS["RollbackMachine"], "rb", {"release": "r1"}))
        assert engine.end(victim).status == "ABORTED"

    stop = ARNS["ReleaseMachine"].replace(":stateMachine:", ":execution:") + ":r1"
    done = played(release("approve", RestoreTraffic=[{**ROLLED_BACK, "stop": stop}]), play)
    assert done.ended["r1"] == Ended("ABORTED", None, "RolledBack", "it was bad")
    assert done.ended["rb"].output == {
        "release": "r1",
        "service": "website",
        "reason": "it was bad",
        "generation": 3,
    }


def test_a_rollback_does_without_the_release_that_it_cannot_stop() -> None:
    stop = ARNS["ReleaseMachine"].replace(":stateMachine:", ":execution:") + ":nobody"
    done = run("rollback", {}, release(RestoreTraffic=[{**ROLLED_BACK, "stop": stop}]), name="rb")
    assert done.ended["rb"].status == "SUCCEEDED"


def test_a_rollback_that_somebody_took_over_leaves_the_capacity_to_them() -> None:
    done = run("rollback", {}, release(FinishRollback=[Fails("StaleGeneration")]), name="rb")
    assert done.ended["rb"].status == "SUCCEEDED"


TRAIN = [
    {"name": f"t-{service}", "request": {"service": service, "image": image}}
    for service, image in (("api", "1"), ("web", "2"))
]


def train(**answers: list[Any]) -> Summary:
    taken = [{"id": "t-api-back", "service": "api"}]
    # What runs side by side answers the same every time.
    same = {"RetireSlot": [{"done": True}], "WatchWindow": [{"action": "go_on"}]}
    default = {"PlanTrain": [TRAIN], "EndTrain": [taken], "NextStep": [steps("promote")[0]], **same}

    def play(engine: Engine) -> None:
        engine.end(engine.start(ARNS["TrainMachine"], "t", {"services": ["web", "api"]}))
        # The watch of the first one goes on beside the second one.
        in_any_order(engine)

    return played(release("promote", **default, **answers), play)


def test_a_train_releases_one_after_the_other() -> None:
    names = {"PromoteRelease": [{**WATCH, "name": "w1"}, {**WATCH, "name": "w2"}]}
    done = train(**names)
    assert done.ended["t"].output == {"train": "t", "released": ["api", "web"]}
    assert [name for name in done.ended if name.startswith("t-")] == ["t-api", "t-web"]
    assert ("EndTrain", {"train": "t", "outcome": "arrived"}) in done.calls


def test_a_train_takes_back_what_it_promoted_before_one_failed() -> None:
    done = train(CheckImage=[GATED, Fails("NotSigned", "who are you")])
    assert (done.ended["t"].status, done.ended["t"].error) == ("FAILED", "TrainFailed")
    assert done.ended["t"].cause["Error"] == "NotSigned"
    assert (done.ended["t-web"].status, done.ended["t-api-back"].status) == ("FAILED", "SUCCEEDED")


def test_a_watch_that_sees_it_turn_bad_starts_the_rollback_and_fails() -> None:
    answers = release(WatchWindow=[NOT_YET, Fails("JudgedBad", "errors over 10%")])

    def play(engine: Engine) -> None:
        engine.end(engine.start(ARNS["WatchMachine"], "w", WATCH))

    done = played(answers, play)
    assert (done.ended["w"].error, done.ended["w"].cause["errorMessage"]) == ("JudgedBad", "errors over 10%")
    assert done.ended["r1-rollback"].status == "SUCCEEDED"


def respond(**answers: list[Any]) -> Summary:
    # The cooldown is over by the clock of either engine.
    response = {"action": "hold", "settle_at": 1_700_000_000, "service": "website"}
    default = {
        "ActOnSignal": [{"moot": False}],
        "VerifyResponse": [NOT_YET, {"state": "done", "reason": "quiet again"}],
        "CloseResponse": [{}],
        "SettleHold": [{}],
    }
    return run("respond", response, default | answers)


def test_a_hold_that_shows_is_looked_at_again_when_all_is_quiet() -> None:
    done = respond()
    assert done.ended["r1"].output == {"outcome": "done", "reason": "quiet again"}
    assert [name for name, _ in done.calls][-2:] == ["CloseResponse", "SettleHold"]


def test_a_response_to_what_is_gone() -> None:
    done = respond(ActOnSignal=[{"moot": True, "reason": "gone"}])
    assert done.ended["r1"].output == {"outcome": "moot", "reason": "gone"}


def test_a_response_that_fails_twice_is_handed_to_people() -> None:
    failed = {"state": "failed", "reason": "still 20% errors"}
    done = respond(ActOnSignal=[{"moot": False}], VerifyResponse=[NOT_YET, failed, failed])
    assert done.ended["r1"] == Ended("FAILED", None, "ResponseFailed", "still 20% errors")
    assert [payload["attempt"] for name, payload in done.calls if name == "ActOnSignal"] == [1, 2]


def test_a_response_that_cannot_act_tells_the_error_and_closes_in_the_end() -> None:
    done = respond(
        ActOnSignal=[Fails("Broken", "no access")], CloseResponse=[Fails("Any"), Fails("Other"), {}]
    )
    assert (done.ended["r1"].error, done.ended["r1"].cause["errorMessage"]) == ("ResponseFailed", "no access")
    assert [name for name, _ in done.calls].count("CloseResponse") == 3


def test_capacity_goes_on_until_it_is_there_or_gives_up() -> None:
    again = Fails("NotYet5s", "nodes come up")
    there = run(
        "capacity", {"environment": "s"}, {"AdvanceCapacity": [again, Fails("Throttled"), {"status": "done"}]}
    )
    assert there.ended["r1"].output == {"status": "done"}
    assert len(there.calls) == 3
    short = run(
        "capacity",
        {"environment": "s"},
        {"AdvanceCapacity": [again, {"status": "stuck", "reason": "no nodes"}]},
    )
    assert short.ended["r1"] == Ended("FAILED", None, "CapacityIncomplete", "no nodes")


MOVED = {"target": "production", "epoch": 4, "status": "running", "wait": 12.5}


def test_a_failover_moves_until_it_is_done_stopped_or_taken_over() -> None:
    answers: dict[str, list[Any]] = {
        "BeginFailover": [MOVED],
        "StepFailover": [NOT_YET, {**MOVED, "status": "done"}],
    }
    done = run("failover", {"target": "production", "reason": "quake"}, answers)
    assert done.ended["r1"].output["status"] == "done"
    assert done.calls[1] == ("StepFailover", {"target": "production", "epoch": 4})
    again = run("failover", {"target": "production", "epoch": 4}, answers)
    assert [name for name, _ in again.calls] == ["StepFailover"] * 2
    stopped = run(
        "failover",
        {"target": "p", "epoch": 4},
        {"StepFailover": [{**MOVED, "status": "stopped", "reason": "look"}]},
    )
    assert stopped.ended["r1"] == Ended("FAILED", None, "FailoverStopped", "look")
    stale = run("failover", {"target": "p", "epoch": 4}, {"StepFailover": [Fails("StaleGeneration")]})
    assert stale.ended["r1"].output == {"target": "p", "epoch": 4}


def drill(*verdicts: dict[str, Any]) -> Summary:
    moves = iter([NOT_YET, *verdicts])
    step = {"list": lambda: ["orders", "users"], "begin": dict, "move": lambda: next(moves)}
    # Each engine goes through the answers once.
    answers = [step[do]() for do in ("list", "begin", "move", "move", "begin", "move")]
    return run("drill", {}, {"StepDrill": answers}, name="d")


def test_a_drill_goes_through_the_databases_one_by_one() -> None:
    passed = [
        {"done": True, "id": f"d-{name}", "outcome": "passed", "reason": ""} for name in ("orders", "users")
    ]
    done = drill(*passed)
    assert done.ended["d"].status == "SUCCEEDED"
    assert [payload.get("id") for _, payload in done.calls] == [
        None,
        "d-orders",
        "d-orders",
        "d-orders",
        "d-users",
        "d-users",
    ]
    assert done.calls[1][1]["requested_by"] == "schedule"
    lost = {"done": True, "id": "d-users", "outcome": "failed", "reason": "empty"}
    assert drill(passed[0], lost).ended["d"] == Ended("FAILED", None, "BackupUnusable", "d-users: empty")
