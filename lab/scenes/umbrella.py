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

ENVIRONMENT, MIGRATED, CAUGHT = "production", "backend-api", "website"
LIVE = f"{CAUGHT}-live"
LIMIT, LARGER = "256Mi", "384Mi"
# Real seconds that a release of the lab may take.
PATIENCE = 300.0


def run(directory: Path, say: Callable[[str], None]) -> list[Claim]:
    """Play it; what it claims, and whether that held."""
    with World(directory, say=say) as world:
        world.use_catalog(with_migration(world.catalog))
        chart = Chart(world)
        bring_up(world, (ENVIRONMENT,), more=chart.first)
        live_world(world)
        hosts = [world.host(ENVIRONMENT, name) for name in world.catalog.services]
        load = Load(world.sites[ENVIRONMENT].port, hosts, 60.0)
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
    """The catalog with a migration of one service, the chart's port for all, and a canary of a few seconds."""
    watched = StrategyStep(bake=Watch(at_most=Duration(5), unclear="go_on"))
    steps = (
        StrategyStep(smoke=Smoke(within=Duration(30))),
        StrategyStep(weight=10),
        watched,
        StrategyStep(weight=100),
    )
    canary = catalog.strategies[catalog.environments[ENVIRONMENT].strategy]
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
            jobs=(migrate,) if name == MIGRATED else (),
        )
        for name, each in catalog.services.items()
    }
    return msgspec.structs.replace(
        catalog, services=services, strategies={**catalog.strategies, canary.name: quick}
    )


class Chart:
    """The umbrella chart: what `helm template` writes of it, and each service's part as a bundle."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made = False

    def rendered(self, version: str, memory: Mapping[str, str]) -> list[dict[str, Any]]:
        """Everything of all six services, one after the other."""
        return [
            document
            for name in self._world.catalog.services
            for document in _sized(rendered(name, f"{self._image(name)}:{version}"), memory.get(name, LIMIT))
        ]

    def part(self, service: str, version: str, memory: str = LIMIT) -> dict[str, str]:
        """The bundle of one service's part; what a release says of it."""
        names = {service, f"{service}-settings"}
        documents = self.rendered(version, {service: memory})
        s3 = self._world.clients(self._world.sites[ENVIRONMENT].region)("s3")
        bucket = self._world.sites[ENVIRONMENT].stack.outputs["BundlesBucket"]
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


