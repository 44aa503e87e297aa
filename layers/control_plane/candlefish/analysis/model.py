"""What a judge reads, what it remembers between calls, and what it says."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from candlefish.catalog.model import CustomMetrics, JudgePolicy, Queries, Reading

Action = Literal["rollback", "continue", "promote", "hold", "experiment", "ask"]
Mode = Literal["judge", "bake"]


def hold_or_ask(over: bool) -> Action:
    """What not knowing leads to: the release is held, and at the deadline (`over`) a person is asked."""
    return "ask" if over else "hold"


# What is counted beside requests, errors and slow requests, by the first part of its name:
# `over:0.28` requests slower than so many seconds, among the requests; `at:/checkout` errors among the requests of an
# endpoint; `kind:new` errors of kinds that the service did not have before, among the requests; `use:throttled` CPU
# periods cut short among all, `use:restarts` and `use:oom` restarts and OOM kills among Pod-seconds.
FAMILIES = ("over", "at", "kind", "use")


class Arm(msgspec.Struct, frozen=True):
    """Counts of one version over one window."""

    requests: int
    errors: int = 0
    # Requests slower than the policy's `slow_over`.
    slow: int = 0
    # Business counters by name; events among the requests.
    counters: dict[str, int] = {}
    # What else was counted: (how much there was, how much of it was bad) by name, `family:detail`. See `FAMILIES`.
    beside: dict[str, tuple[int, int]] = {}
    # Memory used and allowed, bytes, of the container that is nearest to its limit at the window's end; 0: not known.
    memory: tuple[int, int] = (0, 0)

    def count(self, metric: str) -> int:
        """Events of one metric; 0 for a counter that was not reported."""
        if metric == "errors":
            return self.errors
        return self.slow if metric == "slow" else self.counters.get(metric, 0)


class Window(msgspec.Struct, frozen=True):
    """One complete window of both versions, from one source. Times are epoch seconds, [start, end)."""

    start: float
    end: float
    baseline: Arm
    canary: Arm
    source: str = "cloudwatch"
    # The baseline's counts are from before the release: nothing else serves the old version now.
    recorded: bool = False
    # Its store may not have heard of everything yet: it is consumed once it reads twice the same.
    growing: bool = False
    # Metrics that were asked for and that the store has no series of, in neither version: "errors", "slow", counters.
    absent: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True):
    """What a source can tell apart, chosen from a service's past once a release, so that it means the same all along.

    `edges` are seconds, ascending; `places` endpoints by falling traffic; `kinds` the kinds of errors that there were;
    `reported` the metrics (errors, slow, counters) that the store has ever had a series of.
    """

    edges: tuple[float, ...] = ()
    places: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    # What of the Pods' resources the store knows: "use:throttled", "use:restarts", "use:oom".
    uses: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What to do about the canary, why (a sentence for an operator), and the numbers behind it."""

    action: Action
    reason: str
    evidence: dict[str, Any] = {}


class MetricTarget(msgspec.Struct, frozen=True):
    """Which two versions are compared, and how their requests are counted.

    `load_balancer` and the target groups are CloudWatch dimension values (`app/name/id`,
    `targetgroup/name/id`); the namespace is the Kubernetes one. A group that is empty is not asked about.
    Seconds throughout.
    """

    environment: str
    service: str
    load_balancer: str
    baseline_slot: str
    canary_slot: str
    baseline_group: str
    canary_group: str
    namespace: str = ""
    # Length of a window, and how long after its end it is taken as complete.
    window: float = 60.0
    settle: float = 60.0
    # A request slower than this counts as slow.
    slow_over: float = 2.0
    # Business counters to report, by name.
    counters: tuple[str, ...] = ()
    # Whether the baseline gets any traffic now; its past is known anyway.
    baseline_serves: bool = True
    # Nothing is asked but how many requests there were.
    requests_only: bool = False
    # Whether requests without a counted answer may be well: those that became WebSockets.
    websockets: bool = False
    # Percent of the traffic that the canary is to get now.
    weight: int = 0
    # What is told apart besides (`Survey`), as it was when the release began.
    survey: Survey = Survey()
    # How the service reports, for a source that has to be told.
    queries: Queries = Queries()
    # How it reports to CloudWatch itself; None where it does not.
    custom: CustomMetrics | None = None
    # What the slots' versions are called; empty where a slot has none.
    baseline_version: str = ""
    canary_version: str = ""

    def filled_in(self, slot: str) -> dict[str, str]:
        """What stands for the placeholders of custom metrics, for one of the two slots."""
        version = self.canary_version if slot == self.canary_slot else self.baseline_version
        return {
            "environment": self.environment,
            "service": self.service,
            "slot": slot,
            "version": version,
        }


