"""Six services from one umbrella chart that labels its Pods as it always did, beside the world that still serves.

    candlefish lab scene umbrella

The chart brings Deployments, Services and settings of six services under labels like `app: website`, by which live
Services of the same namespace select. Shown: its parts are released; a migration runs before a version, once; a
memory limit is released without a new image; a live Service never gets a Pod that is being judged; a migration that
fails ends its release before anything has moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog, Duration, Job, Smoke, Strategy, StrategyStep, Watch
from lab.choices import judged, requester, two
from lab.kube.controllers.endpoints import backends
from lab.kube.kinds import DEPLOYMENT, JOB, SERVICE
from lab.kube.pod_security import RESTRICTED
from lab.looks import looks
from lab.scenes.bring_up import bring_up
from lab.scenes.claims import Claim
from lab.scenes.driver import record, rule_weights, start_release, timeline, wait_for, wait_for_entry
from lab.scenes.helm_chart import PORT, rendered, upload
from lab.traffic.load import Load
from lab.world import FIRST_VERSION, World

LIMIT, LARGER = "256Mi", "384Mi"
# Real seconds that a release of the lab may take.
PATIENCE = 300.0


def run(directory: Path, say: Callable[[str], None]) -> list[Claim]:
    """Play it; what it claims, and whether that held."""
    with World(directory, say=say) as world:
        world.use_catalog(with_migration(world.catalog))
        chart = Chart(world)
        bring_up(world, (chart.environment,), more=chart.first)
        live_world(world, chart)
        hosts = [world.host(chart.environment, name) for name in world.catalog.services]
        load = Load(world.sites[chart.environment].port, hosts, 60.0)
        load.start()
        found = [
            migrated(world, chart),
            limited(world, chart),
            *captured(world, chart),
            refused(world, chart),
        ]
        samples = load.stop()
        failed = [sample for sample in samples if sample.failed]
        found.append(
            Claim("no user's request failed", not failed, f"{len(samples)} sent, {len(failed)} failed")
        )
    for claim in found:
        say(f"{'holds' if claim.holds else 'FAILS'}: {claim.text} ({claim.numbers})")
    return found


def with_migration(catalog: Catalog) -> Catalog:
    """The catalog's services behind a load balancer: one with a migration, all with the chart's port, and a canary of a
    few seconds.

    Its judge and its question are left out.
    """
    watched = StrategyStep(bake=Watch(at_most=Duration(5), unclear="go_on"))
    steps = (
        StrategyStep(smoke=Smoke(within=Duration(30))),
        StrategyStep(weight=10),
        watched,
        StrategyStep(weight=100),
    )
    canary = catalog.strategies[judged(catalog).strategy]
    quick = Strategy(
        name=canary.name,
        kind="canary",
        steps=steps,
        rollback_window=Duration(60),
        ready_within=canary.ready_within,
    )
    migrate = Job(name="migrate", command=("python", "-m", "app.migrate"), within=Duration(120))
    services = {
        name: msgspec.structs.replace(
            each,
            port=PORT,
            health_path="/health",
            smoke_paths=(),
            jobs=(migrate,) if name == two(catalog)[0] else (),
        )
        for name, each in catalog.services.items()
        if each.balanced
    }
    return msgspec.structs.replace(
        catalog, services=services, strategies={**catalog.strategies, canary.name: quick}
    )


class Chart:
    """The umbrella chart: what `helm template` writes of it, and each service's part as a bundle.

    One of its services is `migrated`, of another a Pod would be `caught` by what is live.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.environment = judged(world.catalog).name
        self.migrated, self.caught = two(world.catalog)
        # What serves already, under the same labels.
        self.live = f"{self.caught}-live"

    def rendered(self, version: str, memory: Mapping[str, str]) -> list[dict[str, Any]]:
        """Everything of all services, one after the other."""
        return [
            document
            for name in self._world.catalog.services
            for document in _sized(rendered(name, f"{self._image(name)}:{version}"), memory.get(name, LIMIT))
        ]

    def part(self, service: str, version: str, memory: str = LIMIT) -> dict[str, str]:
        """The bundle of one service's part; what a release says of it."""
        names = {service, f"{service}-settings"}
        documents = self.rendered(version, {service: memory})
        s3 = self._world.clients(self._world.sites[self.environment].region)("s3")
        bucket = self._world.sites[self.environment].stack.outputs["BundlesBucket"]
        return upload(s3, bucket, [each for each in documents if each["metadata"]["name"] in names])

    def first(self, environment: str, service: str) -> Mapping[str, str]:
        """What the first release of a service says beside its image."""
        return self.part(service, FIRST_VERSION)

    def _image(self, service: str) -> str:
        return self._world.catalog.services[service].image


def _sized(documents: list[dict[str, Any]], memory: str) -> list[dict[str, Any]]:
    for document in documents:
        if document["kind"] == "Deployment":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            container["resources"]["limits"]["memory"] = memory
    return documents


