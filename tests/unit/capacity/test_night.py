"""A night and a morning, with everything that can go wrong on the way."""

from __future__ import annotations

import pytest

from candlefish.capacity.assess import CapacityAct
from candlefish.capacity.kinds import SLEEP_ANNOTATION
from candlefish.capacity.model import CapacitySight, ScheduleOverride, State
from candlefish.capacity.reconcile_capacity import reconcile_capacity
from candlefish.capacity.record import add_override, turn_goal
from candlefish.errors import Unavailable
from lab.nights.simulated_world import Died
from lab.nights.simulation import Simulation
from tests.support.capacity import at, phase, simulation


def asleep_at_ten(sim: Simulation) -> None:
    sim.run(at("2026-11-24 22:00"))


def awake_at_nine(sim: Simulation) -> None:
    sim.run(at("2026-11-25 09:00"))


def test_every_morning_is_exactly_what_the_evening_was() -> None:
    sim = simulation()
    evening = sim.world.picture()
    asleep_at_ten(sim)
    assert phase(sim) == "asleep"
    assert sim.world.picture() != evening
    awake_at_nine(sim)
    assert phase(sim) == "awake"
    assert sim.world.picture() == evening
    assert sim.store.record.saved is None
    assert sim.store.record.notes == {}


def test_asleep_nothing_runs() -> None:
    sim = simulation()
    asleep_at_ten(sim)
    seen = sim.world.observe().things
    running = [key for key, each in seen.items() if not each.empty]
    assert running == []
    assert sim.world.nodegroups["system"]["scalingConfig"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}
    assert sim.world.databases["main"]["status"] == "stopped"


def die_at(sim: Simulation, number: int, *, after: bool) -> None:
    """Let the function die at its n-th act, once."""
    count = 0

    def act(_: CapacityAct) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Died

    setattr(sim.world, "after" if after else "before", act)


@pytest.mark.parametrize("deadly", [False, True], ids=["task retried", "execution killed"])
@pytest.mark.parametrize("after", [False, True], ids=["before the act", "after the act"])
def test_a_crash_at_any_act_changes_nothing_in_the_end(after: bool, deadly: bool) -> None:
    plain = simulation()
    evening = plain.world.picture()
    awake_at_nine(plain)
    total = len(plain.world.acts)
    assert total > 30
    # A third of the acts each, so that all four together die at every act.
    for number in range(1 + (2 * after + deadly) % 3, total + 1, 3):
        sim = simulation()
        sim.deadly = deadly
        die_at(sim, number, after=after)
        asleep_at_ten(sim)
        assert phase(sim) == "asleep", number
        awake_at_nine(sim)
        assert phase(sim) == "awake", number
        assert sim.world.picture() == evening, number


def test_a_nodegroup_that_fails_once_does_not_matter() -> None:
    sim = simulation()
    evening = sim.world.picture()
    sim.world.failing["system"] = 1
    asleep_at_ten(sim)
    assert sim.world.nodegroups["system"]["nodes"] == 0
    sim.world.failing["spot"] = 2
    awake_at_nine(sim)
    assert sim.world.picture() == evening


def test_a_nodegroup_that_will_not_wake_is_told_and_tried_until_it_does() -> None:
    sim = simulation()
    evening = sim.world.picture()
    asleep_at_ten(sim)
    sim.world.failing["system"] = 12
    sim.run(at("2026-11-25 07:40"))
    assert phase(sim) == "waking"
    assert sim.store.record.saved is not None
    assert "capacity.incomplete" in sim.events.kinds()
    told = next(d for k, d in sim.events.published if k == "capacity.incomplete")
    assert any("Nodegroup/system" in line and "no capacity" in line for line in told["undone"])
    sim.run(at("2026-11-25 11:00"))
    assert phase(sim) == "awake"
    assert sim.world.picture() == evening


