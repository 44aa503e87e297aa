"""Plays a scene: a service under traffic, a Prometheus beside CloudWatch, one release, and what happens to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from candlefish.catalog.model import Catalog, Duration
from candlefish.errors import InvalidInput
from lab import garbage
from lab.choices import alone, approver, judged, requester
from lab.looks import looks
from lab.scenes import driver
from lab.scenes.bring_up import release_first_versions
from lab.scenes.judging.scenes import REQUESTS_PER_SECOND, TIME_SCALE, Scene, Turn
from lab.scenes.prometheus import Prometheus
from lab.traffic.load import Load, Sample
from lab.world import FIRST_VERSION, World

VERSION = "2.0.0"
# For how long it serves before the release: a service has a past.
PAST_SECONDS = 25.0
# For how long it is watched at 100%.
_BAKE_SECONDS = 15.0
_EVERY = 0.25
_PATIENCE = 600.0


class Played(msgspec.Struct, frozen=True):
    """What came of a scene. `turned` are moments of the world, as (epoch seconds, words)."""

    scene: Scene
    status: str
    entries: list[dict[str, Any]]
    samples: list[Sample]
    record: dict[str, Any]
    turned: list[tuple[float, str]]

    def reasons(self, kind: str) -> list[str]:
        """What the timeline says in the entries of a kind."""
        return [entry["reason"] for entry in self.entries if entry["kind"] == kind]


def play(directory: Path, scene: Scene, say: Callable[[str], None]) -> Played:
    """Bring everything up, play the scene, and take it down; `say` is told every entry of the timeline as it comes."""
    with _service(directory, scene, say) as world:
        environment, service = judged(world.catalog).name, alone(world.catalog)
        load = Load(
            world.sites[environment].port,
            [world.host(environment, service)],
            REQUESTS_PER_SECOND,
            scene.paths,
        )
        load.start()
        try:
            say(
                f"{REQUESTS_PER_SECOND:.0f} requests a second; in {PAST_SECONDS:.0f} s version {VERSION} is released"
            )
            time.sleep(PAST_SECONDS)
            status, entries, turned = _release(world, scene, say)
            time.sleep(2)
        finally:
            samples = load.stop()
        stored = driver.record(world, environment, service)
    return Played(scene, status, entries, samples, stored, turned)


@contextmanager
def _service(directory: Path, scene: Scene, say: Callable[[str], None]) -> Iterator[World]:
    """The environment whose releases are judged, with one service and a Prometheus, both versions as the scene has them."""
    with ExitStack() as stack:
        world = stack.enter_context(World(directory, time_scale=TIME_SCALE, say=say))
        environment, service = judged(world.catalog).name, alone(world.catalog)
        prometheus = stack.enter_context(Prometheus(world, environment))
        world.aws.functions.environment["PROMETHEUS_URL"] = prometheus.url
        world.use_catalog(_arranged(world.catalog, scene))
        with garbage.lasting():
            world.up((environment,))
            world.traffic.register(service, FIRST_VERSION, scene.stable)
            world.traffic.register(service, VERSION, scene.canary)
            world.traffic.database(service, scene.database)
            release_first_versions(world, environment, [service])
        yield world


def _arranged(catalog: Catalog, scene: Scene) -> Catalog:
    """The catalog with the scene's policy, in which a judge may take his time."""
    name = catalog.services[alone(catalog)].judge
    policy = catalog.policies[name]
    if "prometheus" not in policy.sources:
        raise InvalidInput(f"policy {name} of the catalog reads no Prometheus; this needs one that does")
    reading = msgspec.structs.replace(policy.sources["prometheus"], **scene.prometheus)
    policy = msgspec.structs.replace(policy, sources={"prometheus": reading}, **scene.policy)
    strategy = catalog.strategies[judged(catalog).strategy]
    first = next(step.weight for step in strategy.steps if step.weight)
    steps = tuple(
        msgspec.structs.replace(
            step,
            weight=scene.weight if step.weight == first else step.weight,
            judge=step.judge and msgspec.structs.replace(step.judge, at_most=Duration(scene.judged_for)),
            bake=step.bake and msgspec.structs.replace(step.bake, at_most=Duration(_BAKE_SECONDS)),
        )
        for step in strategy.steps
    )
    return msgspec.structs.replace(
        catalog,
        policies={**catalog.policies, name: policy},
        strategies={**catalog.strategies, strategy.name: msgspec.structs.replace(strategy, steps=steps)},
    )


def _release(
    world: World, scene: Scene, say: Callable[[str], None]
) -> tuple[str, list[dict[str, Any]], list[tuple[float, str]]]:
    """Release the canary, say yes whenever asked, let the turns happen, and wait for the end."""
    environment, service = judged(world.catalog).name, alone(world.catalog)
    release = driver.start_release(
        world, environment, service, VERSION, by=requester(world.catalog), reason=scene.title
    )
    told: list[dict[str, Any]] = []
    turned: list[tuple[float, str]] = []
    due: list[tuple[float, Turn]] = []
    coming = list(scene.turns)
    for _ in looks(_PATIENCE, _EVERY):
        ended = driver.execution(world, environment, release)["status"] != "RUNNING"
        entries = driver.timeline(world, environment, release)
        # Two entries of one moment may change places.
        for entry in [each for each in entries if each not in told]:
            told.append(entry)
            say(f"{entry['kind']:20} {entry['reason']}")
            if coming and entry["kind"] == coming[0].after:
                due.append((time.monotonic() + coming[0].later, coming.pop(0)))
            if entry["kind"] == "approval_requested":
                driver.answer(
                    world, environment, release, "approved", person=approver(world.catalog), reason="go on"
                )
        while due and due[0][0] <= time.monotonic():
            _, turn = due.pop(0)
            world.traffic.database(service, turn.database)
            turned.append((time.time(), turn.says))
            say(turn.says)
        if ended:
            return _status(entries), entries, turned
    raise driver.NotReached(f"{release} did not end within {_PATIENCE:.0f} s; its timeline is {entries}")


def _status(entries: list[dict[str, Any]]) -> str:
    return next(
        (e["kind"] for e in reversed(entries) if e["kind"] in ("promoted", "rolled_back")), "under way"
    )
