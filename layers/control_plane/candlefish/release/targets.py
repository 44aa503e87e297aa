"""Which metrics belong to the two slots of a service."""

from __future__ import annotations

from candlefish.analysis.model import MetricTarget
from candlefish.catalog.model import Catalog
from candlefish.service.model import Slot, group_of, other
from candlefish.service.record import ServiceRecord


def metric_target(
    record: ServiceRecord, canary: Slot, catalog: Catalog, *, requests_only: bool = False
) -> MetricTarget:
    """The canary's slot against the other one, as CloudWatch and Prometheus know them.

    Raises
    ------
    UnknownService
        The catalog has no such service.
    """
    baseline = other(canary)
    return MetricTarget(
        environment=record.environment,
        service=record.service,
        load_balancer=record.load_balancer,
        baseline_slot=baseline,
        canary_slot=canary,
        baseline_group=group_of(record.slots[baseline].target_group),
        canary_group=group_of(record.slots[canary].target_group),
        namespace=catalog.environments[record.environment].namespace,
        baseline_serves=record.desired[baseline] > 0,
        requests_only=requests_only,
        websockets=catalog.service(record.service).websockets,
        weight=record.desired[canary],
    )
