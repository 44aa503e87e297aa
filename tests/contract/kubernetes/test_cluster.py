"""What releases ask of a cluster: the same cases on the one of unit tests, where nothing scales by itself."""

from __future__ import annotations

import pytest

from candlefish.release.manifests import render
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import Slots, until

pytestmark = pytest.mark.enable_socket
SLOT = "api-blue"


def replicas(slots: Slots) -> int:
    return slots.cluster.current_replicas(slots.namespace, SLOT)


def deploy(slots: Slots, tag: str = "v1") -> None:
    slots.apply(render(workload(slots.namespace, tag)))


def test_a_slot_that_is_not_there_has_no_pods_and_is_retired(slots: Slots) -> None:
    assert replicas(slots) == 0
    slots.cluster.retire(slots.namespace, SLOT)
    assert replicas(slots) == 0


def test_a_new_slot_asks_for_a_pod_and_raising_never_lowers(slots: Slots) -> None:
    deploy(slots)
    assert replicas(slots) >= 1
    assert slots.cluster.raise_to(slots.namespace, SLOT, 4) == 4
    assert slots.cluster.raise_to(slots.namespace, SLOT, 2) == 4
    assert replicas(slots) == 4


def test_scaling_asks_for_just_as_many(slots: Slots) -> None:
    deploy(slots)
    slots.cluster.raise_to(slots.namespace, SLOT, 4)
    slots.cluster.scale(slots.namespace, SLOT, 3)
    assert replicas(slots) == 3


def test_applying_again_leaves_the_number_of_pods_alone(slots: Slots) -> None:
    deploy(slots)
    slots.cluster.raise_to(slots.namespace, SLOT, 4)
    deploy(slots, "v2")
    assert replicas(slots) == 4


def test_a_retired_slot_sleeps_until_it_is_raised(slots: Slots) -> None:
    deploy(slots)
    for _ in range(2):
        slots.cluster.retire(slots.namespace, SLOT)
        assert replicas(slots) == 0
    deploy(slots, "v2")
    slots.cluster.set_bounds(slots.namespace, SLOT, minimum=2, maximum=4)
    assert replicas(slots) == 0
    assert slots.cluster.raise_to(slots.namespace, SLOT, 2) == 2
    assert replicas(slots) == 2


def test_a_slot_whose_pods_are_ready_says_so(slots: Slots) -> None:
    deploy(slots)
    slots.cluster.raise_to(slots.namespace, SLOT, 2)
    seen = until(
        lambda: slots.cluster.rollout(slots.namespace, SLOT), lambda rollout: rollout.status == "ready"
    )
    assert seen.status == "ready"
    assert seen.ready == seen.desired > 0
