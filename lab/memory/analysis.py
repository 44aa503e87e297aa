"""What is known of services' burstiness, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from candlefish.analysis.calibration import Calibration
from candlefish.errors import Unavailable
from lab.memory.store import kept


class MemoryCalibrations:
    """`analysis.ports.Calibrations`; a `broken` one refuses everything."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], dict[str, Calibration]] = {}
        self.broken = False

    def get(self, service: str, source: str) -> Mapping[str, Calibration]:
        if self.broken:
            raise Unavailable("no table")
        return {metric: kept(each) for metric, each in self.known.get((service, source), {}).items()}

    def put(self, service: str, source: str, known: Mapping[str, Calibration]) -> None:
        if self.broken:
            raise Unavailable("no table")
        self.known[service, source] = {metric: kept(each) for metric, each in known.items()}
