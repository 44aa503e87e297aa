"""Which metrics belong to the two slots of a service."""

from __future__ import annotations

from candlefish.analysis.model import MetricTarget
from candlefish.service.model import Slot, other
from candlefish.service.record import ServiceRecord


def metric_target(
    record: ServiceRecord, canary: Slot, namespace: str, *, websockets: bool = False
) -> MetricTarget:
    """The canary's slot against the other one, as CloudWatch and Prometheus know them."""
    baseline = other(canary)
    return MetricTarget(
        environment=record.environment,
        service=record.service,
        load_balancer=record.load_balancer,
        baseline_slot=baseline,
        canary_slot=canary,
        baseline_group=group_of(record.slots[baseline].target_group),
        canary_group=group_of(record.slots[canary].target_group),
        namespace=namespace,
        baseline_serves=record.desired[baseline] > 0,
        websockets=websockets,
    )


def group_of(target_group: str) -> str:
    """`targetgroup/name/id` from a target group's ARN."""
    return target_group.rpartition(":")[2]
