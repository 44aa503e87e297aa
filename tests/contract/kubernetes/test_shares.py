"""Shares of Pods on API servers: where connections go, how many Pods there are, and who has the last word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from candlefish.adapters.kubernetes.cluster import KubernetesCluster
from candlefish.adapters.kubernetes.messages import MERGE, ApiResponse
from candlefish.adapters.kubernetes.shares import BEFORE_NOTE, ShareOfPods
from candlefish.catalog.model import Replicas
from candlefish.errors import Misconfigured, NotOnboarded, StaleGeneration, Unavailable
from candlefish.release.manifests import render
from candlefish.release.model import Manifest
from candlefish.service.model import RecordMark, Sharing, Slot
from candlefish.traffic.fittings import find_fittings, tagged_for
from candlefish.traffic.ports import Intention, ShareSpec
from candlefish.traffic.shares import group_name, listener_name, rule_name, stands_for
from tests.support.kubernetes.samples import workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket

SHARED = Sharing("green", 10, 30)


def slot_of(world: World, slot: Slot, *, kind: str = "worker", version: str = "v1") -> tuple[Manifest, ...]:
    made = workload(world.namespace, version, slot=slot)
    service = msgspec.structs.replace(made.service, kind=kind, host="")
    # No autoscaler has a reason to meddle.
    return render(msgspec.structs.replace(made, service=service, replicas=Replicas(min=1, max=30)))


class Shop:
    """A service with two slots on one server, as the control plane sees it."""

    def __init__(self, world: World, kind: str) -> None:
        self.world, self.kind = world, kind
        self.shares = ShareOfPods(world.cluster, world.server.carrier())
        self.rule = rule_name(kind, world.namespace, "api")
        port = {"name": "http", "port": 8000, "targetPort": 8000, "protocol": "TCP"}
        self.spec = ShareSpec(
            kind, "api", world.namespace, "production", "blue", port if kind == "cluster" else {}
        )

    def deploy(self, slot: Slot, *, replicas: int = 0) -> None:
        objects = tuple(self.world.spelled(each) for each in slot_of(self.world, slot, kind=self.kind))
        self.world.cluster.apply(objects, generation=1, resting=True)
        if replicas:
            self.world.cluster.raise_to(self.world.namespace, f"api-{slot}", replicas, generation=1)

    def group(self, slot: Slot) -> str:
        return group_name(self.kind, self.world.namespace, "api", "production", slot)

    def write(
        self, blue: int, *, revision: int = 5, generation: int = 1, shared: Sharing | None = SHARED
    ) -> None:
        weights = {self.group("blue"): blue, self.group("green"): 100 - blue}
        self.shares.write(self.rule, weights, Intention(RecordMark(revision, generation), shared))

    def seen(self) -> tuple[int, int]:
        seen = self.shares.read(self.rule)
        return seen[self.group("blue")], seen[self.group("green")]

    def pods(self) -> tuple[int, int]:
        return (
            self.world.cluster.current_replicas(self.world.namespace, "api-blue"),
            self.world.cluster.current_replicas(self.world.namespace, "api-green"),
        )

    def ranges(self) -> list[tuple[int, int]]:
        found = [self.world.get("horizontalpodautoscalers", f"api-{slot}") for slot in ("blue", "green")]
        return [(each["spec"]["minReplicas"], each["spec"]["maxReplicas"]) for each in found]

    @property
    def service(self) -> Any:
        return self.world.get("services", "api")

    @property
    def selects(self) -> str:
        """Which slots connections go to."""
        found = self.service["spec"]["selector"]
        assert found["candlefish.ai/service"] == "api"
        return str(found.get("candlefish.ai/slot", "both"))


@pytest.fixture(params=["worker", "cluster"])
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def shop(world: World, kind: str) -> Shop:
    made = Shop(world, kind)
    made.shares.ensure_share(made.spec)
    made.deploy("blue", replicas=10)
    made.deploy("green")
    return made


def test_a_slot_that_is_made_at_rest_never_has_a_pod_and_is_applied_to_as_others_are(world: World) -> None:
    shop = Shop(world, "worker")
    shop.deploy("green")
    assert shop.pods()[1] == 0
    shop.deploy("green")
    world.cluster.raise_to(world.namespace, "api-green", 2, generation=1)
    shop.deploy("green")
    assert shop.pods()[1] == 2, "how many Pods there are is nobody's who applies"


def test_onboarding_rests_on_one_slot_and_again_changes_nothing(shop: Shop, kind: str) -> None:
    assert (shop.seen(), shop.selects) == ((100, 0), "blue")
    assert (
        shop.service["spec"].get("clusterIP") == "None" if kind == "worker" else shop.service["spec"]["ports"]
    )
    shop.deploy("green", replicas=1)
    shop.write(60)
    assert shop.shares.ensure_share(shop.spec) == listener_name(kind, shop.world.namespace)
    assert shop.seen() == (60, 40)


def test_a_service_of_somebody_else_is_taken_only_when_it_was_handed_over(world: World) -> None:
    path = f"/api/v1/namespaces/{world.namespace}/services"
    theirs = {"ports": [{"port": 8000}], "selector": {"app": "old"}}
    world.admin.must(
        "POST", path, {"metadata": {"name": "api"}, "spec": theirs, "kind": "Service", "apiVersion": "v1"}
    )
    shop = Shop(world, "cluster")
    with pytest.raises(Misconfigured, match=r"candlefish\.ai/share=cluster"):
        shop.shares.ensure_share(shop.spec)
    world.admin.must(
        "PATCH", f"{path}/api", {"metadata": {"labels": {"candlefish.ai/share": "cluster"}}}, MERGE
    )
    shop.shares.ensure_share(shop.spec)
    assert shop.service["spec"]["selector"] == {"app": "old"}, "its clients stay where they are"
    assert shop.seen() == (100, 0)
    shop.deploy("green", replicas=2)
    shop.write(0, shared=None)
    assert (shop.seen(), shop.selects, "app" in shop.service["spec"]["selector"]) == (
        (0, 100),
        "green",
        False,
    )
    # By which it can be given back.
    shop.write(100, revision=6)
    assert shop.service["metadata"]["annotations"][BEFORE_NOTE] == '{"app": "old"}'


def test_a_share_is_a_number_of_pods_and_a_range_of_the_same_share(shop: Shop) -> None:
    shop.deploy("green", replicas=1)
    shop.write(90)
    assert (shop.seen(), shop.pods(), shop.selects) == ((90, 10), (9, 1), "both")
    assert shop.ranges() == [(9, 27), (1, 3)]
    shop.write(50, revision=6)
    assert (shop.seen(), shop.pods()) == ((50, 50), (5, 5))
    assert shop.ranges() == [(5, 15), (5, 15)]


def test_at_the_end_the_old_slot_is_taken_out(shop: Shop, kind: str) -> None:
    shop.deploy("green", replicas=5)
    shop.write(50)
    shop.write(0, revision=6)
    assert (shop.seen(), shop.selects) == ((0, 100), "green")
    # Of a service in the cluster the old slot is led to no more, and keeps its Pods until it is retired.
    assert shop.pods() == ((0, 10) if kind == "worker" else (5, 10))


def test_a_rollback_stops_the_bad_version_and_brings_the_good_one_back_in_full(shop: Shop, kind: str) -> None:
    shop.deploy("green", replicas=5)
    shop.write(50)
    shop.write(100, revision=7, generation=2)
    assert (shop.seen(), shop.selects) == ((100, 0), "blue")
    assert shop.pods() == ((10, 0) if kind == "worker" else (10, 5))


def test_of_a_rollback_the_bad_pods_go_before_the_good_ones_come(world: World) -> None:
    shop = Shop(world, "worker")
    shop.shares.ensure_share(shop.spec)
    shop.deploy("blue", replicas=5)
    shop.deploy("green", replicas=5)
    done: list[tuple[str, str]] = []

    class Watched(KubernetesCluster):
        def raise_to(self, namespace: str, name: str, replicas: int, *, generation: int) -> int:
            done.append(("raise", name))
            return super().raise_to(namespace, name, replicas, generation=generation)

        def retire(self, namespace: str, name: str, generation: int) -> None:
            done.append(("retire", name))
            super().retire(namespace, name, generation)

    shop.shares = ShareOfPods(Watched(world.server.carrier()), world.server.carrier())
    shop.write(100)
    assert done == [("retire", "api-green"), ("raise", "api-blue")]


def test_whoever_follows_an_older_record_changes_nothing(shop: Shop) -> None:
    shop.deploy("green", replicas=1)
    shop.write(100, revision=9, generation=2)
    shop.write(50, revision=8, generation=1)
    assert (shop.seen(), shop.pods()[0], shop.selects) == ((100, 0), 10, "blue")


def test_an_older_generation_moves_no_pods_even_where_the_service_says_nothing(shop: Shop) -> None:
    shop.world.cluster.raise_to(shop.world.namespace, "api-green", 1, generation=3)
    with pytest.raises(StaleGeneration, match="generation 3"):
        shop.write(50, generation=1)
    assert shop.seen() == (0, 0), "it was begun and is not done"


def test_a_straggler_of_the_same_release_moves_no_pods_after_a_later_step(world: World) -> None:
    """It had led connections when the later step came, and goes on with the Pods of its own weights."""
    shop = Shop(world, "worker")
    shop.shares.ensure_share(shop.spec)
    shop.deploy("blue", replicas=10)
    shop.deploy("green", replicas=1)
    late: list[bool] = []

    class Late(KubernetesCluster):
        def running(self, namespace: str, name: str) -> Any:
            if not late:
                late.append(True)
                shop.shares = whole
                shop.write(50, revision=6)
            return super().running(namespace, name)

    whole = shop.shares
    shop.shares = ShareOfPods(Late(shop.world.server.carrier()), shop.world.server.carrier())
    shop.write(90, revision=5)
    assert late
    assert (shop.seen(), shop.pods()) == ((50, 50), (5, 5))
    assert shop.ranges() == [(5, 15), (5, 15)]


def test_who_dies_between_selector_and_pods_leaves_what_a_look_sees(shop: Shop) -> None:
    shop.deploy("green", replicas=1)

    class Dead(Exception):
        pass

    class Dying(KubernetesCluster):
        def running(self, namespace: str, name: str) -> Any:
            raise Dead

    whole, shop.shares = (
        shop.shares,
        ShareOfPods(Dying(shop.world.server.carrier()), shop.world.server.carrier()),
    )
    with pytest.raises(Dead):
        shop.write(90)
    shop.shares = whole
    assert shop.seen() == (0, 0), "it was begun and is not done"
    shop.write(90)
    assert (shop.seen(), shop.pods()) == ((90, 10), (9, 1))


def test_a_selector_that_somebody_set_is_where_connections_go(shop: Shop) -> None:
    shop.deploy("green", replicas=5)
    shop.write(50)
    only = {"spec": {"selector": {"candlefish.ai/slot": "green"}}}
    shop.world.admin.must("PATCH", f"/api/v1/namespaces/{shop.world.namespace}/services/api", only, MERGE)
    assert shop.seen() == (0, 100)


def test_health_is_pods_that_are_ready(shop: Shop) -> None:
    seen = until(lambda: shop.shares.health(shop.group("blue")), lambda found: found.healthy == 10)
    assert (seen.healthy, seen.initial) == (10, 0)
    resting = shop.shares.health(shop.group("green"))
    assert (resting.healthy, resting.reason) == (0, "it asks for no Pods")


def test_of_a_slot_that_has_no_deployment_nothing_is_healthy_and_a_rollback_to_it_ends(world: World) -> None:
    shop = Shop(world, "worker")
    shop.shares.ensure_share(shop.spec)
    shop.deploy("green", replicas=2)
    assert shop.shares.health(shop.group("blue")).reason == "it has no Deployment"
    shop.write(100)
    assert (shop.seen(), shop.pods()) == ((100, 0), (0, 0))


def test_a_service_that_was_deleted_is_onboarded_again(world: World) -> None:
    shop = Shop(world, "worker")
    with pytest.raises(NotOnboarded, match="run candlefish onboard again"):
        shop.seen()


def test_what_a_lost_record_knew_is_read_from_the_service(shop: Shop, kind: str) -> None:
    shop.deploy("green", replicas=1)
    shop.write(90, revision=7, generation=1)
    shop.shares.stamp(shop.rule, RecordMark(8, 1))
    shop.shares.stamp(shop.rule, RecordMark(3, 1))
    listener = listener_name(kind, shop.world.namespace)
    found = find_fittings("api", "production", tagged_for("api", "production", [listener], shop.shares))
    assert found is not None
    assert (found.rule, found.weights, found.mark) == (shop.rule, {"blue": 90, "green": 10}, RecordMark(8, 1))
    assert {slot: stands_for(group).slot for slot, group in found.groups.items()} == {
        "blue": "blue",
        "green": "green",
    }
    other = "cluster" if kind == "worker" else "worker"
    assert shop.shares.listed(listener_name(other, shop.world.namespace)) == []


class Meddled:
    """The API, where somebody writes the Service each time before it is written."""

    def __init__(self, world: World, happens: Callable[[], None]) -> None:
        self._api, self._happens = world.server.carrier(), happens

    def request(self, method: str, path: str, **more: Any) -> ApiResponse:
        if method == "PATCH" and "/services/" in path:
            self._happens()
        return self._api.request(method, path, **more)


def test_a_service_that_others_never_stop_writing_is_left_for_another_time(shop: Shop) -> None:
    path = f"/api/v1/namespaces/{shop.world.namespace}/services/api"
    count = iter(range(100))

    def note() -> None:
        said = {"metadata": {"annotations": {"example.org/note": str(next(count))}}}
        shop.world.admin.must("PATCH", path, said, MERGE)

    shop.shares = ShareOfPods(shop.world.cluster, Meddled(shop.world, note))
    with pytest.raises(Unavailable, match="others wrote it between look and write"):
        shop.write(50)
    assert shop.seen() == (100, 0)
