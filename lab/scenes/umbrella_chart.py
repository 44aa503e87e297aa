"""The first user's umbrella chart and catalog, as files that a person changes, and the commands that the person types."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog
from candlefish.errors import InvalidInput
from lab import CATALOG, ROOT
from lab.choices import judged, two
from lab.scenes.helm_chart import PORT, rendered
from lab.world import FIRST_VERSION, World

LIMIT = "256Mi"
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "200m", "memory": LIMIT}}
# A canary of an hour; the lab makes seconds of it. What gives up in less than 45 s the lab leaves as it is.
CANARY = {
    "kind": "canary",
    "steps": [
        {"smoke": {"within": "30s"}},
        {"weight": 10},
        {"bake": {"at_most": "5m", "unclear": "go_on"}},
        {"approve": {"within": "8h"}},
        {"weight": 100},
    ],
    "rollback_window": "1h",
    "ready_within": "45s",
}
# Real seconds that one command may take.
PATIENCE = 120


class Cast(NamedTuple):
    """Which services of a catalog play what.

    `migrated` has a migration, a hook of the chart; the label of `caught` is one that a live Service selects by; the
    chart leaves the memory of `unsized` to the catalog. `services` are all, each behind a load balancer.
    """

    environment: str
    migrated: str
    caught: str
    unsized: str
    services: tuple[str, ...]


def cast_of(catalog: Catalog) -> Cast:
    """The cast, chosen from a catalog as a company has it.

    Raises
    ------
    InvalidInput
        It has fewer than three services behind a load balancer, or no environment that judges and asks.
    """
    migrated, caught = two(catalog)
    services = tuple(each.name for each in catalog.services.values() if each.balanced)
    others = [name for name in services if name not in (migrated, caught)]
    if not others:
        raise InvalidInput("two services of the catalog alone are behind a load balancer; this needs three")
    return Cast(judged(catalog).name, migrated, caught, others[0], services)


def write_catalog(folder: Path) -> Cast:
    """The company's catalog in a folder, with the chart's port for the cast and the canary of above."""
    catalog = load(CATALOG)
    cast = cast_of(catalog)
    shutil.copytree(CATALOG, folder)
    services = yaml.safe_load((folder / "services.yaml").read_text())
    for name in cast.services:
        services[name] |= {
            "port": PORT,
            "health_path": "/health",
            "smoke_paths": [],
            "replicas": {"min": 2, "max": 4},
        }
    _write(folder / "services.yaml", services)
    strategies = yaml.safe_load((folder / "strategies.yaml").read_text())
    _write(folder / "strategies.yaml", {**strategies, judged(catalog).strategy: CANARY})
    return cast


def limit_in(folder: Path, service: str, memory: str) -> None:
    """Change the memory limit of a service in a folder's services.yaml."""
    services = yaml.safe_load((folder / "services.yaml").read_text())
    services[service]["resources"]["memory_limit"] = memory
    _write(folder / "services.yaml", services)


