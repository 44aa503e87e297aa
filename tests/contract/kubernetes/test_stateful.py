"""StatefulSets in place on API servers: what is rolled, what is refused, what is taken over, and what stands for ever."""

from __future__ import annotations

from typing import Any

import pytest

from candlefish.adapters.kubernetes.shares import ShareOfPods
from candlefish.adapters.kubernetes.stateful import KubernetesStateful
from candlefish.catalog.model import Replicas, Stateful, Volume
from candlefish.errors import ClusterRefused, StaleGeneration
from candlefish.release.manifests import Workload, render
from candlefish.release.manifests.model import stateful_name
from candlefish.release.model import Manifest, Rollout
from candlefish.release.stateful import fitted
from candlefish.service.model import RecordMark, Slot
from candlefish.traffic.ports import Intention, ShareSpec
from candlefish.traffic.shares import group_name, rule_name
from tests.support.kubernetes.samples import service, workload
from tests.support.kubernetes.servers import World, until

pytestmark = pytest.mark.enable_socket

NAME = stateful_name("api", "green")
VOLUME = Volume(name="data", path="/data", size="1Gi", storage_class="fast")


def made(
    world: World, tag: str, *, stateful: Stateful | None = None, generation: int = 1, release: str = ""
) -> Workload:
    served = service(
        kind="stateful", host="", replicas=Replicas(min=3, max=3), stateful=stateful or Stateful()
    )
    return workload(
        world.namespace,
        tag,
        service=served,
        slot="green",
        generation=generation,
        release=release or f"release-{tag}",
    )


def bring(world: World, tag: str, *, generation: int = 1, **more: Any) -> tuple[str, ...]:
    objects = render(made(world, tag, generation=generation, **more))
    changed = world.apply(objects, generation=generation)
    world.cluster.raise_to(world.namespace, NAME, 3, generation=generation)
    return changed


def settled(world: World, status: str, words: str = "") -> Rollout:
    return until(
        lambda: world.cluster.rollout(world.namespace, NAME),
        lambda seen: seen.status == status and words in seen.reason,
    )


def images(world: World) -> list[str]:
    """The tags of the Pods' images, by number."""
    pods = sorted(world.pods(), key=lambda pod: pod["metadata"]["name"])
    return [pod["spec"]["containers"][0]["image"].partition("@")[0].rpartition(":")[2] for pod in pods]


def theirs(world: World, tag: str = "v0", **spec: Any) -> Manifest:
    """A StatefulSet as a chart made it, with labels and names of its own."""
    labels = {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/name": "db"}
    given = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "api", "labels": labels},
        "spec": {
            "replicas": 3,
            "serviceName": "api-headless",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"checksum/config": "1"}},
                "spec": {
                    "containers": [
                        {
                            "name": "db",
                            "image": f"registry.example/api:{tag}",
                            "env": [{"name": "OLD", "value": "1"}],
                        }
                    ]
                },
            },
            **spec,
        },
    }
    path = f"/apis/apps/v1/namespaces/{world.namespace}/statefulsets?fieldManager=helm"
    found: Manifest = world.admin.must("POST", path, given)
    return found


def hand_over(world: World) -> None:
    path = f"/apis/apps/v1/namespaces/{world.namespace}/statefulsets/api"
    label = {"metadata": {"labels": {"candlefish.ai/service": "api"}}}
    world.admin.must("PATCH", path, label, "application/merge-patch+json")


def test_a_first_version_comes_up_one_pod_after_another_and_a_second_one_from_the_top(world: World) -> None:
    bring(world, "v1")
    seen = settled(world, "ready")
    assert (seen.status, seen.ready, seen.desired) == ("ready", 3, 3), seen
    assert sorted(pod["metadata"]["name"] for pod in world.pods()) == ["api-0", "api-1", "api-2"]
    bring(world, "v2", generation=2)
    # What stands there is of the version before until the cluster has seen the new one.
    assert settled(world, "ready").status == "ready"
    assert images(world) == ["v2", "v2", "v2"]
    running = world.cluster.running(world.namespace, NAME)
    assert running is not None
    assert (running.version, running.generation, running.replicas) == ("v2", 2, 3)


def test_the_other_slot_of_the_record_has_nothing(world: World) -> None:
    bring(world, "v1")
    other = stateful_name("api", "blue")
    assert world.cluster.running(world.namespace, other) is None
    assert world.cluster.current_replicas(world.namespace, other) == 0
    world.cluster.retire(world.namespace, other, 1)
    assert world.cluster.current_replicas(world.namespace, NAME) == 3
    with pytest.raises(ClusterRefused):
        world.cluster.raise_to(world.namespace, other, 5, generation=1)