def live_world(world: World) -> None:
    """What still serves: a Deployment with the chart's label, and the Service that selects by it."""
    labels = {"app": CAUGHT}
    (deployment,) = (
        each for each in rendered(CAUGHT, world.image(CAUGHT, FIRST_VERSION)) if each["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container.pop("envFrom")
    # The namespace enforces Pod Security.
    container["securityContext"] = RESTRICTED
    deployment["metadata"]["name"] = LIVE
    deployment["spec"]["replicas"] = 2
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": LIVE},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
    }
    world.sites[ENVIRONMENT].cluster.apply([deployment, service], namespace=_namespace(world))
    for _ in looks(60):
        if sum(name.startswith(f"{LIVE}-") for name in _behind(world, LIVE)) == 2:
            return
    raise TimeoutError(f"{LIVE} has no Pods behind its Service after 60 s")


def migrated(world: World, chart: Chart) -> Claim:
    """A version with a migration: it runs from the release's image, once, before anything of the version does."""
    release = _release(world, chart, MIGRATED, "1.1.0")
    ended = wait_for(world, ENVIRONMENT, release, PATIENCE)
    entries = timeline(world, ENVIRONMENT, release)
    kinds = [entry["kind"] for entry in entries]
    said = next((entry["reason"] for entry in entries if entry["kind"] == "job_done"), "")
    jobs = [job for job in world.sites[ENVIRONMENT].cluster.store.list(JOB) if _of(job) == release]
    images = {c["image"] for job in jobs for c in job["spec"]["template"]["spec"]["containers"]}
    right = (
        ended["status"] == "SUCCEEDED"
        and _before(kinds, "job_done", "deployed")
        and _before(kinds, "deployed", "shifted")
        and images == {world.image(MIGRATED, "1.1.0")}
        and len(jobs) == 1
        and "all done" in said
    )
    return Claim(
        "a migration runs once, from the release's image, before its version", right, f"{kinds}; {said}"
    )


def limited(world: World, chart: Chart) -> Claim:
    """A changed memory limit is released, judged and promoted like a version; its image is the one that serves."""
    before = record(world, ENVIRONMENT, CAUGHT)
    image = before["slots"][before["stable"]]["version"]["image"]
    release = _release(world, chart, CAUGHT, FIRST_VERSION, memory=LARGER)
    ended = wait_for(world, ENVIRONMENT, release, PATIENCE)
    after = record(world, ENVIRONMENT, CAUGHT)
    serving = after["slots"][after["stable"]]["version"]["image"]
    limits = _limit_of(world, f"{CAUGHT}-{after['stable']}"), _limit_of(world, f"{CAUGHT}-{before['stable']}")
    right = ended["status"] == "SUCCEEDED" and image == serving and limits == (LARGER, LIMIT)
    return Claim(
        "a memory limit is released without a new image, and the old one is kept to go back to",
        right,
        f"{ended['status']}: {limits[0]} serves, {limits[1]} is kept; image {'the same' if image == serving else serving}",
    )


def captured(world: World, chart: Chart) -> list[Claim]:
    """A canary whose chart has the label that the live Service selects by."""
    release = _release(world, chart, CAUGHT, "1.1.0")
    wait_for_entry(world, ENVIRONMENT, release, "shifted", PATIENCE)
    slot = _candidate(world)
    weight = rule_weights(world, ENVIRONMENT, record(world, ENVIRONMENT, CAUGHT)["rule"])
    live, candidate = _behind(world, LIVE), _behind(world, f"{CAUGHT}-{slot}")
    ended = wait_for(world, ENVIRONMENT, release, PATIENCE)
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
    world.traffic.register(MIGRATED, "2.0.0", "job-fails")
    before = record(world, ENVIRONMENT, MIGRATED)
    release = _release(world, chart, MIGRATED, "2.0.0")
    ended = wait_for(world, ENVIRONMENT, release, PATIENCE)
    entries = timeline(world, ENVIRONMENT, release)
    kinds = [entry["kind"] for entry in entries]
    why = next((entry["reason"] for entry in entries if entry["kind"] == "rolling_back"), "")
    after = record(world, ENVIRONMENT, MIGRATED)
    right = (
        ended["status"] == "FAILED"
        and not {"deployed", "shifted"} & set(kinds)
        and "column orders.total exists already" in why
        and after["stable"] == before["stable"]
    )
    return Claim("a migration that fails ends its release before anything has moved", right, why)


def _release(world: World, chart: Chart, service: str, version: str, memory: str = LIMIT) -> str:
    bundle = chart.part(service, version, memory)
    return start_release(world, ENVIRONMENT, service, version, by="developer", **bundle)


def _namespace(world: World) -> str:
    return world.catalog.environments[ENVIRONMENT].namespace


def _of(job: dict[str, Any]) -> str:
    return str(job["metadata"]["annotations"].get("candlefish.ai/release", ""))


def _before(kinds: list[str], first: str, second: str) -> bool:
    return first in kinds and second in kinds and kinds.index(first) < kinds.index(second)


def _candidate(world: World) -> str:
    slots = record(world, ENVIRONMENT, CAUGHT)["slots"]
    return str(next(slot for slot, each in slots.items() if each["state"] == "candidate"))


def _behind(world: World, name: str) -> list[str]:
    """The Pods behind a Service."""
    store = world.sites[ENVIRONMENT].cluster.store
    service = store.get(SERVICE, _namespace(world), name)
    return [] if service is None else [pod["metadata"]["name"] for pod in backends(store, service)]


def _limit_of(world: World, name: str) -> str:
    found = world.sites[ENVIRONMENT].cluster.store.get(DEPLOYMENT, _namespace(world), name)
    if found is None:
        return "nothing"
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])
