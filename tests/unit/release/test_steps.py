"""Steps: each acts once, verifies, writes down why, and may be repeated."""

from __future__ import annotations

import msgspec
import pytest

from candlefish.errors import (
    ClusterRefused,
    HookFailed,
    InvalidInput,
    RolloutFailed,
    SmokeTestFailed,
    StaleGeneration,
    TargetsUnhealthy,
    Unavailable,
)
from candlefish.release.deploy_slot import deploy_slot
from candlefish.release.model import HookAnswer, Rollout, Selecting
from candlefish.release.next_step import next_step
from candlefish.release.payloads import NextStepInput, ReleaseContext
from candlefish.release.promote_release import promote_release
from candlefish.release.run_hook import run_hook
from candlefish.release.scale_slot import scale_slot
from candlefish.release.shift_weights import shift_weights
from candlefish.release.smoke_test import smoke_test
from candlefish.service.model import Hold
from candlefish.service.record import add_hold
from candlefish.traffic.ports import TargetHealth
from lab.memory.release import MemoryBundles, MemoryHooks
from tests.support.release_edges import FakeWeb
from tests.support.release_world import World
from tests.support.service import image, rollback


def ask_next(world: World, begun: ReleaseContext, index: int) -> object:
    return next_step(
        NextStepInput(**msgspec.structs.asdict(begun), index=index),
        catalog=world.catalog,
        records=world.records,
        freezes=world.freezes,
        journal=world.journal,
        now=world.clock,
    )


def test_the_interpreter_hands_out_the_plan_and_then_promotes(world: World) -> None:
    begun = world.begin()
    plan = world.journal.read("r2").plan
    handed = []
    index = 0
    while (instruction := ask_next(world, begun, index)).kind != "promote":  # type: ignore[attr-defined]
        handed.append(instruction.step)  # type: ignore[attr-defined]
        index = instruction.index  # type: ignore[attr-defined]
    assert tuple(handed) == plan


def test_the_lease_outlives_the_step_that_is_handed_out(world: World) -> None:
    begun = world.begin()
    approve = next(i for i, step in enumerate(world.journal.read("r2").plan) if step.kind == "approve")
    ask_next(world, begun, approve)
    assert world.record.holder is not None
    assert world.record.holder.until > world.clock.at + world.journal.read("r2").plan[approve].within


def test_a_release_that_was_taken_over_gets_no_further_step(world: World) -> None:
    begun = world.begin()
    world.records.update("backend-api", rollback)
    with pytest.raises(StaleGeneration):
        ask_next(world, begun, 0)


def test_a_hold_keeps_the_release_where_it_is_until_it_is_lifted(world: World) -> None:
    begun = world.begin()
    world.records.update(
        "backend-api", lambda r: add_hold(r, Hold("alarm", "p95 over 2 s", world.clock.at, "signal"))
    )
    instruction = ask_next(world, begun, 3)
    assert instruction.kind == "held"  # type: ignore[attr-defined]
    longest = world.catalog.strategies["canary"].hold_at_most
    assert instruction.wait * 240 == longest, "a hold fits into the history"  # type: ignore[attr-defined]
    assert world.journal.read("r2").status == "held"
    world.clock.forward(1e6)
    ask_next(world, begun, 3)
    assert world.record.holder is not None
    assert world.record.holder.until > world.clock.at, "who is held keeps the service"
    assert world.journal.kinds("r2") == ["started", "held"]
    world.records.update(
        "backend-api", lambda r: type(r)(**{**{f: getattr(r, f) for f in r.__struct_fields__}, "holds": ()})
    )
    assert ask_next(world, begun, 3).index == 4  # type: ignore[attr-defined]
    assert world.journal.kinds("r2") == ["started", "held", "resumed"]


def test_a_hold_that_lasts_too_long_asks_a_person(world: World) -> None:
    begun = world.begin()
    world.records.update(
        "backend-api", lambda r: add_hold(r, Hold("alarm", "p95 over 2 s", world.clock.at, "signal"))
    )
    world.clock.forward(world.catalog.strategies["canary"].hold_at_most + 1)
    instruction = ask_next(world, begun, 3)
    assert instruction.kind == "approve"  # type: ignore[attr-defined]
    assert instruction.index == 3, "the step that was held is still to come"  # type: ignore[attr-defined]