def test_a_broken_version_stops_at_the_highest_number_and_the_one_before_comes_back_past_it(
    world: World,
) -> None:
    bring(world, "v1")
    settled(world, "ready")
    bring(world, "crash", generation=2)
    seen = settled(world, "failed")
    assert seen.status == "failed", seen
    assert "Pod api-2" in seen.reason
    assert "container api" in seen.reason
    assert images(world)[:2] == ["v1", "v1"], "Pods of smaller numbers are not touched"
    bring(world, "v1", generation=3, release="back")
    # Kubernetes itself would wait for it for ever.
    stuck = settled(world, "progressing", "kubectl delete pod api-2")
    assert "api-2 is of a template before and not ready" in stuck.reason, stuck
    with pytest.raises(StaleGeneration):
        world.cluster.free_stuck(world.namespace, NAME, 2)
    freed = until(lambda: world.cluster.free_stuck(world.namespace, NAME, 3), bool)
    assert freed == "api-2"
    assert settled(world, "ready").status == "ready"
    assert images(world) == ["v1", "v1", "v1"]
    assert world.cluster.free_stuck(world.namespace, NAME, 3) == ""


def test_a_pod_that_is_well_or_of_the_newest_template_is_never_taken(world: World) -> None:
    bring(world, "v1")
    settled(world, "ready")
    assert world.cluster.free_stuck(world.namespace, NAME, 1) == ""
    bring(world, "notready", generation=2)
    settled(world, "progressing", "is not ready")
    names = {pod["metadata"]["uid"] for pod in world.pods()}
    assert world.cluster.free_stuck(world.namespace, NAME, 2) == ""
    assert names == {pod["metadata"]["uid"] for pod in world.pods()}


def test_a_partition_that_somebody_set_is_named(world: World) -> None:
    bring(world, "v1")
    settled(world, "ready")
    path = f"/apis/apps/v1/namespaces/{world.namespace}/statefulsets/api"
    kept = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}}
    world.admin.must("PATCH", path, kept, "application/merge-patch+json")
    assert "partition 2 keeps Pods" in settled(world, "progressing", "partition").reason


@pytest.mark.parametrize(
    ("stateful", "words"),
    [
        (
            Stateful(volumes=(Volume(name="data", path="/data", size="2Gi", storage_class="fast"),)),
            "size 1Gi",
        ),
        (Stateful(volumes=(Volume(name="data", path="/data", size="1Gi"),)), "storage_class fast"),
        (Stateful(volumes=(Volume(name="more", path="/data", size="1Gi"),)), "volume data is there"),
        (Stateful(), "volume data is there"),
        (Stateful(volumes=(VOLUME,), headless_service="names"), "serviceName is api-headless"),
        (Stateful(volumes=(VOLUME,), start="together"), "podManagementPolicy is OrderedReady"),
    ],
)
def test_what_can_never_be_changed_is_refused_with_words_before_anything_is(
    world: World, stateful: Stateful, words: str
) -> None:
    world.apply(render(made(world, "v1", stateful=Stateful(volumes=(VOLUME,)))))
    before = world.get("statefulsets", "api"), world.get("networkpolicies", "api")
    objects = tuple(
        world.spelled(each) for each in render(made(world, "v2", stateful=stateful, generation=2))
    )
    for refused in (world.cluster.rehearse, world.cluster.apply):
        with pytest.raises(ClusterRefused, match=words) as said:
            refused(objects, generation=2)
        assert "nothing was changed" in str(said.value)
    after = world.get("statefulsets", "api"), world.get("networkpolicies", "api")
    assert [each["metadata"]["generation"] for each in before] == [
        each["metadata"]["generation"] for each in after
    ]
    assert [each["metadata"]["annotations"] for each in before] == [
        each["metadata"]["annotations"] for each in after
    ]


