"""The only code that touches a listener rule.

Intention first, then the rule, then a look at both. Whoever writes late finds the newer intention
in its last look and writes that instead, so the last recorded intention wins whatever the order in
which the writes arrived (invariant I4). A writer that dies with its request in flight cannot look
again; that is why whoever took over looks once more after the older writers' time is up.
"""

from __future__ import annotations

import msgspec

from candlefish.errors import RuleContested, TargetsUnhealthy
from candlefish.service.model import Slot, other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, intend_weight
from candlefish.traffic.ports import Rules

# Looks until the rule and the newest record agree; each costs one write and two reads.
ROUNDS = 5


class Converged(msgspec.Struct, frozen=True):
    """The record that the rule agrees with, and how many times the rule was written."""

    record: ServiceRecord
    writes: int


def converge(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
    """Write the record's weights to its rule until the rule and the newest record agree.

    Raises
    ------
    RuleContested
        They still differ after `ROUNDS` rounds; calling again is safe.
    """
    for writes in range(1, ROUNDS + 1):
        rules.write(record.rule, record.weights_by_target_group())
        seen = rules.read(record.rule)
        newest = records.get(record.service)
        if seen == newest.weights_by_target_group():
            return Converged(newest, writes)
        record = newest
    raise RuleContested(
        f"the rule of {record.name} has weights {seen}, the record wants "
        f"{record.weights_by_target_group()}, after {ROUNDS} writes: something else writes {record.rule}; "
        "find it in CloudTrail (ModifyRule), the reconciler goes on trying every minute"
    )


def repair_drift(record: ServiceRecord, *, records: ServiceRecords, rules: Rules) -> Converged:
    """Compare a rule with its record and repair drift; writes nothing when they agree.

    The rule may have been shifted since `record` was read, so the newest record has the last word.
    """
    seen = rules.read(record.rule)
    if seen == record.weights_by_target_group():
        return Converged(record, 0)
    newest = records.get(record.service)
    if seen == newest.weights_by_target_group():
        return Converged(newest, 0)
    return converge(newest, records=records, rules=rules)


def shift(
    service: str,
    *,
    generation: int,
    slot: Slot,
    weight: int,
    required: int,
    records: ServiceRecords,
    rules: Rules,
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
    if weight > 0:
        group = records.get(service).slots[slot].target_group
        health = rules.health(group)
        if health.healthy < required:
            raise TargetsUnhealthy(
                f"slot {slot} of {service} has {health.healthy} healthy targets, {weight}% of the traffic needs "
                f"{required} ({health.reason or 'no reason given by the load balancer'}); weights were not changed"
            )
    intended = records.update(
        service, lambda r: intend_weight(r, generation=generation, slot=slot, weight=weight)
    )
    return converge(intended, records=records, rules=rules)


def point_smoke_rule(record: ServiceRecord, slot: Slot, *, rules: Rules) -> None:
    """Let the smoke rule forward to one slot only; user traffic is not concerned."""
    rules.write(
        record.smoke_rule,
        {record.slots[slot].target_group: 100, record.slots[other(slot)].target_group: 0},
    )
