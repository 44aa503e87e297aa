"""What a slot's Pods are labelled with, so that nothing that runs already takes them for its own.

A chart that is live has left a Service, a budget, a Deployment in the namespace, and they select by the chart's
labels. A Pod of the candidate that carries those labels gets the live Service's requests before anybody judged it, two
budgets forbid its eviction, and the live autoscaler counts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from candlefish.label_selectors import selects
from candlefish.release.manifests.model import SLOT_LABEL, Workload
from candlefish.release.manifests.reach import Reach
from candlefish.release.model import Manifest

Labels = Mapping[str, str]
LONGEST_VALUE = 63


def chart_selectors(kinds: Mapping[str, list[Manifest]]) -> Iterator[Manifest]:
    """The label selectors by which a chart's objects find Pods."""
    for kind in ("Deployment", "PodDisruptionBudget"):
        yield from (each["spec"]["selector"] for each in kinds[kind] if each["spec"].get("selector"))
    for each in kinds["Service"]:
        yield {"matchLabels": each["spec"].get("selector") or {}}
    for each in kinds["NetworkPolicy"]:
        yield each["spec"].get("podSelector") or {}


def pod_labels(given: Labels, selectors: Iterable[Manifest], workload: Workload) -> dict[str, str]:
    """The labels of a slot's Pods: ours, and those of the chart's by which no selector of the chart finds them.

    Where one still would, the labels that it names get the slot behind their value, or go. What is left over
    then (a selector of nothing but NotIn) the cluster is asked about before Pods are made (`strangers`).
    """
    labels = {**given, **workload.labels}
    for selector in selectors:
        named = [key for key in _named(selector) if key in labels and key not in workload.selector]
        if not named or SLOT_LABEL in (selector.get("matchLabels") or {}):
            continue
        if selects(selector, labels):
            labels |= {key: _of_slot(labels[key], workload) for key in named}
        if selects(selector, labels) or not all(labels[key] for key in named):
            labels = {key: value for key, value in labels.items() if key not in named}
    return labels


def of_a_taken_over(before: Labels, ours: Labels) -> dict[str, str]:
    """The labels of Pods that take the place of somebody's: theirs stay, by which Services, budgets and policies that are
    there find them, but for what says whose and which version they are."""
    kept = {key: value for key, value in before.items() if not _is_ours(key)}
    return {**ours, **kept}


def _is_ours(key: str) -> bool:
    return key.startswith("candlefish.ai/") or key == "app.kubernetes.io/version"


def _named(selector: Mapping[str, Any]) -> list[str]:
    expressions = selector.get("matchExpressions") or ()
    return list(dict.fromkeys((*(selector.get("matchLabels") or {}), *(each["key"] for each in expressions))))


def _of_slot(value: str, workload: Workload) -> str:
    """A label's value in one slot; empty where it would be too long or another service's name."""
    made = f"{value}-{workload.slot}" if value else workload.slot
    return "" if len(made) > LONGEST_VALUE or Reach(workload).foreign(made.lower()) else made
