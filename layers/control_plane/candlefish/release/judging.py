"""One look of the judge at a slot, as steps and windows need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, assert_never

from candlefish.analysis.judge_windows import NO_EXPERIMENT, WORLDS, Asking, Failed, judge_windows
from candlefish.analysis.model import MetricTarget, Mode
from candlefish.analysis.ports import Calibrations, WindowSource
from candlefish.analysis.standing import HeardSource
from candlefish.catalog.model import JudgePolicy
from candlefish.errors import JudgedBad
from candlefish.measures import Measure
from candlefish.ports import Meter
from candlefish.release.journal import Journal
from candlefish.release.model import Judgement, ReleaseEntry, SeenEvidence, SeenWindow
from candlefish.release.payloads import AnalysisResult, StepInput, WatchContext
from candlefish.release.ports import Judgements, Looks
from candlefish.release.seen import seen_by


def judge_slot(
    request: StepInput | WatchContext,
    *,
    target: MetricTarget,
    policy: JudgePolicy,
    mode: Mode,
    deadline: float,
    sources: Mapping[str, WindowSource],
    judgements: Judgements,
    journal: Journal,
    poll: float,
    at: float,
    calibrations: Calibrations | None = None,
    asking: Asking = NO_EXPERIMENT,
    failed: Failed | None = None,
    horizon: float = 0.0,
    looks: Looks | None = None,
    meter: Meter | None = None,
) -> AnalysisResult:
    """Judge what came in since the last look; a verdict that is not the last one goes into the timeline.

    What the judge knows is in the table, under the release, which has one generation: a look that died after it wrote
    that down counts no window twice, and one that is overtaken by another is told so. `poll` is seconds until the
    next look. `asking` says whether "experiment" is an answer; `failed` is told of bugs of ours; `horizon` is how long a
    promoted version is watched, in seconds; `looks` is where what people see of it is left, `meter` where the
    evidence of new windows is reported.

    Raises
    ------
    JudgedBad
        There is evidence against the version in the slot.
    RecordContested
        Another look wrote down what it saw meanwhile.
    """
    known = judgements.read(request.release)
    heard: list[HeardSource] = []
    states, verdict = judge_windows(
        sources,
        policy,
        target,
        known.states,
        mode=mode,
        since=request.since,
        now=at,
        deadline=deadline,
        calibrations=calibrations,
        asking=asking,
        failed=failed,
        horizon=horizon,
        told=heard.append,
    )
    if looks:
        try:
            seen = seen_by(
                heard,
                verdict,
                policy,
                target,
                asked=sources,
                before=known.states,
                mode=mode,
                since=request.since,
                at=at,
                deadline=deadline,
            )
            looks.keep(request.release, *seen)
        except Exception as error:  # noqa: BLE001 - what is shown never decides
            if failed:
                failed("what is shown", error)
        else:
            if meter:
                meter.measure(evidence_measures(request.service, *seen))
    written = f"{request.since} {verdict.action}"
    if written != known.written:
        evidence = {"action": verdict.action, "mode": mode, **verdict.evidence}
        journal.append(
            request.release, ReleaseEntry(at, "judged", verdict.reason, by="judge", evidence=evidence)
        )
    after: Literal["again", "go_on", "experiment", "ask"]
    match verdict.action:
        case "rollback":
            raise JudgedBad(f"{request.service} in slot {request.slot}: {verdict.reason}")
        case "continue" | "hold":
            after = "again"
        case "experiment":
            after = "experiment"
        case "promote":
            after = "go_on"
        case "ask":
            after = "ask"
        case _:
            assert_never(verdict.action)
    if (states, written) != (known.states, known.written):
        judgements.write(request.release, Judgement(states, written, known.revision), at)
    return AnalysisResult(after, verdict.reason, poll=poll, worlds=bool(verdict.evidence.get(WORLDS)))


def evidence_measures(service: str, seen: SeenEvidence, windows: Sequence[SeenWindow]) -> list[Measure]:
    """Where the evidence stands after a look that had new windows; nothing of one that had none (pure)."""
    if seen.position is None or not windows:
        return []
    return [Measure("Evidence", seen.position, service)]
