"""Metrics as lines of the log, which CloudWatch reads (Embedded Metric Format).

A line costs no call, no client and no permission: nothing waits for it, and it is there once it is printed. Powertools'
Metrics writes the same lines; it would be imported by every function on a rollback's way (docs/decisions/0049).
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from candlefish.measures import ENVIRONMENT, METRICS, NAMESPACE, SERVICE, Measure


class EmfMeter:
    """`ports.Meter`: one line for each service. `write` takes a line."""

    def __init__(
        self, environment: str, now: Callable[[], float], write: Callable[[str], object] = print
    ) -> None:
        self._environment = environment
        self._now = now
        self._write = write

    def measure(self, measures: Sequence[Measure]) -> None:
        """Print them."""
        for service in dict.fromkeys(each.service for each in measures):
            of = [each for each in measures if each.service == service]
            # One by one where a metric has several values: a line says each metric once.
            while of:
                line = {each.metric: each for each in reversed(of)}
                self._print(self._line(service, list(line.values())))
                of = [each for each in of if line[each.metric] is not each]

    def miss(self, why: str) -> None:
        """Print it as a line of the log."""
        line = {"level": "WARNING", "message": f"not counted: {why}"}
        self._print(msgspec.json.encode(line).decode())

    def _print(self, line: str) -> None:
        # A log that takes no line loses a count, and keeps nobody from a release.
        with suppress(OSError):
            self._write(line)

    def _line(self, service: str, measures: Sequence[Measure]) -> str:
        named = {ENVIRONMENT: self._environment, **({SERVICE: service} if service else {})}
        about: dict[bool, list[dict[str, str]]] = {}
        for each in measures:
            metric = METRICS[each.metric]
            about.setdefault(bool(service) and metric.by_service, []).append(
                {"Name": each.metric, "Unit": metric.unit}
            )
        directives: list[dict[str, Any]] = [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [[ENVIRONMENT], [ENVIRONMENT, SERVICE]] if by_service else [[ENVIRONMENT]],
                "Metrics": metrics,
            }
            for by_service, metrics in about.items()
        ]
        line = {
            "_aws": {"Timestamp": round(self._now() * 1000), "CloudWatchMetrics": directives},
            **named,
            **{each.metric: each.value for each in measures},
        }
        return msgspec.json.encode(line).decode()
