"""Metrics out of log lines, as CloudWatch takes them from the logs of functions (Embedded Metric Format).

Every line that a function printed is read once, whichever invocation printed it and however that ended; a line that is
not as the specification says is a line of the log and nothing else.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.functions.pool import Functions
from lab.moto import ACCOUNT, metrics

LOG = logging.getLogger("lab")
_EVERY_SECONDS = 0.5
# At most so many dimensions a set, and metrics a directive.
_MOST_DIMENSIONS, _MOST_METRICS = 30, 100


class LogMetrics:
    """Follows the logs of functions, and puts what they count into the region's metrics."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._read: dict[Path, int] = {}
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Follow in the background."""
        threading.Thread(target=self._work, name="log-metrics", daemon=True).start()

    def close(self) -> None:
        """Stop following."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.wait(_EVERY_SECONDS):
            try:
                self.catch_up()
            except Exception:
                LOG.exception("metrics could not be read from the logs of functions")

    def catch_up(self) -> None:
        """Take every whole line that was printed until now."""
        with self._lock:
            for path, region in self._functions.logs():
                for line in self._lines(path):
                    for namespace, datum in embedded(line):
                        metrics.store(ACCOUNT, region).put(namespace, datum, time.time())

    def _lines(self, path: Path) -> Iterator[bytes]:
        seen = self._read.get(path, 0)
        if not path.exists() or path.stat().st_size <= seen:
            return
        with path.open("rb") as log:
            log.seek(seen)
            new = log.read()
        whole = new.rpartition(b"\n")[0]
        if whole:
            self._read[path] = seen + len(whole) + 1
            yield from whole.split(b"\n")


def embedded(line: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The metric data of a line of the log, each with its namespace; nothing of a line that is no metric's."""
    if not line.startswith(b"{") or b'"_aws"' not in line:
        return
    try:
        said = json.loads(line)
        about = said["_aws"]
        at = about["Timestamp"] / 1000
        found = [
            (directive["Namespace"], datum)
            for directive in about["CloudWatchMetrics"]
            for metric in directive["Metrics"][:_MOST_METRICS]
            for dimensions in directive["Dimensions"]
            for datum in _data(said, metric, dimensions, at)
        ]
    except (KeyError, TypeError, ValueError):
        return
    yield from found


def _data(
    said: dict[str, Any], metric: dict[str, str], dimensions: list[str], at: float
) -> Iterator[dict[str, Any]]:
    if len(dimensions) > _MOST_DIMENSIONS or not all(isinstance(said[name], str) for name in dimensions):
        raise ValueError("dimensions are strings of the line, thirty at most")
    values = said[metric["Name"]]
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{metric['Name']} is no number")
        yield {
            "MetricName": metric["Name"],
            "Dimensions": [{"Name": name, "Value": said[name]} for name in dimensions],
            "Timestamp": at,
            "Unit": metric.get("Unit", "None"),
            "Value": float(value),
        }
