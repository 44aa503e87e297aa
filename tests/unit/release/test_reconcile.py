"""Reconciling: what is found in which situation, and that a healthy world is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from candlefish.errors import Quarantined, ServiceBusy, Unavailable
from candlefish.ports import Execution
from candlefish.release.reconcile_traffic import in_turn
from candlefish.release.traffic_repairs import OVERDUE, WATCH_STARTS, Repair
from candlefish.service.model import RecordMark, all_to
from candlefish.service.record import ServiceRecord, intend_weight
from candlefish.signals.sources import from_event
from candlefish.traffic.ports import RuleTags, TargetHealth
from tests.support.release_world import WRITERS_LIVE, World, look_at_traffic, roll_back
from tests.support.service import V1, V2, fresh, released, take
from tests.support.traffic import FakeRules


def ends(world: World, arn: str, status: str) -> None:
    world.executions.known[arn] = Execution(arn, status)  # type: ignore[arg-type]


def kinds(found: list[Repair]) -> list[str]:
    return [finding.kind for finding in found]


def test_a_healthy_world_is_left_alone(world: World) -> None:
    assert look_at_traffic(world) == []
    world.begin()
    assert look_at_traffic(world) == []


def test_whom_there_is_no_time_for_is_the_next_looks(world: World) -> None:
    """It ends before it is stopped: who was cut off in the middle of a write would be a writer that nobody waits for."""
    record = world.record
    world.rules.weights[record.rule] = dict.fromkeys(record.weights_by_target_group(), 50)
    found = look_at_traffic(world, left=lambda: 1.0)
    assert kinds(found) == ["cannot_tell"]
    assert "no time left" in found[0].reason
    assert kinds(look_at_traffic(world, left=lambda: 19.0)) == ["repair_drift"]


def test_nobody_is_always_the_last() -> None:
    services = [fresh(name) for name in ("api", "website", "worker", "auth")]
    last = {in_turn(services, minute * 60.0)[-1].service for minute in range(60)}
    assert last == {"api", "website", "worker", "auth"}


def test_drift_is_repaired_and_named_by_slot(world: World) -> None:
    record = world.record
    world.rules.weights[record.rule] = {
        record.slots["blue"].target_group: 100,
        record.slots["green"].target_group: 0,
    }
    found = look_at_traffic(world)
    assert kinds(found) == ["repair_drift"]
    assert found[0].reason == "the rule has blue 100%, green 0%, the record wants blue 0%, green 100%"
    assert world.rules.weights[record.rule] == record.weights_by_target_group()
    assert look_at_traffic(world) == []


def test_a_record_that_cannot_be_read_is_told_of_and_keeps_nobody_from_the_others(world: World) -> None:
    record = world.record
    world.records.unreadable["a-broken-one"] = "its record cannot be read"
    world.rules.weights[record.rule] = {
        record.slots["blue"].target_group: 100,
        record.slots["green"].target_group: 0,
    }
    found = look_at_traffic(world)
    assert [(each.service, each.kind) for each in found] == [
        ("a-broken-one", "cannot_tell"),
        ("backend-api", "repair_drift"),
    ]
    assert world.rules.weights[record.rule] == record.weights_by_target_group()


LOGIN = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {"Issuer": "https://id.example", "ClientId": "shop"},
}


def summaries(world: World) -> list[str]:
    told = [detail["summary"] for kind, detail in world.journal.bus.published if kind == "finding"]
    world.journal.bus.published.clear()
    return told


def test_a_login_that_comes_or_goes_is_told_once_and_left(world: World) -> None:
    rule = world.record.rule
    assert look_at_traffic(world) == [] and summaries(world) == []
    world.rules.logins[rule] = [LOGIN]
    assert look_at_traffic(world) == []
    (told,) = summaries(world)
    assert "new: authenticate-oidc https://id.example shop" in told
    assert look_at_traffic(world) == [] and summaries(world) == [], "it is known now"
    del world.rules.logins[rule]
    look_at_traffic(world)
    (told,) = summaries(world)
    assert "gone: authenticate-oidc https://id.example shop" in told
    assert "write" not in world.rules.calls


def test_a_rule_that_takes_a_part_in_front_is_told_once(world: World) -> None:
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/old/*"]}}
    world.rules.others = [{"RuleArn": "arn:theirs", "Priority": "0", "Conditions": [path], "Actions": []}]
    look_at_traffic(world)
    (told,) = summaries(world)
    assert "rule arn:theirs (priority 0) takes part of the traffic (by path-pattern /old/*)" in told
    look_at_traffic(world)
    assert summaries(world) == []


def test_a_rule_that_takes_everything_in_front_is_told_for_as_long_as_it_is_there(world: World) -> None:
    """Weights agree and smoke tests are green, and no user reaches the service."""
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.EXAMPLE"]}}
    world.rules.others = [{"RuleArn": "arn:theirs", "Priority": "0", "Conditions": [host], "Actions": []}]
    for _ in range(3):
        look_at_traffic(world)
        assert any("arn:theirs (priority 0) takes the whole traffic" in each for each in summaries(world))
    world.rules.others = []
    look_at_traffic(world)
    assert ["gone" in each for each in summaries(world)] == [True]


def test_of_a_record_that_cannot_be_read_people_hear_once_an_hour(world: World) -> None:
    """The reconciler looks every minute; the guard takes what has the same start for the same firing."""
    world.records.unreadable["a-broken-one"] = "its record cannot be read"
    told: list[Any] = []
    for _ in range(120):
        look_at_traffic(world)
        told += [detail for kind, detail in world.journal.bus.published if kind == "finding"]
        world.journal.bus.published.clear()
        world.clock.forward(60)
    alerts = [
        from_event({"detail-type": "finding", "time": "2026-11-29T10:00:00Z", "detail": d}, 0.0) for d in told
    ]
    firings = {(a.alerts[0].fingerprint, a.alerts[0].started_at) for a in alerts}
    assert len(told) == 120
    assert len(firings) in (2, 3)
    assert alerts[0].alerts[0].labels["service"] == "a-broken-one"
    assert "neither released nor rolled back" in alerts[0].alerts[0].summary


def test_what_is_shifted_while_it_looks_is_no_drift(world: World) -> None:
    """A weight that a release or a rollback gave between its reads of the record and of the rule."""
    world.begin()
    looked = world.record

    class Shifted(FakeRules):
        def read(self, rule: str) -> dict[str, int]:
            newest = world.records.get(looked.service)
            if newest.desired == looked.desired:
                weights = {"blue": 50, "green": 50}
                newest = world.records.update(
                    looked.service, lambda r: msgspec.structs.replace(r, desired=weights)
                )
                self.weights[rule] = newest.weights_by_target_group()
            return super().read(rule)

    world.rules = Shifted(looked)
    look_at_traffic(world)
    assert "write" not in world.rules.calls
    assert "drift_repaired" not in world.journal.kinds("r2")


def told(world: World) -> list[str]:
    """The names of the findings that people were told of."""
    return [detail["name"] for kind, detail in world.journal.bus.published if kind == "finding"]


def drifted(world: World) -> dict[str, int]:
    """All weight is on blue, the record wants it on green; the weights."""
    slots = world.record.slots
    world.rules.weights[world.record.rule] = {
        slots["blue"].target_group: 100,
        slots["green"].target_group: 0,
    }
    return dict(world.rules.weights[world.record.rule])


def test_drift_towards_a_slot_without_targets_stays_and_a_person_is_told(world: World) -> None:
    """`data_loss.py`, section 2."""
    live = drifted(world)
    world.rules.targets[world.record.slots["green"].target_group] = TargetHealth()
    found = look_at_traffic(world)
    assert kinds(found) == ["repair_refused"]
    assert "has no healthy target" in found[0].reason and "slot blue has 100" in found[0].reason
    assert world.rules.weights[world.record.rule] == live
    assert told(world) == ["drift-not-repaired"]
    assert "drift_repaired" not in world.journal.kinds("r1")
    world.rules.targets[world.record.slots["green"].target_group] = TargetHealth(healthy=1)
    assert kinds(look_at_traffic(world)) == ["repair_drift"]


def test_a_record_older_than_its_rule_is_put_into_quarantine(world: World) -> None:
    """`data_loss.py`, section 1: the table is an hour back; its release ended long ago, green has no Pods."""
    old = released(fresh(), "r1", V1, window=0)
    old = intend_weight(take(old, "r2", V2), generation=old.generation + 1, slot="blue", weight=10)
    world.records.stored["backend-api"] = old
    world.rules.stamp(old.rule, RecordMark(old.revision + 1, old.generation))
    live = drifted(world)
    world.rules.targets[old.slots["green"].target_group] = TargetHealth()
    ends(world, "arn:release:r2", "SUCCEEDED")
    world.clock.forward(7200)
    for _ in range(2):
        found = look_at_traffic(world)
        assert kinds(found) == ["quarantine"]
        assert "candlefish records rebuild backend-api -e production" in found[0].reason
        assert world.rules.weights[old.rule] == live
        assert world.executions.started == []
    assert world.record.quarantine
    assert set(told(world)) == {"record-older-than-world"}
    for act in (lambda: world.begin("r3"), lambda: roll_back(world)):
        with pytest.raises(Quarantined, match="candlefish records verify backend-api"):
            act()
    assert world.rules.calls.count("write") == 0


def test_a_service_that_is_taken_over_while_it_looks_is_not_put_into_quarantine(world: World) -> None:
    class Overtaken(FakeRules):
        def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
            world.begin("r2")
            self.stamp(world.record.rule, world.record.mark)
            return super().tags(rules)

    world.rules = Overtaken(world.record)
    assert look_at_traffic(world) == []
    assert world.record.quarantine is None


def test_a_tag_that_is_missing_or_older_is_written(world: World) -> None:
    assert look_at_traffic(world) == []
    assert world.rules.marks[world.record.rule] == world.record.mark
    world.begin("r2")
    look_at_traffic(world)
    assert world.rules.marks[world.record.rule] == world.record.mark


def test_while_the_tags_cannot_be_read_nothing_is_put_right(world: World) -> None:
    class Untagged(FakeRules):
        def tags(self, rules: Sequence[str]) -> dict[str, RuleTags]:
            raise Unavailable("ELBv2 did not answer")

    world.rules = Untagged(world.record)
    live = drifted(world)
    assert kinds(look_at_traffic(world)) == ["cannot_tell"]
    assert world.rules.weights[world.record.rule] == live


def test_a_rule_without_a_record_is_told_and_left_alone(world: World) -> None:
    live = drifted(world)
    rule = world.record.rule
    world.records.stored.clear()
    found = look_at_traffic(world)
    assert [(f.service, f.kind) for f in found] == [("backend-api", "record_missing")]
    assert told(world) == ["record-missing"]
    assert world.rules.weights[rule] == live and "write" not in world.rules.calls


def test_a_record_that_cannot_be_read_is_not_missing(world: World) -> None:
    world.records.unreadable["backend-api"] = "its schema is newer"
    assert kinds(look_at_traffic(world)) == ["cannot_tell"]
    assert told(world) == ["record-unreadable"]


def test_while_automation_is_off_it_tells_what_it_would_do(world: World) -> None:
    live = drifted(world)
    world.switchboard.tag = "off"
    found = look_at_traffic(world)
    assert kinds(found) == ["left_alone"]
    assert "the record wants" in found[0].reason and "candlefish automation on" in found[0].reason
    assert told(world) == ["automation-off"]
    assert world.rules.weights[world.record.rule] == live
    assert world.rules.marks == {}
    world.switchboard.tag = "on"
    assert kinds(look_at_traffic(world)) == ["repair_drift"]


def test_a_switch_that_cannot_be_read_is_off(world: World) -> None:
    live = drifted(world)
    world.switchboard.broken = True
    assert kinds(look_at_traffic(world)) == ["left_alone"]
    assert world.rules.weights[world.record.rule] == live


def test_a_dead_release_waits_while_automation_is_off_and_people_may_take_it_back(world: World) -> None:
    world.begin()
    ends(world, "arn:release:r2", "FAILED")
    world.switchboard.tag = "off"
    assert kinds(look_at_traffic(world)) == ["left_alone"]
    assert [m for m, _, _ in world.executions.started].count("rollback") == 0
    assert roll_back(world).release == "r2"


def test_a_rule_that_cannot_be_read_is_unknown_and_not_written(world: World) -> None:
    class Down(FakeRules):
        def listed(self, listener: str) -> list[dict[str, Any]]:
            raise Unavailable("ELBv2 did not answer")

    world.rules = Down(world.record)
    assert kinds(look_at_traffic(world)) == ["cannot_tell"]
    assert "write" not in world.rules.calls


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
def test_a_release_whose_execution_died_is_rolled_back_once(world: World, status: str) -> None:
    world.begin()
    ends(world, "arn:release:r2", status)
    assert kinds(look_at_traffic(world)) == ["roll_back"]
    look_at_traffic(world)
    assert [m for m, _, _ in world.executions.started].count("rollback") == 1
    assert world.journal.kinds("r2").count("roll_back") == 1


def test_a_rollback_that_could_not_even_begin_is_started_again_the_next_minute(world: World) -> None:
    world.begin()
    ends(world, "arn:release:r2", "FAILED")
    look_at_traffic(world)
    world.clock.forward(60)
    look_at_traffic(world)
    assert [m for m, _, _ in world.executions.started].count("rollback") == 2


def test_a_release_whose_state_is_unknown_is_left_alone_until_its_lease_runs_out(world: World) -> None:
    world.begin()
    world.executions.known.clear()
    assert look_at_traffic(world) == []
    world.clock.forward(86400)
    assert kinds(look_at_traffic(world)) == ["roll_back"]


def test_a_rollback_that_died_is_taken_up_again_at_most_once_a_minute(world: World) -> None:
    world.begin()
    roll_back(world)
    ends(world, "arn:rollback:rb", "RUNNING")
    assert look_at_traffic(world) == []
    ends(world, "arn:rollback:rb", "FAILED")
    world.clock.forward(61)
    look_at_traffic(world)
    look_at_traffic(world)
    assert len([m for m, _, _ in world.executions.started if m == "rollback"]) == 1
    world.clock.forward(60)
    look_at_traffic(world)
    assert len([m for m, _, _ in world.executions.started if m == "rollback"]) == 2


def promoted(world: World) -> ServiceRecord:
    record = released(world.record, "r2", V2, now=world.clock.at, window=3600)
    world.records.stored["backend-api"] = record
    world.rules.weights[record.rule] = record.weights_by_target_group()
    return record


def test_a_window_that_nobody_watches_gets_a_watch(world: World) -> None:
    record = promoted(world)
    world.executions.start("watch", record.watcher, {})
    assert look_at_traffic(world) == []
    ends(world, f"arn:watch:{record.watcher}", "TIMED_OUT")
    found = look_at_traffic(world)
    assert kinds(found) == ["resume_watch"]
    assert world.record.watcher == found[0].name
    assert look_at_traffic(world) == [], "the new watch is running"


def test_a_release_that_was_just_promoted_has_time_to_start_its_watch(world: World) -> None:
    record = promoted(world)
    world.clock.forward(WATCH_STARTS - 1)
    assert look_at_traffic(world) == [], "its machine is about to start one, and two would watch"
    world.clock.forward(1)
    assert kinds(look_at_traffic(world)) == ["resume_watch"]
    assert world.record.watcher != record.watcher


def test_a_predecessor_that_outlived_its_window_is_retired(world: World) -> None:
    promoted(world)
    world.executions.start("watch", "r2-watch", {})
    world.clock.forward(3600 + 1801)
    assert kinds(look_at_traffic(world)) == ["resume_watch"]


def test_nothing_is_started_for_a_slot_without_capacity(world: World) -> None:
    record = promoted(world)
    empty = msgspec.structs.replace(record.slots["green"], running=False, state="empty")
    world.records.stored["backend-api"] = msgspec.structs.replace(
        record, slots={**record.slots, "green": empty}
    )
    assert look_at_traffic(world) == []
    assert world.record.desired == all_to("blue")


def test_one_service_that_cannot_be_helped_does_not_keep_the_others_waiting(world: World) -> None:
    other_record = released(fresh("website"), "w1", V2, window=0)
    world.records.stored["website"] = msgspec.structs.replace(other_record, window_until=0.0)
    drifted = dict.fromkeys(other_record.weights_by_target_group(), 50)

    world.rules = FakeRules(world.record, other_record)
    del world.rules.weights[world.record.rule]
    world.rules.weights[other_record.rule] = drifted
    found = look_at_traffic(world)
    assert sorted((f.service, f.kind) for f in found) == [
        ("backend-api", "cannot_tell"),
        ("website", "repair_drift"),
    ]
    assert world.rules.weights[other_record.rule] == other_record.weights_by_target_group()


def refused(world: World) -> None:
    """A release that another one keeps from its service."""
    world.begin("r2")
    with pytest.raises(ServiceBusy):
        world.begin("r3")


def test_a_refusal_that_could_not_be_written_is_told_when_its_execution_has_died(world: World) -> None:
    """Found by the simulator: the table failed as often as Step Functions tried."""
    refused(world)
    world.journal.timeline["r3"].clear()
    look_at_traffic(world, died="r3")
    assert world.journal.published[-1] == ("r3", "refused")
    assert world.journal.kinds("r3") == ["refused"]


def test_a_refusal_is_told_once(world: World) -> None:
    refused(world)
    told = list(world.journal.published)
    look_at_traffic(world, died="r3")
    assert world.journal.published == told


def test_the_end_of_a_release_that_had_its_service_is_its_rollbacks(world: World) -> None:
    world.begin("r2")
    look_at_traffic(world, died="r2")
    look_at_traffic(world, died="a-watch-or-a-rollback")
    assert world.journal.kinds("r2") == ["started"]


def test_what_cannot_be_told_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(world)

    def down(release: str) -> None:
        raise Unavailable("the table did not answer")

    monkeypatch.setattr(world.journal.store, "read", down)
    with pytest.raises(Unavailable):
        look_at_traffic(world, died="r3")


def test_a_rollback_that_lasts_is_told_with_what_to_look_at(world: World) -> None:
    world.begin()
    roll_back(world)
    begun = world.record.rollback.at  # type: ignore[union-attr]
    world.clock.at = begun + OVERDUE - 1
    look_at_traffic(world)
    assert overdue_told(world) == []
    world.clock.at = begun + OVERDUE + 300
    look_at_traffic(world)
    look_at_traffic(world)
    first, again = overdue_told(world)
    # The same firing: the guard tells it once an hour.
    assert first["started_at"] == again["started_at"]
    assert "has not finished for 15 minutes" in first["summary"]
    assert "candlefish status" in first["summary"]


def overdue_told(world: World) -> list[Any]:
    told = [detail for kind, detail in world.journal.bus.published if kind == "finding"]
    return [detail for detail in told if detail["name"] == "rollback-overdue"]


def test_what_goes_on_failing_is_started_again_more_rarely(world: World) -> None:
    """A rollback that cannot end: every minute at first, then every ten, then every hour."""
    world.begin()
    roll_back(world)
    at = world.record.generation_at
    names: set[str] = set()
    starts: list[float] = []
    for minute in range(2, 60 * 10):
        world.clock.at = at + 60 * minute
        for execution in world.executions.known:
            world.executions.known[execution] = Execution(execution, "FAILED")
        world.executions.known["arn:rollback:rb"] = Execution("arn:rollback:rb", "FAILED")
        look_at_traffic(world)
        new = {name for machine, name, _ in world.executions.started if machine == "rollback"} - names
        names |= new
        starts += [float(minute)] * len(new)
    assert [sum(a <= each < b for each in starts) for a, b in ((2, 10), (10, 360), (360, 600))] == [8, 35, 4]


def test_a_slot_whose_retirement_was_begun_needs_no_watch(world: World) -> None:
    """The cluster's reconciler takes its Pods, and says so when it cannot."""
    record = released(world.record, "r2", V2, now=world.clock.at, window=0)
    green = msgspec.structs.replace(record.slots["green"], retiring=True)
    world.records.stored["backend-api"] = msgspec.structs.replace(
        record, slots={**record.slots, "green": green}
    )
    world.clock.forward(4000)
    world.rules.weights[record.rule] = record.weights_by_target_group()
    assert look_at_traffic(world) == []


