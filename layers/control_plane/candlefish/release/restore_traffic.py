"""Restore traffic: the first state of every rollback.

It needs the record and the load balancer, nothing else, and two calls before ModifyRule. What follows
(stopping the release, draining, scaling down; see `retire_slot`) may take its time and may fail; the
traffic is safe by then.
"""

from __future__ import annotations

from candlefish.bounds import fit
from candlefish.errors import InvalidInput, NothingToRollBack
from candlefish.ports import Now
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import RollbackContext
from candlefish.service.model import RollbackRequest
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import begin_rollback
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import converge

# A rollback that has not finished after this is taken over by the reconciler.
ROLLBACK_LEASE = 1800.0


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
) -> RollbackContext:
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
            f"this control plane rolls back in {environment}, the request names {fit(request.environment, 40)!r}"
        )
    request = request.fit()
    try:
        record = records.update(
            request.service,
            lambda r: begin_rollback(r, request, execution=execution, now=at, lease=ROLLBACK_LEASE),
        )
    except NothingToRollBack as refusal:
        if request.release:
            journal.append(request.release, ReleaseEntry(at, "rollback_refused", str(refusal), by=request.by))
        raise
    converged = converge(record, records=records, rules=rules)
    rollback = record.rollback
    assert rollback
    if rollback.id == request.id:
        evidence = {
            "weights": dict(converged.record.desired),
            "generation": record.generation,
            "writes": converged.writes,
            "took_seconds": round(now() - at, 3),
        }
        entry = ReleaseEntry(at, "rolling_back", request.reason, by=request.by, evidence=evidence)
        journal.append(rollback.release, entry)
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