def test_a_nodegroup_that_will_not_sleep_is_tried_again_and_the_rest_sleeps() -> None:
    sim = simulation()
    sim.world.failing["system"] = 4
    sim.run(at("2026-11-24 20:25"))
    assert phase(sim) == "asleep"
    assert sim.store.record.notes["Nodegroup/system"].why == "resisted"
    assert sim.world.nodegroups["spot"]["nodes"] == 0
    sim.run(at("2026-11-24 23:00"))
    assert sim.world.nodegroups["system"]["nodes"] == 0
    assert sim.store.record.notes == {}


def test_turning_round_half_way_down_brings_everything_back() -> None:
    sim = simulation()
    evening = sim.world.picture()
    sim.run(at("2026-11-24 20:02"))
    assert phase(sim) == "going_down"
    override(sim, "awake", at("2026-11-24 23:00"))
    sim.look()
    sim.run(at("2026-11-24 21:00"))
    assert phase(sim) == "awake"
    assert sim.world.picture() == evening


def test_turning_round_half_way_up_keeps_the_evenings_originals() -> None:
    sim = simulation()
    evening = sim.world.picture()
    asleep_at_ten(sim)
    override(sim, "awake", at("2026-11-24 23:30"))
    sim.run(at("2026-11-24 22:08"))
    assert phase(sim) == "waking"
    saved = sim.store.record.saved
    override(sim, "asleep", at("2026-11-25 06:00"))
    sim.run(at("2026-11-24 23:00"))
    assert phase(sim) == "asleep"
    assert sim.store.record.saved == saved
    awake_at_nine(sim)
    assert sim.world.picture() == evening


def test_schedules_delivered_twice_late_and_out_of_order_end_the_same() -> None:
    plain = simulation()
    awake_at_nine(plain)
    sim = simulation()
    asleep_at_ten(sim)
    for _ in range(5):
        sim.look()
    # The 20:00 event arrives at 09:00, thirteen hours late, and so does every other.
    awake_at_nine(sim)
    for _ in range(5):
        assert sim.look().action == "none"
    sim.run(at("2026-11-25 10:00"))
    assert sim.world.picture() == plain.world.picture()
    assert len(sim.executions.started) == len(plain.executions.started) == 2


def test_a_night_in_which_no_schedule_fires_is_caught_up_with_later() -> None:
    sim = simulation()
    evening = sim.world.picture()
    sim.clock.at = at("2026-11-25 03:00")
    sim.next_look = sim.clock.at
    sim.run(at("2026-11-25 04:00"))
    assert phase(sim) == "asleep"
    sim.clock.at = at("2026-11-25 13:00")
    sim.next_look = sim.clock.at
    sim.run(at("2026-11-25 14:00"))
    assert sim.world.picture() == evening


def test_a_morning_does_not_wait_for_a_cluster_that_does_not_answer() -> None:
    sim = simulation()
    asleep_at_ten(sim)
    sim.clock.at = at("2026-11-25 07:00")

    def silent() -> CapacitySight:
        raise Unavailable("the cluster's API did not answer")

    observe, sim.world.observe = sim.world.observe, silent  # type: ignore[method-assign]
    assert sim.look().action == "wake"
    sim.run(at("2026-11-25 07:10"))
    assert phase(sim) == "waking"
    sim.world.observe = observe  # type: ignore[method-assign]
    awake_at_nine(sim)
    assert phase(sim) == "awake"


def test_a_step_that_was_started_for_an_older_goal_serves_the_newest() -> None:
    sim = simulation()
    evening = sim.world.picture()
    asleep_at_ten(sim)
    old = sim.executions.started[0][1]
    sim.run(at("2026-11-25 07:01"))
    # The evening's machine comes back from the dead in the middle of the morning.
    sim.executions.status_of[f"arn:capacity:{old}"] = "RUNNING"
    sim.executions.due[f"arn:capacity:{old}"] = sim.clock.at
    awake_at_nine(sim)
    assert sim.world.picture() == evening


def test_a_writer_of_the_old_goal_that_acts_late_is_put_right() -> None:
    sim = simulation()
    evening = sim.world.picture()
    asleep_at_ten(sim)
    sim.run(at("2026-11-25 07:01"))
    late = CapacityAct("Nodegroup/spot", {"minSize": 0, "desiredSize": 0, "maxSize": 1})
    sim.clock.at += 50
    while True:
        try:
            sim.world.apply(late)
            break
        except Unavailable:
            sim.clock.at += 10
    awake_at_nine(sim)
    assert sim.world.picture() == evening


