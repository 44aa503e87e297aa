"""Which metrics belong to the two slots of a service."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.analysis.model import MetricTarget
from candlefish.analysis.ports import WindowSource
from candlefish.catalog.model import Catalog, JudgePolicy
from candlefish.service.model import Slot, group_of, other
from candlefish.service.record import ServiceRecord
from candlefish.traffic.shares import pod_share


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
    versions = {slot: record.slots[slot].version for slot in (baseline, canary)}
    called = {slot: version.short if version else "" for slot, version in versions.items()}
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
        weight=pod_share(record.desired, record.sharing, canary),
        baseline_version=called[baseline],
        canary_version=called[canary],
    )


def sources_of(
    record: ServiceRecord, sources: Mapping[str, WindowSource], policy: JudgePolicy
) -> Mapping[str, WindowSource]:
    """The sources that can know anything of a service, and that its policy asks."""
    return {name: each for name, each in sources.items() if policy.asks(name, balanced=record.balanced)}
