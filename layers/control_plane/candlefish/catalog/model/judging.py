"""Judge policies: when a canary is good enough, and when it is not."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from candlefish.catalog.model.queries import PRESETS, CustomMetrics, Preset, Queries
from candlefish.catalog.model.scalars import Duration, Model


class Budget(Model, frozen=True):
    """An objective of its own: a share of requests above `over` for `lasting` is bad in any case."""

    # Failed requests, or slow ones.
    metric: Literal["errors", "slow"]
    # The share of requests, from 0 to 1.
    over: float
    # How long it must be above; 0s is a single window that leaves no doubt.
    lasting: Duration
    # When the baseline is over it as well, going back will not help: hold, or roll back all the same.
    shared: Literal["hold", "rollback"] = "hold"

    def __post_init__(self) -> None:
        if not 0 < self.over < 1:
            raise ValueError(
                f"over: {self.over:g} is not a share of requests; write a number between 0 and 1"
            )


class Counter(Model, frozen=True):
    """A business counter that is judged like errors: events of this name among the requests."""

    # As the metrics store calls it.
    name: str
    # Whether more of it or less of it is bad.
    bad: Literal["more", "less"] = "more"


# The source that is a service's own metrics in CloudWatch.
CUSTOM = "custom_metrics"


class Reading(Model, frozen=True):
    """How one metrics source is read, where it is read otherwise than the policy says.

    All but `window` and `settle` is of counters that are the service's own. For Prometheus: what `preset` says of the
    names of metrics and labels, and beside it what is otherwise. For `custom_metrics`, which are in CloudWatch:
    `namespace`, `dimensions`, `requests`, `errors`, and where there is one `latency`. See docs/judge.md.
    """

    # How long one look's counts are collected.
    window: Duration | None = None
    # How long after its end a window is taken as complete.
    settle: Duration | None = None
    # What the service, or the proxy in front of it, reports with.
    preset: Preset = "default"
    # The namespace in CloudWatch; {environment} and {service} are filled in.
    namespace: str | None = None
    # All dimensions of the metrics in CloudWatch, by name; {environment}, {service}, {slot} and {version} are filled in.
    dimensions: dict[str, str] = {}
    # The counter of requests.
    requests: str | None = None
    # Label matchers that tell a slot's series; {namespace}, {service} and {slot} are filled in.
    slot: str | None = None
    # A counter of failed requests alone, where no label tells them.
    errors: str | None = None
    # The label with the status.
    code: str | None = None
    # Which of its values are failures, a regular expression.
    failed: str | None = None
    # The histogram of latency, without `_bucket`.
    latency: str | None = None
    # What its bounds are in.
    unit: Literal["seconds", "milliseconds"] | None = None
    # The label with the endpoint; the 20 with the most traffic are judged one by one.
    place: str | None = None
    # The label with the kind of an error; kinds that the service never had are judged.
    kind: str | None = None
    # Labels that tell one process from another.
    process: tuple[str, ...] | None = None
    # What a business counter is called; {counter} is its name in the policy.
    counter: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it says which counters are the service's own."""
        return self.requests is not None or self.preset != "default"

    def custom(self) -> CustomMetrics | None:
        """What is asked of CloudWatch; None where it is not said, or not whole."""
        if self.namespace is None or self.requests is None or self.errors is None:
            return None
        return CustomMetrics(
            namespace=self.namespace,
            dimensions=self.dimensions,
            requests=self.requests,
            errors=self.errors,
            latency=self.latency or "",
            unit=self.unit or "seconds",
            counter=self.counter or "{counter}",
        )

    def queries(self) -> Queries:
        """The preset, with what is otherwise."""
        said = {name: getattr(self, name) for name in OVERRIDES}
        changed = {name: value for name, value in said.items() if value is not None}
        return msgspec.structs.replace(PRESETS[self.preset], **changed)


# What a reading may say otherwise than its preset.
OVERRIDES = tuple(name for name in Queries.__struct_fields__ if name in Reading.__struct_fields__)


class Timing(NamedTuple):
    """How long a source's windows are and when they are complete; seconds."""

    window: Duration
    settle: Duration


class JudgePolicy(Model, frozen=True):
    """How a canary is judged. See docs/judge.md for what each number means."""

    name: str
    # Chance of rolling back a canary that is no worse than its baseline.
    alpha: float = 0.01
    # The odds ratio up to which a canary counts as no worse.
    margin: float = 1.0
    # The odds ratio that must be ruled out before a canary is promoted early ...
    tolerance: float = 2.0
    # ... or the share of requests below which errors do not matter.
    negligible: float = 0.005
    # Chance of promoting early a canary that is worse than tolerated.
    promote_alpha: float = 0.05
    # What is compared: odds, or (with a fresh baseline slot as large as the canary) only who is worse.
    comparison: Literal["odds", "sign"] = "odds"
    # After each change of weight only gross failure counts for so long: cold caches, code that is compiled as it runs.
    warm_up: Duration = Duration(0)
    # The share of failed requests that is gross failure: beyond chance and beyond all that the service has known, one
    # window of it is enough.
    gross: float = 0.2
    # Whether a release may take its canary out of the traffic for two windows to see whose fault a trouble is that
    # both versions have.
    experiment: bool = True
    # How long one look's counts are collected.
    window: Duration = Duration(60)
    # How long after its end a window is taken as complete.
    settle: Duration = Duration(60)
    # Sources that are read otherwise, by name.
    sources: dict[str, Reading] = {}
    # A request slower than this counts as slow, in seconds.
    slow_over: Duration = Duration(2)
    # With fewer canary requests than this nobody is promoted.
    min_requests: int = 50
    # Windows to look at before a canary is promoted early.
    min_windows: int = 3
    # How far back the service's own history is read, for its burstiness and for a baseline at 100%.
    history: Duration = Duration(10800)
    # Business counters beside errors and slow requests.
    counters: tuple[Counter, ...] = ()
    # Objectives beside the comparison with the baseline.
    budgets: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        for name in ("alpha", "promote_alpha", "negligible", "gross"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name):g} is not between 0 and 1")
        if self.margin < 1:
            raise ValueError(
                f"margin: {self.margin:g} rolls back canaries as good as their baseline; write 1 or more"
            )
        if self.tolerance <= self.margin:
            raise ValueError(f"tolerance: {self.tolerance:g} must be above the margin, {self.margin:g}")
        if self.window <= 0:
            raise ValueError("window: 0 seconds hold no requests; write 15s, 1m or the like")

    def asks(self, source: str, *, balanced: bool) -> bool:
        """Whether a service is judged by the source of this name.

        Custom metrics are read where the policy names them, and Prometheus is then left out unless it is named as well.
        What a load balancer counts is of a service behind one (`balanced`).
        """
        own = self.sources.get(CUSTOM)
        if source == CUSTOM:
            return own is not None
        if source == "prometheus":
            return own is None or source in self.sources
        return balanced

    def timing(self, source: str) -> Timing:
        """The windows of the source of this name."""
        said = self.sources.get(source, Reading())
        return Timing(
            self.window if said.window is None else said.window,
            self.settle if said.settle is None else said.settle,
        )
