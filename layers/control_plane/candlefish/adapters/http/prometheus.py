"""`analysis.ports.WindowSource` on Prometheus: self-hosted, or Amazon Managed Service for Prometheus.

Counters are read raw, process by process, at the edges of the windows, and subtracted here:
`increase()` extrapolates and misses the first error of a process, and a judge needs counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3

from candlefish.analysis.model import Arm, MetricTarget, Survey, Window
from candlefish.errors import Unavailable

# Prometheus shows a counter for this long after its last scrape.
_LOOKBACK = 300.0
# Points per series that Prometheus answers at most.
_MOST_POINTS = 10_000

Headers = Mapping[str, str]
# Signs a request: method, URL, headers, body -> headers.
Signer = Callable[[str, str, Headers, bytes], Headers]
# One process's counter at each edge; None where it was not seen.
Series = list[float | None]


class Queries(msgspec.Struct, frozen=True):
    """How the services report: selectors, with {namespace}, {service} and {slot} filled in.

    `process` are the labels that tell one process from another (its counters reset together).
    """

    requests: str = 'http_requests_total{{namespace="{namespace}",service="{service}",slot="{slot}"}}'
    errors: str = (
        'http_requests_total{{namespace="{namespace}",service="{service}",slot="{slot}",code=~"5.."}}'
    )
    buckets: str = (
        'http_request_duration_seconds_bucket{{namespace="{namespace}",service="{service}",slot="{slot}"}}'
    )
    # A business counter, with {counter} filled in.
    counter: str = '{counter}{{namespace="{namespace}",service="{service}",slot="{slot}"}}'
    process: tuple[str, ...] = ("instance", "pod")


class _Data(msgspec.Struct):
    result: list[_Row] = []


class _Row(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Answer(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""
    warnings: list[str] = []


_DECODER = msgspec.json.Decoder(_Answer)


class PrometheusWindows:
    """Windows from request counters and latency histograms, scraped from the Pods of both slots.

    Slow requests are exact when a bucket ends at the budget. Otherwise the next bound above counts
    for the canary and the next below for the baseline, so that rounding accuses nobody.
    """

    def __init__(
        self,
        url: str,
        queries: Queries = Queries(),  # noqa: B008 - frozen
        headers: Headers | None = None,
        sign: Signer | None = None,
        timeout: float = 8.0,
    ) -> None:
        """`url` is the server's, or the AMP workspace's, without `/api/v1`."""
        self._url = f"{url.rstrip('/')}/api/v1/query_range"
        self._queries = queries
        self._headers = dict(headers or {})
        self._sign = sign
        limits = urllib3.Timeout(connect=min(2.0, timeout), read=timeout)
        self._pool = urllib3.PoolManager(retries=False, timeout=limits)

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """See the port. A window that Prometheus itself was not there for is left out."""
        step = float(target.window)
        first = math.ceil(since / step) * step
        number = math.floor((until - target.settle - first) / step + 1e-9)
        if number <= 0:
            return ()
        before = math.ceil(_LOOKBACK / step)
        if number + before > _MOST_POINTS:
            number = _MOST_POINTS - before
        edges = [first + step * index for index in range(-before, number + 1)]
        arms = [self._arm(target, slot, edges) for slot in (target.baseline_slot, target.canary_slot)]
        # An edge at which nobody's counter was seen is an edge at which nobody was looking.
        rows = [series for arm in arms for _, series in arm.requests]
        seen = [any(series[index] is not None for series in rows) for index in range(len(edges))]
        baseline = arms[0].counted(seen, target, cautious=False)
        canary = arms[1].counted(seen, target, cautious=True)
        return [
            Window(edges[index], edges[index + 1], baseline[index], canary[index], source="prometheus")
            for index in range(before, before + number)
            if seen[index] and seen[index + 1]
        ]

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        """See the port."""
        return Survey()

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        """See the port. What Pods report says nothing of it."""
        return None

    def _arm(self, target: MetricTarget, slot: str, edges: Sequence[float]) -> _Counters:
        names = {"namespace": target.namespace, "service": target.service, "slot": slot}
        by = ", ".join(self._queries.process)

        def read(selector: str, labels: str = by, **more: str) -> list[tuple[str, Series]]:
            return self._query(f"sum by ({labels}) ({selector.format(**names, **more)})", edges)

        return _Counters(
            requests=read(self._queries.requests),
            errors=read(self._queries.errors),
            buckets=read(self._queries.buckets, f"{by}, le"),
            counters={name: read(self._queries.counter, counter=name) for name in target.counters},
        )

    def _query(self, expression: str, edges: Sequence[float]) -> list[tuple[str, Series]]:
        """(`le` label or "", value at each edge) per process."""
        step = edges[1] - edges[0]
        answer = self._post(
            {"query": expression, "start": f"{edges[0]:.3f}", "end": f"{edges[-1]:.3f}", "step": f"{step:g}"}
        )
        found = []
        for row in answer.data.result:
            series: Series = [None] * len(edges)
            for at, value in row.values:
                series[round((at - edges[0]) / step)] = float(value)
            found.append((row.metric.get("le", ""), series))
        return found

    def _post(self, fields: Mapping[str, str]) -> _Answer:
        body = urlencode(fields).encode()
        headers: Headers = {"Content-Type": "application/x-www-form-urlencoded", **self._headers}
        if self._sign:
            headers = self._sign("POST", self._url, headers, body)
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=headers)
            decoded = _DECODER.decode(answer.data)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"Prometheus at {self._url} did not answer: {error}") from error
        except msgspec.DecodeError as error:
            raise Unavailable(
                f"Prometheus at {self._url} answered {answer.status} and not in its API's JSON; "
                "check the URL and the credentials"
            ) from error
        if answer.status != 200 or decoded.status != "success":
            raise Unavailable(f"Prometheus at {self._url} answered {answer.status}: {decoded.error}")
        if decoded.warnings:
            raise Unavailable(f"Prometheus at {self._url} answered in part: {'; '.join(decoded.warnings)}")
        return decoded


class _Counters(msgspec.Struct):
    """One slot's counters at every edge, by process."""

    requests: list[tuple[str, Series]]
    errors: list[tuple[str, Series]]
    buckets: list[tuple[str, Series]]
    counters: dict[str, list[tuple[str, Series]]]

    def counted(self, seen: Sequence[bool], target: MetricTarget, cautious: bool) -> list[Arm]:
        """What happened between each edge and the next."""
        steps = len(seen) - 1
        requests = _increases(self.requests, seen, steps)
        errors = _increases(self.errors, seen, steps)
        counters = {name: _increases(rows, seen, steps) for name, rows in self.counters.items()}
        everything = _increases([row for row in self.buckets if row[0] == "+Inf"], seen, steps)
        bound = _bound({row[0] for row in self.buckets}, target.slow_over, cautious)
        fast = _increases([row for row in self.buckets if row[0] == bound], seen, steps)
        return [
            Arm(
                requests=requests[i],
                errors=min(requests[i], errors[i]),
                slow=max(0, min(requests[i], everything[i] - fast[i])),
                counters={name: min(requests[i], rows[i]) for name, rows in counters.items()},
            )
            for i in range(steps)
        ]


