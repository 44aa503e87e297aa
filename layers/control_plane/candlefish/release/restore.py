"""Restoring traffic: the first state of every rollback.

It needs the record and the load balancer, nothing else, and two calls before ModifyRule. What follows
(stopping the release, draining, scaling down; see `retire`) may take its time and may fail; the
traffic is safe by then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from candlefish.errors import InvalidInput, NothingToRollBack
from candlefish.ports import Now
from candlefish.release.journal import Entry, Journal
from candlefish.service.model import RollbackRequest, Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import begin_rollback
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import converge

# A rollback that has not finished after this is taken over by the reconciler.
ROLLBACK_LEASE = 1800.0


class Restored(msgspec.Struct, frozen=True):
    """What the rollback machine carries on after the traffic is back."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    stop: str
    reason: str
    since: float
    # Seconds until writers of older generations are dead and the last look is worth taking.
    settle_in: int


def restore_traffic(
    request: RollbackRequest,
    *,
    execution: str,
    environment: str,
    writers_live: float,
    records: ServiceRecords,
    rules: Rules,
    journal: Journal,
    now: Now,
) -> Restored:
    """Put all traffic on the version known to be good.

    `writers_live` is the longest timeout of a function that shifts weights, in seconds.

    Raises
    ------
    NothingToRollBack
        There is no good version to go back to; nothing was changed.
    """
    at = now()
    if request.environment != environment:
        raise InvalidInput(
            f"this control plane rolls back in {environment}, the request names {request.environment!r}"
        )
    request = msgspec.structs.replace(request, reason=readable(request.reason))
    try:
        record = records.update(
            request.service,
            lambda r: begin_rollback(r, request, execution=execution, now=at, lease=ROLLBACK_LEASE),
        )
    except NothingToRollBack as refusal:
        if request.release:
            journal.append(request.release, Entry(at, "rollback_refused", str(refusal), by=request.by))
        raise
    settled = converge(record, records=records, rules=rules)
    rollback = record.rollback
    assert rollback
    if rollback.id == request.id:
        journal.append(
            rollback.release,
            Entry(
                at,
                "rolling_back",
                request.reason,
                by=request.by,
                evidence={
                    "weights": dict(settled.record.desired),
                    "generation": record.generation,
                    "writes": settled.writes,
                    "took_seconds": round(now() - at, 3),
                },
            ),
        )
    return Restored(
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


def readable(cause: str) -> str:
    """The message inside a Lambda failure's cause, which Step Functions hands on as JSON."""
    try:
        failure = msgspec.json.decode(cause, type=dict[str, Any])
    except msgspec.MsgspecError:
        return cause
    return str(failure.get("errorMessage") or cause)
