"""What is counted, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.measures import METRICS, Measure


class MemoryMeter:
    """`ports.Meter`."""

    def __init__(self) -> None:
        self.measured: list[Measure] = []
        self.missed: list[str] = []

    def measure(self, measures: Sequence[Measure]) -> None:
        assert all(each.metric in METRICS for each in measures), measures
        self.measured += measures

    def miss(self, why: str) -> None:
        self.missed.append(why)

    def total(self, metric: str, service: str | None = None) -> float:
        """The sum of a metric's values, of one service or of all."""
        return sum(
            each.value for each in self.measured if each.metric == metric and service in (None, each.service)
        )