def _increases(rows: Sequence[tuple[str, Series]], seen: Sequence[bool], steps: int) -> list[int]:
    """Sum over processes of what their counters grew by from edge to edge.

    A counter that falls has started again from zero. A counter that appears while others were being
    looked at started from zero too: a new process, or a process's first error.
    """
    totals = [0.0] * steps
    for _, series in rows:
        last: float | None = None
        for index, value in enumerate(series):
            if not seen[index]:
                last = None
                continue
            if value is None:
                continue
            if index and last is not None:
                totals[index - 1] += value - last if value >= last else value
            elif index and seen[index - 1]:
                totals[index - 1] += value
            last = value
    return [round(total) for total in totals]


def _bound(bounds: set[str], slow_over: float, cautious: bool) -> str:
    """The bucket that holds what is not slow: exact, or the next one above (cautious) or below."""
    numbers = {float(bound): bound for bound in bounds if bound}
    if slow_over in numbers:
        return numbers[slow_over]
    above = [number for number in numbers if number > slow_over]
    below = [number for number in numbers if number < slow_over]
    if cautious:
        return numbers[min(above)] if above else "+Inf"
    return numbers[max(below)] if below else ""


def amp_signer(session: Any, region: str) -> Signer:
    """Signs requests to an AMP workspace with the credentials of a botocore session (SigV4, `aps`)."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    def sign(method: str, url: str, headers: Headers, body: bytes) -> Headers:
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        credentials = session.get_credentials()
        if credentials is None:
            raise Unavailable(f"no AWS credentials to sign the request to {url} with")
        SigV4Auth(credentials.get_frozen_credentials(), "aps", region).add_auth(request)
        return dict(request.headers.items())

    return sign
