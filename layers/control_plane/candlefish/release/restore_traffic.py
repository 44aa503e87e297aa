"""Restore traffic: the first state of every rollback.

It needs the record and the load balancer, nothing else, and two calls before ModifyRule (beside the second of them
the rule is read: what stands in it and is not ours is written back with the weights). What follows
(stopping the release, draining, scaling down; see `retire_slot`) may take its time and may fail; the
traffic is safe by then.

Who claims a rollback for a signal takes users back at once (`take_back`), and the machine that follows does the same
again: it finds its own rollback begun, looks before it writes the rule, and goes on from there.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import msgspec

from candlefish.bounds import fit
from candlefish.errors import ControlPlaneError, InvalidInput, NothingToRollBack
from candlefish.ports import Now, Requesters
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import RollbackContext
from candlefish.release.who_asked import find_requester
from candlefish.requester import UNKNOWN, claimed
from candlefish.service.model import Remnant, RollbackRequest, other
from candlefish.service.ports import ChangeableRecords, ServiceRecords
from candlefish.service.record import ServiceRecord, begin_rollback, leave_remnant
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import Converged, converge

# A rollback that has not finished after this is taken over by the reconciler.
ROLLBACK_LEASE = 1800.0


class TakenBack(msgspec.Struct, frozen=True):
    """What taking users back did: the record as it was begun, what the rule agreed with, why users were left if so."""

    at: float
    record: ServiceRecord
    converged: Converged
    left: str = ""


def take_back(
    request: RollbackRequest, *, execution: str, records: ChangeableRecords, rules: Rules, now: Now
) -> TakenBack:
    """Decide the rollback and put all traffic on the version known to be good; the same again is harmless.

    `execution` is the ARN of the execution that finishes it. Where that never begins the reconciler starts another.

    Raises
    ------
    NothingToRollBack
        There is no good version to go back to; nothing was changed.
    """
    at, again = now(), False

    def begin(known: ServiceRecord) -> ServiceRecord:
        nonlocal again
        again = known.rollback is not None and known.rollback.id == request.id
        begun = begin_rollback(known, request, execution=execution, now=at, lease=ROLLBACK_LEASE)
        # What else the rule does is read while the record is written.
        if begun.balanced:
            rules.look_ahead(begun.rule)
        return begun

    record = records.update(request.service, begin)
    if not record.balanced:
        # Where Pods are what moves traffic, it is the cluster that is asked, by the machine's next states (`retire_slot`).
        return TakenBack(at, record, Converged(record, 0))
    # Whoever began it may have left users where targets are: they are not sent away from there once more.
    if again and (left := _lesser_evil(record, rules)):
        return TakenBack(at, record, Converged(record, 0), left)
    converged = converge(record, records=records, rules=rules)
    return TakenBack(at, record, converged, "" if again else _lesser_evil(converged.record, rules))


def restore_traffic(
    request: RollbackRequest,
    *,
    execution: str,
    environment: str,
    writers_live: float,
    records: ServiceRecords,
    rules: Rules,
    requesters: Requesters,
    journal: Journal,
    now: Now,
) -> RollbackContext:
    """Put all traffic on the version known to be good.

    `writers_live` is the longest timeout of a function that shifts weights, in seconds.

    It goes back first and looks afterwards: where the load balancer sees no healthy target there and some in
    the slot that was left, users stay where targets are, and people are told.

    Raises
    ------
    NothingToRollBack
        There is no good version to go back to; nothing was changed.
    """
    if request.environment != environment:
        raise InvalidInput(
            f"this control plane rolls back in {environment}, the request names {fit(request.environment, 40)!r}"
        )
    given = request.fit()
    request = msgspec.structs.replace(given, by=claimed(given.by))
    try:
        done = take_back(request, execution=execution, records=records, rules=rules, now=now)
    except NothingToRollBack as refusal:
        if request.release:
            journal.append(
                request.release,
                ReleaseEntry(now(), "rollback_refused", str(refusal), by=_who(given, requesters)),
            )
        raise
    at, record, converged, evil = done.at, done.record, done.converged, done.left
    rollback = record.rollback
    assert rollback
    if rollback.id == request.id:
        evidence = {
            "weights": dict(converged.record.desired),
            "generation": record.generation,
            "writes": converged.writes,
            "disposition": rollback.disposition,
            "took_seconds": round(now() - at, 3),
        }
        entry = ReleaseEntry(at, "rolling_back", request.reason, _who(given, requesters), evidence)
        journal.append(rollback.release, entry)
    if evil:
        journal.append(rollback.release, ReleaseEntry(now(), "traffic_left", evil, by=request.by))
        remnant = Remnant("traffic_left", rollback.slot, evil, now())
        # Nothing fails because of it: the last look of the rollback writes it down as well.
        with suppress(ControlPlaneError):
            records.update(
                request.service, partial(leave_remnant, remnant=remnant, generation=record.generation)
            )
    return RollbackContext(
        release=rollback.release,
        environment=request.environment,
        service=request.service,
        generation=record.generation,
        slot=rollback.slot,
        stop=rollback.stop,
        reason=rollback.reason,
        since=at,
        settle_in=max(1, round(writers_live)),
    )


def _lesser_evil(record: ServiceRecord, rules: Rules) -> str:
    """Leave users where targets are, if there are none where they went; why, empty when all is well.

    The reconciler moves them as soon as a target is healthy there; retiring wakes it. Whatever cannot be told
    leaves them on the version known to be good.
    """
    rollback = record.rollback
    if rollback is None or rollback.redeploy or record.stable != other(rollback.slot):
        return ""
    back, left = record.slots[record.stable], record.slots[rollback.slot]
    try:
        there = rules.health(back.target_group)
        if there.healthy or not rules.health(left.target_group).healthy:
            return ""
        rules.write(record.rule, {left.target_group: 100, back.target_group: 0})
    except ControlPlaneError:
        return ""
    return (
        f"slot {record.stable} of {record.name} has no healthy target "
        f"({there.reason or 'none is registered'}): users stay in slot {rollback.slot}, which has, although it was "
        "rolled back. Its Pods are being woken and traffic moves by itself as soon as one is healthy; look at "
        f"Deployment {record.service}-{record.stable}"
    )


def _who(request: RollbackRequest, requesters: Requesters) -> str:
    """Who asked, for the timeline: asked only when the traffic is back, and no reason to fail."""
    by = claimed(request.by)
    if by != UNKNOWN:
        return by
    try:
        found = find_requester(request, "rollback", request.id, requesters=requesters)
    except ControlPlaneError:
        found = None
    return found.by if found else UNKNOWN
