"""Where the registry of an image is, by the image's name."""

from __future__ import annotations

import re

import msgspec

DOCKER_HUB = "docker.io"
# Docker Hub's names; its API has another one, and the first of these is a web site.
_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_HUB_API = "registry-1.docker.io"
_ECR = re.compile(
    r"\d+\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
)


class Reference(msgspec.Struct, frozen=True):
    """An image by digest. `host` is what people call the registry, `api` where it answers."""

    host: str
    name: str
    digest: str

    @property
    def api(self) -> str:
        return _HUB_API if self.host == DOCKER_HUB else self.host


def read_reference(image: str) -> Reference:
    """Read `[host/]name@digest`: without a host it is Docker Hub's, and a single name there is in `library/`."""
    repository, _, digest = image.partition("@")
    host, name = registry_of(repository), repository
    first, slash, rest = repository.partition("/")
    if slash and _is_host(first):
        name = rest
    if host == DOCKER_HUB and "/" not in name:
        name = f"library/{name}"
    return Reference(host, name, digest)


def registry_of(repository: str) -> str:
    """The registry of a repository, by the name that people know it by."""
    first, slash, _ = repository.partition("/")
    return known_as(first) if slash and _is_host(first) else DOCKER_HUB


def known_as(host: str) -> str:
    """One name of a registry that has several; also of what `docker login` writes: `https://index.docker.io/v1/`."""
    bare = re.sub(r"^https?://", "", host).partition("/")[0].lower()
    return DOCKER_HUB if bare in _HUB_NAMES else bare


def ecr_region(host: str) -> str:
    """The AWS region of a private ECR registry; empty for any other host."""
    found = _ECR.fullmatch(host)
    return found.group(1) if found else ""


def _is_host(first: str) -> bool:
    """Docker's rule: what has a dot or a port, or is localhost."""
    return "." in first or ":" in first or first == "localhost"
