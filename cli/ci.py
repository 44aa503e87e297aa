"""`candlefish ci`: what a workflow of a repository with several services asks: what changed, in which order, what is live."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from candlefish.errors import InvalidInput
from cli.options import CATALOG, in_environment
from cli.stack import Stack
from cli.terminal import echo

if TYPE_CHECKING:
    from candlefish.catalog.model import Service

# As Git names no commit: what GitHub says of a branch that is new.
NOTHING = re.compile(r"0*")
IMAGE = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@click.group("ci")
def ci_command() -> None:
    """For workflows of a repository with several services: what changed, a train of it, what is live."""


def changed_services(
    files: Iterable[str], services: Mapping[str, Service], *, dependents: bool = False
) -> list[str]:
    """Services with a changed file below one of their `paths`, and those that depend on them where that is asked."""
    touched = [Path(file) for file in files]
    found = {
        name
        for name, service in services.items()
        if any(
            file.is_relative_to(path) for path in service.paths or (f"services/{name}",) for file in touched
        )
    }
    while dependents:
        more = {name for name, service in services.items() if found & set(service.depends_on)} - found
        if not more:
            break
        found |= more
    return sorted(found)


def train_of(images: Mapping[str, str], services: Mapping[str, Service], label: str) -> list[dict[str, str]]:
    """The releases of a train, dependencies first.

    Raises
    ------
    InvalidInput
        A service is none of the catalog's, or an image is not named by digest.
    """
    from candlefish.catalog.read import in_dependency_order

    for name, image in images.items():
        if name not in services:
            raise InvalidInput(f"the catalog has no service {name!r}; it has {', '.join(sorted(services))}")
        if not IMAGE.fullmatch(image):
            raise InvalidInput(
                f"the image of {name} is {image!r}; name it by digest, like r/{name}@sha256:..."
            )
    more = {"label": label} if label else {}
    order = (name for name in in_dependency_order(services) if name in images)
    return [{"service": name, "image": images[name], **more} for name in order]


@ci_command.command("detect")
@click.option(
    "--base", required=True, help="Commit before the change; empty or zeros for a new branch: everything."
)
@click.option("--head", default="HEAD", show_default=True, help="Commit after it.")
@click.option("--dependents", is_flag=True, help="And services that depend on a changed one.")
@click.option("--output", is_flag=True, help="Write `services` and `any` to GITHUB_OUTPUT as well.")
def detect_command(base: str, head: str, dependents: bool, output: bool) -> None:
    """Print a JSON list of the services that changed between two commits, for a matrix."""
    services = _services()
    names = (
        sorted(services)
        if NOTHING.fullmatch(base)
        else changed_services(_files(base, head), services, dependents=dependents)
    )
    said = json.dumps(names)
    echo(said)
    if output and (file := os.environ.get("GITHUB_OUTPUT")):
        with Path(file).open("a", encoding="utf-8") as out:
            out.write(f"services={said}\nany={json.dumps(bool(names))}\n")


@ci_command.command("train")
@click.argument("images", nargs=-1, required=True)
@click.option("--label", default="", help="What people call the versions.")
def train_command(images: tuple[str, ...], label: str) -> None:
    """Print the releases of a train, dependencies first, for IMAGES like shop=r/shop@sha256:..."""
    named = dict(image.partition("=")[::2] for image in images)
    if len(named) != len(images):
        raise InvalidInput("a service is named twice; a train has one release of each")
    echo(json.dumps(train_of(named, _services(), label)))


@ci_command.command("live")
@in_environment
def live_command(stack: Stack) -> None:
    """Print a JSON list of what serves in an environment, service and image by digest: to scan it again."""
    known = stack.records().all()
    if known.unreadable:
        raise InvalidInput(
            f"{known.unreadable[0].service}: {known.unreadable[0].why}; the list would not be whole"
        )
    stable = ((record.service, record.stable_version) for record in known)
    echo(
        json.dumps([{"service": name, "image": version.image} for name, version in sorted(stable) if version])
    )


def _services() -> Mapping[str, Service]:
    from candlefish.catalog.load import load

    return load(CATALOG).services


def _files(base: str, head: str) -> list[str]:
    """Paths that differ, from the root of the repository; a renamed file is both.

    Raises
    ------
    InvalidInput
        Git does not know a commit: the checkout is too shallow, often.
    """
    for commit in (base, head):
        if commit.startswith("-"):
            raise InvalidInput(f"{commit!r} is no commit")
    command = ["git", "diff", "--name-only", "--no-renames", "-z", f"{base}...{head}", "--"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise InvalidInput(f"git cannot be run ({error}); install it") from error
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()
        raise InvalidInput(f"git diff {base}...{head}: {why}; check out with `fetch-depth: 0`")
    return [name for name in done.stdout.decode(errors="replace").split("\0") if name]
