"""The clue that is missing: where a label speaks of a service of the catalog and no clue leads from it to there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Labels that may name a workload, the most telling first. Anything else (a summary's words, a node) is left alone.
TELLING = (
    "service",
    "app",
    "app_kubernetes_io_name",
    "app_kubernetes_io_instance",
    "deployment",
    "exported_service",
    "destination_workload",
    "destination_service_name",
    "ingress",
    "job",
    "exported_job",
    "kubernetes_pod_name",
    "pod",
    "container",
    "name",
    "TargetGroup",
    "target",
    "host",
    "instance",
)
SLOT = "(?:-(?:blue|green))?"
# What a Pod's name ends in: its ReplicaSet and its own five letters, or a StatefulSet's number.
POD = "-[a-z0-9-]+"
PODS = frozenset({"pod", "kubernetes_pod_name"})


def missing_clue(labels: Mapping[str, str], services: Iterable[str]) -> tuple[str, str] | None:
    """The label and the pattern of a clue that would lead to a service; None where no label speaks of one.

    The longest name that stands in a value, between its ends or what is no letter or digit, is the service.
    """
    names = sorted(services, key=lambda name: (-len(name), name))
    for label in TELLING:
        value = labels.get(label, "")
        for name in names:
            if name in value and (
                found := re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", value)
            ):
                return label, _pattern(label, value, found)
    return None


def _pattern(label: str, value: str, found: re.Match[str]) -> str:
    """A pattern for the whole value, in which what stands around the name is fixed, or is the end of a Pod's name."""
    before, after = re.escape(value[: found.start()]), value[found.end() :]
    slotted = re.fullmatch(r"-(?:blue|green)(.*)", after)
    if label in PODS:
        return f"{before}(.+?){SLOT}{POD}"
    rest = slotted[1] if slotted else after
    lazy = "(.+?)" if slotted or rest else "(.+)"
    return f"{before}{lazy}{SLOT if slotted else ''}{re.escape(rest)}"


def clue_yaml(label: str, pattern: str) -> str:
    """A clue as it is written in catalog/responses.yaml, under `clues: service:`."""
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{label: {label}, pattern: "{escaped}"}}'