class Chart:
    """The chart with its `values.yaml` in a folder; what `helm template` writes of them goes beside it.

    The values say a tag for each service, and resources where the chart shall say them.
    """

    def __init__(self, folder: Path, catalog: Catalog, cast: Cast) -> None:
        folder.mkdir()
        self._catalog, self._cast = catalog, cast
        self._values, self.rendered = folder / "values.yaml", folder / "rendered.yaml"
        first: dict[str, Any] = {name: {"image": {"tag": FIRST_VERSION}} for name in cast.services}
        for name, each in first.items():
            each["resources"] = {} if name == cast.unsized else RESOURCES
        _write(self._values, first)
        self._render()

    def set(self, service: str, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change what the values say of a service, and render all of the chart again."""
        values = yaml.safe_load(self._values.read_text())
        change(values[service])
        _write(self._values, values)
        self._render()

    def _render(self) -> None:
        values = yaml.safe_load(self._values.read_text())
        self.rendered.write_text("".join(self._templates(name, values[name]) for name in values))

    def _templates(self, service: str, values: Mapping[str, Any]) -> str:
        image = f"{self._catalog.services[service].image}:{values['image']['tag']}"
        objects = rendered(service, image)
        if service == self._cast.migrated:
            objects.append(migration(service, image))
        for each in objects:
            if each["kind"] == "Deployment":
                (container,) = each["spec"]["template"]["spec"]["containers"]
                container["resources"] = values["resources"]
        return "".join(
            f"---\n# Source: rtpm/charts/{service}/templates/{each['kind'].lower()}.yaml\n{yaml.safe_dump(each)}"
            for each in objects
        )


def migration(service: str, image: str) -> dict[str, Any]:
    """The hook with which the chart changes the database before every version."""
    container = {
        "name": "migrate",
        "image": image,
        "command": ["python", "-m", "app.migrate"],
        "envFrom": [{"configMapRef": {"name": f"{service}-settings"}}],
        "resources": RESOURCES,
    }
    notes = {
        "helm.sh/hook": "pre-install,pre-upgrade",
        "helm.sh/hook-weight": "-5",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{service}-migrate", "annotations": notes},
        "spec": {
            "backoffLimit": 3,
            "activeDeadlineSeconds": 600,
            "template": {
                "metadata": {"labels": {"app": service}},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }


class Person:
    """Somebody at a terminal, with a catalog."""

    def __init__(
        self, world: World, environment: str, name: str, catalog: Path, say: Callable[[str], None]
    ) -> None:
        self._environment = {
            **os.environ,
            **world.signed_in(name),
            "CANDLEFISH_CATALOG": str(catalog),
            "CANDLEFISH_ENVIRONMENT": environment,
            "XDG_STATE_HOME": str(catalog.parent / "state"),
        }
        self._say = say
        # What the last command told beside what it printed.
        self.told: list[str] = []

    def types(self, *words: str) -> str:
        """Run `candlefish` with these words; what it printed.

        Raises
        ------
        RuntimeError
            It failed; the message has what it said.
        """
        self._say(f"$ candlefish {' '.join(words)}")
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT,
            env=self._environment,
            # Whoever plays the scene at a terminal is not asked in this person's place.
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"candlefish {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        self.told = done.stderr.splitlines()
        for line in self.told:
            self._say(f"    {line}")
        return done.stdout

    def bundles(self, *words: str) -> dict[str, dict[str, str]]:
        """Make and upload bundles; what a release of each service says of its own."""
        lines = [json.loads(line) for line in self.types("bundle", *words).splitlines()]
        return {line.pop("service", ""): line for line in lines}

    def plan(self, service: str, *words: str) -> Planned:
        """What a release would do, as `candlefish plan` shows it."""
        shown = self.types("plan", service, *words)
        for line in shown.splitlines():
            self._say(f"    {line}")
        return read_plan(shown)

    def deploy(self, service: str, *words: str, reason: str) -> str:
        """Ask for a release; its name."""
        return self.types("deploy", service, *words, "--reason", reason, "--no-follow").strip()


class Planned(msgspec.Struct, frozen=True):
    """What `candlefish plan` shows: the lines of each object that go and come, the steps, and what stands in the way."""

    objects: dict[str, tuple[str, ...]]
    steps: tuple[str, ...]
    refusals: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(f"{title} {', '.join(lines)}" for title, lines in self.objects.items())


def read_plan(shown: str) -> Planned:
    """A plan as it is shown: headings, and indented lines under each."""
    sections: dict[str, list[str]] = {}
    title = ""
    for line in filter(None, shown.splitlines()):
        if line.startswith("  "):
            sections[title].append(line[2:])
        else:
            title = line.removesuffix(":")
            sections[title] = []
    objects = {
        title: tuple(f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "+-")
        for title, lines in sections.items()
        if title[0] in "+~?"
    }
    steps = next((lines for title, lines in sections.items() if title.startswith("Steps")), [])
    refusals = next((lines for title, lines in sections.items() if title.startswith("Refused")), [])
    return Planned(objects, tuple(line.partition(". ")[2] for line in steps), tuple(refusals))


def words_of(bundle: Mapping[str, str]) -> tuple[str, ...]:
    """How a bundle is named to `plan` and `deploy`."""
    return "--bundle", bundle["bundle"], "--bundle-digest", bundle["bundle_digest"]


def _write(file: Path, value: Any) -> None:
    file.write_text(yaml.safe_dump(value, sort_keys=False))
