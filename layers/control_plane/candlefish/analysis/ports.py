"""What judging needs from the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from candlefish.analysis.calibration import Calibration
from candlefish.analysis.model import MetricTarget, Survey, Window


class WindowSource(Protocol):
    """Where windows come from."""

    def windows(self, target: MetricTarget, since: float, until: float) -> Sequence[Window]:
        """The windows that begin at or after `since` and have settled by `until`, epoch seconds.

        A window has settled `target.settle` seconds after its end.

        Raises
        ------
        Unavailable
            The metrics store did not answer, or only in part.
        """

    def survey(self, target: MetricTarget, since: float, until: float) -> Survey:
        """What the source can tell apart of the service, from what the baseline did between two times, epoch seconds.

        Raises
        ------
        Unavailable
            The metrics store did not answer, or only in part.
        """

    def own_errors(self, target: MetricTarget, since: float, until: float) -> float | None:
        """How many requests the load balancer answered with 5xx itself between two times; None: it is not known here.

        Those of all its services: for requests that no target was found for, or that the target did not answer.

        Raises
        ------
        Unavailable
            The metrics store did not answer, or only in part.
        """


class Calibrations(Protocol):
    """What is known of services' burstiness from release to release, by source and metric."""

    def get(self, service: str, source: str) -> Mapping[str, Calibration]:
        """What was learnt last; empty when nothing was."""

    def put(self, service: str, source: str, known: Mapping[str, Calibration]) -> None:
        """Keep what was learnt."""
