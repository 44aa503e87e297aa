"""What judging needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from candlefish.analysis.calibration import Calibration
from candlefish.analysis.model import Window
from candlefish.catalog.model import JudgePolicy


class MetricTarget(msgspec.Struct, frozen=True):
    """Which two versions are compared, and how their requests are counted.

    `load_balancer` and the target groups are CloudWatch dimension values (`app/name/id`,
    `targetgroup/name/id`); the namespace is the Kubernetes one. Seconds throughout.
    """

    environment: str
    service: str
    load_balancer: str
    baseline_slot: str
    canary_slot: str
    baseline_group: str
    canary_group: str
    namespace: str = ""
    # Length of a window, and how long after its end it is taken as complete.
    window: float = 60.0
    settle: float = 60.0
    # A request slower than this counts as slow.
    slow_over: float = 2.0
    # Business counters to report, by name.
    counters: tuple[str, ...] = ()


def aimed(target: MetricTarget, policy: JudgePolicy, source: str) -> MetricTarget:
    """The target with what the policy says about counting, for the source of this name."""
    reading = policy.reading(source)
    return msgspec.structs.replace(
        target,
        window=float(reading.window),
        settle=float(reading.settle),
        slow_over=float(policy.slow_over),
        counters=tuple(counter.name for counter in policy.counters),
    )


class WindowSource(Protocol):
    """Where windows come from."""

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """The windows that begin at or after `since` and have settled by `until`, epoch seconds.

        A window has settled `target.settle` seconds after its end.

        Raises
        ------
        Unavailable
            The metrics store did not answer, or only in part.
        """


class Calibrations(Protocol):
    """What is known of services' burstiness from release to release, by source and metric."""

    def get(self, service: str, source: str) -> Mapping[str, Calibration]:
        """What was learnt last; empty when nothing was."""

    def put(self, service: str, source: str, known: Mapping[str, Calibration]) -> None:
        """Keep what was learnt."""
