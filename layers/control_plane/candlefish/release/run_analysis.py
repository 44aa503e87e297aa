"""Judge the windows of a candidate that came in since the last look: one step of a release."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from candlefish.analysis.judge_windows import Failed
from candlefish.analysis.ports import Calibrations, WindowSource
from candlefish.catalog.model import Catalog
from candlefish.ports import Now
from candlefish.release.context import held_record
from candlefish.release.journal import Journal
from candlefish.release.judging import judge_slot
from candlefish.release.looks import pause_in_step
from candlefish.release.model import PlanStep
from candlefish.release.payloads import AnalysisResult, Instruction, StepInput
from candlefish.release.ports import Judgements
from candlefish.release.targets import metric_target
from candlefish.service.ports import ServiceRecords


def run_analysis(
    request: StepInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    sources: Mapping[str, WindowSource],
    judgements: Judgements,
    journal: Journal,
    now: Now,
    calibrations: Calibrations | None = None,
    failed: Failed | None = None,
) -> AnalysisResult:
    """Judge the windows that came in since the last look; `failed` is told of bugs of ours.

    Raises
    ------
    JudgedBad
        There is evidence against the version; the release has to be rolled back.
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    record = held_record(request, records)
    strategy = catalog.strategy(request.environment)
    policy, deadline = catalog.policies[request.step.policy], request.since + request.step.within
    result = judge_slot(
        request,
        target=metric_target(record, request.slot, catalog),
        policy=policy,
        mode="bake" if request.step.kind == "bake" else "judge",
        deadline=deadline,
        sources=sources,
        judgements=judgements,
        journal=journal,
        poll=pause_in_step(request.since, deadline, at, policy.window, request.step.poll),
        at=at,
        calibrations=calibrations,
        failed=failed,
        horizon=float(strategy.rollback_window),
    )
    if result.action == "ask" and request.step.unclear == "go_on":
        return msgspec.structs.replace(result, action="go_on")
    if result.action == "ask":
        question = PlanStep(kind="approve", name="verdict", within=float(strategy.ask_within))
        return msgspec.structs.replace(
            result, ask=Instruction(kind="approve", index=0, since=at, step=question)
        )
    return result
