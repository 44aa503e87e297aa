"""What people see of the Pods of a slot, from API servers."""

from __future__ import annotations

import pytest

from candlefish.adapters.kubernetes.slots import KubernetesSlots
from candlefish.errors import Unavailable
from candlefish.release.manifests import render
from candlefish.views.slots import pods_view
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket
SLOT = "api-blue"


def slots_of(world: World) -> KubernetesSlots:
    carrier = world.server.carrier()
    return KubernetesSlots(lambda: carrier)


def test_a_slot_that_was_never_deployed_has_nothing(world: World) -> None:
    assert slots_of(world).of_slot(world.namespace, SLOT) is None


def test_the_pods_of_a_slot_are_its_own_and_no_others(world: World) -> None:
    for slot in ("blue", "green"):
        objects = render(workload(world.namespace, "v1", slot=slot))  # type: ignore[arg-type]
        world.cluster.apply([world.spelled(each) for each in objects], generation=1)
    world.cluster.raise_to(world.namespace, SLOT, 3, generation=1)
    looked = slots_of(world)

    def look() -> int:
        found = looked.of_slot(world.namespace, SLOT)
        return len(found.pods) if found else 0

    if world.server.kind == "fake":
        until(look, lambda pods: pods == 3)
    found = looked.of_slot(world.namespace, SLOT)
    assert found is not None and found.desired == 3
    assert all(pod.metadata.labels["candlefish.ai/slot"] == "blue" for pod in found.pods)


def test_an_api_that_is_not_waited_for_is_unknown_and_says_why(world: World) -> None:
    def gone() -> None:
        raise Unavailable("Deployment api-blue: the function has no time left to ask the cluster's API")

    with pytest.raises(Unavailable, match="no time left"):
        KubernetesSlots(lambda: world.server.carrier(), gone).of_slot(world.namespace, SLOT)


def test_a_slot_at_rest_wants_none(world: World) -> None:
    objects = render(workload(world.namespace, "v1"))
    world.cluster.apply([world.spelled(each) for each in objects], generation=1, resting=True)
    found = slots_of(world).of_slot(world.namespace, SLOT)
    assert found is not None
    view = pods_view(found)
    assert (view.ready, view.desired, view.unknown) == (0, 0, "")
