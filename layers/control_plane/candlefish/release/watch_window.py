"""Judge a promoted version until its rollback window closes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.release.context import held_record, service_of
from candlefish.release.journal import Journal
from candlefish.release.judging import judge_slot
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import AnalysisResult, WatchInput
from candlefish.release.plan import WATCH_POLLS
from candlefish.release.targets import metric_target
from candlefish.service.ports import ServiceRecords


def watch_window(
    request: WatchInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    now: Now,
) -> AnalysisResult:
    """Judge a promoted version while its rollback window is open; `go_on` when it has closed.

    There is no step to hold any more: a judge that cannot tell goes on looking.

    Raises
    ------
    JudgedBad
        There is evidence against the version; its predecessor has to take over again.
    StaleGeneration
        A newer release or a rollback took over.
    """
    at = now()
    record = held_record(request, records)
    if at >= record.window_until:
        journal.append(request.release, ReleaseEntry(at, "window_closed", "the rollback window has closed"))
        return AnalysisResult("go_on", "the rollback window has closed")
    policy = catalog.policies[service_of(request, catalog).judge]
    result = judge_slot(
        request,
        target=metric_target(record, request.slot, catalog.environments[request.environment].namespace),
        policy=policy,
        mode="bake",
        deadline=record.window_until,
        sources=sources,
        journal=journal,
        at=at,
    )
    # A window of days must not outgrow the execution's history.
    poll = max(policy.window, (record.window_until - request.since) / WATCH_POLLS, 1)
    left = max(record.window_until - at, 1)
    return msgspec.structs.replace(result, action="again", poll=math.ceil(min(poll, left)))