def test_claims_are_the_pods_own_and_nothing_takes_them(world: World) -> None:
    world.apply(render(made(world, "v1", stateful=Stateful(volumes=(VOLUME,)))))
    claim = until(lambda: world.get("persistentvolumeclaims", "data-api-0"), lambda found: found is not None)
    assert claim is not None
    world.cluster.retire(world.namespace, NAME, 1)
    kept = world.get("statefulsets", "api")["spec"]
    assert kept["replicas"] == 0
    if world.server.minor >= 27:
        assert kept["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }
    assert world.get("persistentvolumeclaims", "data-api-0") is not None


def test_who_comes_late_changes_nothing(world: World) -> None:
    bring(world, "v2", generation=2)
    for late in (
        lambda: bring(world, "v1", generation=1),
        lambda: world.cluster.raise_to(world.namespace, NAME, 9, generation=1),
        lambda: world.cluster.retire(world.namespace, NAME, 1),
        lambda: world.cluster.free_stuck(world.namespace, NAME, 1),
    ):
        with pytest.raises(StaleGeneration):
            late()
    running = world.cluster.running(world.namespace, NAME)
    assert running is not None
    assert (running.version, running.replicas) == ("v2", 3)


def test_a_stateful_set_that_nobody_handed_over_stays_as_it_is(world: World) -> None:
    before = theirs(world)
    with pytest.raises(ClusterRefused, match="kubectl label statefulset api"):
        bring(world, "v1")
    after = world.get("statefulsets", "api")
    assert after["spec"] == before["spec"]


def test_a_take_over_is_rehearsed_whatever_its_controller_writes_meanwhile(world: World) -> None:
    theirs(world)
    hand_over(world)
    objects = tuple(world.spelled(each) for each in render(made(world, "v1")))
    seen = world.get("statefulsets", "api")
    stale = {**seen, "metadata": {**seen["metadata"], "resourceVersion": "1"}}
    (own,) = (each for each in objects if each["kind"] == "StatefulSet")
    answer = KubernetesStateful(world.server.carrier(), lambda *_: ()).take_over(
        fitted(own, stale), stale, rehearsal=True
    )
    assert answer.status == 200, answer
    assert world.get("statefulsets", "api")["spec"] == seen["spec"]


def test_one_that_is_handed_over_is_taken_with_its_selector_and_its_pods_are_rolled(world: World) -> None:
    before = theirs(world)
    hand_over(world)
    bring(world, "v1")
    found = world.get("statefulsets", "api")
    assert found["metadata"]["uid"] == before["metadata"]["uid"]
    assert found["spec"]["selector"] == before["spec"]["selector"]
    containers = found["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["api"], "nothing of the one before stays beside it"
    assert "checksum/config" not in found["spec"]["template"]["metadata"]["annotations"]
    assert settled(world, "ready").status == "ready"
    # What helm says it owned of it keeps no later release out.
    bring(world, "v2", generation=2)
    assert settled(world, "ready").status == "ready"
    assert images(world) == ["v2"] * 3


def test_a_first_release_that_fails_gives_back_what_ran_before_it(world: World) -> None:
    before = theirs(world)
    hand_over(world)
    bring(world, "crash")
    settled(world, "failed")
    world.cluster.retire(world.namespace, NAME, 2)
    found = world.get("statefulsets", "api")
    assert found["spec"]["template"] == before["spec"]["template"]
    assert found["spec"]["replicas"] == 3, "what ran before goes on"
    assert world.cluster.running(world.namespace, NAME) is None
    world.cluster.retire(world.namespace, NAME, 2)
    assert world.get("statefulsets", "api")["spec"] == found["spec"]
    # The next release takes it over anew.
    bring(world, "v1", generation=3)
    assert [
        each["name"] for each in world.get("statefulsets", "api")["spec"]["template"]["spec"]["containers"]
    ] == ["api"]


def test_what_nobody_handed_over_and_what_others_wrote_since_keep_their_pods(world: World) -> None:
    theirs(world)
    broken = theirs_rolls(world, "crash")
    assert not world.cluster.retire(world.namespace, NAME, 5)
    assert world.cluster.free_stuck(world.namespace, NAME, 5) == ""
    assert {pod["metadata"]["uid"] for pod in world.pods()} >= {broken}


def theirs_rolls(world: World, tag: str) -> str:
    """The uid of a Pod that the people of a StatefulSet broke themselves, and then took back."""
    path = f"/apis/apps/v1/namespaces/{world.namespace}/statefulsets/api"

    def runs(image: str) -> None:
        container = {"name": "db", "image": f"registry.example/api:{image}"}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        world.admin.must("PATCH", path, patch, "application/merge-patch+json")

    until(lambda: world.get("statefulsets", "api").get("status", {}).get("readyReplicas"), lambda n: n == 3)
    runs(tag)
    broken = until(
        lambda: [pod for pod in world.pods() if tag in pod["spec"]["containers"][0]["image"]], bool
    )
    runs("v0")
    seen = world.get("statefulsets", "api")
    until(
        lambda: world.get("statefulsets", "api").get("status", {}).get("observedGeneration", 0),
        lambda number: number >= seen["metadata"]["generation"],
    )
    uid: str = broken[0]["metadata"]["uid"]
    return uid


def test_a_version_that_ran_before_comes_back_to_volumes_that_were_made_larger_since(world: World) -> None:
    larger = Stateful(volumes=(Volume(name="data", path="/data", size="1024Gi", storage_class="fast"),))
    bring(world, "v2", generation=2, stateful=larger)
    before = world.get("statefulsets", "api")["spec"]["volumeClaimTemplates"]
    bring(world, "v3", generation=3, stateful=larger)
    smaller = tuple(
        world.spelled(each)
        for each in render(made(world, "v1", generation=4, stateful=Stateful(volumes=(VOLUME,))))
    )
    with pytest.raises(ClusterRefused, match="volume data has size"):
        world.cluster.apply(smaller, generation=4)
    world.cluster.apply(smaller, generation=4, again=True)
    found = world.get("statefulsets", "api")["spec"]
    assert found["volumeClaimTemplates"] == before
    assert ":v1" in found["template"]["spec"]["containers"][0]["image"]


def test_pods_of_before_and_of_a_take_over_reach_each_other_and_are_found_as_before(world: World) -> None:
    before = theirs(world)["spec"]["selector"]
    hand_over(world)
    bring(world, "v1")
    spec = world.get("networkpolicies", "api")["spec"]
    own = {"podSelector": {"matchLabels": {"candlefish.ai/service": "api"}}}
    assert {"from": [own, {"podSelector": before}]} in spec["ingress"]
    assert {"to": [own, {"podSelector": before}]} in spec["egress"]
    labels = world.get("statefulsets", "api")["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "db"
    bring(world, "v2", generation=2)
    assert world.get("networkpolicies", "api")["spec"] == spec


class Clients:
    """The Service that leads clients to a stateful service."""

    def __init__(self, world: World, *, headless: bool = False) -> None:
        self.world, self.shares = world, ShareOfPods(world.cluster, world.server.carrier())
        port = {"name": "http", "port": 8000, "targetPort": 8000, "protocol": "TCP"}
        self.spec = ShareSpec(
            "stateful", "api", world.namespace, "production", "blue", port, headless=headless
        )

    def write(self, green: int, revision: int) -> None:
        weights = {self.group("green"): green, self.group("blue"): 100 - green}
        rule = rule_name("stateful", self.world.namespace, "api")
        self.shares.write(rule, weights, Intention(RecordMark(revision, 2)))

    def group(self, slot: Slot) -> str:
        return group_name("stateful", self.world.namespace, "api", "production", slot)

    def seen(self) -> dict[str, int]:
        return self.shares.read(rule_name("stateful", self.world.namespace, "api"))

    @property
    def selector(self) -> dict[str, str]:
        found: dict[str, str] = self.world.get("services", "api")["spec"]["selector"]
        return found


def test_clients_are_led_to_its_pods_in_whatever_slot_the_record_has_them(world: World) -> None:
    clients = Clients(world)
    clients.shares.ensure_share(clients.spec)
    bring(world, "v1")
    assert clients.selector == {"candlefish.ai/service": "api"}
    assert clients.seen() == {clients.group("blue"): 100, clients.group("green"): 0}
    settled(world, "ready")
    assert clients.shares.health(clients.group("green")).healthy == 3
    assert clients.shares.health(clients.group("blue")).healthy == 0
    clients.write(100, 2)
    assert clients.seen() == {clients.group("blue"): 0, clients.group("green"): 100}
    assert clients.selector == {"candlefish.ai/service": "api"}
    running = world.cluster.running(world.namespace, NAME)
    assert running is not None
    assert running.replicas == 3


def test_a_service_of_its_pods_names_is_headless_where_the_catalog_says_so(world: World) -> None:
    clients = Clients(world, headless=True)
    clients.shares.ensure_share(clients.spec)
    found = world.get("services", "api")["spec"]
    assert (found["clusterIP"], found["publishNotReadyAddresses"]) == ("None", True)


def test_clients_of_a_first_release_that_is_taken_back_are_led_where_they_were(world: World) -> None:
    theirs(world)
    hand_over(world)
    before = {"app.kubernetes.io/name": "db"}
    made_by_helm = {
        "metadata": {"name": "api", "labels": {"candlefish.ai/share": "stateful"}},
        "spec": {"selector": before, "ports": [{"port": 8000}]},
    }
    world.admin.must("POST", f"/api/v1/namespaces/{world.namespace}/services", made_by_helm)
    clients = Clients(world)
    clients.shares.ensure_share(clients.spec)
    assert clients.selector == before
    bring(world, "v1", generation=2)
    clients.write(100, 2)
    assert clients.selector == {"candlefish.ai/service": "api"}
    clients.write(0, 3)
    assert clients.selector == before, (
        "the slot that it goes back to has no StatefulSet: they keep what they had"
    )
    assert clients.seen() == {clients.group("blue"): 100, clients.group("green"): 0}
