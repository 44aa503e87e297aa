"""What is unknown, and is therefore no promotion: metrics that nobody ever reported, and failures of ours. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from candlefish.analysis.model import MetricTarget, Verdict, Window, hold_or_ask
from candlefish.bounds import fit_line
from candlefish.catalog.model import CUSTOM, fill

# What is said of a failure of ours, in characters.
_LONGEST = 300


def our_failure(source: str, error: Exception, *, over: bool) -> Verdict:
    """The verdict when reading or judging a source failed by a bug of ours: unknown, never evidence."""
    said = fit_line(f"{type(error).__name__}: {error}", _LONGEST)
    reason = (
        f"{source} was not judged by a failure of the control plane's own ({said}): that is no evidence against the "
        "version, and none for it; the function's log has the trace, the next look tries again"
    )
    return Verdict(hold_or_ask(over), reason, {"source": source, "failure": said})


def reported_now(known: Collection[str], windows: Sequence[Window], wanted: Sequence[str]) -> list[str]:
    """The metrics that were ever reported, after these windows: all that a window does not miss."""
    served = [w for w in windows if w.baseline.requests or w.canary.requests]
    return [name for name in wanted if name in known or any(name not in w.absent for w in served)]


def unless_unreported(
    verdict: Verdict,
    wanted: Sequence[str],
    reported: Mapping[str, Collection[str]],
    targets: Mapping[str, MetricTarget],
    *,
    over: bool,
) -> Verdict:
    """The verdict; "hold" ("ask" at the deadline) in place of going on while a metric was never reported by any source.

    Parameters
    ----------
    wanted
        What the policy judges: errors, slow, counters by name.
    reported
        By source that has shown any request: what it ever had a series of.
    targets
        By source: what it was asked for.
    over
        The deadline has passed.
    """
    if verdict.action not in ("promote", "continue") or not reported:
        return verdict
    missing = [name for name in wanted if not any(name in known for known in reported.values())]
    if not missing:
        return verdict
    said = "; ".join(_missing(name, [(source, targets[source]) for source in reported]) for name in missing)
    reason = (
        f"{said}. What nobody reports is unknown, and nothing is promoted on it. Otherwise: {verdict.reason}"
    )
    evidence = {**verdict.evidence, "never_reported": missing}
    return Verdict(hold_or_ask(over), reason, evidence)


def with_what_was_asked(verdict: Verdict, source: str, target: MetricTarget) -> Verdict:
    """A verdict on a source that never showed any request, with what it was asked for."""
    asked = _ASKED.get(source)
    if verdict.action not in ("hold", "ask") or asked is None:
        return verdict
    return msgspec.structs.replace(verdict, reason=f"{verdict.reason}; {asked(target)}")


def _asked_prometheus(target: MetricTarget) -> str:
    labels = target.queries.labels(target.namespace, target.service, target.canary_slot)
    return (
        f"Prometheus has shown no request of either version since the release began; it was asked for "
        f"{target.queries.requests}{{{labels}}}: run that query, and say what the service reports with under "
        "`sources: prometheus` of the policy (`preset`)"
    )


def _asked_cloudwatch(target: MetricTarget) -> str:
    custom = target.custom
    if custom is None:
        return ""
    return (
        "CloudWatch has shown no whole window of either version since the release began; it was asked for the sums of "
        f"{custom.requests} and {custom.errors} {_where(target)}: look there, publish both in each period (of errors zeros "
        f"too) with just these dimensions, or mend `sources: {CUSTOM}` of the policy"
    )


def _where(target: MetricTarget) -> str:
    """Where the canary's own metrics are looked for."""
    if target.custom is None:
        return ""
    names = target.filled_in(target.canary_slot)
    dimensions = [f"{name}={fill(value, names)}" for name, value in target.custom.dimensions.items()]
    return f"in namespace {fill(target.custom.namespace, names)} with {', '.join(dimensions)}"


_ASKED: dict[str, Callable[[MetricTarget], str]] = {
    "prometheus": _asked_prometheus,
    CUSTOM: _asked_cloudwatch,
}


def _missing(name: str, asked: Sequence[tuple[str, MetricTarget]]) -> str:
    what = _CALLED.get(name, f"the counter {name} was")
    return f"{what} never reported: " + ", and ".join(
        _LOOKED_FOR.get(source, _nowhere)(name, target) for source, target in asked
    )


_CALLED = {"errors": "errors were", "slow": "slow requests were"}


def _nowhere(name: str, target: MetricTarget) -> str:
    return f"there is no series of {name} of {target.service}"


def _in_cloudwatch(name: str, target: MetricTarget) -> str:
    return (
        f"CloudWatch has no metric {name} in the namespace Candlefish with Service={target.service} and "
        f"Slot={target.canary_slot} or {target.baseline_slot} (publish it, zeros too, or take it out of the policy's "
        "`counters`)"
    )


def _in_prometheus(name: str, target: MetricTarget) -> str:
    labels = target.queries.labels(target.namespace, target.service, target.canary_slot)
    fields = {"errors": "`code` and `failed`, or `errors`", "slow": "`latency`"}.get(name, "`counter`")
    return (
        f"Prometheus has nothing for {target.queries.looked_for(name, labels)} (run that query; say what the service "
        f"reports with in {fields} or `preset` under `sources: prometheus` of the policy)"
    )


def _in_custom_metrics(name: str, target: MetricTarget) -> str:
    called = target.custom.called(name) if target.custom else name
    field = {"slow": "`latency`"}.get(name, "`counter`")
    return (
        f"CloudWatch has no metric {called} {_where(target)} (publish it, zeros too, or mend {field} under "
        f"`sources: {CUSTOM}` of the policy)"
    )


_LOOKED_FOR: dict[str, Callable[[str, MetricTarget], str]] = {
    "cloudwatch": _in_cloudwatch,
    "prometheus": _in_prometheus,
    CUSTOM: _in_custom_metrics,
}
