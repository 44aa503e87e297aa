"""Watching a version: one look of the judge, and what the machine does next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from candlefish.analysis.model import Mode
from candlefish.analysis.observe import observe as judge_once
from candlefish.analysis.ports import Calibrations, WindowSource
from candlefish.catalog.model import Catalog, JudgePolicy
from candlefish.catalog.read import effective
from candlefish.errors import JudgedBad
from candlefish.ports import Now
from candlefish.release.journal import Entry, Journal
from candlefish.release.plan import WATCH_LOOKS, PlanStep
from candlefish.release.steps import Next
from candlefish.release.targets import metric_target
from candlefish.service.model import Slot
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, require_generation


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
    # Seconds until the next look.
    poll: int = 0
    # For "ask": the instruction that makes the machine ask a person.
    ask: Next | None = None


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
    records: ServiceRecords,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    now: Now,
    calibrations: Calibrations | None = None,
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
    look = _judge(
        request,
        record,
        policy=catalog.policies[request.step.policy],
        mode="bake" if request.step.kind == "bake" else "judge",
        deadline=request.since + request.step.within,
        namespace=catalog.environments[request.environment].namespace,
        sources=sources,
        journal=journal,
        at=at,
        calibrations=calibrations,
    )
    if look.action == "ask" and request.step.unclear == "go_on":
        return msgspec.structs.replace(look, action="go_on")
    if look.action == "ask":
        strategy = catalog.strategies[catalog.environments[request.environment].strategy]
        question = PlanStep(kind="approve", name="verdict", within=float(strategy.ask_within))
        return msgspec.structs.replace(look, ask=Next(kind="approve", index=0, since=at, step=question))
    return look


class WatchInput(msgspec.Struct, frozen=True):
    """One look after promotion. `since` is when the version was released, epoch seconds."""

    release: str
    environment: str
    service: str
    generation: int
    slot: Slot
    since: float
    judgement: dict[str, Any] = {}


def watch(
    request: WatchInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    now: Now,
) -> Look:
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
    record = records.get(request.service)
    require_generation(record, request.generation)
    if at >= record.window_until:
        journal.append(request.release, Entry(at, "window_closed", "the rollback window has closed"))
        return Look("go_on", "the rollback window has closed")
    service = effective(catalog.service(request.service), catalog.environments[request.environment])
    policy = catalog.policies[service.judge]
    look = _judge(
        request,
        record,
        policy=policy,
        mode="bake",
        deadline=record.window_until,
        namespace=catalog.environments[request.environment].namespace,
        sources=sources,
        journal=journal,
        at=at,
    )
    # A window of days must not outgrow the execution's history.
    poll = max(policy.window, (record.window_until - request.since) / WATCH_LOOKS, 1)
    left = max(record.window_until - at, 1)
    return msgspec.structs.replace(look, action="again", poll=math.ceil(min(poll, left)))


def _judge(
    request: ObserveInput | WatchInput,
    record: ServiceRecord,
    *,
    policy: JudgePolicy,
    mode: Mode,
    deadline: float,
    namespace: str,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    at: float,
    calibrations: Calibrations | None = None,
) -> Look:
    states, verdict = judge_once(
        sources,
        policy,
        metric_target(record, request.slot, namespace),
        request.judgement.get("states", {}),
        mode=mode,
        since=request.since,
        now=at,
        deadline=deadline,
        calibrations=calibrations,
    )
    said = f"{request.since} {verdict.action}"
    if said != request.judgement.get("said"):
        evidence = {"action": verdict.action, "mode": mode, **verdict.evidence}
        journal.append(request.release, Entry(at, "judged", verdict.reason, by="judge", evidence=evidence))
    if verdict.action == "rollback":
        raise JudgedBad(f"{request.service} in slot {request.slot}: {verdict.reason}")
    return Look(NEXT[verdict.action], verdict.reason, {"states": states, "said": said})
