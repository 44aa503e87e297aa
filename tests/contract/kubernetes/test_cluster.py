"""What releases ask of a cluster: the same cases on the one of unit tests, where nothing scales by itself."""

from __future__ import annotations

import pytest

from candlefish.errors import StaleGeneration
from candlefish.release.manifests import render
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import Slots, until

pytestmark = pytest.mark.enable_socket
SLOT = "api-blue"


def replicas(slots: Slots) -> int:
    return slots.cluster.current_replicas(slots.namespace, SLOT)


def deploy(slots: Slots, tag: str = "v1", generation: int = 1) -> None:
    slots.apply(render(workload(slots.namespace, tag, generation=generation)))


def test_a_slot_that_is_not_there_has_no_pods_and_is_retired(slots: Slots) -> None:
    assert replicas(slots) == 0
    slots.cluster.retire(slots.namespace, SLOT, 1)
    assert replicas(slots) == 0


def test_a_new_slot_asks_for_a_pod_and_raising_never_lowers(slots: Slots) -> None:
    deploy(slots)
    assert replicas(slots) >= 1
    assert slots.cluster.raise_to(slots.namespace, SLOT, 4, generation=1) == 4
    assert slots.cluster.raise_to(slots.namespace, SLOT, 2, generation=1) == 4
    assert replicas(slots) == 4


def test_applying_again_leaves_the_number_of_pods_alone(slots: Slots) -> None:
    deploy(slots)
    slots.cluster.raise_to(slots.namespace, SLOT, 4, generation=1)
    deploy(slots, "v2")
    assert replicas(slots) == 4


def test_a_retired_slot_sleeps_until_it_is_raised(slots: Slots) -> None:
    deploy(slots)
    for _ in range(2):
        slots.cluster.retire(slots.namespace, SLOT, 1)
        assert replicas(slots) == 0
    deploy(slots, "v2")
    slots.cluster.set_bounds(slots.namespace, SLOT, minimum=2, maximum=4, generation=1)
    assert replicas(slots) == 0
    assert slots.cluster.raise_to(slots.namespace, SLOT, 2, generation=1) == 2
    assert replicas(slots) == 2


def test_a_slot_that_a_newer_generation_deployed_is_not_retired(slots: Slots) -> None:
    deploy(slots, generation=9)
    slots.cluster.raise_to(slots.namespace, SLOT, 2, generation=9)
    deploy(slots, "v2", generation=10)
    with pytest.raises(StaleGeneration, match="generation 10 wrote it, the caller holds 9"):
        slots.cluster.retire(slots.namespace, SLOT, 9)
    assert replicas(slots) == 2
    slots.cluster.retire(slots.namespace, SLOT, 10)
    assert replicas(slots) == 0


def test_between_applying_and_waking_an_older_generation_has_no_say_either(slots: Slots) -> None:
    deploy(slots, generation=1)
    slots.cluster.retire(slots.namespace, SLOT, 1)
    deploy(slots, "v2", generation=2)
    with pytest.raises(StaleGeneration):
        slots.cluster.retire(slots.namespace, SLOT, 1)
    assert slots.cluster.raise_to(slots.namespace, SLOT, 2, generation=2) == 2
    with pytest.raises(StaleGeneration):
        slots.cluster.retire(slots.namespace, SLOT, 1)
    assert replicas(slots) == 2


def test_a_slot_that_a_later_holder_has_not_deployed_yet_is_retired(slots: Slots) -> None:
    deploy(slots, generation=1)
    slots.cluster.retire(slots.namespace, SLOT, 3)
    assert replicas(slots) == 0


def test_a_slot_from_before_generations_were_written_down_is_retired(slots: Slots) -> None:
    objects = render(workload(slots.namespace))
    for each in objects:
        (each["metadata"].get("annotations") or {}).pop("candlefish.ai/generation", None)
    slots.apply(objects, generation=1)
    assert replicas(slots) >= 1
    slots.cluster.retire(slots.namespace, SLOT, 1)
    assert replicas(slots) == 0


def test_a_slot_whose_pods_are_ready_says_so(slots: Slots) -> None:
    deploy(slots)
    slots.cluster.raise_to(slots.namespace, SLOT, 2, generation=1)
    seen = until(
        lambda: slots.cluster.rollout(slots.namespace, SLOT), lambda rollout: rollout.status == "ready"
    )
    assert seen.status == "ready"
    assert seen.ready == seen.desired > 0
