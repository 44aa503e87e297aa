"""Shifting weights: the last recorded intention wins, whatever the order in which writes arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlefish.errors import Quarantined, RuleContested, StaleGeneration, TargetsUnhealthy, Unavailable
from candlefish.service.model import RecordMark, Version, all_to
from candlefish.service.record import ServiceRecord
from candlefish.traffic.ports import NOBODYS, Intention, TargetHealth
from candlefish.traffic.shift import converge, may_shift, repair_drift, shift
from lab.memory.service import MemoryRecords
from tests.support.service import V1, V2, V3, fresh, image, released, rollback, take
from tests.support.traffic import FakeRules


class Died(Exception):
    """A function was killed here."""


def running() -> ServiceRecord:
    return take(released(fresh(), "r1", V1, window=0), "r2", V2)


def do_shift(records: MemoryRecords, rules: FakeRules, generation: int, weight: int) -> None:
    shift(
        "backend-api",
        generation=generation,
        slot="blue",
        weight=weight,
        required=1,
        records=records,
        rules=rules,
        now=lambda: 7.0,
    )


def do_rollback(records: MemoryRecords, rules: FakeRules) -> None:
    converge(records.update("backend-api", rollback), records=records, rules=rules)


def test_a_shift_records_then_writes_then_looks() -> None:
    record = running()
    records, rules = MemoryRecords(record), FakeRules(record)
    do_shift(records, rules, record.generation, 10)
    after = records.get("backend-api")
    assert after.desired == {"blue": 10, "green": 90}
    assert (after.intended_at, after.intended_revision) == (7.0, after.revision)
    assert rules.weights[record.rule] == after.weights_by_target_group()
    assert rules.calls == ["write", "read"]


def test_weight_needs_healthy_targets() -> None:
    record = running()
    records, rules = MemoryRecords(record), FakeRules(record)
    rules.targets[record.slots["blue"].target_group] = TargetHealth(healthy=2, reason="Target.Timeout")
    with pytest.raises(
        TargetsUnhealthy, match=r"2 healthy targets, 10% of the traffic needs 3 \(Target\.Timeout"
    ):
        shift(
            "backend-api",
            generation=record.generation,
            slot="blue",
            weight=10,
            required=3,
            records=records,
            rules=rules,
            now=lambda: 7.0,
        )
    assert records.stored["backend-api"] == record
    assert rules.calls == []


def test_a_stale_generation_touches_neither_record_nor_rule() -> None:
    record = running()
    records, rules = MemoryRecords(record), FakeRules(record)
    with pytest.raises(StaleGeneration):
        do_shift(records, rules, record.generation - 1, 10)
    assert rules.calls == []


def test_drift_is_repaired_and_agreement_is_left_alone() -> None:
    record = running()
    records, rules = MemoryRecords(record), FakeRules(record)
    assert repair_drift(record, records=records, rules=rules).writes == 0
    rules.weights[record.rule] = {"somebody-elses": 100}
    assert repair_drift(record, records=records, rules=rules).writes == 1
    assert rules.weights[record.rule] == record.weights_by_target_group()


HEALTHY, EMPTY, UNKNOWN = TargetHealth(healthy=2), TargetHealth(reason="none"), None


@pytest.mark.parametrize(
    ("blue", "green", "refused"),
    [
        (HEALTHY, HEALTHY, ""),
        (HEALTHY, EMPTY, ""),
        (HEALTHY, UNKNOWN, ""),
        (EMPTY, HEALTHY, "slot blue would gain 70% of the traffic and has no healthy target"),
        (EMPTY, UNKNOWN, "slot green may have some"),
        (UNKNOWN, HEALTHY, "the health of slot blue"),
        (UNKNOWN, UNKNOWN, "the health of slot blue"),
        # Nowhere is better than elsewhere: what is recorded good.
        (EMPTY, EMPTY, ""),
    ],
)
def test_weight_goes_to_no_slot_that_has_nobody_while_the_other_has(
    blue: TargetHealth | None, green: TargetHealth | None, refused: str
) -> None:
    said = may_shift(all_to("blue"), {"blue": 30, "green": 70}, {"blue": blue, "green": green})
    assert said.startswith(refused) or refused in said
    assert bool(said) == bool(refused)


def test_weights_that_somebody_took_away_may_come_back_to_where_they_are_served() -> None:
    assert may_shift(all_to("blue"), {"blue": 0, "green": 0}, {"blue": EMPTY, "green": HEALTHY})
    assert not may_shift(all_to("blue"), {"blue": 0, "green": 0}, {"blue": HEALTHY, "green": EMPTY})


def test_drift_is_not_repaired_towards_a_slot_without_targets() -> None:
    """`data_loss.py`, section 2: the world is on blue, the record wants green, and green has no Pods."""
    record = released(fresh(), "r1", V1, window=0)
    records, rules = MemoryRecords(record), FakeRules(record)
    live = {record.slots["blue"].target_group: 100, record.slots["green"].target_group: 0}
    rules.weights[record.rule] = live
    rules.targets[record.slots["green"].target_group] = TargetHealth()
    done = repair_drift(record, records=records, rules=rules)
    assert (done.writes, rules.weights[record.rule]) == (0, live)
    assert "slot green would gain 100% of the traffic" in done.refused


def test_a_candidate_gives_back_only_what_the_other_slot_can_take() -> None:
    record = running()
    records, rules = MemoryRecords(record), FakeRules(record)
    do_shift(records, rules, record.generation, 50)
    before = records.stored["backend-api"]
    rules.targets[record.slots["green"].target_group] = TargetHealth()
    with pytest.raises(TargetsUnhealthy, match="slot green would gain 50%"):
        do_shift(records, rules, record.generation, 0)
    assert records.stored["backend-api"] == before


def test_a_rule_says_which_generation_it_follows_once_it_does() -> None:
    record = running()
    records, rules = MemoryRecords(record), FakeRules(record)
    do_shift(records, rules, record.generation, 10)
    assert rules.marks[record.rule] == records.get("backend-api").mark
    assert rules.calls == ["write", "read"], "the tag comes after the rule and the look"


def test_a_tag_that_cannot_be_written_fails_nothing() -> None:
    record = running()

    class Untagged(FakeRules):
        def stamp(self, rule: str, mark: RecordMark) -> None:
            raise Unavailable("ELBv2 did not answer")

    records, rules = MemoryRecords(record), Untagged(record)
    do_shift(records, rules, record.generation, 10)
    assert rules.weights[record.rule] == records.get("backend-api").weights_by_target_group()


def test_a_record_that_goes_back_in_time_under_a_writer_is_not_followed() -> None:
    """The table is restored between the write of the rule and the look at the record."""
    old = running()
    record = msgspec.structs.replace(take(released(old, "r2", V2), "r3", V3), revision=old.revision + 9)

    class Restored(FakeRules):
        def read(self, rule: str) -> dict[str, int]:
            records.stored["backend-api"] = old
            return super().read(rule)

    records, rules = MemoryRecords(record), Restored(record)
    with pytest.raises(Quarantined, match="went back from revision"):
        converge(record, records=records, rules=rules)
    assert rules.weights[record.rule] == record.weights_by_target_group()


def test_a_rule_that_something_else_keeps_writing_is_reported() -> None:
    record = running()
    records = MemoryRecords(record)

    class Contested(FakeRules):
        def read(self, rule: str) -> dict[str, int]:
            return {"theirs": 100}

    with pytest.raises(RuleContested, match="CloudTrail"):
        converge(record, records=records, rules=Contested(record))


class Interleaved(FakeRules):
    """Rules in front of which anything may happen: another writer runs, this one dies, a write arrives late."""

    def __init__(self, record: ServiceRecord, happen: Callable[[str], None]) -> None:
        super().__init__(record)
        self.happen = happen
        self.in_flight: list[tuple[str, dict[str, int]]] = []

    def read(self, rule: str) -> dict[str, int]:
        self.happen("read")
        return super().read(rule)

    def write(self, rule: str, weights: Mapping[str, int], intention: Intention = NOBODYS) -> None:
        self.happen("write")
        super().write(rule, weights, intention)
        self.happen("written")


@given(data=st.data())
def test_after_a_rollback_no_older_generation_has_the_last_word(data: st.DataObject) -> None:
    """I4, with writers nested inside each other at every call, and writers that are killed.

    A killed writer may leave a request in flight that arrives later; all of them have arrived when
    the older generation's time is up, which is when the rollback takes its last look.
    """
    record = running()
    records = MemoryRecords(record)
    todo: list[str] = [
        "rollback",
        *data.draw(st.lists(st.sampled_from(["shift 10", "shift 50", "shift 100"]), max_size=4)),
    ]
    depth = 0

    def run(name: str) -> None:
        nonlocal depth
        depth += 1
        try:
            if name == "rollback":
                do_rollback(records, rules)
            else:
                do_shift(records, rules, record.generation, int(name.split()[1]))
        except (StaleGeneration, Died):
            pass
        finally:
            depth -= 1

    def happen(where: str) -> None:
        while todo and depth < 6 and data.draw(st.booleans()):
            run(todo.pop(data.draw(st.integers(0, len(todo) - 1))))
        if depth and where == "write" and data.draw(st.integers(0, 5)) == 0:
            newest = records.stored["backend-api"]
            rules.in_flight.append((record.rule, newest.weights_by_target_group()))
            raise Died
        if rules.in_flight and data.draw(st.booleans()):
            rule, weights = rules.in_flight.pop()
            rules.weights[rule] = weights

    rules = Interleaved(record, happen)
    records.between = lambda: happen("between")
    while todo:
        run(todo.pop(data.draw(st.integers(0, len(todo) - 1))))

    happen_no_more = FakeRules(record)
    happen_no_more.weights = rules.weights
    for rule, weights in rules.in_flight:
        rules.weights[rule] = weights
    records.between = lambda: None
    newest = records.get("backend-api")
    assert newest.rollback is not None
    assert newest.desired == all_to("green")
    repair_drift(newest, records=records, rules=happen_no_more)
    assert rules.weights[record.rule] == newest.weights_by_target_group()


def test_a_straggler_that_lives_repairs_what_it_broke() -> None:
    """Without any further look: the write of an older generation lands after the rollback's."""
    record = running()
    records = MemoryRecords(record)
    state = {"done": False}

    def happen(where: str) -> None:
        if where == "write" and not state["done"]:
            state["done"] = True
            do_rollback(records, rules)

    rules = Interleaved(record, happen)
    do_shift(records, rules, record.generation, 50)
    newest = records.get("backend-api")
    assert newest.desired == all_to("green")
    assert rules.weights[record.rule] == newest.weights_by_target_group()


def test_versions_are_named_by_digest() -> None:
    assert Version(image(7)).short == "000000000000"
    assert Version(image(7), label="1.4.2").short == "1.4.2"
