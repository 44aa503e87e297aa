"""Whether a release may take its canary out of the traffic, putting that into its plan, and looking what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import msgspec

from candlefish.analysis.experiment import Conclusion, Outcome, longest_trial
from candlefish.analysis.look_windows import look_windows
from candlefish.analysis.model import MetricTarget
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Environment, JudgePolicy
from candlefish.errors import JudgedBad
from candlefish.release.freeze import open_freeze
from candlefish.release.journal import Journal
from candlefish.release.model import MOST_EXPERIMENTS, Judgement, Release, ReleaseEntry
from candlefish.release.payloads import AnalysisInput, AnalysisResult
from candlefish.release.plan import fits_execution, with_experiment
from candlefish.release.ports import Judgements
from candlefish.service.ports import ServiceRecords
from candlefish.service.record import ServiceRecord, answer_holds


def why_not_experiment(
    request: AnalysisInput,
    record: ServiceRecord,
    release: Release,
    policy: JudgePolicy,
    environment: Environment,
    now: float,
) -> str:
    """Why no experiment may be made at a step that judges or bakes; empty when one may."""
    weight = record.desired[request.slot]
    if not policy.experiment:
        return f"policy {policy.name} makes no experiments"
    if record.works_alone:
        return (
            f"{record.name} is a worker: without its Pods its jobs wait for the others, which shows nothing"
        )
    if not 0 < weight < 100:
        return f"slot {request.slot} has {weight}% of the traffic: there is nothing to compare with"
    if release.experiments >= MOST_EXPERIMENTS:
        return f"the release has made {release.experiments} experiments, which is the most"
    if held := [hold.reason for hold in record.stops if not hold.trial]:
        return f"the release is held: {'; '.join(held)}"
    if not release.break_glass and open_freeze(environment.freezes, environment.timezone, now):
        return f"{environment.name} is frozen"
    plan = with_experiment(release, request.index - 1, weight=weight, within=longest_trial(policy))
    return "" if fits_execution(plan) else "the release's execution has no room for more looks"


def begun(request: AnalysisInput, release: Release) -> bool:
    """Whether an experiment was put in front of the step already: by a look that died, or another one."""
    return release.plan[request.index - 1].kind == "shift"


def begin_experiment(
    request: AnalysisInput,
    record: ServiceRecord,
    release: Release,
    policy: JudgePolicy,
    why: str,
    *,
    journal: Journal,
    at: float,
) -> AnalysisResult:
    """Put an experiment in front of the step, once, and let the machine go on there.

    Raises
    ------
    RecordContested
        Another look put it there meanwhile.
    """
    place = request.index - 1
    if not begun(request, release):
        weight = record.desired[request.slot]
        plan = with_experiment(release, place, weight=weight, within=longest_trial(policy))
        journal.replan(release, plan)
        release = msgspec.structs.replace(release, plan=plan)
    told = [e for e in journal.entries(request.release) if e.kind == "experiment"]
    number = release.experiments
    if len(told) < number:
        reason = (
            f"experiment {number} of at most {MOST_EXPERIMENTS}: canary at 0% for two windows to see whose fault it is"
            + (f": {why}" if why else "")
        )
        journal.append(
            request.release, ReleaseEntry(at, "experiment", reason, by="judge", evidence={"number": number})
        )
    return AnalysisResult("experiment", why or "an experiment was put in front of the step", index=place)


def look_at_experiment(
    request: AnalysisInput,
    record: ServiceRecord,
    *,
    target: MetricTarget,
    policy: JudgePolicy,
    sources: Mapping[str, WindowSource],
    judgements: Judgements,
    records: ServiceRecords,
    journal: Journal,
    at: float,
) -> AnalysisResult:
    """One look at the old version while the canary's weight is 0; the machine goes on when there is a conclusion.

    Raises
    ------
    JudgedBad
        The old version recovered: it was the canary.
    RecordContested
        Another look wrote down what it saw meanwhile.
    """
    if record.desired[request.slot]:
        # A look that was late put the experiment where the machine had passed: it begins with the step before it.
        return AnalysisResult(
            "go_on", "the canary has traffic: it is taken out first", index=request.index - 2
        )
    known = judgements.read(request.release)
    if (told := _concluded_before(known.written, request.since)) is not None:
        return _after(told, request)
    states, conclusion = look_windows(
        sources,
        policy,
        target,
        known.states,
        since=request.since,
        now=at,
        deadline=request.since + request.step.within,
    )
    if conclusion is None:
        if states != known.states:
            judgements.write(request.release, Judgement(states, known.written, known.revision), at)
        waiting = "the canary is out of the traffic; waiting for what the old version shows without it"
        return AnalysisResult("again", waiting, index=request.index, poll=float(request.step.poll))
    journal.append(
        request.release,
        ReleaseEntry(at, "experiment_ended", conclusion.reason, by="judge", evidence=conclusion.evidence),
    )
    if conclusion.outcome == "recovered":
        raise JudgedBad(f"{request.service} in slot {request.slot}: {conclusion.reason}")
    if conclusion.outcome == "persists":
        records.update(request.service, lambda r: answer_holds(r, generation=request.generation))
    written = f"{request.since} {_MARK}{conclusion.outcome}"
    judgements.write(request.release, Judgement(states, written, known.revision), at)
    return _after(conclusion, request)


def _concluded_before(written: str, since: float) -> Conclusion | None:
    """The conclusion of a look that died after it had written it down."""
    outcome = written.removeprefix(f"{since} {_MARK}")
    if outcome == written or outcome not in get_args(Outcome):
        return None
    return Conclusion(msgspec.convert(outcome, Outcome), f"the experiment is over: {outcome}")


def _after(conclusion: Conclusion, request: AnalysisInput) -> AnalysisResult:
    if conclusion.outcome == "unclear":
        return AnalysisResult("ask", conclusion.reason, index=request.index)
    return AnalysisResult("go_on", conclusion.reason, index=request.index)


_MARK = "experiment "
