"""Seeing what the world shows of a service: the load balancer, and what runs in its slots."""

from __future__ import annotations

from collections.abc import Sequence

from candlefish.catalog.model import Environment, Service
from candlefish.errors import ClusterRefused, Retryable
from candlefish.release.manifests.model import runner_of
from candlefish.release.ports import Cluster
from candlefish.release.reconstruct import ServiceSight, SlotSight
from candlefish.service.model import SLOTS, Slot, is_stateful
from candlefish.traffic.fittings import find_fittings, tagged_for
from candlefish.traffic.ports import Rules
from candlefish.traffic.shares import listener_name


def listeners_of(service: Service, environment: Environment, listeners: Sequence[str]) -> Sequence[str]:
    """Where a service's rule may be: on the stack's listeners, or in the cluster."""
    if service.balanced:
        return listeners
    return [listener_name(service.kind, environment.namespace)]


def sight_service(
    service: str, *, environment: Environment, listeners: Sequence[str], rules: Rules, cluster: Cluster
) -> ServiceSight | None:
    """What is seen of a service; None where no listener has a rule for it. What does not answer is unknown, never
    assumed.

    Raises
    ------
    Misconfigured
        Its rule forwards to something else than its two target groups.
    Throttled, Unavailable
        The rules could not be read.
    """
    fittings = find_fittings(
        service, environment.name, tagged_for(service, environment.name, listeners, rules)
    )
    if fittings is None:
        return None
    slots = {
        slot: see_slot(service, slot, fittings.groups[slot], environment.namespace, rules, cluster)
        for slot in SLOTS
    }
    return ServiceSight(fittings, slots)


def see_slot(
    service: str, slot: Slot, target_group: str, namespace: str, rules: Rules, cluster: Cluster
) -> SlotSight:
    """What is seen of one slot; `target_group` is empty where it has none yet."""
    healthy, running, unreadable = None, None, ""
    try:
        healthy = rules.health(target_group).healthy if target_group else 0
        name = runner_of(service, slot, stateful=is_stateful(target_group))
        running = cluster.running(namespace, name)
    except (Retryable, ClusterRefused) as error:
        unreadable = str(error)
    return SlotSight(healthy, running, unreadable)
