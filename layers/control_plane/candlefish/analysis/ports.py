"""What judging needs from the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from candlefish.analysis.model import Window


class MetricTarget(msgspec.Struct, frozen=True):
    """Which two versions are compared: the baseline's and the canary's slot of one service.

    `load_balancer` and the target groups are CloudWatch dimension values (`app/name/id`,
    `targetgroup/name/id`).
    """

    environment: str
    service: str
    load_balancer: str
    baseline_slot: str
    canary_slot: str
    baseline_group: str
    canary_group: str


class WindowSource(Protocol):
    """Where windows come from."""

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """The complete windows that begin at or after `since` and end by `until`, epoch seconds.

        Raises
        ------
        Unavailable
            The metrics store did not answer, or only in part.
        """
