"""Take the last look after a rollback, and free the service."""

from __future__ import annotations

from candlefish.bounds import LONGEST_REASON, fit, message_of
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import RollbackEnd
from candlefish.service.model import Remnant
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, end_rollback
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import Converged, repair_drift


def finish_rollback(
    request: RollbackEnd, *, records: ServiceRecords, rules: Rules, journal: Journal, now: Now
) -> None:
    """Take the last look at rule and record, then free the service.

    By now every function of an older generation has been stopped by its timeout, so nothing that
    was in flight can still arrive after this look. Its end is written down before the service is free:
    while it is not, the reconciler starts the rollback again. A rollback whose slot could not be scaled
    down, or whose version did not come back, ends all the same, and a person is told what is left to do.
    """
    record = held_record(request, records)
    if request.left:
        journal.append(request.release, _left(record, fit(message_of(request.left), LONGEST_REASON), now()))
    # Of Pods the last look was taken where they were moved: by `retire_slot`, after the writers' time.
    converged = (
        repair_drift(record, records=records, rules=rules) if record.balanced else Converged(record, 0)
    )
    stable = converged.record.stable_version
    where = f"all traffic is on {stable.short if stable else 'the empty slot: nothing was stable before'}"
    if record.jobs:
        ran = ", ".join(job.job for job in record.jobs)
        met = stable.short if stable else "whatever comes next"
        where += f"; job {ran} had been started and is not undone: {met} meets what it changed"
    if converged.refused:
        # The reconciler tells of it, and puts it right once the slot has targets.
        where = f"the rule differs from the record and was left so: {converged.refused}"
    journal.append(
        request.release,
        ReleaseEntry(
            now(),
            "rolled_back",
            where,
            evidence={"weights": dict(converged.record.desired), "repaired": converged.writes},
        ),
    )
    remnant = _remnant(converged, request.left, now())
    records.update(
        request.service, lambda r: end_rollback(r, generation=request.generation, now=now(), remnant=remnant)
    )


def _remnant(converged: Converged, left: str, at: float) -> Remnant | None:
    """What a person has to see to for as long as it is so, beside Pods that are left, of which their slot says so."""
    rollback = converged.record.rollback
    if rollback is None:
        return None
    if rollback.redeploy:
        return Remnant("not_restored", rollback.slot, message_of(left), at) if left else None
    return Remnant("traffic_left", rollback.slot, converged.refused, at) if converged.refused else None


def _left(record: ServiceRecord, why: str, at: float) -> ReleaseEntry:
    """What a rollback leaves to a person, and what they do about it."""
    rollback = record.rollback
    slot = rollback.slot if rollback else record.stable
    if rollback and rollback.redeploy:
        version = record.slots[rollback.slot].version
        return ReleaseEntry(
            at,
            "not_restored",
            f"{version.short if version else 'the good version'} does not run in slot {slot} yet: {why}. The service "
            "is free: release a version that works, or mend what is in the way (docs/runbook.md, Rolled back, and "
            "something is left)",
        )
    return ReleaseEntry(
        at,
        "capacity_left",
        f"slot {slot} gets no traffic and keeps its Pods: {why}. The service is free; the cluster's reconciler goes "
        "on trying (docs/runbook.md, Rolled back, and something is left)",
    )