def deploy(world: World, begun: ReleaseContext) -> None:
    deploy_slot(
        world.step(begun, "deploy"),
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        bundles=MemoryBundles(),
        rules=world.rules,
        writers_live=20.0,
        journal=world.journal,
        now=world.clock,
    )


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("restricted", "was applied to slot blue"),
        (
            "",
            "namespace example-prod does not enforce Pod Security: kubectl label namespace example-prod",
        ),
        ("baseline", "does not enforce Pod Security"),
        (None, "could not be read: apply deploy/rbac.yaml"),
    ],
)
def test_deploying_says_that_the_namespace_takes_other_pods(
    world: World, level: str | None, words: str
) -> None:
    world.cluster.next_pod_security = level
    deploy(world, world.begin())
    entry = world.journal.timeline["r2"][-1]
    assert (entry.kind, words in entry.reason) == ("deployed", True)
    assert (level == "restricted") == (";" not in entry.reason)


def test_deploying_gives_no_advice_on_what_a_busy_api_did_not_tell(world: World) -> None:
    def away(namespace: str) -> str | None:
        raise Unavailable("the API does not answer")

    world.cluster.pod_security = away  # type: ignore[method-assign]
    deploy(world, world.begin())
    assert world.journal.timeline["r2"][-1].reason.endswith("was applied to slot blue")


def test_deploying_points_the_smoke_rule_before_it_applies(world: World) -> None:
    deploy(world, world.begin())
    record = world.record
    assert world.rules.weights[record.smoke_rule][record.slots["blue"].target_group] == 100
    assert ("Deployment", "backend-api-blue") in world.cluster.objects
    assert ("Deployment", "backend-api-green") not in world.cluster.objects


def test_ready_needs_pods_and_healthy_targets(world: World) -> None:
    begun = world.begin()
    world.deploy(begun)
    group = world.record.slots["blue"].target_group
    world.rules.targets[group] = TargetHealth(healthy=4, initial=1, reason="Elb.InitialHealthChecking")
    assert not world.look_ready(begun).ready
    world.rules.targets[group] = TargetHealth(healthy=5)
    world.cluster.next_rollout = Rollout(
        status="progressing", reason="4 of 5 Pods are ready", ready=4, desired=5
    )
    assert world.look_ready(begun).reason == "pods: 4 of 5 Pods are ready"
    world.cluster.next_rollout = Rollout(status="ready", reason="all Pods are ready", ready=5, desired=5)
    assert world.look_ready(begun).ready


def ready(world: World) -> ReleaseContext:
    """A release whose slot is as it was deployed, with Pods and targets."""
    begun = world.begin()
    world.deploy(begun)
    world.rules.targets[world.record.slots["blue"].target_group] = TargetHealth(healthy=5)
    return begun


def test_a_slot_that_runs_something_else_is_not_ready_and_is_deployed_again(world: World) -> None:
    """Pods and targets are well: they are another version's, whose deploy came late."""
    begun = ready(world)
    ours = world.cluster.objects["Deployment", "backend-api-blue"]
    late = msgspec.json.decode(msgspec.json.encode(ours))
    late["spec"]["template"]["spec"]["containers"][0]["image"] = image(9)
    late["metadata"]["annotations"] |= {"candlefish.ai/image": image(9), "candlefish.ai/version": "v9"}
    world.cluster.objects["Deployment", "backend-api-blue"] = late
    looked = world.look_ready(begun)
    assert (looked.ready, looked.overwritten) == (False, True)
    assert f"it runs {image(9)} instead of" in looked.reason
    world.deploy(begun)
    assert world.look_ready(begun).ready


