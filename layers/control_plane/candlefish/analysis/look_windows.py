"""One look at the old version while the canary's weight is 0: read what came in, and agree on whose fault it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from candlefish.analysis.experiment import (
    Conclusion,
    Outcome,
    Trial,
    after_trial,
    begin_trial,
    conclude,
    look_at,
)
from candlefish.analysis.model import MetricTarget, aim_target
from candlefish.analysis.ports import WindowSource
from candlefish.analysis.remembered import STILL, Remembered, complete_windows, plain, recalled
from candlefish.catalog.model import JudgePolicy
from candlefish.errors import Unavailable

# Which conclusion stands when sources come to different ones: the one that accuses least.
_ORDER: tuple[Outcome, ...] = ("persists", "passed", "once", "recovered", "unclear")


def look_windows(
    sources: Mapping[str, WindowSource],
    policy: JudgePolicy,
    target: MetricTarget,
    states: Mapping[str, Any],
    *,
    since: float,
    now: float,
    deadline: float,
) -> tuple[dict[str, Any], Conclusion | None]:
    """Look at the windows that came in since the last look at the experiment.

    Parameters
    ----------
    states
        What the judge's last look returned, by source (`judge_windows`).
    since, now, deadline
        Since when the canary's weight has been 0, now, and until when a conclusion is waited for; epoch seconds.

    Returns
    -------
    The states to hand to the next look of the experiment, or of the judge, and the conclusion; None while there is
    none. A metrics store that is down concludes nothing; at the deadline that is "unclear".
    """
    memories = {name: known for name in sources if (known := recalled(policy, states.get(name)))}
    over = now >= deadline
    found: list[tuple[Conclusion, Trial]] = []
    silent: list[str] = []
    for name, memory in memories.items():
        if memory.trial is None or memory.trial.since != since:
            memory.trial, memory.growing = begin_trial(memory.monitor, since), []
        if memory.trial is None:
            continue
        try:
            _look_source(sources[name], aim_target(target, policy, name), memory, now)
        except Unavailable as error:
            silent.append(f"{name} does not tell: {error}")
        if concluded := conclude(memory.trial, over=over):
            found.append((concluded, memory.trial))
    if not found:
        lost = Conclusion("unclear", "unclear: what the judge knew of the trouble is gone")
        looking = any(memory.trial for memory in memories.values())
        return _plain(memories, states), None if looking else lost
    agreed, trial = min(found, key=lambda each: _ORDER.index(each[0].outcome))
    if agreed.outcome == "unclear" and not over:
        return _plain(memories, states), None
    if agreed.outcome == "unclear" and silent:
        agreed = msgspec.structs.replace(agreed, reason=f"{agreed.reason}; {'; '.join(silent)}")
    for memory in memories.values():
        # A slower source has yet to hear of the trouble; what came of it is no news by then.
        until = max(trial.until, memory.trial.until if memory.trial else 0.0)
        memory.monitored_until = max(memory.monitored_until, until)
        monitor = msgspec.structs.replace(memory.monitor, trouble=memory.monitor.trouble or trial.trouble)
        memory.monitor, memory.trial, memory.growing = after_trial(monitor, agreed), None, []
    return _plain(memories, states), agreed


def _look_source(source: WindowSource, aim: MetricTarget, memory: Remembered, now: float) -> None:
    assert memory.trial is not None
    read = source.windows(aim, max(memory.monitored_until, memory.trial.until), now)
    windows, memory.growing = complete_windows(read, memory.growing, now, STILL * aim.settle)
    for window in windows:
        memory.trial = look_at(memory.trial, window)


def _plain(memories: Mapping[str, Remembered], states: Mapping[str, Any]) -> dict[str, Any]:
    return {**states, **{name: plain(memory) for name, memory in memories.items()}}