def aim_target(target: MetricTarget, policy: JudgePolicy, source: str) -> MetricTarget:
    """The target with what the policy says about counting, for the source of this name."""
    timing, reading = policy.timing(source), policy.sources.get(source, Reading())
    return msgspec.structs.replace(
        target,
        window=float(timing.window),
        settle=float(timing.settle),
        slow_over=float(policy.slow_over),
        counters=tuple(counter.name for counter in policy.counters),
        queries=reading.queries(),
        custom=reading.custom(),
    )


# --- what is carried between calls --------------------------------------------------------------


class Tally(msgspec.Struct):
    """The evidence of one stream: a few dozen floats. One entry a level of noise that is left, in every list."""

    # Which ones are left (`levels.LEVELS`).
    levels: list[int]
    # Log-probability of each level of noise: prior and the baseline's own behaviour ...
    spread: list[float]
    # ... and the windows' log-likelihood if the canary is just tolerable (odds ratio = margin).
    null: list[float]
    # Sum over possible starts of a regression, per odds ratio that is looked for; of a wandering level, at each place.
    rise: list[list[float]]
    # Of a wandering level, how likely it is at each place of its grid; empty for others.
    place: list[list[float]]
    # Log-likelihood, since the step began, if the canary is as good as the baseline, or intolerable; and, of a
    # wandering level, each place's probability if it is intolerable.
    same: list[float]
    worse: list[float]
    departed: list[list[float]]
    # Log-evidence, since the step began, that the canary's own rate is negligible.
    negligible: list[float]
    # Levels that are unlikely and not followed yet, their log-probability, what they missed (four counts a window), and
    # how many windows of it were before this step.
    asleep: list[int]
    asleep_spread: list[float]
    missed: list[int]
    missed_before: int
    # Share of windows in which an arm may do anything.
    outliers: float
    # Evidence that the canary is worse than tolerated, after the newest window.
    against: float
    # Prior probability of the starts that fell into windows without any event since the newest with one.
    waiting: float
    # The baseline's newest windows, oldest first: requests, events, requests, events ...
    past: list[int]
    # Since the step began: baseline's requests and events, canary's requests and events.
    total: list[int]
    # The stretch that speaks against the canary: same four counts, number of windows.
    run: list[int]
    # Sums behind the odds ratio of the step and of the stretch (Mantel and Haenszel, window by window).
    total_odds: list[float]
    run_odds: list[float]
    run_since: float = 0.0
    # Evidence of that stretch alone (CUSUM); the stretch starts again when it falls to 0.
    run_log: float = 0.0


class Breach(msgspec.Struct):
    """A stretch of windows over one absolute budget."""

    since: float = 0.0
    # Canary's requests and events, baseline's requests and events.
    counts: list[int] = msgspec.field(default_factory=lambda: [0] * 4)
    # The baseline is over the same budget, so that going back would not help.
    shared: bool = False


class Ended(msgspec.Struct, frozen=True):
    """The moment a decision fell: end of the window, its number, and by which rule."""

    at: float
    window: int
    rule: str


class JudgeState(msgspec.Struct):
    """Everything a judge remembers. JSON of 2 to 40 KB, by how much is told apart; treat as a value."""

    since: float
    mode: Mode
    # By stream: errors, slow, counters, and what is counted beside them.
    metrics: dict[str, Tally]
    breaches: list[Breach]
    # End of the newest window consumed, and its length.
    until: float
    length: float = 0.0
    # Windows consumed since the release began (those that count beside gross failure apart), and since this step began.
    windows: int = 0
    judged: int = 0
    # Up to when windows had been consumed when this step began, epoch seconds.
    step_from: float = 0.0
    step_windows: int = 0
    requests: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    # The highest share of failed requests that the service is known to have had; 0 when nothing is known.
    ceiling: float = 0.0
    # Until when only gross failure counts, epoch seconds.
    warm_until: float = 0.0
    # Requests and failed ones of the window that was gross failure.
    gross: list[int] = []
    # Windows that wait for an earlier one.
    pending: list[Window] = []
    # Windows that came too late or twice and were not counted.
    ignored: int = 0
    rolled_back: Ended | None = None
    promoted: Ended | None = None