def live_world(world: World, chart: Chart) -> None:
    """What still serves: a Deployment with the chart's label, and the Service that selects by it."""
    labels = {"app": chart.caught}
    (deployment,) = (
        each
        for each in rendered(chart.caught, world.image(chart.caught, FIRST_VERSION))
        if each["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container.pop("envFrom")
    # The namespace enforces Pod Security.
    container["securityContext"] = RESTRICTED
    deployment["metadata"]["name"] = chart.live
    deployment["spec"]["replicas"] = 2
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": chart.live},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
    }
    world.sites[chart.environment].cluster.apply([deployment, service], namespace=_namespace(world, chart))
    for _ in looks(60):
        if sum(name.startswith(f"{chart.live}-") for name in _behind(world, chart, chart.live)) == 2:
            return
    raise TimeoutError(f"{chart.live} has no Pods behind its Service after 60 s")


def migrated(world: World, chart: Chart) -> Claim:
    """A version with a migration: it runs from the release's image, once, before anything of the version does."""
    release = _release(world, chart, chart.migrated, "1.1.0")
    ended = wait_for(world, chart.environment, release, PATIENCE)
    entries = timeline(world, chart.environment, release)
    kinds = [entry["kind"] for entry in entries]
    said = next((entry["reason"] for entry in entries if entry["kind"] == "job_done"), "")
    jobs = [job for job in world.sites[chart.environment].cluster.store.list(JOB) if _of(job) == release]
    images = {c["image"] for job in jobs for c in job["spec"]["template"]["spec"]["containers"]}
    right = (
        ended["status"] == "SUCCEEDED"
        and _before(kinds, "job_done", "deployed")
        and _before(kinds, "deployed", "shifted")
        and images == {world.image(chart.migrated, "1.1.0")}
        and len(jobs) == 1
        and "all done" in said
    )
    return Claim(
        "a migration runs once, from the release's image, before its version", right, f"{kinds}; {said}"
    )


def limited(world: World, chart: Chart) -> Claim:
    """A changed memory limit is released, judged and promoted like a version; its image is the one that serves."""
    before = record(world, chart.environment, chart.caught)
    image = before["slots"][before["stable"]]["version"]["image"]
    release = _release(world, chart, chart.caught, FIRST_VERSION, memory=LARGER)
    ended = wait_for(world, chart.environment, release, PATIENCE)
    after = record(world, chart.environment, chart.caught)
    serving = after["slots"][after["stable"]]["version"]["image"]
    limits = (
        _limit_of(world, chart, f"{chart.caught}-{after['stable']}"),
        _limit_of(world, chart, f"{chart.caught}-{before['stable']}"),
    )
    right = ended["status"] == "SUCCEEDED" and image == serving and limits == (LARGER, LIMIT)
    return Claim(
        "a memory limit is released without a new image, and the old one is kept to go back to",
        right,
        f"{ended['status']}: {limits[0]} serves, {limits[1]} is kept; image {'the same' if image == serving else serving}",
    )


def captured(world: World, chart: Chart) -> list[Claim]:
    """A canary whose chart has the label that the live Service selects by."""
    release = _release(world, chart, chart.caught, "1.1.0")
    wait_for_entry(world, chart.environment, release, "shifted", PATIENCE)
    slot = _candidate(world, chart)
    weight = rule_weights(world, chart.environment, record(world, chart.environment, chart.caught)["rule"])
    live, candidate = _behind(world, chart, chart.live), _behind(world, chart, f"{chart.caught}-{slot}")
    ended = wait_for(world, chart.environment, release, PATIENCE)
    return [
        Claim(
            "the live Service gets no Pod of a canary that has its label in the chart",
            bool(candidate) and bool(live) and not set(live) & set(candidate),
            f"at {sorted(weight.values())}: behind the live Service {sorted(live)}, candidate {sorted(candidate)}",
        ),
        Claim("the canary is promoted", ended["status"] == "SUCCEEDED", ended["status"]),
    ]


def refused(world: World, chart: Chart) -> Claim:
    """A migration that fails: its release ends, and no request has gone to its version."""
    world.traffic.register(chart.migrated, "2.0.0", "job-fails")
    before = record(world, chart.environment, chart.migrated)
    release = _release(world, chart, chart.migrated, "2.0.0")
    ended = wait_for(world, chart.environment, release, PATIENCE)
    entries = timeline(world, chart.environment, release)
    kinds = [entry["kind"] for entry in entries]
    why = next((entry["reason"] for entry in entries if entry["kind"] == "rolling_back"), "")
    after = record(world, chart.environment, chart.migrated)
    right = (
        ended["status"] == "FAILED"
        and not {"deployed", "shifted"} & set(kinds)
        and "column orders.total exists already" in why
        and after["stable"] == before["stable"]
    )
    return Claim("a migration that fails ends its release before anything has moved", right, why)


def _release(world: World, chart: Chart, service: str, version: str, memory: str = LIMIT) -> str:
    bundle = chart.part(service, version, memory)
    return start_release(world, chart.environment, service, version, by=requester(world.catalog), **bundle)


def _namespace(world: World, chart: Chart) -> str:
    return world.catalog.environments[chart.environment].namespace


def _of(job: dict[str, Any]) -> str:
    return str(job["metadata"]["annotations"].get("candlefish.ai/release", ""))


def _before(kinds: list[str], first: str, second: str) -> bool:
    return first in kinds and second in kinds and kinds.index(first) < kinds.index(second)


def _candidate(world: World, chart: Chart) -> str:
    slots = record(world, chart.environment, chart.caught)["slots"]
    return str(next(slot for slot, each in slots.items() if each["state"] == "candidate"))


def _behind(world: World, chart: Chart, name: str) -> list[str]:
    """The Pods behind a Service."""
    store = world.sites[chart.environment].cluster.store
    service = store.get(SERVICE, _namespace(world, chart), name)
    return [] if service is None else [pod["metadata"]["name"] for pod in backends(store, service)]


def _limit_of(world: World, chart: Chart, name: str) -> str:
    found = world.sites[chart.environment].cluster.store.get(DEPLOYMENT, _namespace(world, chart), name)
    if found is None:
        return "nothing"
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])