def test_who_is_woken_while_it_looks_has_changed_nothing() -> None:
    """The record is read, the environment is woken, and then the world is looked at: all of it is up."""
    sim = simulation()
    asleep_at_ten(sim)
    observe, store = sim.world.observe, sim.store

    def woken() -> CapacitySight:
        store.update(lambda r: turn_goal(r, "awake", reason="an incident", by="alice", now=sim.clock.at))
        sim.world.edit("StatefulSet/staging/queue", {"spec": {"replicas": 1}}, by="candlefish")
        return observe()

    sim.world.observe = woken  # type: ignore[method-assign]
    sim.look()
    assert changes(sim) == {}
    assert sim.store.record.notes == {}


def test_what_somebody_changes_at_night_is_told_and_left_alone() -> None:
    sim = simulation()
    asleep_at_ten(sim)
    sim.world.edit("Deployment/staging/api-blue", {"spec": {"replicas": 7}}, by="kubectl-scale")
    sim.world.edit("StatefulSet/staging/queue", {"spec": {"replicas": 1}}, by="alice")
    sim.run(at("2026-11-24 23:00"))
    told = changes(sim)
    assert set(told) == {"Deployment/staging/api-blue", "StatefulSet/staging/queue"}
    assert "replicas 1" in told["StatefulSet/staging/queue"]["reason"]
    assert "alice" in told["StatefulSet/staging/queue"]["reason"]
    assert sim.events.kinds().count("capacity.changed") == 1
    awake_at_nine(sim)
    objects = sim.world.objects
    assert objects["StatefulSet"]["staging/queue"]["spec"]["replicas"] == 1
    assert objects["Deployment"]["staging/api-blue"]["spec"]["replicas"] == 7
    assert objects["Deployment"]["staging/website-blue"]["spec"]["replicas"] == 1
    assert "it was replicas 3 before" in changes(sim)["StatefulSet/staging/queue"]["reason"]


def test_a_database_started_by_hand_stays_but_one_started_by_aws_is_stopped_again() -> None:
    sim = simulation()
    del sim.world.databases["scratch"]
    override(sim, "asleep", at("2026-12-10 20:00"))
    evening = sim.world.picture()
    asleep_at_ten(sim)
    sim.run(at("2026-12-01 21:00"))
    assert sim.world.databases["main"]["status"] == "stopped"
    assert sim.world.databases["main"]["since"] > at("2026-12-01 19:00")
    assert changes(sim) == {}
    sim.run(at("2026-12-03 12:00"))
    sim.world.apply(CapacityAct("Database/main", {"status": "available"}))
    sim.run(at("2026-12-03 14:00"))
    assert sim.world.databases["main"]["status"] == "available"
    assert list(changes(sim)) == ["Database/main"]
    sim.run(at("2026-12-11 12:00"))
    assert sim.world.picture() == evening


def test_a_gitops_controller_that_fights_back_is_named_and_not_fought_for_ever() -> None:
    sim = simulation()
    thing = sim.world.objects["Deployment"]["staging/admin-blue"]
    thing["metadata"]["annotations"] = {
        "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:staging/admin-blue"
    }
    sim.world.applications.append(
        {"metadata": {"name": "shop"}, "spec": {"syncPolicy": {"automated": {"selfHeal": True}}}}
    )
    sim.world.healed["Deployment/staging/admin-blue"] = 5
    evening = sim.world.picture()
    asleep_at_ten(sim)
    assert phase(sim) == "asleep"
    note = sim.store.record.notes["Deployment/staging/admin-blue"]
    assert note.why == "resisted"
    assert "argocd-application-controller" in note.detail
    assert "Argo CD: shop" in note.detail
    asleep = next(d for k, d in sim.events.published if k == "capacity.asleep")
    assert any("shop heals itself" in warning for warning in asleep["warnings"])
    tries = [act for act in sim.world.acts if act.key == "Deployment/staging/admin-blue"]
    assert len(tries) == 3
    awake_at_nine(sim)
    assert sim.world.picture() == evening


