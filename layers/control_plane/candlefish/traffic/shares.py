"""Weights as shares of Pods, where no load balancer moves traffic: how many Pods a slot has, and what things are called.

A service in the cluster and a worker have a Service of Kubernetes in place of a listener rule. Names stand where a
load balancer has ARNs, so that records, fittings and reconcilers read both alike. Pure.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from candlefish.errors import Misconfigured
from candlefish.names import target_group_name
from candlefish.service.model import SHARE_OF_PODS, SLOTS, Sharing, Slot, Weights, other


class Range(NamedTuple):
    """How many Pods a slot has now, and the most that its autoscaler may give it meanwhile."""

    pods: int
    most: int


def split(total: int, weight: int) -> tuple[int, int]:
    """How many of `total` Pods the candidate has at `weight` percent, and how many the other slot.

    The candidate's share is rounded up, so it is never without Pods, and neither is the other slot while it holds any
    weight: with a single Pod there are two for as long.
    """
    if weight <= 0:
        return 0, total
    if weight >= 100:
        return total, 0
    total = max(total, len(SLOTS))
    candidate = min(math.ceil(total * weight / 100), total - 1)
    return candidate, total - candidate


def pods_of(weights: Weights, sharing: Sharing) -> dict[Slot, Range]:
    """How many Pods each slot has at these weights; what its autoscaler may add keeps the share."""
    weight = weights[sharing.slot]
    now, most = split(sharing.total, weight), split(max(sharing.total, sharing.most), weight)
    return {
        slot: Range(pods, max(pods, limit))
        for slot, pods, limit in zip((sharing.slot, other(sharing.slot)), now, most, strict=True)
    }


def pod_share(weights: Weights, sharing: Sharing | None, slot: Slot) -> int:
    """The percentage of the Pods that a slot really has: few Pods cannot be divided by any weight."""
    if sharing is None or not 0 < weights[slot] < 100:
        return weights[slot]
    pods = pods_of(weights, sharing)
    return min(99, max(1, round(100 * pods[slot].pods / sum(each.pods for each in pods.values()))))


# --- names ----------------------------------------------------------------------------------------


class Place(NamedTuple):
    """What a name of ours stands for; `slot` is empty where it is the service as a whole."""

    kind: str
    namespace: str
    service: str
    slot: str = ""


def listener_name(kind: str, namespace: str) -> str:
    return f"{SHARE_OF_PODS}{kind}:listener/{namespace}"


def rule_name(kind: str, namespace: str, service: str) -> str:
    """What stands for the rule; the listener's name can be read from it (`service.model.listener_of`)."""
    return f"{SHARE_OF_PODS}{kind}:listener-rule/{namespace}/{service}"


def group_name(kind: str, namespace: str, service: str, environment: str, slot: Slot) -> str:
    """What stands for a slot's target group; what that would be called stands in it (`traffic.fittings`)."""
    called = target_group_name(service, environment, slot)
    return f"{SHARE_OF_PODS}{kind}:targetgroup/{called}/{namespace}/{service}/{slot}"


def stands_for(name: str) -> Place:
    """What a name stands for.

    Raises
    ------
    Misconfigured
        It is none of ours.
    """
    kind, _, rest = name.removeprefix(SHARE_OF_PODS).partition(":")
    what, *parts = rest.split("/")
    if what == "listener-rule" and len(parts) == 2:
        return Place(kind, *parts)
    if what == "targetgroup" and len(parts) == 4:
        return Place(kind, *parts[1:])
    raise Misconfigured(f"{name} names neither a service nor a slot of one; onboard it again")


# --- what the Service says ------------------------------------------------------------------------


def written(weights: Weights) -> str:
    """Weights as an annotation: `blue=90,green=10`."""
    return ",".join(f"{slot}={weights[slot]}" for slot in SLOTS)


def read_weights(text: str) -> Weights | None:
    """The weights that an annotation says; None where it says none."""
    said = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    if set(said) != set(SLOTS) or not all(value.isdecimal() and len(value) <= 3 for value in said.values()):
        return None
    return {slot: int(said[slot]) for slot in SLOTS}
