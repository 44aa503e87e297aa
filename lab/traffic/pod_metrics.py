"""What a Pod tells Prometheus of the requests that it answered, and of the jobs that it did."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter

# Fine enough to tell a median of 60 ms from one of 120 ms.
BUCKETS = (
    *(0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
)


class PodMetrics:
    """Counters of one process: requests by path and code, and how long they took."""

    def __init__(self, service: str, version: str) -> None:
        self._labels = f'service="{service}",version="{version}"'
        self._started = time.time()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._jobs = self._failed = 0

    def did(self, jobs: int, failed: int) -> None:
        """Count jobs that were taken up, and how many of them failed."""
        self._jobs += jobs
        self._failed += failed

    def count(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests[path, status] += 1
        self._seconds += seconds
        self._buckets[bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> str:
        """The counters in Prometheus' text format."""
        labels = self._labels
        lines = ["# TYPE process_start_time_seconds gauge"]
        lines.append(f"process_start_time_seconds {self._started}")
        if self._jobs:
            for name, n in (("jobs_processed_total", self._jobs), ("jobs_failed_total", self._failed)):
                lines += [f"# TYPE {name} counter", f"{name}{{{labels}}} {n}"]
        lines.append("# TYPE http_requests_total counter")
        lines += [
            f'http_requests_total{{{labels},path="{_escaped(path)}",code="{code}"}} {n}'
            for (path, code), n in sorted(self._requests.items())
        ]
        lines.append("# TYPE http_request_duration_seconds histogram")
        total = 0
        for bound, n in zip([*map(str, BUCKETS), "+Inf"], self._buckets, strict=True):
            total += n
            lines.append(f'http_request_duration_seconds_bucket{{{labels},le="{bound}"}} {total}')
        lines.append(f"http_request_duration_seconds_sum{{{labels}}} {self._seconds}")
        lines.append(f"http_request_duration_seconds_count{{{labels}}} {total}")
        return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"")
