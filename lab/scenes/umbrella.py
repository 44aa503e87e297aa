"""Six services from one umbrella chart that labels its Pods as it always did, beside the world that still serves.

    candlefish lab scene umbrella

The chart brings Deployments, Services and settings of six services under labels like `app: website`, by which live
Services of the same namespace select. It is rendered once, taken apart by `candlefish bundle`, and each release is
looked at with `candlefish plan` before it is asked for. Shown: a migration runs before a version, once; a memory
limit is released without a new image, by the chart's values and by the catalog; a live Service never gets a Pod that
is being judged; a migration that fails ends its release before anything has moved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lab.catalog import lab_catalog
from lab.choices import approver, requester
from lab.kube.controllers.endpoints import backends
from lab.kube.kinds import DEPLOYMENT, JOB, SERVICE
from lab.kube.pod_security import RESTRICTED
from lab.looks import looks
from lab.scenes.bring_up import release_first_versions
from lab.scenes.claims import Claim
from lab.scenes.driver import open_question, record, rule_weights, timeline, wait_for, wait_for_entry
from lab.scenes.helm_chart import PORT, rendered
from lab.scenes.umbrella_chart import (
    LIMIT,
    Cast,
    Chart,
    Person,
    Planned,
    limit_in,
    words_of,
    write_catalog,
)
from lab.traffic.load import Load
from lab.world import FIRST_VERSION, World

LARGER = "768Mi"
# Real seconds that a release of the lab may take.
PATIENCE = 600.0


def run(directory: Path, say: Callable[[str], None]) -> list[Claim]:
    """Play it; what it claims, and whether that held."""
    folder = directory / "company" / "catalog"
    cast = write_catalog(folder)
    with World(directory / "lab", say=say, catalog=folder) as world:
        world.up((cast.environment,))
        scene = Scene(world, cast, folder, say)
        told = partial(_tell, say)
        found = [told(scene.taken_apart())]
        scene.live_world()
        hosts = [world.host(cast.environment, name) for name in cast.services]
        load = Load(world.sites[cast.environment].port, hosts, 60.0)
        load.start()
        try:
            found += map(told, scene.migrated())
            found += [told(scene.limited_by_values()), told(scene.limited_by_catalog())]
            found += map(told, scene.captured())
            found.append(told(scene.refused()))
        finally:
            samples = load.stop()
        failed = [sample for sample in samples if sample.failed]
        numbers = f"{len(samples)} sent, {len(failed)} failed"
        found.append(told(Claim("no user's request failed", not failed, numbers)))
    return found


def _tell(say: Callable[[str], None], claim: Claim) -> Claim:
    say(f"{'holds' if claim.holds else 'FAILS'}: {claim.text} ({claim.numbers})")
    return claim


class Scene:
    """Who releases the six services, with a catalog, a chart and a terminal."""

    def __init__(self, world: World, cast: Cast, catalog: Path, say: Callable[[str], None]) -> None:
        self._world, self._cast, self._catalog = world, cast, catalog
        self._environment = cast.environment
        # What serves already, under the same label.
        self._live = f"{cast.caught}-live"
        self._chart = Chart(catalog.parent / "chart", world.catalog, cast)
        self._developer = Person(world, cast.environment, requester(world.catalog), catalog, say)
        self._approver = Person(world, cast.environment, approver(world.catalog), catalog, say)

    def live_world(self) -> None:
        """What still serves: a Deployment with the chart's label, and the Service that selects by it."""
        caught = self._cast.caught
        objects = rendered(caught, self._world.image(caught, FIRST_VERSION))
        (deployment,) = (each for each in objects if each["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        container.pop("envFrom")
        # The namespace enforces Pod Security.
        container["securityContext"] = RESTRICTED
        deployment["metadata"]["name"] = self._live
        deployment["spec"]["replicas"] = 2
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self._live},
            "spec": {"selector": {"app": caught}, "ports": [{"port": 80, "targetPort": PORT}]},
        }
        self._cluster.apply([deployment, service], namespace=self._namespace)
        for _ in looks(60):
            if sum(name.startswith(f"{self._live}-") for name in self._behind(self._live)) == 2:
                return
        raise TimeoutError(f"{self._live} has no Pods behind its Service after 60 s")

    def taken_apart(self) -> Claim:
        """The chart is rendered once, and all six services run what it says of each."""
        bundles = self._developer.bundles(str(self._chart.rendered))
        told = self._developer.told
        services = list(self._cast.services)
        gave_way = [
            line
            for line in told
            if f"metadata.labels.app: '{self._cast.caught}' -> '{self._cast.caught}-blue'" in line.strip()
        ]
        hook = [
            line
            for line in told
            if line.strip().startswith("job      migrate: runs once, within 600 s, before")
        ]
        sized = [line for line in told if "the catalog's `resources`" in line]
        release_first_versions(
            self._world, self._environment, services, lambda environment, name: bundles[name]
        )
        right = (
            list(bundles) == services
            and len(services) == 6
            and len(gave_way) == len(hook) == 1
            and bool(sized)
        )
        return Claim(
            f"one rendering of the chart is a bundle for each of {len(services)} services, with a report of what gives way",
            right,
            f"{', '.join(bundles)}; {' '.join(line.strip() for line in (*gave_way, *hook))}",
        )

    def migrated(self) -> list[Claim]:
        """A version with a migration: planned first, it runs from the release's image, once, before anything of it."""
        planned, release = self._release(self._cast.migrated, "1.1.0")
        ended = self._approved(release)
        entries = timeline(self._world, self._environment, release)
        kinds = [entry["kind"] for entry in entries]
        said = next((entry["reason"] for entry in entries if entry["kind"] == "job_done"), "")
        jobs = [job for job in self._cluster.store.list(JOB) if _of(job) == release]
        images = {c["image"] for job in jobs for c in job["spec"]["template"]["spec"]["containers"]}
        right = (
            ended["status"] == "SUCCEEDED"
            and _before(kinds, "job_done", "deployed")
            and _before(kinds, "deployed", "shifted")
            and images == {self._world.image(self._cast.migrated, "1.1.0")}
            and len(jobs) == 1
            and "all done" in said
        )
        return [
            Claim(
                "the plan says the migration before anything else, and another image and version as all that changes",
                planned.steps[0].startswith("run job migrate")
                and _only_version(planned)
                and not planned.refusals,
                f"{planned}; first {planned.steps[0]}",
            ),
            Claim(
                "a migration runs once, from the release's image, before its version",
                right,
                f"{kinds}; {said}",
            ),
        ]

    def limited_by_values(self) -> Claim:
        """The chart's values say more memory: the same image with another bundle."""
        larger = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "200m", "memory": LARGER}}
        self._chart.set(self._cast.caught, lambda values: values.update(resources=larger))
        return self._limited(
            self._cast.caught, LIMIT, "values.yaml", lambda: self._release(self._cast.caught, FIRST_VERSION)
        )

    def limited_by_catalog(self) -> Claim:
        """The chart says none, the catalog says more memory: the live image with another configuration."""
        before = self._world.catalog.services[self._cast.unsized].resources.memory_limit
        limit_in(self._catalog, self._cast.unsized, LARGER)
        self._world.use_catalog(lab_catalog(self._catalog, self._world.time_scale))
        self._world.carry(self._environment)

        def release() -> tuple[Planned, str]:
            planned = self._developer.plan(self._cast.unsized)
            return planned, self._developer.deploy(
                self._cast.unsized, "--configuration", reason="it needs more memory"
            )

        return self._limited(self._cast.unsized, before, "services.yaml", release)

    def _limited(
        self, service: str, limit: str, where: str, release: Callable[[], tuple[Planned, str]]
    ) -> Claim:
        """A changed memory limit is released, judged and promoted like a version; its image is the one that serves."""
        before = record(self._world, self._environment, service)
        image = before["slots"][before["stable"]]["version"]["image"]
        planned, name = release()
        ended = self._approved(name)
        kinds = [entry["kind"] for entry in timeline(self._world, self._environment, name)]
        after = record(self._world, self._environment, service)
        serving = after["slots"][after["stable"]]["version"]["image"]
        limits = tuple(self._limit_of(f"{service}-{each['stable']}") for each in (after, before))
        right = (
            list(planned.objects.values()) == [(f'- memory: "{limit}"', f'+ memory: "{LARGER}"')]
            and next(iter(planned.objects)).startswith("~ Deployment ")
            and not planned.refusals
            and ended["status"] == "SUCCEEDED"
            and _before(kinds, "deployed", "shifted")
            and _before(kinds, "shifted", "promoted")
            and image == serving
            and limits == (LARGER, limit)
        )
        return Claim(
            f"a memory limit of {where} is planned and released without a new image, and the old one is kept",
            right,
            f"{planned}; {ended['status']}: {limits[0]} serves, {limits[1]} is kept; "
            f"image {'the same' if image == serving else serving}",
        )

    def captured(self) -> list[Claim]:
        """A canary whose chart has the label that the live Service selects by."""
        _, release = self._release(self._cast.caught, "1.1.0")
        wait_for_entry(self._world, self._environment, release, "shifted", PATIENCE)
        slot = self._candidate()
        weight = rule_weights(
            self._world, self._environment, record(self._world, self._environment, self._cast.caught)["rule"]
        )
        live, candidate = self._behind(self._live), self._behind(f"{self._cast.caught}-{slot}")
        ended = self._approved(release)
        return [
            Claim(
                "the live Service gets no Pod of a canary that has its label in the chart",
                bool(candidate) and bool(live) and not set(live) & set(candidate),
                f"at {sorted(weight.values())}: behind the live Service {sorted(live)}, candidate {sorted(candidate)}",
            ),
            Claim("the canary is promoted", ended["status"] == "SUCCEEDED", ended["status"]),
        ]

    def _approved(self, release: str) -> dict[str, Any]:
        """Wait for the question of a canary, answer it with yes, and wait for its end."""
        wait_for_entry(self._world, self._environment, release, "approval_requested", PATIENCE)
        question = open_question(self._world, self._environment, release)
        self._approver.types("approve", release, "--question", question)
        return wait_for(self._world, self._environment, release, PATIENCE)

    def refused(self) -> Claim:
        """A migration that fails: its release ends, and no request has gone to its version."""
        self._world.traffic.register(self._cast.migrated, "2.0.0", "job-fails")
        before = record(self._world, self._environment, self._cast.migrated)
        _, release = self._release(self._cast.migrated, "2.0.0")
        ended = wait_for(self._world, self._environment, release, PATIENCE)
        entries = timeline(self._world, self._environment, release)
        kinds = [entry["kind"] for entry in entries]
        why = next((entry["reason"] for entry in entries if entry["kind"] == "rolling_back"), "")
        after = record(self._world, self._environment, self._cast.migrated)
        right = (
            ended["status"] == "FAILED"
            and not {"deployed", "shifted"} & set(kinds)
            and "column orders.total exists already" in why
            and after["stable"] == before["stable"]
        )
        return Claim("a migration that fails ends its release before anything has moved", right, why)

    def _release(self, service: str, version: str) -> tuple[Planned, str]:
        """Render the chart for a version, upload the service's bundle, look at the plan, ask for the release."""
        self._chart.set(service, lambda values: values["image"].update(tag=version))
        (bundle,) = self._developer.bundles(str(self._chart.rendered), service).values()
        what = (self._world.image(service, version), "--label", version, *words_of(bundle))
        planned = self._developer.plan(service, *what)
        return planned, self._developer.deploy(service, *what, reason=f"the chart says {version}")

    @property
    def _cluster(self) -> Any:
        return self._world.sites[self._environment].cluster

    @property
    def _namespace(self) -> str:
        return self._world.catalog.environments[self._environment].namespace

    def _candidate(self) -> str:
        slots = record(self._world, self._environment, self._cast.caught)["slots"]
        return str(next(slot for slot, each in slots.items() if each["state"] == "candidate"))

    def _behind(self, name: str) -> list[str]:
        """The Pods behind a Service."""
        store = self._cluster.store
        service = store.get(SERVICE, self._namespace, name)
        return [] if service is None else [pod["metadata"]["name"] for pod in backends(store, service)]

    def _limit_of(self, name: str) -> str:
        found = self._cluster.store.get(DEPLOYMENT, self._namespace, name)
        if found is None:
            return "nothing"
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return str(container["resources"]["limits"]["memory"])


def _only_version(planned: Planned) -> bool:
    """Whether the Deployment and the migration alone change, by their image and by the version that they are told."""
    kinds = [title.split()[1] for title in planned.objects]
    told = {f'{sign} value: "{version}"' for sign, version in (("-", FIRST_VERSION), ("+", "1.1.0"))}
    lines = [line for lines in planned.objects.values() for line in lines]
    return kinds == ["Deployment", "Job"] and all("image: " in line or line in told for line in lines)


def _of(job: dict[str, Any]) -> str:
    return str(job["metadata"]["annotations"].get("candlefish.ai/release", ""))


def _before(kinds: list[str], first: str, second: str) -> bool:
    return first in kinds and second in kinds and kinds.index(first) < kinds.index(second)
