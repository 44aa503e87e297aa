"""The only code that touches a listener rule.

Intention first, then the rule, then a look at both. Whoever writes late finds the newer intention
in its last look and writes that instead, so the last recorded intention wins whatever the order in
which the writes arrived (invariant I4). A writer that dies with its request in flight cannot look
again; that is why whoever took over looks once more after the older writers' time is up.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from candlefish.errors import (
    ControlPlaneError,
    Quarantined,
    RuleContested,
    TargetsUnhealthy,
    Throttled,
    Unavailable,
)
from candlefish.ports import Now
from candlefish.service.model import SLOTS, RecordMark, Slot, Weights, other
from candlefish.service.ports import ChangeableRecords, ServiceRecords
from candlefish.service.record import ServiceRecord, intend_weight, is_newer, quarantine
from candlefish.traffic.ports import Intention, Rules, TargetHealth

# Looks until the rule and the newest record agree; each costs one write and two reads.
ROUNDS = 5


class Converged(msgspec.Struct, frozen=True):
    """The record that the rule agrees with, and how many times the rule was written.

    `refused` says why the rule was left as it is although it differs.
    """

    record: ServiceRecord
    writes: int
    refused: str = ""


def may_shift(desired: Weights, seen: Weights, health: Mapping[Slot, TargetHealth | None]) -> str:
    """Why weights must stay as they are seen; empty when they may become the desired ones (pure).

    No weight goes to a slot without healthy targets while the other slot has some. A health that could not be read
    is None: unknown is not healthy. Where neither slot has any, the record is obeyed.
    """
    for slot in SLOTS:
        gains, here, there = desired[slot] - seen.get(slot, 0), health[slot], health[other(slot)]
        if gains <= 0 or (here and here.healthy):
            continue
        if here is None:
            return f"the health of slot {slot}, which would gain {gains}% of the traffic, could not be read"
        if there is None or there.healthy:
            has = "may have some" if there is None else f"has {there.healthy}"
            return (
                f"slot {slot} would gain {gains}% of the traffic and has no healthy target "
                f"({here.reason or 'none is registered'}), while slot {other(slot)} {has}"
            )
    return ""


def converge(record: ServiceRecord, *, records: ChangeableRecords, rules: Rules) -> Converged:
    """Write the record's weights to its rule until the rule and the newest record agree.

    Raises
    ------
    RuleContested
        They still differ after `ROUNDS` rounds; calling again is safe.
    Quarantined
        The record that was read last is older than the one that was written: it was restored meanwhile.
    """
    for writes in range(1, ROUNDS + 1):
        rules.write(record.rule, record.weights_by_target_group(), Intention(record.mark, record.sharing))
        seen = rules.read(record.rule)
        newest = records.get(record.service)
        if seen == newest.weights_by_target_group():
            return Converged(newest, writes)
        if newest.quarantine or is_newer(record.mark, newest):
            raise Quarantined(
                f"the record of {record.name} went back from revision {record.revision} to {newest.revision} "
                "while its weights were written: it was restored; the rule was left as it was written last. "
                f"See: candlefish records verify {record.service} -e {record.environment}"
            )
        record = newest
    raise RuleContested(
        f"the rule of {record.name} has weights {seen}, the record wants "
        f"{record.weights_by_target_group()}, after {ROUNDS} writes: something else writes {record.rule}; "
        "find it in CloudTrail (ModifyRule), the reconciler goes on trying every minute"
    )


def repair_drift(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
    """Compare a rule with its record and repair drift; writes nothing when they agree.

    The rule may have been shifted since `record` was read, so the newest record has the last word. Where that would
    take users to a slot without healthy targets (`may_shift`), the rule stays as it is and the answer says why.
    """
    seen = rules.read(record.rule)
    if seen != record.weights_by_target_group():
        record = records.get(record.service)
        if seen != record.weights_by_target_group():
            if refused := _why_not_repair(record, seen, rules):
                return Converged(record, 0, refused)
            done = converge(record, records=records, rules=rules)
            stamp(done.record, rules=rules)
            return done
    return Converged(record, 0)


def _why_not_repair(record: ServiceRecord, seen: Mapping[str, int], rules: Rules) -> str:
    if record.quarantine:
        return f"the record is in quarantine: {record.quarantine.reason}"
    if record.works_alone:
        # Its Pods come with its weight, and what waits for them is not lost.
        return ""
    weights: Weights = {slot: seen.get(record.slots[slot].target_group, 0) for slot in SLOTS}
    return may_shift(record.desired, weights, slot_health(record, rules))


def slot_health(record: ServiceRecord, rules: Rules) -> dict[Slot, TargetHealth | None]:
    """How healthy the load balancer finds each slot; None where it does not answer."""
    found: dict[Slot, TargetHealth | None] = {}
    for slot in SLOTS:
        try:
            found[slot] = rules.health(record.slots[slot].target_group)
        except (Throttled, Unavailable):
            found[slot] = None
    return found


def stamp(record: ServiceRecord, *, rules: Rules) -> None:
    """Let the rule say which record it follows. For whoever has lost the record: it never fails what it follows.

    Restoring traffic leaves it to the last look and the reconciler: nothing may keep a rollback from its end.
    """
    with suppress(ControlPlaneError):
        rules.stamp(record.rule, record.mark)


def shift(
    service: str,
    *,
    generation: int,
    slot: Slot,
    weight: int,
    required: int,
    records: ServiceRecords,
    rules: Rules,
    now: Now,
) -> Converged:
    """Give `slot` `weight` percent of the traffic, the other slot the rest.

    `required` is how many healthy targets the slot must have first (invariant I1).

    Raises
    ------
    TargetsUnhealthy
        The load balancer sees fewer; nothing was changed.
    StaleGeneration
        Somebody else took the service over; nothing was changed.
    """
    record = records.get(service)
    if weight > 0:
        health = rules.health(record.slots[slot].target_group)
        if health.healthy < required:
            raise TargetsUnhealthy(
                f"slot {slot} of {service} has {health.healthy} healthy targets, {weight}% of the traffic needs "
                f"{required} ({health.reason or 'no reason given by the load balancer'}); weights were not changed"
            )
    if 100 - weight > record.desired[other(slot)] and (refused := _gives_back(record, slot, weight, rules)):
        raise TargetsUnhealthy(f"{refused}; the weights of {record.name} were not changed")
    intended = records.update(
        service,
        lambda r: intend_weight(r, generation=generation, slot=slot, weight=weight, now=now()),
    )
    done = converge(intended, records=records, rules=rules)
    stamp(done.record, rules=rules)
    return done


def _gives_back(record: ServiceRecord, slot: Slot, weight: int, rules: Rules) -> str:
    """Why the other slot cannot take back what this one gives up."""
    if record.works_alone:
        return ""
    desired: Weights = {slot: weight, other(slot): 100 - weight}
    return may_shift(desired, record.desired, slot_health(record, rules))


def refuse_older(record: ServiceRecord, *, records: ServiceRecords, rules: Rules, now: float) -> RecordMark:
    """The mark that shares of Pods follow. Raise `Quarantined`, and let nobody act by the record, where it is a newer
    one than the record's: that was restored.

    Of rules of a load balancer the reconciler of traffic reads the marks, many at a time.
    """
    followed = rules.tags([record.rule])[record.rule].mark
    if is_newer(followed, record):
        where = f"Service {record.service}"
        after = records.update(record.service, lambda r: quarantine(r, newer=followed, where=where, now=now))
        if after.quarantine:
            raise Quarantined(
                f"{record.name}: {after.quarantine.reason}; nothing was changed. See: "
                f"candlefish records verify {record.service} -e {record.environment}"
            )
    return followed


def point_smoke_rule(record: ServiceRecord, slot: Slot, *, rules: Rules) -> None:
    """Let the smoke rule forward to one slot only; user traffic is not concerned. Where none is, nothing is done."""
    if not record.smoke_rule:
        return
    rules.write(
        record.smoke_rule,
        {record.slots[slot].target_group: 100, record.slots[other(slot)].target_group: 0},
    )
