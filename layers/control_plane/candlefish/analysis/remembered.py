"""What a source's judge carries from look to look, and what it reads again because it may still grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from candlefish.analysis.calibration import Calibration
from candlefish.analysis.experiment import Trial
from candlefish.analysis.judge import fits
from candlefish.analysis.memory_growth import Point
from candlefish.analysis.model import JudgeState, Survey, Window
from candlefish.analysis.trouble import Monitor
from candlefish.catalog.model import JudgePolicy

# Share of `settle` after which a window that reads as before has stopped growing.
STILL = 0.5


class Growing(msgspec.Struct, frozen=True):
    """A window that is not consumed yet, and since when it has read like this; epoch seconds."""

    window: Window
    since: float


class Remembered(msgspec.Struct):
    """What a source's judge carries from look to look: plain values of a few KB."""

    state: JudgeState
    # When the release began, so that what was served before it can be told.
    began: float
    calibration: dict[str, Calibration]
    # Since when the baseline has been gone and its recorded past stands in for it; 0 while it serves.
    recorded_since: float = 0.0
    # What the last look read of windows that may still grow.
    growing: list[Growing] = []
    # What the source can tell apart, as it was when the release began.
    survey: Survey = Survey()
    # Percent of the traffic that the canary had in this step.
    weight: int = 0
    # What is watched for beside the comparison: troubles that both versions have, up to a time; the experiment about one.
    monitor: Monitor = Monitor()
    monitored_until: float = 0.0
    trial: Trial | None = None
    # The metrics that it ever reported, and whether it has shown any request yet.
    reported: list[str] = []
    served: bool = False
    # The canary's memory of late.
    memory: list[Point] = []


def complete_windows(
    read: Sequence[Window], before: Sequence[Growing], now: float, still: float
) -> tuple[list[Window], list[Growing]]:
    """The windows that may be consumed, and those that the next look reads again.

    A store that is told late, and by many, shows sums that grow, and does not say when they are whole. A window that
    may still grow waits until it has read the same for `still` seconds; later ones wait with it.
    """
    known = {each.window.start: each for each in before}
    waiting: list[Growing] = []
    complete: list[Window] = []
    for window in read:
        earlier = known.get(window.start)
        same = earlier is not None and earlier.window == window
        since = earlier.since if earlier is not None and same else now
        if not waiting and (not window.growing or now - since >= still):
            complete.append(window)
        else:
            waiting.append(Growing(window, since))
    return complete, waiting


def plain(memory: Remembered) -> dict[str, Any]:
    """What is remembered as plain JSON values, as whoever keeps them hands them back."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(memory))
    return found


def recalled(policy: JudgePolicy, known: Any) -> Remembered | None:
    """What was remembered; nothing when another version of the judge, or of the policy, wrote it."""
    if known is None:
        return None
    try:
        memory = msgspec.convert(known, Remembered)
    except msgspec.ValidationError:
        return None
    return memory if fits(policy, memory.state) else None
