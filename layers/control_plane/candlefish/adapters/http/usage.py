"""What containers ask for and what they use, from Prometheus (cAdvisor and kube-state-metrics)."""

from __future__ import annotations

import math
from urllib.parse import urlencode

import msgspec
import urllib3

from candlefish.bounds import NO_JSON
from candlefish.cost.hints import Usage
from candlefish.errors import Unavailable

DAYS = 14
ASKED = (
    "max by (container) "
    '(kube_pod_container_resource_requests{{{{namespace="{{namespace}}",resource="{resource}"}}}})'
)
# Field of `Usage` -> query; each answers one number a container.
QUERIES = {
    "cpu_requested": ASKED.format(resource="cpu"),
    "memory_requested": ASKED.format(resource="memory"),
    "cpu_used": (
        "max by (container) "
        "(quantile_over_time(0.95, rate(container_cpu_usage_seconds_total{own}[5m])[{days}d:5m]))"
    ),
    "memory_used": "max by (container) (max_over_time(container_memory_working_set_bytes{own}[{days}d]))",
    "pods": "avg_over_time((count by (container) (container_memory_working_set_bytes{own}))[{days}d:1h])",
    "days": (
        "max by (container) "
        "(time() - min_over_time(timestamp(container_memory_working_set_bytes{own})[{days}d:1h])) / 86400"
    ),
}
OWN = '{{namespace="{namespace}",container!="",container!="POD"}}'


class _Sample(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, frozen=True):
    result: tuple[_Sample, ...] = ()


class _Answer(msgspec.Struct, frozen=True):
    status: str = ""
    error: str = ""
    data: _Data = _Data()


class PrometheusUsage:
    """Usage of the containers of a namespace over the last `DAYS` days."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=3, read=60))

    def usages(self, namespace: str) -> list[Usage]:
        """One for each container of which everything is known.

        Raises
        ------
        Unavailable
            Prometheus did not answer, or not as it should.
        """
        own = OWN.format(namespace=namespace)
        found = {
            field: self._ask(query.format(namespace=namespace, own=own, days=DAYS))
            for field, query in QUERIES.items()
        }
        whole = set.intersection(*(set(values) for values in found.values()))
        return [
            Usage(workload=name, **{field: values[name] for field, values in found.items()})
            for name in sorted(whole)
        ]

    def _ask(self, query: str) -> dict[str, float]:
        subject = f"asking Prometheus at {self._url}"
        try:
            answer = self._pool.request("GET", f"{self._url}/api/v1/query?{urlencode({'query': query})}")
            body = msgspec.json.decode(answer.data, type=_Answer)
        except (urllib3.exceptions.HTTPError, *NO_JSON) as error:
            raise Unavailable(f"{subject}: {error}; check the address and that it serves its API") from error
        if body.status != "success":
            raise Unavailable(f"{subject}: it refused the query ({body.error or answer.status})")
        values = {row.metric.get("container", ""): float(row.value[1]) for row in body.data.result}
        return {name: value for name, value in values.items() if name and math.isfinite(value)}
