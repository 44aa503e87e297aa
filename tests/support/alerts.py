"""Alerts that reach a control plane in virtual time, and what is known of them afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from candlefish.service.model import all_to
from candlefish.signals.model import LoggedSignal
from tests.support.scenario import SimulatedStage


class SignalStage(SimulatedStage):
    """An environment, the alerts that reach it, and what people are told."""

    def alert(self, name: str, began: float, *, ended: float = 0.0, **labels: str) -> dict[str, Any]:
        """An alert about the website, unless the labels say otherwise, as Alertmanager words it."""
        said = {"alertname": name, "service": "website", "environment": self.environment, **labels}
        return {
            "status": "resolved" if ended else "firing",
            "labels": said,
            "annotations": {"summary": f"{name} in a test"},
            "startsAt": _stamp(began),
            "endsAt": _stamp(ended) if ended else "0001-01-01T00:00:00Z",
            "fingerprint": f"{name}-{began:.3f}",
        }

    def post(self, *alerts: Mapping[str, Any], **more: Any) -> None:
        assert self.site.alertmanager(alerts, **more) == 202

    def lines(self, name: str = "", subject: str = "") -> list[LoggedSignal]:
        """The log of signals by their name or subject, oldest first."""
        found = self.site.stores.log.lines
        return [
            each for each in found if name in ("", each.signal.name) and subject in ("", each.signal.subject)
        ]

    def logged(self, name: str) -> LoggedSignal:
        """The only line about a signal, once there is one."""
        (line,) = self.site.until(lambda: self.lines(name), f"a line about {name}")
        found: LoggedSignal = line
        return found

    def outcomes(self, subject: str) -> list[str]:
        """How the responses about a service ended."""
        return [line.outcome for line in self.lines(subject=subject) if line.outcome]

    def told(self, *titles: str) -> dict[str, int]:
        """How often people got each of these messages, once they got all of them."""

        def said() -> list[str]:
            return [each.title for each in self.site.told]

        self.site.until(lambda: set(titles) <= set(said()), f"{titles} are told; {said()} were")
        return {title: said().count(title) for title in titles}

    def one_rollback(self, service: str) -> None:
        """One response, it took effect, and the log says which signal asked for it."""
        self.site.until(lambda: self.outcomes(service), f"the end of a response about {service}")
        assert self.outcomes(service) == ["done"]
        asked = [
            line
            for line in self.lines(subject=service)
            if line.decision.action == "rollback" and not line.outcome
        ]
        assert len({line.response for line in asked}) == 1
        record = self.site.record(service)
        assert record.stable == "green"
        assert record.desired == all_to("green")
        assert self.site.weights(record.rule) == record.weights_by_target_group()
        assert record.slots["blue"].state == "bad"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
