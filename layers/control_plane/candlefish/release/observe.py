"""Watching a version: one look of the judge, and what the machine does next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from candlefish.analysis.model import Verdict
from candlefish.analysis.observe import observe as judge_once
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog
from candlefish.errors import JudgedBad
from candlefish.ports import Now, Records
from candlefish.record import Slot, require_generation
from candlefish.release.journal import Entry, Journal
from candlefish.release.plan import PlanStep
from candlefish.release.targets import metric_target


class ObserveInput(msgspec.Struct, frozen=True):
    """One look. `judgement` is the judge's state as the last look returned it."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    step: PlanStep
    since: float
    judgement: dict[str, Any] = {}


class Look(msgspec.Struct, frozen=True):
    """What the machine does next: look again, go on, or ask a person."""

    action: Literal["again", "go_on", "ask"]
    reason: str
    judgement: dict[str, Any] = {}


# What a verdict means for the machine; "rollback" is raised as `JudgedBad`.
NEXT: dict[str, Literal["again", "go_on", "ask"]] = {
    "continue": "again",
    "hold": "again",
    "promote": "go_on",
    "ask": "ask",
}


def observe(
    request: ObserveInput,
    *,
    catalog: Catalog,
    records: Records,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    now: Now,
) -> Look:
    """Judge the windows that came in since the last look.

    Raises
    ------
    JudgedBad
        There is evidence against the version; the release has to be rolled back.
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    record = records.get(request.service)
    require_generation(record, request.generation)
    judgement, verdict = judge_once(
        sources,
        catalog.policies[request.step.policy],
        metric_target(record, request.slot),
        request.judgement.get("states", {}),
        mode="bake" if request.step.kind == "bake" else "judge",
        since=request.since,
        now=at,
        deadline=request.since + request.step.within,
    )
    if verdict.action != request.judgement.get("last"):
        journal.append(request.release, _entry(request, verdict, at))
    if verdict.action == "rollback":
        raise JudgedBad(f"{request.service} in slot {request.slot}: {verdict.reason}")
    return Look(NEXT[verdict.action], verdict.reason, {"states": judgement, "last": verdict.action})


def _entry(request: ObserveInput, verdict: Verdict, at: float) -> Entry:
    evidence = {"action": verdict.action, "step": request.step.kind, **verdict.evidence}
    return Entry(at, "judged", verdict.reason, by="judge", evidence=evidence)