def turned(world: World, blue: int) -> None:
    """Somebody, or a write of ours, gave blue so much of the traffic."""
    slots = world.record.slots
    world.rules.weights[world.record.rule] = {
        slots["blue"].target_group: blue,
        slots["green"].target_group: 100 - blue,
    }


def intends(world: World, weight: int) -> None:
    """The release that has the service writes down a weight for blue, and has not written the rule yet."""
    change = partial(
        intend_weight, generation=world.record.generation, slot="blue", weight=weight, now=world.clock()
    )
    world.records.update("backend-api", change)


def test_a_shift_between_its_intention_and_its_rule_accuses_nobody(world: World) -> None:
    """Finding 20: the record says 10, the rule nothing yet, and the reconciler looks in between."""
    world.begin()
    intends(world, 10)
    found = look_at_traffic(world)
    assert kinds(found) == ["shift_completed"]
    assert world.rules.weights[world.record.rule] == world.record.weights_by_target_group()
    assert "shift_completed" in world.journal.kinds("r2")
    assert "drift_repaired" not in world.journal.kinds("r2")
    assert "release.drift_repaired" not in [kind for kind, _ in world.journal.bus.published]


def test_a_write_of_before_that_comes_late_accuses_nobody(world: World) -> None:
    """A shift to 10 hangs; the next one has long written 50 when it lands. Its writer may live so long."""
    world.begin()
    intends(world, 50)
    turned(world, 50)
    world.clock.forward(WRITERS_LIVE - 1)
    assert look_at_traffic(world) == []
    turned(world, 10)
    world.clock.forward(1)
    assert kinds(look_at_traffic(world)) == ["shift_completed"], (
        "it landed a second ago, when its writer lived"
    )
    assert look_at_traffic(world) == []
    turned(world, 10)
    assert kinds(look_at_traffic(world)) == ["repair_drift"], "no writer of before lived when it agreed last"
    assert world.journal.kinds("r2").count("drift_repaired") == 1


