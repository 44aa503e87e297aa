"""A service's own metrics in CloudWatch: named whole, by names that CloudWatch takes, and told apart by version.

What CloudWatch takes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Metric.html and API_Dimension.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from candlefish.catalog.model import (
    DIMENSION_PLACEHOLDERS,
    NAMESPACE_PLACEHOLDERS,
    Reading,
    fill,
    suggest,
)
from candlefish.catalog.problems import CatalogProblem, Path

_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_NAMESPACE = re.compile(r"[0-9A-Za-z._/#][0-9A-Za-z._/#: -]{0,254}")
# Of metrics, and of dimensions: printable ASCII, no colon in front.
_NAME = re.compile(r"(?!:)[\x20-\x7e]{1,255}")
_VALUE = re.compile(r"[\x20-\x7e]{1,1024}")
_MOST_DIMENSIONS = 30
# What only Prometheus knows.
_FOREIGN = ("slot", "code", "failed", "place", "kind", "process")
_NEEDED = {
    "namespace": "write the namespace that the service publishes to, like Acme/Mailer",
    "requests": "write the metric whose sum counts all that was done, like JobsProcessed",
    "errors": "write the metric whose sum counts what of it failed, like JobsFailed",
    "dimensions": "write all dimensions of the metrics, like {Service: '{service}', Slot: '{slot}'}",
}
# What is filled in does not count: the longest is a version's label.
_FILLED = dict.fromkeys(DIMENSION_PLACEHOLDERS, "x")


def custom_metrics(
    here: Path, reading: Reading, window: float, services: Sequence[str]
) -> Iterator[CatalogProblem]:
    """What is wrong with one policy's custom metrics; `window` is what it counts over, seconds, `services` whom it judges."""
    for name, fix in _NEEDED.items():
        if not getattr(reading, name):
            yield CatalogProblem((*here, name), "missing: without it nothing can be asked for", fix)
    for name in _FOREIGN:
        if getattr(reading, name) is not None:
            what = "custom metrics have none: it is of Prometheus"
            yield CatalogProblem((*here, name), what, "take it out, or write it under prometheus")
    if reading.preset != "default":
        what = "presets are names of Prometheus"
        fix = "take it out, and write namespace, dimensions, requests and errors"
        yield CatalogProblem((*here, "preset"), what, fix)
    if window % 60:
        what = f"CloudWatch keeps the past by the minute, and {window:g} seconds are no minutes"
        yield CatalogProblem((*here, "window"), what, "write 1m, or several minutes")
    yield from _names(here, reading)
    yield from _dimensions(here, reading)
    if len(services) > 1 and "{service}" not in "".join(
        (reading.namespace or "", *reading.dimensions.values())
    ):
        what = f"{', '.join(services)} report under the same names"
        yield CatalogProblem((*here, "dimensions"), what, "write {service} into the namespace or a dimension")


def _names(here: Path, reading: Reading) -> Iterator[CatalogProblem]:
    if reading.namespace:
        wrong = list(placeholders(reading.namespace, NAMESPACE_PLACEHOLDERS))
        for found, fix in wrong:
            yield CatalogProblem((*here, "namespace"), found, fix)
        if not wrong and not _NAMESPACE.fullmatch(fill(reading.namespace, _FILLED)):
            what = f"{reading.namespace!r} is no namespace of CloudWatch"
            yield CatalogProblem((*here, "namespace"), what, "use letters, digits, spaces and . - _ / # :")
    for name in ("requests", "errors", "latency"):
        value = getattr(reading, name)
        if value and not _NAME.fullmatch(value):
            what = f"{value!r} is no name of a metric"
            yield CatalogProblem((*here, name), what, "write it as CloudWatch's console shows it")
    if reading.counter is not None and "{counter}" not in reading.counter:
        what = f"without {{counter}} all counters are {reading.counter!r}"
        yield CatalogProblem((*here, "counter"), what, "write {counter}, or {counter}Count")


def _dimensions(here: Path, reading: Reading) -> Iterator[CatalogProblem]:
    if len(reading.dimensions) > _MOST_DIMENSIONS:
        what = f"{len(reading.dimensions)} dimensions; a metric has {_MOST_DIMENSIONS} at most"
        yield CatalogProblem((*here, "dimensions"), what, "write those that the metrics have")
    for name, value in reading.dimensions.items():
        path: Path = (*here, "dimensions", name)
        if not _NAME.fullmatch(name):
            yield CatalogProblem(path, f"{name!r} is no name of a dimension", "write it as the service does")
        wrong = list(placeholders(value, DIMENSION_PLACEHOLDERS))
        for found, fix in wrong:
            yield CatalogProblem(path, found, fix)
        if not wrong and not _VALUE.fullmatch(fill(value, _FILLED)):
            what = f"{value!r} is no value of a dimension"
            yield CatalogProblem(path, what, "write printable ASCII, at least one character")
    said = "".join(reading.dimensions.values())
    if reading.dimensions and "{slot}" not in said and "{version}" not in said:
        yield CatalogProblem(
            (*here, "dimensions"),
            "both versions report under the same dimensions, and nothing is compared",
            "let the service publish under CANDLEFISH_SLOT, and add a dimension with {slot}; {version} tells versions apart "
            "too, but not two configurations of one",
        )


def placeholders(value: str, known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What stands in braces and is none of these; and how to mend it."""
    for match in _BRACES.finditer(value):
        name = match[1]
        if name is None or name not in known:
            allowed = ", ".join(f"{{{each}}}" for each in known)
            near = suggest(name, known) if name and name.isidentifier() else f"there are {allowed}"
            yield (
                f"{match[0]} is no placeholder, and braces mean nothing else here",
                f"{near}; in place of a count like {{5}} write + or *",
            )
