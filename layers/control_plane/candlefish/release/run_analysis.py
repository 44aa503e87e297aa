"""Judge the windows of a candidate that came in since the last look, or what they show without it: one step."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from candlefish.analysis.judge_windows import Asking, Failed, baseline_is_well
from candlefish.analysis.ports import Calibrations, WindowSource
from candlefish.catalog.model import Catalog
from candlefish.errors import JudgedBad
from candlefish.ports import Meter, Now
from candlefish.release.context import held_record
from candlefish.release.experiment import begin_experiment, begun, look_at_experiment, why_not_experiment
from candlefish.release.journal import Journal
from candlefish.release.judging import judge_slot
from candlefish.release.looks import is_glance, pause_in_step
from candlefish.release.model import PlanStep
from candlefish.release.payloads import AnalysisInput, AnalysisResult, Instruction
from candlefish.release.ports import Judgements, Looks
from candlefish.release.targets import metric_target, sources_of
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import answer_holds


def run_analysis(
    request: AnalysisInput,
    *,
    catalog: Catalog,
    records: ServiceRecords,
    sources: Mapping[str, WindowSource],
    judgements: Judgements,
    journal: Journal,
    now: Now,
    calibrations: Calibrations | None = None,
    failed: Failed | None = None,
    looks: Looks | None = None,
    meter: Meter | None = None,
) -> AnalysisResult:
    """Judge the windows that came in since the last look, or look what an experiment shows.

    `failed` hears of our bugs; `looks` keeps what people see of it, `meter` hears of its evidence.

    Raises
    ------
    JudgedBad
        There is evidence against the version; the release has to be rolled back.
    StaleGeneration
        Somebody took the service over; the release has to end.
    """
    at = now()
    record = held_record(request, records)
    release = journal.read(request.release)
    if by := release.plan[request.index - 1].skipped_by:
        # A look that died may have said so, and not lived to end the release.
        if (told := journal.verdict(request.release)) and told.evidence.get("action") == "rollback":
            raise JudgedBad(f"{request.service} in slot {request.slot}: {told.reason}")
        return AnalysisResult("go_on", f"{by} promotes the release without it", index=request.index)
    strategy = catalog.strategy(request.environment)
    policy, deadline = catalog.policies[request.step.policy], request.since + request.step.within
    target, sources = metric_target(record, request.slot, catalog), sources_of(record, sources, policy)
    if request.step.kind == "experiment":
        result = look_at_experiment(
            request,
            record,
            target=target,
            policy=policy,
            sources=sources,
            judgements=judgements,
            records=records,
            journal=journal,
            at=at,
        )
        return _unless_asked(result, request, catalog, at)
    if begun(request, release):
        return begin_experiment(request, record, release, policy, "", journal=journal, at=at)
    refused = why_not_experiment(
        request, record, release, policy, catalog.environments[request.environment], at
    )
    poll = pause_in_step(request.since, deadline, at, policy.window, request.step.poll, closely=not refused)
    suspected = any(hold.trial == "wanted" for hold in record.holds)
    if not refused and not suspected and is_glance(request.since, deadline, at, policy.window, policy.settle):
        known = judgements.read(request.release)
        if baseline_is_well(sources, policy, target, known.states, now=at):
            return AnalysisResult("again", "the old version is well", index=request.index, poll=poll)
    result = judge_slot(
        request,
        target=target,
        policy=policy,
        mode="bake" if request.step.kind == "bake" else "judge",
        deadline=deadline,
        sources=sources,
        judgements=judgements,
        journal=journal,
        poll=poll,
        at=at,
        calibrations=calibrations,
        asking=Asking(not refused, suspected),
        failed=failed,
        horizon=float(strategy.rollback_window),
        looks=looks,
        meter=meter,
    )
    if result.worlds and suspected:
        # It came after the experiment that answers it.
        records.update(request.service, lambda r: answer_holds(r, generation=request.generation))
    if result.action == "experiment":
        return begin_experiment(request, record, release, policy, result.reason, journal=journal, at=at)
    if result.action == "go_on" and at < deadline and any(hold.is_pause for hold in record.holds):
        # Nothing goes forward, so there is time for more evidence.
        result = msgspec.structs.replace(result, action="again", poll=poll)
    result = msgspec.structs.replace(result, index=request.index)
    return _unless_asked(result, request, catalog, at)


def _unless_asked(
    result: AnalysisResult, request: AnalysisInput, catalog: Catalog, at: float
) -> AnalysisResult:
    """The result; one that asks with the question, or going on where the strategy says that not knowing may."""
    if result.action != "ask":
        return result
    if request.step.unclear == "go_on":
        return msgspec.structs.replace(result, action="go_on")
    strategy = catalog.strategy(request.environment)
    name = "experiment" if request.step.kind == "experiment" else "verdict"
    question = PlanStep(kind="approve", name=name, within=float(strategy.ask_within))
    return msgspec.structs.replace(
        result, ask=Instruction(kind="approve", index=request.index, since=at, step=question)
    )