def test_a_shift_whose_writer_died_accuses_nobody_however_late_it_is_seen(world: World) -> None:
    world.begin()
    intends(world, 10)
    world.clock.forward(600)
    assert kinds(look_at_traffic(world)) == ["shift_completed"]
    assert look_at_traffic(world) == []
    turned(world, 0)
    assert kinds(look_at_traffic(world)) == ["repair_drift"], "it had arrived: this was somebody else"


def test_what_is_intended_while_it_is_repaired_accuses_nobody(world: World) -> None:
    """The record changes between the two reads around the rule."""
    world.begin()
    turned(world, 30)
    looked = world.record

    class Shifting(FakeRules):
        def write(self, rule: str, weights: Any, *more: Any) -> None:
            if world.record.desired == looked.desired:
                intends(world, 50)
            super().write(rule, weights, *more)

    rules = Shifting(looked)
    rules.weights = world.rules.weights
    world.rules = rules
    assert kinds(look_at_traffic(world)) == ["shift_completed"]
    assert world.rules.weights[looked.rule] == world.record.weights_by_target_group()


def test_what_never_arrived_is_nobodys_change_when_it_can_be_written_at_last(world: World) -> None:
    world.begin()
    intends(world, 10)
    world.rules.targets[world.record.slots["blue"].target_group] = TargetHealth()
    found = look_at_traffic(world)
    assert kinds(found) == ["cannot_tell"], "who intended it may be about to see to it"
    world.clock.forward(WRITERS_LIVE)
    assert kinds(look_at_traffic(world)) == ["repair_refused"]
    assert told(world) == ["drift-not-repaired"]
    world.rules.targets[world.record.slots["blue"].target_group] = TargetHealth(healthy=9)
    assert kinds(look_at_traffic(world)) == ["shift_completed"]


def test_that_weights_are_settled_is_written_once_for_each_intention(world: World) -> None:
    """A service at rest is looked at every minute, and costs no write."""
    world.begin()
    for weight in (10, 50):
        intends(world, weight)
        turned(world, weight)
        intended = world.record.revision
        revisions = []
        for _ in range(5):
            world.clock.forward(WRITERS_LIVE)
            look_at_traffic(world)
            revisions.append(world.record.revision)
        assert revisions == [intended + 1] * 5
        assert world.record.settled_revision == world.record.intended_revision
