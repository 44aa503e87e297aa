"""How services report to Prometheus, and to CloudWatch: names and labels, by what people already run.

A slot's Deployment and Service are `{service}-{slot}`, its Pods `{service}-{slot}-<hash>-<hash>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from candlefish.catalog.model.scalars import Model

# What may stand in braces in a slot's matchers.
PLACEHOLDERS = ("namespace", "service", "slot")
# What may stand in braces in the namespace, and in the dimensions, of a service's own metrics in CloudWatch.
NAMESPACE_PLACEHOLDERS = ("environment", "service")
DIMENSION_PLACEHOLDERS = (*NAMESPACE_PLACEHOLDERS, "slot", "version")
# A slot's Pods by their names: whatever scrapes them has the labels `namespace` and `pod`.
PODS = 'namespace="{namespace}",pod=~"{service}-{slot}-[a-z0-9]+-[a-z0-9]+"'

Preset = Literal[
    "default",
    "envoy",
    "express",
    "fastapi",
    "istio",
    "nginx-ingress",
    "opentelemetry",
    "spring",
    "traefik",
    "worker",
]


class Queries(Model, frozen=True):
    """What is asked of Prometheus. Metrics are names, `slot` is label matchers, the rest are names of labels."""

    # The counter of requests.
    requests: str = "http_requests_total"
    # Matchers that tell a slot's series; {namespace}, {service} and {slot} are filled in.
    slot: str = 'namespace="{namespace}",service="{service}",slot="{slot}"'
    # A counter of failed requests alone; empty where `code` tells them.
    errors: str = ""
    # The label with the status, and which of its values are failures (a regular expression).
    code: str = "code"
    failed: str = "5.."
    # The histogram of latency, without `_bucket`, and what its bounds are in.
    latency: str = "http_request_duration_seconds"
    unit: Literal["seconds", "milliseconds"] = "seconds"
    # The label with the endpoint, and the one with the kind of an error; empty for none.
    place: str = ""
    kind: str = ""
    # Labels that tell one process from another: a process's counters start again together.
    process: tuple[str, ...] = ("instance", "pod")
    # What a business counter is called; {counter} is its name in the policy.
    counter: str = "{counter}"
    # The gauge with a process's start, epoch seconds, with the slot's labels; empty where the process is a proxy's.
    started: str = "process_start_time_seconds"

    def labels(self, namespace: str, service: str, slot: str) -> str:
        """The matchers of one slot."""
        names = {"namespace": namespace, "service": service, "slot": slot}
        return fill(self.slot, names)

    def looked_for(self, metric: str, labels: str) -> str:
        """The series that tell a metric ("errors", "slow", or a counter's name), as Prometheus takes it."""
        if metric == "errors":
            return self.failures(labels)
        name = f"{self.latency}_bucket" if metric == "slow" else fill(self.counter, {"counter": metric})
        return f"{name}{{{labels}}}"

    def failures(self, labels: str) -> str:
        """The series of failed requests."""
        if self.errors:
            return f"{self.errors}{{{labels}}}"
        return f'{self.requests}{{{labels},{self.code}=~"{self.failed}"}}'


class CustomMetrics(Model, frozen=True):
    """What is asked of CloudWatch about a service that reports there itself: what AWS calls custom metrics."""

    # Where the metrics are, and what tells a version's; braces as above. CloudWatch finds a metric
    # by all of its dimensions, no fewer.
    namespace: str
    dimensions: dict[str, str]
    # The metrics whose sums count everything that was done, and what of it failed.
    requests: str
    errors: str
    # The metric whose values are how long each took, and what they are in; empty where nobody reports it.
    latency: str = ""
    unit: Literal["seconds", "milliseconds"] = "seconds"
    # What a business counter is called; {counter} is its name in the policy.
    counter: str = "{counter}"

    def called(self, metric: str) -> str:
        """What a metric ("errors", "slow", or a counter's name) is called there."""
        own = {"errors": self.errors, "slow": self.latency}
        return own[metric] if metric in own else fill(self.counter, {"counter": metric})


def fill(text: str, names: Mapping[str, str]) -> str:
    """Text with its placeholders filled in; nothing else is touched."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


# What a preset changes; names and labels of each origin.
PRESETS: dict[str, Queries] = {
    "default": Queries(),
    "opentelemetry": Queries(
        requests="http_server_request_duration_seconds_count",
        slot=PODS,
        code="http_response_status_code",
        latency="http_server_request_duration_seconds",
        place="http_route",
        kind="error_type",
    ),
    "spring": Queries(
        requests="http_server_requests_seconds_count",
        slot=PODS,
        code="status",
        latency="http_server_requests_seconds",
        place="uri",
        kind="exception",
    ),
    "fastapi": Queries(
        requests="http_requests_total",
        slot=PODS,
        code="status",
        failed="5xx|5..",
        latency="http_request_duration_seconds",
        place="handler",
    ),
    "express": Queries(
        requests="http_request_duration_seconds_count",
        slot=PODS,
        code="status_code",
        latency="http_request_duration_seconds",
        place="path",
    ),
    # Of the proxy that stands beside the Pod, or of a waypoint: what the load balancer sent passes no other.
    "istio": Queries(
        requests="istio_requests_total",
        slot='reporter=~"destination|waypoint",destination_workload_namespace="{namespace}",'
        'destination_workload="{service}-{slot}"',
        code="response_code",
        latency="istio_request_duration_milliseconds",
        unit="milliseconds",
        started="",
    ),
    "nginx-ingress": Queries(
        requests="nginx_ingress_controller_requests",
        slot='exported_namespace="{namespace}",exported_service="{service}-{slot}"',
        code="status",
        latency="nginx_ingress_controller_request_duration_seconds",
        started="",
    ),
    # Traefik calls a Service of Kubernetes namespace-name-port@kubernetes.
    "traefik": Queries(
        requests="traefik_service_requests_total",
        slot='service=~"{namespace}-{service}-{slot}-[^-]+@kubernetes.*"',
        latency="traefik_service_request_duration_seconds",
        started="",
    ),
    # Names of clusters are whatever the control plane of the proxies makes them; the Service's name stands in them.
    "envoy": Queries(
        requests="envoy_cluster_upstream_rq_xx",
        slot='envoy_cluster_name=~"(.*[^a-z0-9-])?{service}-{slot}([^a-z0-9-].*)?"',
        code="envoy_response_code_class",
        failed="5",
        latency="envoy_cluster_upstream_rq_time",
        unit="milliseconds",
        started="",
    ),
    # Jobs of a worker in place of requests: what was taken up, what failed, how long it took.
    "worker": Queries(
        requests="jobs_processed_total",
        slot=PODS,
        errors="jobs_failed_total",
        latency="job_duration_seconds",
    ),
}
