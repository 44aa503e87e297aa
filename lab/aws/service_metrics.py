"""What Lambda and SQS report to CloudWatch by themselves: invocations, errors, throttles, and messages that wait.

Lambda reports of each function, and of all functions of a region together; nothing of a function that nobody called. In
compressed time a function's minute is a second, and a busy machine is late by more than that: for a few seconds after it
was called, a function still counts as called (`_STILL_SECONDS`), and at rest for as long as a minute on AWS.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Mapping

from moto.sqs.models import sqs_backends

from lab.functions.pool import Functions, Outcome, Spec
from lab.moto import ACCOUNT, metrics
from lab.moto.alarms import LEAST_MINUTE
from lab.pace import Pace

LOG = logging.getLogger("lab")
_STILL_SECONDS = 5.0
_RESTING_SECONDS = 90.0


class ServiceMetrics:
    """Counts what functions do, and reports it each period."""

    def __init__(self, functions: Functions, time_scale: float, pace: Pace) -> None:
        self._pace = pace
        self._period = max(60 / time_scale, LEAST_MINUTE)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        # (region, function) -> metric -> count since the last report; and when it was called last.
        self._counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._called: dict[tuple[str, str], float] = {}
        # How long invocations took since the last report, in milliseconds.
        self._took: dict[tuple[str, str], list[float]] = defaultdict(list)
        functions.ended.append(self._count)

    def start(self) -> None:
        """Report in the background."""
        threading.Thread(target=self._work, name="service-metrics", daemon=True).start()

    def close(self) -> None:
        """Stop reporting."""
        self._stopped.set()

    def _count(self, spec: Spec, outcome: Outcome) -> None:
        key = (spec.region, spec.name)
        with self._lock:
            if outcome.error == "Throttled":
                self._counts[key]["Throttles"] += 1
                return
            self._called[key] = time.time()
            self._counts[key]["Invocations"] += 1
            self._took[key].append(outcome.seconds * 1000)
            self._counts[key]["Errors"] += outcome.error is not None

    def _work(self) -> None:
        while not self._stopped.wait(self._period):
            try:
                self._report(time.time() - self._period / 2)
            except Exception:
                LOG.exception("metrics of functions and queues could not be reported")

    def _report(self, at: float) -> None:
        with self._lock:
            counted, self._counts = self._counts, defaultdict(lambda: defaultdict(int))
            durations, self._took = self._took, defaultdict(list)
            still = _RESTING_SECONDS if self._pace.resting else _STILL_SECONDS
            for key, called in self._called.items():
                if at - called < still:
                    counted[key]["Invocations"] = counted[key]["Invocations"] or 1
        throttles: dict[str, int] = defaultdict(int)
        for (region, name), counts in counted.items():
            throttles[region] += counts["Throttles"]
            for metric, value in counts.items():
                _put(region, "AWS/Lambda", metric, value, {"FunctionName": name}, at)
        for (region, name), times in durations.items():
            for took in times:
                _put(region, "AWS/Lambda", "Duration", took, {"FunctionName": name}, at)
        for region, value in throttles.items():
            _put(region, "AWS/Lambda", "Throttles", value, {}, at)
        for region, backend in list(sqs_backends[ACCOUNT].items()):
            for name, queue in list(backend.queues.items()):
                waiting = {"ApproximateNumberOfMessagesVisible": queue.approximate_number_of_messages}
                for metric, value in waiting.items():
                    _put(region, "AWS/SQS", metric, value, {"QueueName": name}, at)


def _put(
    region: str, namespace: str, name: str, value: float, dimensions: Mapping[str, str], at: float
) -> None:
    datum = {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": each} for key, each in dimensions.items()],
        "Timestamp": at,
        "Value": value,
    }
    metrics.store(ACCOUNT, region).put(namespace, datum, time.time())
