"""Rolling back: few calls before the traffic is safe, and capacity goes last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.analysis.model import Arm, Window
from candlefish.bounds import fit_id, message_of
from candlefish.errors import InvalidInput, NothingToRollBack, Throttled, Unavailable
from candlefish.handler import parse
from candlefish.release.drain import is_drained
from candlefish.release.payloads import RollbackStart
from candlefish.release.restore_traffic import restore_traffic
from candlefish.requester import Asked, Requester, digest_of
from candlefish.service.model import RollbackRequest, all_to
from candlefish.service.record import ServiceRecord, clear_remnant, intend_weight
from candlefish.traffic.ports import NOBODYS, Intention, TargetHealth
from tests.support.analysis import FakeWindows
from tests.support.release_world import World, look_at_traffic, roll_back
from tests.support.service import V3, image, released, rollback, take
from tests.support.traffic import FakeRules


def window(start: float, serving: int, leaving: int) -> Window:
    return Window(start, start + 60, Arm(serving), Arm(leaving))


def test_at_most_three_calls_stand_before_the_rule_is_written(world: World) -> None:
    world.begin()
    calls: list[str] = []

    class Counting(FakeRules):
        def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
            calls.append("ModifyRule")
            super().write(rule, weights, intention)

    world.rules = Counting(world.record)
    reads, writes = world.records.reads, world.records.writes
    world.records.between = lambda: calls.append("PutItem")
    roll_back(world)
    before = calls[: calls.index("ModifyRule")]
    gets = 1
    assert world.records.reads - reads == gets + 1, "one read before, one after the rule was written"
    assert world.records.writes - writes == 1
    assert gets + len(before) <= 3


def test_users_stay_where_targets_are_when_there_are_none_to_go_back_to(world: World) -> None:
    world.begin()
    slots, rule = world.record.slots, world.record.rule
    world.rules.targets[slots["green"].target_group] = TargetHealth(healthy=0, reason="Target.NotRegistered")
    world.rules.targets[slots["blue"].target_group] = TargetHealth(healthy=5)
    roll_back(world)
    assert world.record.desired == all_to("green"), "where they belong, and go as soon as they can"
    assert world.rules.weights[rule][slots["blue"].target_group] == 100
    assert world.journal.kinds("r2")[-2:] == ["rolling_back", "traffic_left"]
    assert "slot green of backend-api in production has no healthy target" in world.journal.reason(
        "r2", "traffic_left"
    )


def left_where_targets_are(world: World) -> ServiceRecord:
    """Taken back with nothing to go back to; the record of it."""
    world.begin()
    slots = world.record.slots
    world.rules.targets[slots["green"].target_group] = TargetHealth(healthy=0, reason="Target.NotRegistered")
    world.rules.targets[slots["blue"].target_group] = TargetHealth(healthy=5)
    context = roll_back(world)
    at = world.clock()
    remnant = world.record.remnant
    assert remnant and (remnant.kind, remnant.slot, remnant.at) == ("traffic_left", "blue", at)
    assert "no healthy target" in remnant.reason
    world.clock.forward(600)
    world.finish(context)
    return world.record


def test_that_users_were_left_is_known_until_the_rule_was_seen_to_move_them(world: World) -> None:
    record = left_where_targets_are(world)
    assert record.rollback is None and record.remnant
    assert record.remnant.at == world.clock() - 600, "since it is so, and not since it was looked at"
    look_at_traffic(world)
    assert world.record.remnant == record.remnant
    world.rules.targets[record.slots["green"].target_group] = TargetHealth(healthy=1)
    look_at_traffic(world)
    assert world.rules.weights[record.rule] == record.weights_by_target_group()
    look_at_traffic(world)
    assert world.record.remnant is None


def test_what_another_rollback_left_since_is_not_taken_for_over(world: World) -> None:
    record = left_where_targets_are(world)
    assert record.remnant
    newer = msgspec.structs.replace(record.remnant, at=record.remnant.at + 1)
    later = msgspec.structs.replace(record, remnant=newer)
    assert clear_remnant(later, seen=record.remnant) is later
    assert clear_remnant(record, seen=record.remnant).remnant is None


def test_a_release_that_is_promoted_leaves_nothing_of_a_rollback_before(world: World) -> None:
    record = left_where_targets_are(world)
    assert released(record, "r3", V3, now=world.clock(), window=0).remnant is None
    assert rollback(take(record, "r3", V3, now=world.clock()), now=world.clock()).remnant is None


def test_a_remnant_that_cannot_be_written_down_keeps_no_rollback_from_its_way(world: World) -> None:
    world.begin()
    slots = world.record.slots
    world.rules.targets[slots["green"].target_group] = TargetHealth(healthy=0)
    world.rules.targets[slots["blue"].target_group] = TargetHealth(healthy=5)
    update, asked = world.records.update, []

    def fails(service: str, change: object) -> object:
        asked.append(service)
        if len(asked) > 1:
            raise Unavailable("the table does not answer")
        return update(service, change)  # type: ignore[arg-type]

    world.records.update = fails  # type: ignore[method-assign]
    context = roll_back(world)
    del world.records.update
    assert len(asked) == 2 and world.record.remnant is None
    world.finish(context)
    assert world.record.remnant and world.record.remnant.kind == "traffic_left", "its last look finds it too"


def test_who_goes_on_with_a_rollback_does_not_send_users_again_where_nobody_is(world: World) -> None:
    """Who decided it took them back and left them; the machine that follows does the same once more."""
    world.begin()
    slots, rule = world.record.slots, world.record.rule
    green, blue = slots["green"].target_group, slots["blue"].target_group
    world.rules.targets |= {green: TargetHealth(healthy=0), blue: TargetHealth(healthy=5)}
    roll_back(world)
    written: list[int] = []

    class Watched(FakeRules):
        def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
            written.append(weights[green])
            super().write(rule, weights, intention)

    left = world.rules
    world.rules = Watched(world.record)
    world.rules.targets, world.rules.weights = left.targets, left.weights
    roll_back(world)
    assert set(written) <= {0} and world.rules.weights[rule][blue] == 100
    world.rules.targets[green] = TargetHealth(healthy=5)
    roll_back(world)
    assert world.rules.weights[rule] == world.record.weights_by_target_group()


@pytest.mark.parametrize("elsewhere", [0, None])
def test_in_doubt_users_are_on_the_version_that_is_known_to_be_good(
    world: World, elsewhere: int | None
) -> None:
    """Nobody has a healthy target, or the load balancer does not say."""
    world.begin()
    slots, rule = world.record.slots, world.record.rule
    world.rules.targets[slots["green"].target_group] = TargetHealth(healthy=0)
    world.rules.targets[slots["blue"].target_group] = TargetHealth(healthy=elsewhere or 0)
    if elsewhere is None:
        world.rules.health = refuse  # type: ignore[assignment]
    roll_back(world)
    assert world.rules.weights[rule] == world.record.weights_by_target_group()
    assert "traffic_left" not in world.journal.kinds("r2")


def test_a_rollback_tells_the_release_whose_it_is(world: World) -> None:
    world.begin()
    restored = roll_back(world)
    assert (restored.release, restored.slot, restored.stop) == ("r2", "blue", "arn:release:r2")
    assert world.journal.kinds("r2")[-1] == "rolling_back"
    assert world.journal.read("r2").status == "rolling_back"


@pytest.mark.parametrize("by", ["release", "train", "reconciler", "watch", "signal:errors-high"])
def test_the_control_plane_itself_is_believed_to_be_itself(world: World, by: str) -> None:
    world.begin()
    roll_back(world, by=by)
    assert (world.journal.entries("r2")[-1].by, world.record.rollback.by) == (by, by)  # type: ignore[union-attr]


def test_who_an_input_says_it_is_from_is_nobody(world: World) -> None:
    world.begin()
    roll_back(world, by="platform-lead")
    assert world.journal.entries("r2")[-1].by == "unknown"
    assert world.record.rollback.by == "unknown"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "by"),
    [({}, "platform-lead"), ({"reason": "mine"}, "unknown"), ({"id": "rb3"}, "unknown")],
)
def test_whom_the_endpoint_wrote_down_asked_for_that_rollback_alone(
    world: World, changes: dict[str, str], by: str
) -> None:
    world.begin()
    given = {"id": "rb", "environment": "production", "service": "backend-api", "reason": "errors", "by": "x"}
    asked = Asked(Requester("platform-lead"), digest_of(msgspec.convert(given, RollbackRequest)), 1.0)
    world.requesters.keep("rollback", "rb", asked)
    roll_back(world, **{**given, **changes})
    assert world.journal.entries("r2")[-1].by == by


def test_a_table_that_does_not_say_who_asked_stops_no_rollback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(machine: str, name: str) -> None:
        raise Throttled("later")

    monkeypatch.setattr(world.requesters, "find", busy)
    world.begin()
    roll_back(world, by="platform-lead")
    assert world.journal.entries("r2")[-1].by == "unknown"


def test_delivered_twice_it_is_written_down_once(world: World) -> None:
    world.begin()
    first, second = roll_back(world), roll_back(world, id="rb2")
    assert first.generation == second.generation
    assert world.journal.kinds("r2").count("rolling_back") == 1


def test_another_environment_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="rolls back in production"):
        roll_back(world, environment="staging")


def test_nothing_to_roll_back_says_so_and_touches_nothing(world: World) -> None:
    with pytest.raises(NothingToRollBack, match="window is closed"):
        roll_back(world)
    assert world.rules.calls == []


def test_the_reason_of_a_failed_function_is_readable() -> None:
    assert message_of('{"errorMessage": "p95 is 3 s", "errorType": "JudgedBad"}') == "p95 is 3 s"
    assert message_of("nobody answered in time") == "nobody answered in time"
    assert message_of("[1]") == "[1]"
    assert message_of('{"errorMessage": ["a"]}') == '{"errorMessage": ["a"]}'


WORDS = {
    "230 KB": "x" * 230_000,
    "a megabyte": "x" * 1_000_000,
    "deep lists": "[" * 2000,
    "deep objects": '{"a":' * 1500,
    "a deep failure": '{"errorMessage": "no", "trace": ' + "[" * 5000,
    "half of a pair": "bad \ud83d",
    "a half in JSON": '{"errorMessage": "bad \\ud83d"}',
    "an escape sequence": "\x1b[2J\x1b]0;mine\x07",
    "NUL": "a\x00b",
    "a list in a failure": '{"errorMessage": ["a"]}',
    "a number": "5",
    "a number too large": "1e999",
    "nothing": "",
    "ends of lines": "a\r\nb",
}


@pytest.mark.parametrize("field", ["reason", "by", "id"])
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_no_rollback_fails_because_of_what_is_said_of_it(world: World, words: str, field: str) -> None:
    """As Step Functions starts it: parsed, decided, restored, written down, and stored as JSON."""
    begun = world.begin()
    change = partial(intend_weight, generation=begun.generation, slot=begun.slot, weight=50)
    world.records.update("backend-api", change)
    request = {
        "id": "rb",
        "environment": "production",
        "service": "backend-api",
        "reason": "errors",
        "by": "alarm",
        field: words,
    }
    start = parse({"execution": "arn:rollback:rb", "request": request}, RollbackStart)
    restored = restore_traffic(
        start.request,
        execution=start.execution,
        environment="production",
        writers_live=20,
        records=world.records,
        rules=world.rules,
        requesters=world.requesters,
        journal=world.journal,
        now=world.clock,
    )
    record = world.record
    assert record.stable and record.desired == all_to(record.stable)
    assert world.rules.weights[record.rule] == record.weights_by_target_group()
    assert world.journal.kinds("r2")[-1] == "rolling_back"
    assert record.rollback
    assert len(record.rollback.reason) <= 1000 and len(record.rollback.by) <= 200
    assert re.fullmatch("[A-Za-z0-9._=@+-]{1,80}", record.rollback.id)
    told = restored.reason + record.rollback.by + world.journal.timeline["r2"][-1].reason
    assert re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", told) is None
    assert len(msgspec.json.encode(record)) < 10_000


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")


def test_different_ids_stay_different_and_the_same_stays_the_same(world: World) -> None:
    long = "x" * 200
    assert fit_id("rb-1.2_3") == "rb-1.2_3"
    assert fit_id(long) == fit_id(long) != fit_id(long + "x")
    assert fit_id("a b") != fit_id("a-b")


def test_capacity_goes_only_after_the_traffic_has_gone(world: World) -> None:
    world.begin()
    world.cluster.runs("backend-api-green", 5)
    restored = roll_back(world)
    at = world.clock.at
    world.clock.forward(185)
    assert not world.retire(restored, FakeWindows([window(at, 100, 40), window(at + 60, 100, 0)])).done
    assert world.cluster.retired == []
    world.clock.forward(60)
    quiet = FakeWindows([window(at, 100, 40), window(at + 60, 100, 0), window(at + 120, 100, 0)])
    assert world.retire(restored, quiet).done
    assert world.cluster.retired == ["backend-api-blue"]
    assert world.cluster.bounds["backend-api-green"] == (5, 25), "the stable slot may scale in again"
    assert not world.record.slots["blue"].running


def test_without_metrics_capacity_stays_until_no_request_can_be_left(world: World) -> None:
    world.begin()
    world.cluster.runs("backend-api-green", 5)
    restored = roll_back(world)
    world.clock.forward(300)
    assert not world.retire(restored, FakeWindows(down=True)).done
    world.clock.forward(world.catalog.strategies["canary"].drain_within)
    assert world.retire(restored, FakeWindows(down=True)).done


def test_the_last_look_repairs_what_a_dead_writer_left_behind(world: World) -> None:
    world.begin()
    restored = roll_back(world)
    record = world.record
    world.rules.weights[record.rule] = {
        record.slots["blue"].target_group: 50,
        record.slots["green"].target_group: 50,
    }
    world.finish(restored)
    assert world.rules.weights[record.rule] == record.weights_by_target_group()
    assert world.record.holder is None
    assert world.record.rollback is None
    assert world.record.desired == all_to("green")
    assert world.journal.read("r2").status == "rolled_back"


def test_a_rollback_whose_end_cannot_be_written_down_is_not_over(world: World) -> None:
    """Found by the simulator: freed before it was written, a release stayed `rolling_back` for ever."""
    world.begin()
    restored = roll_back(world)
    world.journal.store.set_status = refuse  # type: ignore[method-assign]
    with pytest.raises(Throttled):
        world.finish(restored)
    assert world.record.rollback is not None, "the reconciler starts it again"
    del world.journal.store.set_status
    world.finish(restored)
    assert world.record.rollback is None
    assert world.journal.read("r2").status == "rolled_back"


def test_a_rollback_whose_slot_cannot_be_scaled_down_ends_and_says_what_is_left(world: World) -> None:
    """The cluster refuses for good: somebody took the right away, or the autoscaler is gone."""
    world.begin()
    restored = roll_back(world)
    world.finish(
        restored,
        left='{"errorMessage": "Deployment backend-api-blue: forbidden", "errorType": "ClusterRefused"}',
    )
    assert world.journal.kinds("r2")[-2:] == ["capacity_left", "rolled_back"]
    said = world.journal.reason("r2", "capacity_left")
    assert said.startswith(
        "slot blue gets no traffic and keeps its Pods: Deployment backend-api-blue: forbidden."
    )
    assert "docs/runbook.md" in said
    assert ("r2", "capacity_left") in world.journal.published
    assert world.record.holder is None
    assert world.begin("r3", image=image(4)).slot == "blue", "the service is free"


def refuse(*args: object, **more: object) -> None:
    raise Throttled("the table asks to slow down")


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3)), max_size=20),
    st.floats(0, 3000),
)
def test_a_slot_that_was_just_seen_with_traffic_is_never_drained(
    counts: list[tuple[int, int]], waited: float
) -> None:
    windows = [window(60.0 * i, serving, leaving) for i, (serving, leaving) in enumerate(counts)]
    last = max((w.end for w in windows if w.canary.requests), default=0.0)
    now = max((w.end for w in windows), default=0.0) + waited
    drain = is_drained(windows, since=0.0, now=now, give_up=600)
    quiet = [w for w in windows if w.start >= last and w.baseline.requests]
    assert drain.done == (len(quiet) >= 2 or now - last >= 600)


def test_a_last_look_takes_nobody_to_a_slot_without_targets(world: World) -> None:
    """A straggler wrote last, and the good version's Pods are gone meanwhile: half of the users are better than none."""
    world.begin()
    restored = roll_back(world)
    slots = world.record.slots
    world.rules.weights[world.record.rule] = {group.target_group: 50 for group in slots.values()}
    world.rules.targets[slots["green"].target_group] = TargetHealth()
    world.finish(restored)
    assert set(world.rules.weights[world.record.rule].values()) == {50}
    assert "the rule differs from the record and was left so" in world.journal.entries("r2")[-1].reason
    assert world.record.rollback is None
