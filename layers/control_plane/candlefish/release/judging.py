"""One look of the judge at a slot, as steps and windows need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never

from candlefish.analysis.judge_windows import judge_windows
from candlefish.analysis.model import MetricTarget, Mode
from candlefish.analysis.ports import Calibrations, WindowSource
from candlefish.catalog.model import JudgePolicy
from candlefish.errors import JudgedBad
from candlefish.release.journal import Journal
from candlefish.release.model import ReleaseEntry
from candlefish.release.payloads import AnalysisInput, AnalysisResult, Judgement, WatchInput


def judge_slot(
    request: AnalysisInput | WatchInput,
    *,
    target: MetricTarget,
    policy: JudgePolicy,
    mode: Mode,
    deadline: float,
    sources: Mapping[str, WindowSource],
    journal: Journal,
    at: float,
    calibrations: Calibrations | None = None,
) -> AnalysisResult:
    """Judge what came in since the last look; a verdict that is not the last one goes into the timeline.

    Raises
    ------
    JudgedBad
        There is evidence against the version in the slot.
    """
    states, verdict = judge_windows(
        sources,
        policy,
        target,
        request.judgement.states,
        mode=mode,
        since=request.since,
        now=at,
        deadline=deadline,
        calibrations=calibrations,
    )
    written = f"{request.since} {verdict.action}"
    if written != request.judgement.written:
        evidence = {"action": verdict.action, "mode": mode, **verdict.evidence}
        journal.append(
            request.release, ReleaseEntry(at, "judged", verdict.reason, by="judge", evidence=evidence)
        )
    after: Literal["again", "go_on", "ask"]
    match verdict.action:
        case "rollback":
            raise JudgedBad(f"{request.service} in slot {request.slot}: {verdict.reason}")
        case "continue" | "hold":
            after = "again"
        case "promote":
            after = "go_on"
        case "ask":
            after = "ask"
        case _:
            assert_never(verdict.action)
    return AnalysisResult(after, verdict.reason, Judgement(states, written))