def test_a_slot_that_an_older_generation_wrote_last_is_deployed_again(world: World) -> None:
    begun = ready(world)
    ours = world.cluster.objects["Deployment", "backend-api-blue"]
    notes = ours["metadata"]["annotations"] | {"candlefish.ai/generation": str(begun.generation - 1)}
    world.cluster.objects["Deployment", "backend-api-blue"] = {
        **ours,
        "metadata": {**ours["metadata"], "annotations": notes},
    }
    assert world.look_ready(begun).overwritten


def test_a_slot_that_somebody_keeps_on_writing_is_no_evidence_against_the_version(world: World) -> None:
    begun = world.begin()
    with pytest.raises(ClusterRefused, match="it has no Deployment or StatefulSet; find out who writes"):
        world.look_ready(begun, since=world.clock.at - 61)


def test_ready_waits_until_writers_of_earlier_releases_are_dead(world: World) -> None:
    stored = msgspec.structs.replace(world.record, earlier_writers_at=world.clock.at - 20)
    world.records.stored["backend-api"] = stored
    begun = ready(world)
    looked = world.look_ready(begun)
    assert (looked.ready, looked.overwritten) == (False, False)
    assert "may be at work for 40 s more" in looked.reason
    world.clock.forward(40)
    assert world.look_ready(begun).ready


def test_a_service_that_rested_waits_for_nobody(world: World) -> None:
    assert world.look_ready(ready(world)).ready


def test_a_rollout_that_cannot_work_fails_at_once_with_the_clusters_reason(world: World) -> None:
    begun = world.begin()
    world.deploy(begun)
    world.cluster.next_rollout = Rollout(
        status="failed", reason="the image cannot be pulled: not found", ready=0, desired=5
    )
    with pytest.raises(RolloutFailed, match="cannot be pulled"):
        world.look_ready(begun)


def test_targets_that_never_get_healthy_fail_the_release_when_the_time_is_up(world: World) -> None:
    begun = world.begin()
    world.deploy(begun)
    world.rules.targets[world.record.slots["blue"].target_group] = TargetHealth(
        unhealthy=5, reason="404 for /health"
    )
    with pytest.raises(RolloutFailed, match=r"0 of 5 healthy \(404 for /health\)"):
        world.look_ready(begun, since=world.clock.at - 61)


def test_what_others_hold_up_until_the_time_is_up_is_no_evidence_against_the_version(world: World) -> None:
    begun = world.begin()
    world.deploy(begun)
    world.cluster.next_rollout = Rollout(
        status="progressing", reason="partition 2 keeps Pods", ready=0, desired=5, hindered=True
    )
    with pytest.raises(ClusterRefused, match="partition 2 keeps Pods"):
        world.look_ready(begun, since=world.clock.at - 61)


@pytest.mark.parametrize(
    ("serving", "weight", "candidate", "stable"),
    [(5, 10, 5, 5), (20, 10, 5, 20), (20, 50, 10, 20), (20, 100, 20, 20), (25, 99, 25, 25), (0, 100, 5, 5)],
)
def test_capacity_follows_the_traffic(
    world: World, serving: int, weight: int, candidate: int, stable: int
) -> None:
    begun = world.begin()
    world.cluster.runs("backend-api-green", serving)
    world.cluster.runs("backend-api-blue", 1)
    needed = scale_slot(
        world.step(begun, "scale", weight=weight),
        catalog=world.catalog,
        records=world.records,
        cluster=world.cluster,
        journal=world.journal,
        now=world.clock,
    )
    assert needed == candidate
    assert world.cluster.bounds == {"backend-api-blue": (candidate, 25), "backend-api-green": (stable, 25)}


def test_a_shift_that_was_overtaken_says_so(world: World) -> None:
    begun = world.begin()
    took_over = []

    def takes_over() -> None:
        if not took_over:
            took_over.append(True)
            world.records.update("backend-api", rollback)

    world.records.between = takes_over
    with pytest.raises(StaleGeneration):
        shift_weights(
            world.step(begun, "shift", weight=10),
            records=world.records,
            rules=world.rules,
            journal=world.journal,
            now=world.clock,
        )
    assert world.rules.weights[world.record.rule][world.record.slots["blue"].target_group] == 0


