"""How sources are queried: names that exist, selectors that Prometheus takes and that tell the two versions apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from candlefish.catalog.checks.custom_metrics import custom_metrics, placeholders
from candlefish.catalog.model import CUSTOM, PLACEHOLDERS, Catalog, Reading, fill
from candlefish.catalog.model.judging import OVERRIDES
from candlefish.catalog.problems import CatalogProblem, Path, unknown

SOURCES = ("cloudwatch", CUSTOM, "prometheus")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER = re.compile(r'\w+(?:=~|!~|!=|=)"[^"]*"')


def readings(catalog: Catalog) -> Iterator[CatalogProblem]:
    for name, policy in catalog.policies.items():
        for source, reading in policy.sources.items():
            here: Path = ("policies", name, "sources", source)
            if source == CUSTOM:
                yield from custom_metrics(
                    here, reading, policy.timing(source).window, _judged_by(catalog, name)
                )
            yield from _of_one(here, source, reading)


def _judged_by(catalog: Catalog, policy: str) -> list[str]:
    """The services that a policy judges anywhere."""
    overrides = [environment.overrides for environment in catalog.environments.values()]
    return [
        name
        for name, service in catalog.services.items()
        if service.judge == policy or any(name in each and each[name].judge == policy for each in overrides)
    ]


def _of_one(here: Path, source: str, reading: Reading) -> Iterator[CatalogProblem]:
    if source not in SOURCES:
        yield unknown(here, "source of metrics", source, SOURCES)
        return
    if reading.window is not None and reading.window <= 0:
        yield CatalogProblem((*here, "window"), "0 seconds hold no requests", "write 15s, 1m or the like")
    if source == CUSTOM:
        return
    for name in ("namespace", "dimensions"):
        if getattr(reading, name):
            what = f"{source} knows none: it is of a service's own metrics in CloudWatch"
            yield CatalogProblem((*here, name), what, f"take it out, or write it under {CUSTOM}")
    said = [name for name in OVERRIDES if getattr(reading, name) is not None]
    if source == "cloudwatch":
        for name in said + (["preset"] if reading.preset != "default" else []):
            what = "CloudWatch counts what the load balancer reports, whatever the service does"
            fix = f"take it out, or write it under prometheus or {CUSTOM}"
            yield CatalogProblem((*here, name), what, fix)
        return
    for name in said:
        value = getattr(reading, name)
        for found, fix in _CHECKS[name](value):
            yield CatalogProblem((*here, name), found, fix)


Findings = Iterator[tuple[str, str]]


def _metric(value: str) -> Findings:
    if not _METRIC.fullmatch(value):
        yield (
            f"{value!r} is not the name of a metric",
            "write the name alone, like http_requests_total; what tells a slot's series goes into slot",
        )


def _label(value: str) -> Findings:
    if not _LABEL.fullmatch(value):
        yield f"{value!r} is not the name of a label", "write the name alone, like status"


def _or_nothing(inner: Callable[[str], Findings]) -> Callable[[str], Findings]:
    return lambda value: inner(value) if value else iter(())


def _labels(values: tuple[str, ...]) -> Findings:
    if not values:
        yield "nothing tells one process from another", "write [instance, pod] or what your series have"
    for value in values:
        yield from _label(value)


def _failed(value: str) -> Findings:
    try:
        re.compile(value)
        wrong = '"' in value or not value
    except re.error:
        wrong = True
    if wrong:
        yield f"{value!r} is not a regular expression over a label's value", "write 5.. or 5xx|error"


def _slot(value: str) -> Findings:
    wrong = list(placeholders(value, PLACEHOLDERS))
    yield from wrong
    filled = fill(value, dict.fromkeys(PLACEHOLDERS, "x"))
    if not wrong and not _are_matchers(filled):
        yield (
            f"{value!r} is not a list of label matchers",
            'write them as Prometheus does, without braces: namespace="{namespace}",slot="{slot}"',
        )
    for name in ("service", "slot"):
        if f"{{{name}}}" not in value:
            yield (
                f"without {{{name}}} all {name}s have the same series, and nothing is compared",
                'add a matcher with it, like pod=~"{service}-{slot}-.+"',
            )


def _are_matchers(text: str) -> bool:
    """Whether a text is label matchers with commas between."""
    at = 0
    while match := _MATCHER.match(text, at):
        rest = text[match.end() :].lstrip()
        if not rest:
            return True
        at = len(text) - len(rest.removeprefix(",").lstrip()) if rest.startswith(",") else len(text)
    return False


def _counter(value: str) -> Findings:
    wrong = list(placeholders(value, ("counter",)))
    yield from wrong
    if not wrong and "{counter}" not in value:
        yield f"without {{counter}} all counters are {value!r}", "write {counter}, or {counter}_total"
    elif not wrong:
        yield from _metric(fill(value, {"counter": "x"}))


# What each field must look like: findings and how to mend them.
_CHECKS: dict[str, Callable[..., Findings]] = {
    "requests": _metric,
    "errors": _or_nothing(_metric),
    "latency": _metric,
    "slot": _slot,
    "code": _label,
    "failed": _failed,
    "unit": lambda _: iter(()),
    "place": _or_nothing(_label),
    "kind": _or_nothing(_label),
    "process": _labels,
    "counter": _counter,
}
