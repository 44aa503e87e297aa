"""Make a release's version the stable one."""

from __future__ import annotations

import msgspec

from candlefish.ports import Now
from candlefish.release.cron import may_have_cron
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import ReleaseContext, WatchContext, watch_context
from candlefish.service.model import other
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import promote
from candlefish.traffic.ports import Rules
from candlefish.traffic.shift import stamp


def promote_release(
    request: ReleaseContext, *, records: ServiceRecords, rules: Rules, journal: Journal, now: Now
) -> WatchContext:
    """Make the release's version the stable one; what the watch machine is started with.

    The rule is marked at once: a record restored to the moment before would take the new version for a candidate.
    Of Pods the cluster's reconciler does that.
    """
    at = now()
    window = request.window
    record = records.update(
        request.service, lambda r: promote(r, generation=request.generation, now=at, window=window)
    )
    if record.balanced:
        stamp(record, rules=rules)
    version = record.stable_version
    assert record.stable and version
    kept = record.slots[other(record.stable)].state == "previous"
    journal.append(
        request.release,
        ReleaseEntry(
            at,
            "promoted",
            f"{version.short} is the stable version"
            + (f"; its predecessor stays at capacity for {window:.0f} s" if kept and window else ""),
            evidence={"stable": record.stable, "window_until": record.window_until},
        ),
    )
    return msgspec.structs.replace(watch_context(record), cron=may_have_cron(record))