def test_a_shift_without_healthy_targets_changes_nothing(world: World) -> None:
    begun = world.begin()
    world.rules.targets[world.record.slots["blue"].target_group] = TargetHealth(healthy=4)
    with pytest.raises(TargetsUnhealthy):
        shift_weights(
            world.step(begun, "shift", weight=10),
            records=world.records,
            rules=world.rules,
            journal=world.journal,
            now=world.clock,
        )
    assert world.journal.kinds("r2") == ["started"]


def do_smoke(world: World, begun: ReleaseContext, web: FakeWeb) -> None:
    """Ask until the answers are right, as the machine does."""
    step = world.step(begun, "smoke", poll=2)
    while not smoke_test(
        step,
        catalog=world.catalog,
        records=world.records,
        rules=world.rules,
        web=web,
        journal=world.journal,
        now=world.clock,
    ).passed:
        world.clock.forward(step.step.poll)


def test_smoke_asks_through_the_header_rule_and_tolerates_a_slow_start(world: World) -> None:
    begun = world.begin()
    web = FakeWeb(503, 503, 200)
    do_smoke(world, begun, web)
    assert web.asked[0] == ("api.example.org", "/health", {"x-candlefish-smoke": "smoke"})


def test_smoke_fails_where_no_user_would_reach_what_it_tests(world: World) -> None:
    """The header rule is in front of the one that somebody put before the users'."""
    begun = world.begin()
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example"]}}
    world.rules.others = [{"RuleArn": "arn:theirs", "Priority": "0", "Conditions": [host], "Actions": []}]
    with pytest.raises(SmokeTestFailed, match=r"arn:theirs \(priority 0\) takes the whole traffic"):
        do_smoke(world, begun, FakeWeb(200))


@pytest.mark.parametrize("status", [500, 404, 0])
def test_smoke_fails_when_the_answer_stays_wrong(world: World, status: int) -> None:
    begun = world.begin()
    with pytest.raises(SmokeTestFailed, match=str(status or "nothing")):
        do_smoke(world, begun, FakeWeb(status))


def test_a_hook_passes_only_with_a_clear_yes(world: World) -> None:
    begun = world.begin()

    def ask(answer: HookAnswer | None) -> None:
        run_hook(
            world.step(begun, "hook", name="migrations", target="candlefish-hook-migrations"),
            records=world.records,
            hooks=MemoryHooks(answer),
            journal=world.journal,
            now=world.clock,
        )

    ask(HookAnswer(True, "schema is compatible"))
    with pytest.raises(HookFailed, match="said no: column is still used"):
        ask(HookAnswer(False, "column is still used"))
    with pytest.raises(HookFailed, match="could not be asked"):
        ask(None)


def test_promotion_opens_the_window_and_starts_the_watch(world: World) -> None:
    begun = world.begin()
    with pytest.raises(InvalidInput, match="not 100%"):
        promote_release(
            begun, records=world.records, rules=world.rules, journal=world.journal, now=world.clock
        )
    shift_weights(
        world.step(begun, "shift", weight=100),
        records=world.records,
        rules=world.rules,
        journal=world.journal,
        now=world.clock,
    )
    watch = promote_release(
        begun, records=world.records, rules=world.rules, journal=world.journal, now=world.clock
    )
    assert (watch.slot, watch.retiring, watch.name) == ("blue", "green", "r2-watch")
    # A record of the moment before would be taken back: it is told apart at once, whoever's turn it is.
    assert world.rules.marks[world.record.rule] == world.record.mark
    assert world.record.window_until == world.clock.at + 3600
    assert world.journal.read("r2").status == "promoted"


def test_a_slot_that_a_live_service_selects_is_refused_before_it_has_pods(world: World) -> None:
    world.cluster.strangers = (
        Selecting("Service", "live", {"matchLabels": {"app.kubernetes.io/name": "backend-api"}}),
    )
    with pytest.raises(ClusterRefused, match="Service live selects the slot's Pods"):
        deploy(world, world.begin())
    assert world.cluster.objects == {}
