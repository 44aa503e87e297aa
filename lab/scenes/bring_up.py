"""Brings services up in a world: each is onboarded and released in its first version, as people do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import urllib3

from lab import garbage
from lab.choices import approver, judged
from lab.looks import looks
from lab.scenes.driver import start_release, wait_for
from lab.world import FIRST_VERSION, World

# (environment, service) -> what the first release says beside the image.
More = Callable[[str, str], Mapping[str, str]]


def bring_up(
    world: World,
    environments: Iterable[str] | None = None,
    services: Iterable[str] | None = None,
    more: More = lambda environment, service: {},
) -> None:
    """Start a world; every named service (all by default) of the environments (the one whose releases are judged) ends up running its first version."""
    with garbage.lasting():
        world.up(environments or (judged(world.catalog).name,))
        chosen = list(services) if services is not None else list(world.catalog.services)
        for name in world.sites:
            world.say(f"{name}: {len(chosen)} services")
            release_first_versions(world, name, chosen, more)


def release_first_versions(
    world: World, environment: str, services: Sequence[str], more: More = lambda environment, service: {}
) -> None:
    """Onboard the services and release their first versions, all at once.

    Raises
    ------
    RuntimeError
        One of them was not promoted, or does not answer.
    """
    for service in services:
        world.invoke(environment, "onboard", {"service": service})
    with ThreadPoolExecutor(len(services) or 1) as pool:
        list(pool.map(lambda service: _release(world, environment, service, more), services))
    world.sites[environment].services = list(services)
    world.hand_over_env()


def _release(world: World, environment: str, service: str, more: More) -> None:
    fields = {"by": approver(world.catalog), "reason": "the lab comes up", **more(environment, service)}
    release = start_release(world, environment, service, FIRST_VERSION, **fields)
    ended = wait_for(world, environment, release, seconds=600)
    if ended["status"] != "SUCCEEDED":
        raise RuntimeError(f"{service} could not be brought up: {ended.get('error')}: {ended.get('cause')}")
    if world.catalog.services[service].balanced:
        _wait_until_served(world, environment, service)


def _wait_until_served(world: World, environment: str, service: str, seconds: float = 60) -> None:
    """Wait until users get answers: a rule takes effect a moment after it was written."""
    url = f"http://127.0.0.1:{world.sites[environment].port}/"
    headers = {"Host": world.host(environment, service)}
    for _ in looks(seconds, every=0.1):
        if (status := urllib3.request("GET", url, headers=headers, retries=False).status) == 200:
            return
    raise RuntimeError(f"{service} was promoted, and {url} answers {status} for it")
