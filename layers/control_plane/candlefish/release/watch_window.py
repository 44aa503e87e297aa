"""Judge a promoted version until its rollback window closes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from candlefish.analysis.judge_windows import Failed, watched_words
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog
from candlefish.ports import Meter, Now
from candlefish.release.context import held_record, service_of
from candlefish.release.journal import Journal
from candlefish.release.judging import judge_slot
from candlefish.release.looks import pause_in_watch
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import AnalysisResult, WatchContext
from candlefish.release.ports import Judgements, Looks
from candlefish.release.targets import metric_target, sources_of
from candlefish.service.ports import ServiceRecords


def watch_window(
    request: WatchContext,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    sources: Mapping[str, WindowSource],
    judgements: Judgements,
    journal: Journal,
    now: Now,
    failed: Failed | None = None,
    looks: Looks | None = None,
    meter: Meter | None = None,
) -> AnalysisResult:
    """Judge a promoted version while its rollback window is open; `go_on` when it has closed.

    `failed` is told of bugs of ours; `looks` keeps what people see of it, `meter` hears of its evidence.

    Raises
    ------
    JudgedBad
        There is evidence against the version; its predecessor has to take over again.
    StaleGeneration
        A newer release or a rollback took over.
    """
    at = now()
    record = held_record(request, records)
    policy = catalog.policies[service_of(request, catalog).judge]
    if at >= record.window_until:
        seen = watched_words(policy, judgements.read(request.release).states)
        why = f"the rollback window has closed: {seen}"
        journal.append(request.release, ReleaseEntry(at, "window_closed", why))
        return AnalysisResult("go_on", why)
    result = judge_slot(
        request,
        target=metric_target(record, request.slot, catalog),
        policy=policy,
        mode="bake",
        deadline=record.window_until,
        sources=sources_of(record, sources, policy),
        judgements=judgements,
        journal=journal,
        poll=pause_in_watch(request.since, record.window_until, at, policy.window),
        at=at,
        failed=failed,
        looks=looks,
        meter=meter,
    )
    # There is no step to hold any more: a judge that cannot tell goes on looking.
    return msgspec.structs.replace(result, action="again")
