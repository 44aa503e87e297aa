"""Take the last look after a rollback, and free the service."""

from __future__ import annotations

from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import ReleaseRun
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import end_rollback
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import repair_drift


def finish_rollback(
    request: ReleaseRun, *, records: ServiceRecords, rules: Rules, journal: Journal, now: Now
) -> None:
    """Take the last look at rule and record, then free the service.

    By now every function of an older generation has been stopped by its timeout, so nothing that
    was in flight can still arrive after this look. Its end is written down before the service is free:
    while it is not, the reconciler starts the rollback again.
    """
    converged = repair_drift(held_record(request, records), records=records, rules=rules)
    stable = converged.record.stable_version
    where = f"all traffic is on {stable.short if stable else 'the empty slot: nothing was stable before'}"
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
    records.update(request.service, lambda r: end_rollback(r, generation=request.generation, now=now()))
