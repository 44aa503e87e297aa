"""What the control plane counts of itself: the one table of its CloudWatch metrics (docs/decisions/0049).

Each is reported for its environment, and where it is about services for each service too: two dimensions at most, so
that what they cost grows with the services and with nothing else. Dashboards, their lint and docs/cost.md read this
table; what is not in it is not reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

# As CloudWatch spells them.
NAMESPACE = "Candlefish"
ENVIRONMENT, SERVICE = "Environment", "Service"
Unit = Literal["Count", "Seconds", "None"]


class Metric(msgspec.Struct, frozen=True):
    """One metric. `by_service`: whether each service has its own beside the environment's."""

    unit: Unit
    about: str
    by_service: bool = True


METRICS: dict[str, Metric] = {
    # --- releases, counted at the write that changes the release's status
    "ReleasesPromoted": Metric("Count", "Releases that were promoted; of production: deployment frequency."),
    "ReleasesRolledBack": Metric("Count", "Releases that were taken back, for whatever reason."),
    "ReleasesRefused": Metric("Count", "Releases that were refused before they had their service."),
    "LeadTime": Metric("Seconds", "From the request of a release to its promotion."),
    "ChangesDelivered": Metric("Count", "Releases that ended and had reached users."),
    "ChangesFailed": Metric(
        "Count", "Those of them that were taken back as bad; over ChangesDelivered: change failure rate."
    ),
    "TimeToRestore": Metric(
        "Seconds",
        "From the first user of a change that failed until all traffic was back: as long as users may have met it.",
    ),
    # --- the judge, counted with its entry in the timeline
    "JudgedGood": Metric("Count", "Verdicts that there is no sign of harm: the release goes on."),
    "JudgedBad": Metric("Count", "Verdicts that there is harm: the release is taken back."),
    "JudgeAsked": Metric("Count", "Verdicts that nobody can tell: a person is asked, or an experiment made."),
    "Evidence": Metric(
        "None",
        "Where the evidence of a release stands after each look with new windows: -1 rolls back, 1 promotes, between them "
        "on a logarithmic scale.",
    ),
    # --- signals, counted once they are in the log
    "SignalsActed": Metric("Count", "Signals that led to a rollback, a hold or a failover."),
    "SignalsRefused": Metric("Count", "Signals that asked for one, and that the guard refused."),
    # --- the reconcilers
    "Repairs": Metric("Count", "What a reconciler put right, with its entry in the timeline."),
    "ChangedByOthers": Metric("Count", "Those of them that somebody else had changed."),
    "NotPutRight": Metric(
        "Count",
        "What one look at the traffic found and left: it could not be told, or a person has to.",
        by_service=False,
    ),
    # --- costs, every morning
    "CostForecast": Metric("None", "What the month will have cost, in US dollars.", by_service=False),
    "CostTarget": Metric("None", "The upper end of what it should cost.", by_service=False),
}


class Measure(msgspec.Struct, frozen=True):
    """One value of a metric of the table, of a service or of the whole environment."""

    metric: str
    value: float = 1.0
    service: str = ""


class Uncounted:
    """`ports.Meter` of who counts nothing."""

    def measure(self, measures: Sequence[Measure]) -> None:
        """Forget them."""

    def miss(self, why: str) -> None:
        """Nor is that of interest."""
