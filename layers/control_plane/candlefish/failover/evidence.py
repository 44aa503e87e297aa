"""What a run measured: how long users were without the target, and how much data was lost.

Both come from what the world showed, never from what was planned. A number without a source is not
given: `rpo` is None when neither the data nor the replica said how far it had come.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.failover.model import FailoverStep, Run
from candlefish.failover.steps.database import CAUGHT_UP, CUT, VERIFY, ZONE_FAILOVER
from candlefish.failover.steps.kinds import KINDS

Source = Literal["sentinel", "caught up", "replica lag", "nothing can be lost", ""]


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """Seconds. `rto` counts from the failure to service; when nothing was broken, from the first act
    that cuts users off.

    `detect` is the time before the failover was asked for, `decide` the wait for people, `execute` what
    the machine took. `rpo_source` says what the loss was read from.
    """

    rto: float | None = None
    detect: float = 0.0
    decide: float = 0.0
    execute: float | None = None
    rpo: float | None = None
    rpo_source: Source = ""
    steps: dict[str, float] = {}


def measure_run(run: Run) -> Measured:
    """What can be said of a run so far."""
    steps = _durations(run)
    detect = max(0.0, run.requested_at - run.failing_since) if run.failing_since else 0.0
    approved = max((a.at for a in run.answers.values()), default=run.requested_at)
    decide = max(0.0, approved - run.requested_at)
    served_at = _served_at(run)
    rpo, source = _loss(run)
    if not served_at:
        return Measured(detect=detect, decide=decide, rpo=rpo, rpo_source=source, steps=steps)
    return Measured(
        rto=served_at - (run.failing_since or _cut_off_at(run)),
        detect=detect,
        decide=decide,
        execute=served_at - run.requested_at - decide,
        rpo=rpo,
        rpo_source=source,
        steps=steps,
    )


def _cut_off_at(run: Run) -> float:
    """When a run that was not asked for by a failure began to cut users off."""
    times = [run.state(step).intended_at for step in run.steps if KINDS[step.kind].cuts_off]
    return min((at for at in times if at), default=run.requested_at)


def _served_at(run: Run) -> float:
    """When the last step that users wait for was seen done; 0 while one is not."""
    serving = [step.kind for step in reversed(run.steps) if run.plan in KINDS[step.kind].serves]
    for kind in serving:
        times = [run.state(step).done_at for step in run.steps if step.kind == kind]
        if times and all(times):
            return max(times)
    return 0.0


def _durations(run: Run) -> dict[str, float]:
    """Seconds from one step's end to the next one's, by step."""
    before = max((a.at for a in run.answers.values()), default=run.requested_at)
    found: dict[str, float] = {}
    for step in run.steps:
        if ended := run.state(step).done_at:
            found[step.key] = max(0.0, ended - before)
            before = max(before, ended)
    return found


def _loss(run: Run) -> tuple[float | None, Source]:
    if run.plan in ("application", "database-rebuild", "database-unfence"):
        return 0.0, "nothing can be lost"
    if any(step.kind == CAUGHT_UP.kind for step in run.steps) and run.reached(CAUGHT_UP.kind):
        # The replica had replayed something from after clients were cut off, so all that they wrote.
        return 0.0, "caught up"
    losses = [
        loss for step in run.steps if step.kind == VERIFY.kind and (loss := _sentinel(run, step)) is not None
    ]
    if losses:
        return max(losses), "sentinel"
    lags = [
        before.expected_loss
        for key, before in run.before.items()
        if key.startswith("database/") and before.expected_loss is not None
    ]
    if run.plan in ("database-cross-region", "region") and lags:
        return max(lags), "replica lag"
    return None, ""


def _sentinel(run: Run, step: FailoverStep) -> float | None:
    """From the last heartbeat that survived to when clients were cut off: an upper bound of the loss.

    It is as coarse as the heartbeat. Clients were cut off by the fence, or by the failure when the
    source could not be fenced.
    """
    last: Any = run.state(step).evidence.get("last_beat")
    if last is None:
        return None
    cut = run.state(CUT.of(step.subject)).evidence.get("cut_at")
    if run.plan == "database-in-region":
        cut = run.state(ZONE_FAILOVER.of(step.subject)).evidence.get("failed_over_at")
    end = float(cut or run.failing_since or run.requested_at)
    return max(0.0, end - float(last))
