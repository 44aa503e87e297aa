"""The record's transitions: what each allows, refuses, and keeps true."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from candlefish.errors import (
    AlreadyStable,
    InvalidInput,
    NothingToRollBack,
    Permanent,
    Quarantined,
    ServiceBusy,
    StaleGeneration,
    VersionKnownBad,
)
from candlefish.service.model import SLOTS, Hold, RecordMark, Slot, Version, all_to, other
from candlefish.service.record import (
    ServiceRecord,
    add_hold,
    begin_retiring,
    end_rollback,
    intend_weight,
    lift_hold,
    promote,
    quarantine,
    renew_lease,
    vacate_slot,
    why_not_retire,
)
from tests.support.service import LEASE, V1, V2, V3, fresh, image, released, rollback, take


@pytest.fixture
def live() -> ServiceRecord:
    """A service whose stable version is V1 and whose window has closed."""
    return msgspec.structs.replace(released(fresh(), "r1", V1), window_until=0.0)


def test_the_first_version_goes_to_the_slot_that_gets_no_traffic() -> None:
    record = take(fresh(), "r1", V1)
    assert record.slots["green"].state == "candidate"
    assert record.desired["green"] == 0


def test_a_release_goes_into_the_idle_slot_and_leaves_the_weights(live: ServiceRecord) -> None:
    assert live.stable == "green"
    record = take(live, "r2", V2)
    assert record.slots["blue"].version == V2
    assert record.desired == all_to("green")
    assert record.generation == live.generation + 1


def test_acquiring_again_for_the_same_release_changes_nothing(live: ServiceRecord) -> None:
    record = take(live, "r2", V2)
    assert take(record, "r2", V2, now=5) == record


def test_nothing_goes_by_a_record_that_is_older_than_the_world(live: ServiceRecord) -> None:
    newer = live.generation + 2
    kept = quarantine(live, newer=RecordMark(live.revision, newer), where="the rule", now=7.0)
    assert kept.quarantine and kept.quarantine.at == 7.0
    changes: tuple[Callable[[], object], ...] = (
        lambda: take(kept, "r2", V2),
        lambda: rollback(kept),
        lambda: renew_lease(kept, generation=kept.generation, until=9.0),
        lambda: vacate_slot(kept, generation=kept.generation, slot="blue", now=0),
    )
    for change in changes:
        with pytest.raises(Quarantined, match="candlefish records verify backend-api -e production"):
            change()
    with pytest.raises(StaleGeneration):
        renew_lease(kept, generation=newer, until=9.0)


def test_a_record_as_new_as_the_world_is_obeyed_and_the_first_reason_stays(live: ServiceRecord) -> None:
    assert quarantine(live, newer=live.mark, where="the rule", now=7.0) is live
    later = RecordMark(live.revision + 1, live.generation)
    kept = quarantine(live, newer=later, where="the rule", now=7.0)
    assert kept.quarantine and "was restored" in kept.quarantine.reason, "also within one generation"
    assert quarantine(kept, newer=RecordMark(99, 99), where="a Deployment", now=8.0) is kept


def test_a_second_release_is_refused_and_told_who_holds(live: ServiceRecord) -> None:
    with pytest.raises(ServiceBusy, match="r2"):
        take(take(live, "r2", V2), "r3", V3)


def test_a_lease_that_ran_out_is_left_to_the_reconciler(live: ServiceRecord) -> None:
    with pytest.raises(ServiceBusy, match="lease ran out"):
        take(take(live, "r2", V2), "r3", V3, now=LEASE + 1)


def test_the_same_version_again_is_refused(live: ServiceRecord) -> None:
    with pytest.raises(AlreadyStable):
        take(live, "r2", V1)


def test_a_version_that_was_rolled_back_needs_insisting(live: ServiceRecord) -> None:
    record = rollback(take(live, "r2", V2))
    record = end_rollback(
        vacate_slot(record, generation=record.generation, slot="blue", now=0),
        generation=record.generation,
        now=0,
    )
    with pytest.raises(VersionKnownBad, match="errors"):
        take(record, "r3", V2)
    assert take(record, "r3", V2, allow_bad=True).holder is not None


def test_a_rejected_version_is_not_remembered_as_bad(live: ServiceRecord) -> None:
    record = rollback(take(live, "r2", V2), disposition="rejected")
    assert record.bad == ()


def test_weights_cannot_be_set_during_a_rollback(live: ServiceRecord) -> None:
    record = rollback(take(live, "r2", V2))
    with pytest.raises(StaleGeneration, match="no release holds"):
        intend_weight(record, generation=record.generation, slot="blue", weight=10)


def test_weight_cannot_go_to_an_empty_slot(live: ServiceRecord) -> None:
    live = msgspec.structs.replace(live, slots={**live.slots, "blue": fresh().slots["blue"]})
    record = take(live, "r2", V2, in_place=True)
    with pytest.raises(InvalidInput, match="slot blue of backend-api in production is empty"):
        intend_weight(record, generation=record.generation, slot="blue", weight=10)


def test_an_older_generation_cannot_write(live: ServiceRecord) -> None:
    record = take(live, "r2", V2)
    newer = rollback(record)
    with pytest.raises(StaleGeneration):
        intend_weight(newer, generation=record.generation, slot="blue", weight=50)
    with pytest.raises(StaleGeneration):
        promote(newer, generation=record.generation, now=0, window=0)
    with pytest.raises(StaleGeneration):
        renew_lease(newer, generation=record.generation, until=1e9)


def test_promotion_needs_all_the_traffic(live: ServiceRecord) -> None:
    record = take(live, "r2", V2)
    record = intend_weight(record, generation=record.generation, slot="blue", weight=50)
    with pytest.raises(InvalidInput, match="50%"):
        promote(record, generation=record.generation, now=0, window=0)


def test_promotion_keeps_the_predecessor_and_frees_the_service(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    assert record.stable == "blue"
    assert record.slots["green"].state == "previous"
    assert record.slots["green"].running
    assert record.holder is None
    assert record.window_until == 160
    assert promote(record, generation=record.generation, now=999, window=60) == record


def test_a_rollback_during_a_release_restores_the_stable_slot(live: ServiceRecord) -> None:
    record = take(live, "r2", V2)
    record = intend_weight(record, generation=record.generation, slot="blue", weight=50)
    back = rollback(record)
    assert back.desired == all_to("green")
    assert back.slots["blue"].state == "bad"
    assert back.rollback is not None
    assert back.rollback.stop == "arn:release:r2"
    assert back.generation == back.desired_generation == record.generation + 1


def test_a_rollback_within_the_window_makes_the_predecessor_stable(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    back = rollback(record, now=130)
    assert back.stable == "green"
    assert back.desired == all_to("green")
    assert back.slots["blue"].state == "bad"


def test_a_rollback_after_the_window_is_refused(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    with pytest.raises(NothingToRollBack, match="window is closed"):
        rollback(record, now=160)


def test_a_rollback_names_its_release_and_no_other(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    with pytest.raises(NothingToRollBack, match="r1 no longer concerns"):
        rollback(record, now=130, release="r1")
    assert rollback(record, now=130, release="r2").rollback is not None


def test_a_second_rollback_is_the_same_rollback(live: ServiceRecord) -> None:
    record = rollback(take(live, "r2", V2))
    assert rollback(record, now=1, id="another") == record


def test_a_rollback_whose_lease_ran_out_is_taken_over(live: ServiceRecord) -> None:
    record = rollback(take(live, "r2", V2))
    again = rollback(record, now=LEASE + 1, id="another")
    assert again.rollback == record.rollback
    assert again.holder is not None
    assert again.holder.until == 2 * LEASE + 1
    assert again.generation == record.generation


def test_the_first_release_rolls_back_to_the_empty_slot() -> None:
    record = take(fresh(), "r1", V1)
    record = intend_weight(record, generation=record.generation, slot="green", weight=100)
    assert rollback(record).desired == all_to("blue")


def test_in_place_a_rollback_asks_for_the_old_version_in_the_same_slot(live: ServiceRecord) -> None:
    record = take(live, "r2", V2, in_place=True)
    assert record.slots["green"].incoming == V2
    back = rollback(record)
    assert back.rollback is not None
    assert back.rollback.redeploy
    assert back.slots["green"].version == V1
    assert back.slots["green"].incoming is None


def test_in_place_a_rollback_works_within_the_window_as_well(live: ServiceRecord) -> None:
    record = take(live, "r2", V2, in_place=True)
    record = promote(record, generation=record.generation, now=0, window=60)
    assert record.stable_version == V2
    back = rollback(record, now=30)
    assert back.stable_version == V1
    assert back.desired == all_to("green")


def test_holds_are_kept_by_key() -> None:
    first = Hold("alarm-1", "p95 is high", 0.0, "signal")
    record = add_hold(add_hold(fresh(), first), first)
    assert record.holds == (first,)
    assert lift_hold(record, "alarm-1").holds == ()


def test_a_slot_keeps_its_capacity_while_it_may_be_needed(live: ServiceRecord) -> None:
    running = take(live, "r2", V2)
    assert "candidate" in why_not_retire(running, "blue", 0)
    assert "traffic" in why_not_retire(running, "green", 0)
    promoted = released(live, "r2", V2, now=100, window=60)
    assert "rollback window" in why_not_retire(promoted, "green", 159)
    assert why_not_retire(promoted, "green", 160) == ""
    assert why_not_retire(rollback(running), "blue", 0) == ""


def retiring(record: ServiceRecord, slot: Slot, now: float) -> ServiceRecord:
    """The record with the intention to retire a slot."""
    after, why = begin_retiring(record, generation=record.generation, slot=slot, now=now)
    assert not why
    return after


def test_what_is_still_needed_is_not_begun_to_be_retired(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    after, why = begin_retiring(record, generation=record.generation, slot="green", now=159)
    assert "rollback window" in why
    assert after == record
    with pytest.raises(StaleGeneration):
        begin_retiring(record, generation=record.generation - 1, slot="green", now=160)


def test_no_rollback_goes_back_to_a_slot_that_is_being_retired(live: ServiceRecord) -> None:
    """Whoever decided the rollback may have looked at the clock before the window closed."""
    record = retiring(released(live, "r2", V2, now=100, window=60), "green", 160)
    with pytest.raises(NothingToRollBack, match="slot green is being retired"):
        rollback(record, now=159)


def test_no_weight_goes_to_a_slot_that_is_being_retired(live: ServiceRecord) -> None:
    record = take(live, "r2", V2)
    slot = msgspec.structs.replace(record.slots["blue"], retiring=True)
    record = msgspec.structs.replace(record, slots={**record.slots, "blue": slot})
    with pytest.raises(InvalidInput, match="slot blue of backend-api in production is being retired"):
        intend_weight(record, generation=record.generation, slot="blue", weight=10)


def test_a_release_takes_over_a_slot_that_is_being_retired(live: ServiceRecord) -> None:
    record = take(retiring(released(live, "r2", V2, now=100, window=60), "green", 160), "r3", V3, now=161)
    assert record.slots["green"].state == "candidate"
    assert not record.slots["green"].retiring
    assert record.earlier_writers_at == 161, "whoever retired it may still be at it"


def test_a_service_that_was_left_in_peace_has_no_earlier_writers(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    record = vacate_slot(retiring(record, "green", 160), generation=record.generation, slot="green", now=170)
    assert not record.slots["green"].retiring
    record = take(record, "r3", V3, now=9000)
    assert record.earlier_writers_at == 170, "a release of hours later need not wait for anybody"
    assert rollback(record, now=9100).earlier_writers_at == 9100
    assert fresh().earlier_writers_at == 0


def test_a_slot_knows_whose_objects_run_in_it(live: ServiceRecord) -> None:
    record = released(live, "r2", V2, now=100, window=60)
    assert {slot: record.slots[slot].release for slot in SLOTS} == {"green": "r1", "blue": "r2"}
    back = rollback(record, now=130)
    assert back.slots["green"].release == "r1", "the predecessor's Pods run on"


def test_in_place_a_slot_knows_whose_objects_run_in_it(live: ServiceRecord) -> None:
    record = take(live, "r2", V2, in_place=True)
    assert record.slots["green"].release == "r1", "until it is promoted"
    assert rollback(record, id="back").slots["green"].release == "back"
    record = promote(record, generation=record.generation, now=0, window=60)
    assert record.slots["green"].release == "r2"
    assert rollback(record, now=30, id="back").slots["green"].release == "back"


def test_a_rollback_that_could_not_retire_its_slot_leaves_that_to_whoever_looks_next(
    live: ServiceRecord,
) -> None:
    record = rollback(take(live, "r2", V2))
    record = end_rollback(record, generation=record.generation, now=50)
    assert record.slots["blue"].retiring
    assert record.holder is None
    assert take(record, "r3", V3, now=51).slots["blue"].version == V3, "the service is free"


class Protocol(RuleBasedStateMachine):
    """Anybody may try anything at any time, with any generation they ever held."""

    @initialize()
    def begin(self) -> None:
        self.record = fresh()
        self.now = 0.0
        self.releases = 0
        # The cluster: who has Pods, by whose generation; and what may still arrive there, however late.
        self.pods: dict[Slot, bool] = {"blue": False, "green": False}
        self.stamp: dict[Slot, int] = {"blue": 0, "green": 0}
        self.on_its_way: list[tuple[int, Slot]] = []

    def attempt(self, after: ServiceRecord) -> None:
        assert after.generation >= self.record.generation
        self.record = after

    @rule(seconds=st.sampled_from([1.0, 30.0, 2000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(version=st.integers(1, 4), in_place=st.booleans())
    def somebody_releases(self, version: int, in_place: bool) -> None:
        self.releases += 1
        held = self.record.holder
        try:
            after = take(
                self.record,
                f"r{self.releases}",
                Version(image(version)),
                self.now,
                in_place=in_place,
                allow_bad=True,
            )
        except Permanent:
            return
        assert held is None, "I2: a second holder got in"
        self.attempt(after)

    @precondition(lambda self: self.record.holder and not self.record.rollback)
    @rule()
    def the_holder_deploys(self) -> None:
        for slot in SLOTS:
            if self.record.slots[slot].state == "candidate":
                self.stamp[slot], self.pods[slot] = self.record.generation, True

    @rule(
        behind=st.sampled_from([0, 0, 0, 1, 2]),
        slot=st.sampled_from(SLOTS),
        weight=st.sampled_from([0, 10, 100, 100]),
    )
    def somebody_shifts(self, behind: int, slot: Slot, weight: int) -> None:
        for each, share in ((slot, weight), (other(slot), 100 - weight)):
            deployed = self.pods[each] and self.stamp[each] == self.record.generation
            if share and self.record.slots[each].state == "candidate" and not deployed:
                return  # the ready step says no
        try:
            after = intend_weight(
                self.record, generation=self.record.generation - behind, slot=slot, weight=weight
            )
        except Permanent:
            return
        assert behind == 0, "I4: an older generation wrote"
        self.attempt(after)

    @rule(behind=st.sampled_from([0, 0, 1]), window=st.sampled_from([0.0, 60.0]))
    def somebody_promotes(self, behind: int, window: float) -> None:
        try:
            after = promote(
                self.record, generation=self.record.generation - behind, now=self.now, window=window
            )
        except Permanent:
            return
        assert behind == 0
        self.attempt(after)

    @rule(disposition=st.sampled_from(["bad", "rejected"]), early=st.sampled_from([0.0, 30.0]))
    def somebody_rolls_back(self, disposition: str, early: float) -> None:
        try:
            # Who writes late looked at the clock before.
            after = rollback(self.record, self.now - early, disposition=disposition)
        except NothingToRollBack:
            return
        stable = after.stable_version
        assert stable is None or after.desired == all_to(after.stable or "blue")
        self.attempt(after)

    @precondition(lambda self: self.record.rollback)
    @rule()
    def the_rollback_finishes(self) -> None:
        assert self.record.rollback
        self.attempt(end_rollback(self.record, generation=self.record.generation, now=self.now))

    @rule(slot=st.sampled_from(SLOTS))
    def somebody_begins_to_retire(self, slot: Slot) -> None:
        after, why = begin_retiring(self.record, generation=self.record.generation, slot=slot, now=self.now)
        if not why and after.slots[slot].running:
            self.on_its_way.append((after.generation, slot))
            self.attempt(after)

    @precondition(lambda self: self.on_its_way)
    @rule(which=st.randoms(use_true_random=False), lands=st.booleans())
    def a_retirement_arrives_or_is_lost(self, which: random.Random, lands: bool) -> None:
        generation, slot = self.on_its_way.pop(which.randrange(len(self.on_its_way)))
        if not lands or self.stamp[slot] > generation:
            return
        self.pods[slot] = False
        if generation == self.record.generation and self.record.slots[slot].retiring:
            self.attempt(vacate_slot(self.record, generation=generation, slot=slot, now=self.now))

    @invariant()
    def what_has_weight_has_pods(self) -> None:
        """Also after a rollback: what goes back to a slot finds its Pods there."""
        if self.record.stable is None or self.record.slots[self.record.stable].incoming:
            return
        for slot in SLOTS:
            assert self.record.desired[slot] == 0 or self.pods[slot], f"{slot} has weight and no Pods"

    @invariant()
    def weights_are_a_whole(self) -> None:
        assert sum(self.record.desired.values()) == 100
        assert all(share >= 0 for share in self.record.desired.values())

    @invariant()
    def weight_is_only_on_good_versions(self) -> None:
        for slot in SLOTS:
            if self.record.desired[slot] and self.record.stable is not None:
                assert self.record.slots[slot].state in ("stable", "candidate")
                assert self.record.slots[slot].running

    @invariant()
    def without_a_holder_all_traffic_is_on_the_stable_slot(self) -> None:
        if self.record.holder is None and self.record.stable:
            assert self.record.desired == all_to(self.record.stable)

    @invariant()
    def there_is_at_most_one_candidate_and_it_has_a_holder(self) -> None:
        coming = [
            s for s in SLOTS if self.record.slots[s].state == "candidate" or self.record.slots[s].incoming
        ]
        assert len(coming) <= 1
        if coming:
            assert self.record.holder is not None
            assert self.record.rollback is None

    @invariant()
    def the_predecessor_is_running_while_the_window_is_open(self) -> None:
        if self.record.window_until > self.now and self.record.stable:
            previous = self.record.slots[other(self.record.stable)]
            assert previous.state != "previous" or previous.running


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(max_examples=100, stateful_step_count=60)