def test_a_retry_for_a_nodegroup_does_not_fight_a_gitops_controller_again() -> None:
    sim = simulation()
    sim.world.healed["Deployment/staging/admin-blue"] = 5
    sim.world.failing["system"] = 4
    sim.run(at("2026-11-24 23:30"))
    assert sim.world.nodegroups["system"]["nodes"] == 0
    assert len([act for act in sim.world.acts if act.key == "Deployment/staging/admin-blue"]) == 3


def test_what_is_deleted_at_night_is_told_and_does_not_stop_the_morning() -> None:
    sim = simulation()
    asleep_at_ten(sim)
    del sim.world.objects["Deployment"]["staging/admin-blue"]
    awake_at_nine(sim)
    assert phase(sim) == "awake"
    assert changes(sim)["Deployment/staging/admin-blue"]["what"] == "missing"


def test_an_annotated_workload_stays_awake_with_the_nodes_it_needs() -> None:
    sim = simulation()
    website = sim.world.objects["Deployment"]["staging/website-blue"]
    website["metadata"]["annotations"] = {SLEEP_ANNOTATION: "never"}
    asleep_at_ten(sim)
    assert website["spec"]["replicas"] == 1
    assert sim.world.nodegroups["system"]["nodes"] == 3
    assert sim.world.nodegroups["spot"]["nodes"] == 0
    asleep = next(d for k, d in sim.events.published if k == "capacity.asleep")
    assert asleep["left_alone"]["Deployment/staging/website-blue"] == "annotated candlefish.ai/sleep: never"
    assert asleep["left_alone"]["Nodegroup/system"] == "runs website-blue, which stays awake"


def test_a_workload_annotated_while_asleep_wakes_like_the_others() -> None:
    sim = simulation()
    asleep_at_ten(sim)
    sim.world.edit("Deployment/staging/api-blue", {"metadata": {"annotations": {SLEEP_ANNOTATION: "never"}}})
    awake_at_nine(sim)
    assert sim.world.objects["Deployment"]["staging/api-blue"]["spec"]["replicas"] == 2


def test_a_dry_run_says_what_it_would_do_and_does_nothing() -> None:
    sim = simulation("2026-11-24 21:00")
    evening = sim.world.picture()
    decision = reconcile_capacity("staging", dry_run=True, switchboard=sim.switchboard, **sim.ports)
    assert decision.action == "sleep"
    assert sim.world.picture() == evening
    assert sim.store.writes == 0
    assert sim.executions.started == []


def test_nothing_goes_to_sleep_by_itself_while_automation_is_off() -> None:
    sim = simulation("2026-11-24 21:00")
    sim.switchboard.tag = "off"
    decision = sim.look()
    assert decision.action == "none" and "candlefish automation on" in decision.reason
    sim.switchboard.broken = True
    decision = sim.look()
    assert decision.action == "none" and "could not be read" in decision.reason
    sim.switchboard.tag, sim.switchboard.broken = "on", False
    assert sim.look().action == "sleep"


def test_what_has_begun_is_finished_while_automation_is_off() -> None:
    sim = simulation("2026-11-24 21:00")
    sim.look()
    sim.switchboard.tag = "off"
    sim.run(sim.clock.at + 3600)
    assert sim.store.record.phase == "asleep"


def changes(sim: Simulation) -> dict[str, dict[str, str]]:
    """What was told to have changed, the newest word about each thing."""
    told: dict[str, dict[str, str]] = {}
    for kind, detail in sim.events.published:
        if kind == "capacity.changed":
            told |= detail["things"]
    return told


def override(sim: Simulation, state: State, until: float) -> None:
    """Somebody says otherwise for a while."""
    entry = ScheduleOverride(
        "wake" if state == "awake" else "sleep", since=sim.clock(), until=until, by="alice", reason="a test"
    )
    sim.store.update(lambda r: add_override(r, entry, sim.clock()))
